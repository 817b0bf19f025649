//! What happens to runs: signals at any moment, a disk that is full for a while, a second process.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};

use crate::campaign::same;
use crate::subject::{Laboratory, Progress, Reference, Subject};

/// How long a process may go on after a signal that it may catch, and at all.
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(180);

/// Most kills of one run.
const KILLS: usize = 3;

/// One round: a run, what happened to it, and what became of it.
pub struct Round<'a> {
    pub laboratory: &'a Laboratory,
    pub subject: &'a Subject,
    pub reference: &'a Reference,
    pub run: PathBuf,
    pub rng: Rng,
    /// Tells what was done, a line each.
    pub tell: &'a (dyn Fn(String) + Sync),
}

/// When a signal comes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After part of the time that the whole run takes.
    Any,
    /// As soon as the folder is there: before the first checkpoint, or while it is written.
    FirstSave,
    Validation,
}

impl Round<'_> {
    fn begin(&self) -> Command {
        self.laboratory.begin(self.subject, &self.run)
    }

    /// The command that takes the run further: from its checkpoint, or from the start if it has none.
    fn go_on(&self) -> Command {
        match self.run.join("last.safetensors").exists() {
            true => self.laboratory.resume(self.subject, &self.run),
            false => self.begin(),
        }
    }

    /// Takes the run to its end, undisturbed from now on, and compares it.
    fn finish(&self) -> Result<(), String> {
        let child = start(self.go_on());
        let (status, said) = end(child, LONGEST)?;
        if !status.success() {
            return Err(format!("it cannot go on ({status}): {said}"));
        }
        same(&self.reference.folder, &self.run)
    }

    /// Kills the run once or more; gives how many times.
    pub fn kills(&mut self) -> Result<usize, String> {
        let mut kills = 0;
        for number in 0..self.rng.usize(1..=KILLS) {
            let mut child = start(if number == 0 { self.begin() } else { self.go_on() });
            let begun = Instant::now();
            let moment = [Moment::Any, Moment::Any, Moment::FirstSave, Moment::Validation][self.rng.usize(..4)];
            self.wait_for(moment, &mut child);
            let (signal, name, code) =
                [(Signal::KILL, "SIGKILL", 137), (Signal::TERM, "SIGTERM", 143), (Signal::INT, "SIGINT", 130)]
                    [self.rng.usize(..3)];
            let at = begun.elapsed();
            let progress = Progress::of(&self.run);
            if child.try_wait().expect("a process").is_some() {
                let (status, said) = end(child, PATIENCE)?;
                if status.success() {
                    break;
                }
                return Err(format!("it ended by itself ({status}): {said}"));
            }
            send(&child, signal);
            if self.rng.u8(..4) == 0 {
                // Somebody is impatient.
                std::thread::sleep(Duration::from_millis(self.rng.u64(..20)));
                send(&child, signal);
            }
            let (status, said) = end(child, PATIENCE).map_err(|what| format!("{what} after {name}"))?;
            let killed = status.code() == Some(code) || status.signal() == Some(signal.as_raw());
            if !killed && !status.success() {
                return Err(format!("after {name} it ended with {status}: {said}"));
            }
            if killed {
                kills += 1;
                let Progress { steps, epochs } = progress;
                let doing = if progress.validates() { ", validating" } else { "" };
                (self.tell)(format!("{name} after {:.3} s: {steps} steps, {epochs} epochs{doing}", at.as_secs_f64()));
            }
        }
        self.finish()?;
        Ok(kills)
    }

    fn wait_for(&mut self, moment: Moment, child: &mut Child) {
        let start = Instant::now();
        let random = self.reference.time.mul_f64(self.rng.f64());
        let epoch = self.rng.usize(..4);
        loop {
            let reached = match moment {
                Moment::Any => start.elapsed() >= random,
                Moment::FirstSave => self.run.join("config.toml").exists(),
                Moment::Validation => {
                    let progress = Progress::of(&self.run);
                    progress.validates() && progress.epochs >= epoch
                }
            };
            if reached || start.elapsed() > LONGEST || child.try_wait().expect("a process").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        if !matches!(moment, Moment::Any) {
            std::thread::sleep(Duration::from_micros(self.rng.u64(..10_000)));
        }
    }

    /// A disk with too little room, or that fills up at some moment, and has room again.
    pub fn full_disk(&mut self) -> Result<(), String> {
        let size: u64 = folder_size(&self.reference.folder);
        let disk = Disk::mount(self.run.with_extension("disk"), 4 * size + (256 << 10))?;
        self.run = disk.path.join("run");
        let late = self.rng.bool();
        let left = if late { 4 * size } else { self.rng.u64(..2 * size) };
        disk.fill(left)?;
        let child = start(self.begin());
        let begun = Instant::now();
        if late {
            std::thread::sleep(self.reference.time.mul_f64(self.rng.f64()));
            disk.fill(0)?;
        }
        let at = begun.elapsed();
        let (status, said) = end(child, LONGEST)?;
        let full = said.contains("free some space");
        if !status.success() && !full {
            return Err(format!("on a full disk it ended with {status}, and does not say why: {said}"));
        }
        let when = if late { format!("full after {:.3} s", at.as_secs_f64()) } else { format!("{left} bytes left") };
        let what = if full { "ended, and there is room again" } else { "went through" };
        (self.tell)(format!("disk: {when}: {what}"));
        disk.empty()?;
        // While the disk is there.
        self.finish()
    }

    /// Two processes on one run, new or with a checkpoint: one has it, the other is refused or comes when it is over.
    pub fn two(&mut self) -> Result<(), String> {
        let resumed = self.rng.bool();
        if resumed {
            let mut child = start(self.begin());
            self.wait_for(Moment::Validation, &mut child);
            send(&child, Signal::KILL);
            end(child, PATIENCE)?;
        }
        let one = start(self.go_on());
        let gap = Duration::from_micros(self.rng.u64(..50_000));
        std::thread::sleep(gap);
        let two = start(self.go_on());
        let ended = [end(one, LONGEST)?, end(two, LONGEST)?];
        let what = if resumed { "resume it" } else { "begin it" };
        (self.tell)(format!(
            "two processes {what}, {:.3} s apart: {} and {}",
            gap.as_secs_f64(),
            ended[0].0,
            ended[1].0
        ));
        if ended.iter().all(|(status, _)| !status.success()) {
            return Err(format!("two processes refused each other: {} {}", ended[0].1, ended[1].1));
        }
        for (status, said) in &ended {
            let known = ["another process trains in", "already has a run in it", "already has files in it"];
            if !status.success() && !known.iter().any(|reason| said.contains(reason)) {
                return Err(format!("of two processes one ended with {status}: {said}"));
            }
        }
        same(&self.reference.folder, &self.run)
    }
}

