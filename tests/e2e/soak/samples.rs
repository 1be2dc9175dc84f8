//! What a running program takes: memory, descriptors, temporary files, looked at again and again.
//! It must never ask the program itself.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::harness::Haul;

const EVERY: Duration = Duration::from_millis(100);
/// To count temporary files takes a walk over all others, too.
const WALK_EVERY: u32 = 20;
/// Nothing takes so long, whatever the number of objects.
const LIMIT: Duration = Duration::from_hours(2);
/// Allowed growth: pages that the allocator holds back, buffers of another mix of requests.
const SLACK_KIB: u64 = 16 << 10;
/// Two a request (socket and file), the folders that are kept open (64), and the program's own.
const MOST_DESCRIPTORS: u64 = 2 * 32 + 64 + 32;
/// A file and its record for each request.
const MOST_TEMPORARY: u64 = 2 * 32;
/// Before these two halves begin, caches and pools fill.
const WARM_UP: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Samples {
    took: Duration,
    memory_kib: Vec<u64>,
    descriptors: u64,
    temporary: u64,
}

/// Runs the command to its good end; temporary files are those below `folder`.
pub(super) fn watch(command: Haul, folder: &Path) -> Samples {
    let began = Instant::now();
    let running = command.limit(LIMIT).spawn();
    let ended = Arc::new(AtomicBool::new(false));
    let (process, below, stop) = (running.id(), folder.to_path_buf(), Arc::clone(&ended));
    let watcher = thread::spawn(move || sample(process, &below, &stop));
    let output = running.wait();
    ended.store(true, Ordering::Relaxed);
    let mut samples = watcher.join().expect("the sampler does not panic");
    output.code(0);
    samples.took = began.elapsed();
    assert_eq!(temporary_files(folder), 0, "temporary files are left");
    samples
}

impl Samples {
    /// The second half of a run takes no more than the first.
    pub(super) fn must_be_flat(&self) {
        let (first, second) = self.peaks();
        assert!(second <= first + first / 5 + SLACK_KIB, "memory grows: {self}");
        assert!(self.descriptors <= MOST_DESCRIPTORS, "too many descriptors: {self}");
        assert!(self.temporary <= MOST_TEMPORARY, "too many temporary files: {self}");
    }

    pub(super) fn must_not_exceed(&self, earlier: &Self) {
        let peak = |samples: &Self| samples.memory_kib.iter().max().copied().unwrap_or_default();
        let (before, now) = (peak(earlier), peak(self));
        assert!(now <= before + before / 5 + SLACK_KIB, "memory grew from {before} to {now} KiB");
    }

    /// Of both halves behind the beginning.
    fn peaks(&self) -> (u64, u64) {
        let settled = &self.memory_kib[self.memory_kib.len() / WARM_UP..];
        let (first, second) = settled.split_at(settled.len() / 2);
        let peak = |half: &[u64]| half.iter().max().copied().unwrap_or_default();
        (peak(first), peak(second))
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.peaks();
        let (took, count) = (self.took.as_secs(), self.memory_kib.len());
        let (descriptors, temporary) = (self.descriptors, self.temporary);
        write!(f, "{took} | {count} | {}, {} | ", first >> 10, second >> 10)?;
        write!(f, "{descriptors} | {temporary}")
    }
}

fn sample(process: u32, folder: &Path, stop: &AtomicBool) -> Samples {
    let mut samples = Samples::default();
    for number in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if let Some(memory) = memory_kib(process) {
            samples.memory_kib.push(memory);
        }
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        samples.descriptors = samples.descriptors.max(descriptors as u64);
        if number % WALK_EVERY == 0 {
            samples.temporary = samples.temporary.max(temporary_files(folder));
        }
        thread::sleep(EVERY);
    }
    samples
}

/// None once it has ended.
fn memory_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Files come and go while they are counted: what is gone is not there.
fn temporary_files(folder: &Path) -> u64 {
    let entries = WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".haul-"));
    names.count() as u64
}
