//! The machine's memory: how much is left, and taking much of it at once without the end of the program where it is not
//! there.

use std::cell::Cell;
use std::collections::TryReserveError;
#[cfg(target_os = "linux")]
use std::fs;

/// Bytes that this process can still take: what the machine and, on Linux, the container and `ulimit -v` leave, swap
/// space included. `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub fn available() -> Option<u64> {
    let kilobytes = |name| Some(1024 * number("/proc/meminfo", name)?);
    let swap = kilobytes("SwapFree:").unwrap_or(0);
    let machine = kilobytes("MemAvailable:").map(|free| free.saturating_add(swap));
    // Of a container's memory, what files' contents occupy is given back where it is needed. Without a limit the first
    // is a word, or more than there is.
    let container = |limit: &str, statistics: &str, taken: &str| {
        let limit = fs::read_to_string(limit).ok()?.trim().parse::<u64>().ok()?;
        Some(limit.saturating_sub(number(statistics, taken)?).saturating_add(swap))
    };
    let folder = "/sys/fs/cgroup";
    let second = container(&format!("{folder}/memory.max"), &format!("{folder}/memory.stat"), "anon ");
    let first = container(
        &format!("{folder}/memory/memory.limit_in_bytes"),
        &format!("{folder}/memory/memory.stat"),
        "total_rss ",
    );
    let limit = number("/proc/self/limits", "Max address space");
    let process = limit.zip(number("/proc/self/status", "VmSize:"));
    let process = process.map(|(limit, taken)| limit.saturating_sub(1024 * taken));
    [machine, second, first, process].into_iter().flatten().min()
}

/// The number behind a name at the start of a line.
#[cfg(target_os = "linux")]
fn number(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Bytes that this process can still take, swap space included. `None` where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn available() -> Option<u64> {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()));
    let machine = system.available_memory().saturating_add(system.free_swap());
    (machine > 0).then_some(machine)
}

thread_local! {
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is about to take memory that it can do without: a program's allocator may then report that there
/// is none, where it would have to end the program otherwise.
pub fn trying() -> bool {
    TRYING.get()
}

/// Makes `data` at least `len` elements long.
///
/// # Errors
/// When there is no memory; `data` is as it was.
pub fn lengthen<E: Clone + Default>(data: &mut Vec<E>, len: usize) -> Result<(), TryReserveError> {
    let more = len.saturating_sub(data.len());
    TRYING.set(true);
    let reserved = data.try_reserve_exact(more);
    TRYING.set(false);
    reserved?;
    data.resize(data.len() + more, E::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_can_be_taken_and_what_is_not_is_refused() {
        let left = available().expect("the systems that tests run on tell");
        // Between what this test takes and an exbibyte.
        assert!((1 << 20..1 << 60).contains(&left), "{left}");
        let mut data = vec![7_u8];
        lengthen(&mut data, 1 << 16).expect("64 KiB");
        assert_eq!((data.len(), data[0], data[1]), (1 << 16, 7, 0));
        assert!(lengthen(&mut data, usize::MAX / 2).is_err() && data.len() == 1 << 16 && !trying());
    }
}