fn start(mut command: Command) -> Child {
    command.stderr(Stdio::piped()).spawn().expect("the program runs")
}

fn send(child: &Child, signal: Signal) {
    // A process that has just ended is waited for all the same.
    let _ = kill_process(Pid::from_child(child), signal);
}

/// How a process ends and what it said, or that it does not end.
fn end(mut child: Child, within: Duration) -> Result<(ExitStatus, String), String> {
    let mut pipe = child.stderr.take().expect("a pipe");
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut pipe).unwrap_or_default());
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().expect("a process") {
            Some(status) => break status,
            None if begun.elapsed() > within => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} s", within.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    Ok((status, reader.join().expect("a reader")))
}

fn folder_size(folder: &Path) -> u64 {
    let files =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").metadata().expect("a file"));
    files.map(|file| file.len().next_multiple_of(4096)).sum()
}

/// A file system in memory.
struct Disk {
    path: PathBuf,
    size: u64,
}

impl Disk {
    /// Whether this process may make one.
    fn mount(path: PathBuf, size: u64) -> Result<Self, String> {
        fs::create_dir(&path).expect("a new folder");
        let options = std::ffi::CString::new(format!("size={size}")).expect("no zero in it");
        mount("tmpfs", &path, "tmpfs", MountFlags::empty(), options.as_c_str())
            .map_err(|error| format!("mounting {}: {error}", path.display()))?;
        Ok(Self { path, size })
    }

    /// Leaves so many bytes.
    fn fill(&self, left: u64) -> Result<(), String> {
        let used: u64 = rustix::fs::statvfs(&self.path).map(|s| (s.f_blocks - s.f_bfree) * s.f_frsize).unwrap_or(0);
        let mut filler =
            File::options().append(true).create(true).open(self.path.join("filler")).map_err(|e| e.to_string())?;
        let mut room = self.size.saturating_sub(used).saturating_sub(left);
        while room > 0 {
            let block = room.min(1 << 16) as usize;
            if filler.write_all(&vec![0; block]).is_err() {
                break;
            }
            room -= block as u64;
        }
        Ok(())
    }

    fn empty(&self) -> Result<(), String> {
        fs::remove_file(self.path.join("filler")).map_err(|error| error.to_string())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.path, UnmountFlags::DETACH);
    }
}

/// Whether a disk of this kind can be had.
pub fn disks(folder: &Path) -> bool {
    Disk::mount(folder.join("a disk"), 1 << 20).is_ok()
}
