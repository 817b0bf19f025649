//! Worker processes that judge mutants, one at a time. Some mutants hang, some take the driver and with it the process
//! down: that costs the one mutant, and a new worker goes on with the next.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use thiserror::Error;

/// What a worker says when it begins a case: it does not hang.
pub const ALIVE: &str = "...";

/// What a worker says when it knows what the unchanged shaders give, and comes to the mutant.
pub const READY: &str = "ready";

/// A worker is replaced after so many mutants, whose compiled kernels it keeps.
const MUTANTS_OF_A_WORKER: usize = 400;

struct Worker {
    child: Child,
    input: ChildStdin,
    said: Receiver<String>,
    /// What it wrote to standard error.
    errors: File,
    done: usize,
}

/// A new worker did not come as far as the mutant: then it says nothing of the cases.
#[derive(Debug, Error)]
#[error(
    "mutant {number}: a new worker failed before it ran the mutant ({how}). Do the unchanged kernels pass the \
     check?\n{said}"
)]
pub struct WorkerError {
    number: usize,
    how: String,
    said: String,
}

/// How a worker ended without a verdict.
struct Ended {
    /// Whether it had come to the mutant.
    ready: bool,
    how: RecvTimeoutError,
}

impl Worker {
    fn start(command: &mut Command) -> Self {
        let errors = tempfile::tempfile().expect("a temporary file");
        let shared = errors.try_clone().expect("a temporary file");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(shared);
        let mut child = command.spawn().expect("a worker can be started");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (send, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, input, said, errors, done: 0 }
    }

    fn judge(&mut self, number: usize, timeout: Duration) -> Result<String, Ended> {
        self.done += 1;
        // One that has ended meanwhile says nothing, either.
        let _ = writeln!(self.input, "{number}").and_then(|()| self.input.flush());
        let mut ready = false;
        loop {
            // Until then nothing can hang, and a case on the unchanged shaders may take long on a busy machine.
            let timeout = if ready { timeout } else { 10 * timeout };
            match self.said.recv_timeout(timeout).map_err(|how| Ended { ready, how })?.as_str() {
                ALIVE => {}
                READY => ready = true,
                verdict => return Ok(verdict.into()),
            }
        }
    }

    /// The end of what it wrote to standard error.
    fn last_words(&mut self) -> String {
        let mut text = vec![];
        let read = self.errors.seek(SeekFrom::Start(0)).and_then(|_| self.errors.read_to_end(&mut text));
        read.expect("a temporary file");
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One worker after the other.
pub struct Judges {
    command: Command,
    timeout: Duration,
    worker: Option<Worker>,
}

impl Judges {
    /// Workers that `command` starts. They read a mutant's number a line, and may be silent for `timeout` before they
    /// are taken to hang.
    pub fn new(command: Command, timeout: Duration) -> Self {
        Self { command, timeout, worker: None }
    }

    /// What became of a mutant: "invalid", "same code", "caught: by which case and why", or "survived: and whether any
    /// bit changed".
    ///
    /// # Errors
    /// When a new worker does not come as far as the mutant.
    ///
    /// # Panics
    /// When the system starts no process, or has no temporary files.
    pub fn judge(&mut self, number: usize) -> Result<String, WorkerError> {
        loop {
            let known = self.worker.take().filter(|worker| worker.done < MUTANTS_OF_A_WORKER);
            let new = known.is_none();
            let mut worker = known.unwrap_or_else(|| Worker::start(&mut self.command));
            match worker.judge(number, self.timeout) {
                Ok(verdict) => {
                    self.worker = Some(worker);
                    return Ok(verdict);
                }
                Err(Ended { ready: true, how: RecvTimeoutError::Timeout }) => return Ok("caught: it hangs".into()),
                Err(Ended { ready: true, how: RecvTimeoutError::Disconnected }) => {
                    return Ok("caught: it ends the process".into());
                }
                // The mutant before ended it after its verdict.
                Err(Ended { ready: false, .. }) if !new => {}
                Err(Ended { ready: false, how }) => {
                    return Err(WorkerError { number, how: how.to_string(), said: worker.last_words() });
                }
            }
        }
    }
}

/// A mutant that hangs or ends its worker costs that mutant alone.
#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::Judges;

    /// Workers that a shell script stands for: `script` is what it does with mutant $n, after it has said that it is
    /// ready.
    fn judges(script: &str) -> Judges {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            &format!("while read n; do echo ...; echo ready; echo ...; {script}; echo verdict $n of $$; done"),
        ]);
        Judges::new(command, Duration::from_secs(1))
    }

    /// The mutant and the worker's process of a verdict.
    fn parts(verdict: &str) -> Option<(usize, &str)> {
        let (number, process) = verdict.strip_prefix("verdict ")?.split_once(" of ")?;
        Some((number.parse().ok()?, process))
    }

    #[test]
    fn a_mutant_that_hangs_costs_that_mutant_alone() {
        let mut judges = judges("[ $n != 2 ] || exec sleep 1000");
        let begun = Instant::now();
        let verdicts: Vec<String> = (0..5).map(|number| judges.judge(number).expect("a verdict")).collect();
        assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
        assert_eq!(verdicts[2], "caught: it hangs");
        let others: Vec<_> = [0, 1, 3, 4].map(|number| parts(&verdicts[number]).expect("a verdict")).into();
        assert_eq!(others.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert!(others[0].1 == others[1].1 && others[1].1 != others[2].1 && others[2].1 == others[3].1, "{others:?}");
    }

    #[test]
    fn a_mutant_that_ends_its_worker_costs_that_mutant_alone() {
        // Before its verdict, and right after it.
        let mut judges = judges("[ $n != 2 ] || kill -9 $$; [ $n != 4 ] || { echo verdict 4 of the last; exit; }");
        let verdicts: Vec<String> = (0..7).map(|number| judges.judge(number).expect("a verdict")).collect();
        assert_eq!(verdicts[2], "caught: it ends the process");
        for number in [0, 1, 3, 4, 5, 6] {
            assert_eq!(parts(&verdicts[number]).expect("a verdict").0, number);
        }
    }

    #[test]
    fn a_worker_that_cannot_begin_catches_nothing() {
        let error =
            Judges::new(Command::new("true"), Duration::from_secs(1)).judge(7).expect_err("no verdict").to_string();
        assert!(error.starts_with("mutant 7: a new worker failed before it ran the mutant"), "{error}");
    }
}
