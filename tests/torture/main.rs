//! Kills training at random moments, fills its disk, sets two processes on one run, and holds what becomes of it to the
//! bits of an undisturbed run. `tests/torture.sh` runs it; it is no part of `cargo test`. Signals and disks in memory
//! are Unix's.

#[cfg(unix)]
mod campaign;
#[cfg(unix)]
#[path = "../same/mod.rs"]
mod same;
#[cfg(unix)]
#[path = "../small/mod.rs"]
mod small;
#[cfg(unix)]
mod subject;
#[cfg(unix)]
mod trouble;

fn main() -> std::process::ExitCode {
    #[cfg(unix)]
    return campaign::run();
    #[cfg(not(unix))]
    std::process::ExitCode::SUCCESS
}
