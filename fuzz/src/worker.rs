//! The child process that makes and judges cases one after the other. It keeps the number of the present one in a file,
//! tells each case that fails, and ends itself over one that takes too long. What ends it otherwise, the driver finds
//! out.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::targets::Target;

/// Exit status of a worker whose case takes too long.
pub const HANGS: i32 = 3;

/// Random bytes of one case: most cases take far less.
const ENTROPY: u64 = 512;

/// Numbers of cases of a target, drawn from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub seed: u64,
    pub from: u64,
    pub to: u64,
}

/// The case of this number: always the same for a seed.
pub fn case(target: &Target, seed: u64, number: u64) -> Vec<u8> {
    let name = target.name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut state = name.wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95));
    let mut next = || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let entropy: Vec<u8> = (0..ENTROPY / 8).flat_map(|_| next().to_le_bytes()).collect();
    target.case(&entropy)
}

/// What the last panic said and where.
static PANIC: Mutex<String> = Mutex::new(String::new());

thread_local! {
    static JUDGING: Cell<bool> = const { Cell::new(false) };
}

/// Judges one case: whether wgrad took it, or what went wrong.
pub fn judge(target: &Target, case: &[u8]) -> Result<bool, String> {
    JUDGING.set(true);
    let judged = catch_unwind(AssertUnwindSafe(|| (target.judge)(case)));
    JUDGING.set(false);
    judged.map_err(|_| std::mem::take(&mut *PANIC.lock().expect("no panic holds it")))
}

/// Keeps panics for the report instead of printing them.
pub fn keep_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let said = payload.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
        let place = panic.location().map_or(String::new(), |place| format!("{}:{}", place.file(), place.line()));
        *PANIC.lock().expect("no panic holds it") = format!("{place}: {said}");
        if !JUDGING.get() && std::thread::current().name() == Some("main") {
            usual(panic);
        }
    }));
}

/// Seconds of processor time that a process has had, by Linux.
pub fn processor_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name in parentheses, which may hold anything, the 12th and 13th: hundredths of a second.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut field = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (field() + field()) / 100.0
}

/// Judges the cases of these numbers, after one in which nothing is changed, for what is always refused tests nothing.
/// Tells on standard output `failed NUMBER WHAT` for each that fails, and at the end `done TAKEN`.
pub fn work(target: &'static Target, numbers: Numbers, progress: &File, seconds: f64) -> ExitCode {
    static NUMBER: AtomicU64 = AtomicU64::new(u64::MAX);
    keep_panics();
    std::thread::spawn(move || {
        let (mut last, mut begun, mut waits) = (u64::MAX, 0.0, 0);
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let (number, now) = (NUMBER.load(Ordering::Relaxed), processor_seconds(std::process::id()));
            if number != last {
                (last, begun, waits) = (number, now, 0);
            }
            waits += 1;
            // Of the processor's time, since others may want it; one that waits for what never comes takes none.
            if number != u64::MAX && (now - begun > seconds || f64::from(waits) / 10.0 > 12.0 * seconds) {
                std::process::exit(HANGS);
            }
        }
    });
    match judge(target, &target.case(&[])) {
        Ok(true) => {}
        judged => {
            eprintln!("{}: the unchanged file is not taken: {judged:?}", target.name);
            return ExitCode::FAILURE;
        }
    }
    let mut taken = 0_u64;
    for number in numbers.from..numbers.to {
        let case = case(target, numbers.seed, number);
        progress.write_all_at(&number.to_le_bytes(), 0).expect("the file of progress");
        NUMBER.store(number, Ordering::Relaxed);
        match judge(target, &case) {
            Ok(took) => taken += u64::from(took),
            Err(said) => println!("failed {number} {}", said.replace(['\n', '\r'], " ")),
        }
        NUMBER.store(u64::MAX, Ordering::Relaxed);
    }
    println!("done {taken}");
    ExitCode::SUCCESS
}
