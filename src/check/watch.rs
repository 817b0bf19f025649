//! Work that may never end: a kernel in an endless loop cannot be stopped, but named.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a case may take before it is named.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What is said of a case, or a step, that takes longer.
pub fn still_running(what: &str, launches: &[String]) -> String {
    format!("still running after {} s: {what} ({})", PATIENCE.as_secs(), launches.join(" "))
}

/// Does the work, and calls `slow` if that is still under way after `patience`.
pub fn watched<T>(patience: Duration, slow: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    let (working, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watch = move || {
            if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                slow();
            }
        };
        // Where the system gives no thread, the work is done unwatched.
        let _ = thread::Builder::new().spawn_scoped(scope, watch);
        // Its end is that of the work, which may be a panic.
        let _working = working;
        work()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::watched;

    #[test]
    fn only_slow_work_is_told_of() {
        let (told, tells) = mpsc::channel();
        // Ends when it was told of.
        watched(
            Duration::from_millis(1),
            || told.send("slow").expect("a receiver"),
            || tells.recv().expect("slow work"),
        );
        let quick = watched(Duration::from_secs(3600), || unreachable!("it is quick"), || 7);
        assert_eq!(quick, 7);
    }
}
