//! The adapter that tests of shaders run on.

use std::io::Write;
use std::sync::Once;

use wgrad::gpu::{Gpu, Limits};

/// The software adapter llvmpipe where there is one, else the best adapter present. Without any the test fails and says
/// what installs one.
pub fn open() -> Gpu {
    open_apart(Limits::Adapter, 0)
}

/// The same, with as much of it as `limits` says; those with different numbers work at the same time.
pub fn open_apart(limits: Limits, number: usize) -> Gpu {
    heed_validation();
    let open = |name| Gpu::open_apart(name, limits, number);
    open("llvmpipe").or_else(|_| open("")).unwrap_or_else(|e| panic!("{e}"))
}

/// Ends the tests at the first error of Vulkan's validation layers, where `tests/validation.sh` has them loaded.
fn heed_validation() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Heed).expect("the first logger");
        log::set_max_level(log::LevelFilter::Error);
    });
}

/// wgpu logs what the layers report. It does so from inside the driver, where a panic would be caught and forgotten.
struct Heed;

impl log::Log for Heed {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.level() == log::Level::Error
    }

    fn log(&self, record: &log::Record) {
        let message = record.args().to_string();
        if message.starts_with("VALIDATION") {
            // Not by eprintln, which the test harness would capture.
            let _ = writeln!(std::io::stderr(), "{message}");
            std::process::abort();
        }
    }

    fn flush(&self) {}
}
