//! Fuzzing of everything that wgrad reads. A target makes a case out of random bytes, mostly a file that wgrad wrote
//! with something changed, gives it to wgrad, and holds what comes back to what must be: no panic, no abort, no hang,
//! no memory without end, and no success on what is not in order.
//!
//! The same targets serve two drivers. `cargo fuzz run NAME` (nightly) hands them to libFuzzer. The plain [`driver`]
//! draws the random bytes from a seed and runs the cases in [worker] processes, which may abort or hang without an end
//! to the rest.

pub mod driver;
mod mutate;
mod parts;
mod seeds;
pub mod targets;
mod worker;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// A program for one target: for libFuzzer under cargo-fuzz, else the plain driver with this target alone.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|entropy: &[u8]| {
            let target = $crate::targets::named(stringify!($name)).expect("a target of this name");
            let _ = (target.judge)(&target.case(entropy));
        });

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::driver::run([stringify!($name).to_string()].into_iter().chain(std::env::args().skip(1)))
        }
    };
}
