//! Where there is no memory left the program ends with a word and exit status 1. Rust's own answer is an abort, which
//! looks like a crash.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The system's allocator, which ends the program when it has nothing to give to those who cannot do without.
pub struct Allocator;

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.realloc(pointer, layout, size) }, size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn given(pointer: *mut u8, size: usize) -> *mut u8 {
    if !pointer.is_null() || wgrad::memory::trying() {
        return pointer;
    }
    // Threads are told apart by where this byte of theirs lies, for which no memory is taken.
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    static ENDING: AtomicUsize = AtomicUsize::new(0);
    let here = HERE.with(|here| std::ptr::from_ref(here).addr());
    match ENDING.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            // Neither line takes memory.
            let _ = writeln!(
                std::io::stderr(),
                "error: ran out of memory: {size} bytes more are not to be had. Take smaller batches (--set \
                 train.batch.sentences=64) or a smaller model, end other programs, or raise the limit (ulimit -v)"
            );
            std::process::exit(1);
        }
        // What fails while this thread ends the program is left to Rust.
        Err(ending) if ending == here => pointer,
        // Another thread is at it: to fail here too would abort the program before its word is said. It may wait for
        // what this one holds, and so not forever.
        Err(_) => {
            std::thread::sleep(Duration::from_secs(5));
            pointer
        }
    }
}
