//! The threads that compute on the CPU.

use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::Context;
use rayon::{ThreadBuilder, ThreadPoolBuilder};

/// Threads that are left for others: for Ctrl-C, and one to spare.
const OTHERS: usize = 2;

/// Starts rayon's threads, one for each core, or as many as the system gives; the caller's own does the work where it
/// gives none. Left to itself rayon panics where one thread cannot be made.
///
/// # Errors
/// When rayon was started before.
pub fn start() -> anyhow::Result<()> {
    let wanted = wanted();
    let (mut waiting, mut refused) = (vec![], None);
    for number in 0..wanted + OTHERS {
        let (work, given) = mpsc::channel::<ThreadBuilder>();
        let wait = move || given.recv().map_or((), ThreadBuilder::run);
        match thread::Builder::new().name(format!("wgrad {number}")).spawn(wait) {
            Ok(thread) => waiting.push((work, thread)),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    for (work, thread) in waiting.drain(waiting.len().saturating_sub(OTHERS)..) {
        drop(work);
        // It has nothing to do, and so cannot have panicked.
        let _ = thread.join();
    }
    let threads = waiting.len().max(1);
    if let Some(error) = refused.filter(|_| threads < wanted) {
        tell!(
            "threads   {threads} in place of {wanted}: the system gives no more ({error}). Raise the limit of \
             processes (ulimit -u), or of memory (ulimit -v), to compute on all cores"
        );
    }
    start_on(waiting.into_iter().map(|(work, _)| work).collect()).context("starting the threads to compute on")
}

/// As rayon would: its own variable, else a thread for each core.
fn wanted() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok()).filter(|&number| number > 0);
    asked.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Hands rayon's threads to those that wait for them.
fn start_on(mut waiting: Vec<Sender<ThreadBuilder>>) -> Result<(), rayon::ThreadPoolBuildError> {
    if waiting.is_empty() {
        return ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    }
    let threads = ThreadPoolBuilder::new().num_threads(waiting.len());
    let hand_over = move |thread: ThreadBuilder| {
        let work = waiting.pop().expect("as many as were asked for");
        work.send(thread).map_err(|_| std::io::Error::other("a thread ended"))
    };
    threads.spawn_handler(hand_over).build_global()
}
