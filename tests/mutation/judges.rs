//! Worker processes that judge mutants, one at a time. Some mutants hang, some take the driver and with it the process
//! down: that costs the one mutant, and a new worker goes on with the next.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

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

    /// What became of a mutant.
    ///
    /// # Panics
    /// When a new worker does not come as far as the mutant: then it says nothing of the cases.
    pub fn judge(&mut self, number: usize) -> String {
        loop {
            let known = self.worker.take().filter(|worker| worker.done < MUTANTS_OF_A_WORKER);
            let new = known.is_none();
            let mut worker = known.unwrap_or_else(|| Worker::start(&mut self.command));
            match worker.judge(number, self.timeout) {
                Ok(verdict) => {
                    self.worker = Some(worker);
                    return verdict;
                }
                Err(Ended { ready: true, how: RecvTimeoutError::Timeout }) => return "caught: it hangs".into(),
                Err(Ended { ready: true, how: RecvTimeoutError::Disconnected }) => {
                    return "caught: it ends the process".into();
                }
                // The mutant before ended it after its verdict.
                Err(Ended { ready: false, .. }) if !new => {}
                Err(Ended { ready: false, how }) => panic!(
                    "mutant {number}: a new worker failed before it ran the mutant ({how}). Do the unchanged shaders \
                     pass `wgrad check`?\n{}",
                    worker.last_words()
                ),
            }
        }
    }
}
