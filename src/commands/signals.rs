//! Ctrl-C, and a system that asks the program to end.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

#[cfg(unix)]
const ENDING: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const ENDING: [i32; 2] = [SIGINT, SIGTERM];

/// Waits between two looks at whether a signal came, to tell of it.
const LOOK: Duration = Duration::from_millis(50);

/// What to do when a signal asks the program to end: at once, or after what is being done is saved. The exit status is
/// the one that shells expect, 128 and the signal's number: 130 for Ctrl-C, 143 for SIGTERM.
pub struct Signals {
    at_once: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
    /// Who says that the signal was heard.
    teller: OnceLock<JoinHandle<()>>,
}

impl Signals {
    /// From now on a signal ends the program at once.
    pub fn catch() -> io::Result<Self> {
        let signals = Self {
            at_once: Arc::new(AtomicBool::new(true)),
            asked: Arc::new(AtomicBool::new(false)),
            which: Arc::new(AtomicUsize::new(0)),
            teller: OnceLock::new(),
        };
        for signal in ENDING.into_iter().filter(|&signal| !is_ignored(signal)) {
            // In this order: the first signal that is deferred makes the next one end the program.
            flag::register_conditional_shutdown(signal, 128 + signal, signals.at_once.clone())?;
            flag::register(signal, signals.at_once.clone())?;
            flag::register_usize(signal, signals.which.clone(), signal as usize)?;
            flag::register(signal, signals.asked.clone())?;
        }
        // A file that may not grow (`ulimit -f`) fails to be written, as on a full disk, in place of the program's end.
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// From now on the first signal sets the flag that this gives, and says what happens; the second ends the program
    /// at once.
    pub fn defer(&self) -> &AtomicBool {
        self.at_once.store(false, Ordering::SeqCst);
        let asked = self.asked.clone();
        let tell = move || {
            while !asked.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            tell!("\nfinishing this step and saving; press Ctrl-C again to stop at once");
        };
        // Without the thread nothing is said, and all the rest is as it should be.
        if let Ok(teller) = thread::Builder::new().spawn(tell) {
            let _ = self.teller.set(teller);
        }
        &self.asked
    }

    /// From now on a signal ends the program at once, again.
    pub fn heed(&self) {
        self.at_once.store(true, Ordering::SeqCst);
    }

    /// Exit status of a program that the last signal ended. By then it was said that the signal was heard.
    pub fn status(self) -> i32 {
        if let Some(teller) = self.teller.into_inner() {
            let _ = teller.join();
        }
        128 + self.which.load(Ordering::SeqCst) as i32
    }
}

/// Whether the program was started so that it outlives the terminal, as `nohup` starts it: then it does.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let ignored = |status: String| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let mask = std::fs::read_to_string("/proc/self/status").ok().and_then(ignored).unwrap_or(0);
    signal == signal_hook::consts::SIGHUP && (mask >> (signal - 1)) & 1 == 1
}

#[cfg(not(target_os = "linux"))]
fn is_ignored(_: i32) -> bool {
    false
}
