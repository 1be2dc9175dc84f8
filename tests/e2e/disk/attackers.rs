//! Somebody who may write where the program writes, and works against it: swaps folders for links
//! while files come down or go up, and takes the names of temp files before it does. Nothing
//! outside is ever written, read or removed, and each file that has its name is whole.
//!
//! `HAUL_ROUNDS=N` repeats each attack N times.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use testbed::{Fault, FaultKind, Gate, Operation};

use super::lab::{OLD, count, everything, has_strace, is_honest, is_unfinished, tell, traced};
use crate::harness::{Output, content};
use crate::stage::{BUCKET, Stage};

const ROUNDS: usize = 8;
const KEYS: usize = 300;

/// Swaps two names for each other, again and again, while `work` runs. Gives how often. In between
/// they may keep their places for a while, so that it is not always seen.
fn while_swapping<T>(
    pairs: &[(PathBuf, PathBuf)],
    pause: Duration,
    work: impl FnOnce() -> T,
) -> (T, u64) {
    let (is_over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                for (one, other) in pairs {
                    // One of them may not be there yet.
                    if renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok() {
                        swaps.fetch_add(1, Relaxed);
                    }
                    if pause > Duration::ZERO {
                        thread::sleep(pause);
                    }
                }
            }
        });
        let done = work();
        is_over.store(true, Relaxed);
        done
    });
    (done, swaps.into_inner())
}

/// As fast as it goes, or now and then.
fn pause(round: usize) -> Duration {
    [0, 3, 20].map(Duration::from_millis)[round / 2 % 3]
}

/// In some rounds on a kernel that can't confine a path by itself.
fn on_either_kernel(stage: &Stage, round: usize, words: &[&str]) -> Output {
    let haul = stage.haul().args(words);
    if round % 4 >= 2 && has_strace() {
        let log = stage.sandbox.path("log");
        return traced(haul, &log, "openat2", &["openat2:error=ENOSYS".to_owned()]).run();
    }
    haul.run()
}

/// Objects in many small folders and one large one, so that folders are opened all the time.
fn with_folders() -> Stage {
    let stage = Stage::new();
    for number in 0..KEYS {
        for key in [format!("p/d/{number}"), format!("p/d/f{}/{number}", number % 60)] {
            stage.testbed.put_object(BUCKET, &key, content(&key, 300));
        }
    }
    stage.sandbox.folder("out/d");
    stage.sandbox.write("outside/0", OLD);
    stage
}

/// Requires that files of keys are whole, wherever they are below the destination.
#[track_caller]
fn files_are_whole(stage: &Stage, output: &Output) -> usize {
    let mut whole = 0;
    for (path, bytes) in everything(&stage.sandbox.path("out")) {
        let below: PathBuf = path.components().skip(1).collect();
        let key = format!("p/d/{}", below.display());
        if bytes == content(&key, 300) {
            whole += 1;
        } else {
            let is_other = bytes == b"folder" || bytes.starts_with(b"link to");
            assert!(is_other, "{} is not whole\n{output}", path.display());
        }
    }
    whole
}

#[test]
fn a_folder_swapped_for_a_link_while_files_come_leads_nowhere_else() {
    let (mut swapped, mut done, mut failed) = (0, 0, 0);
    for round in 0..count("HAUL_ROUNDS", ROUNDS) {
        let stage = with_folders();
        symlink(stage.sandbox.path("outside"), stage.sandbox.path("out/l")).expect("a link");
        let outside = everything(&stage.sandbox.path("outside"));
        let mut pairs = vec![(stage.sandbox.path("out/d"), stage.sandbox.path("out/l"))];
        if round % 2 == 1 {
            // The folders below, too: each time one is opened it may just have become a link.
            for number in 0..30 {
                let folder = stage.sandbox.folder(format!("out/d/f{number}"));
                let link = stage.sandbox.path(format!("link-{number}"));
                symlink(stage.sandbox.path("outside"), &link).expect("a link");
                pairs.push((folder, link));
            }
            pairs.remove(0);
        }
        let words = ["download", "s3://bucket/p/", "out", "--concurrency", "8"];
        let download = || on_either_kernel(&stage, round, &words);
        let (output, swaps) = while_swapping(&pairs, pause(round), download);
        assert_eq!(everything(&stage.sandbox.path("outside")), outside, "round {round}\n{output}");
        is_honest(&output);
        stage.sandbox.no_leftovers("");
        if round % 2 == 0 {
            let whole = files_are_whole(&stage, &output);
            assert!(output.code != Some(0) || whole == 2 * KEYS, "{whole} files\n{output}");
        }
        swapped += swaps;
        *if output.code == Some(0) { &mut done } else { &mut failed } += 1;
    }
    tell(&format!("{swapped} swaps; {done} runs did all, {failed} were stopped by a link"));
    assert!(swapped > 0, "nobody attacked");
    assert!(failed > 0, "no run met a link: the attack is too weak to show anything");
}

#[test]
fn a_folder_swapped_for_another_while_files_come_mixes_nothing() {
    let mut swapped = 0;
    for round in 0..count("HAUL_ROUNDS", ROUNDS / 2) {
        let stage = with_folders();
        stage.sandbox.folder("out/e");
        let pairs = [(stage.sandbox.path("out/d"), stage.sandbox.path("out/e"))];
        let download = || stage.run(["download", "s3://bucket/p/", "out", "--concurrency", "8"]);
        let (output, swaps) = while_swapping(&pairs, pause(round), download);
        is_honest(&output);
        stage.sandbox.no_leftovers("");
        let whole = files_are_whole(&stage, &output);
        assert!(output.code != Some(0) || whole == 2 * KEYS, "round {round}: {whole}\n{output}");
        swapped += swaps;
    }
    assert!(swapped > 0, "nobody attacked");
}

/// A tree whose owner is not the one who saves it: the file that a link leads to is not sent.
#[test]
fn a_folder_swapped_for_a_link_while_it_is_walked_sends_nothing_from_outside() {
    let (mut swapped, mut failed) = (0, 0);
    for round in 0..count("HAUL_ROUNDS", ROUNDS) {
        let stage = Stage::new();
        for number in 0..KEYS {
            stage.sandbox.write(format!("src/d/{number}"), "inside");
            stage.sandbox.write(format!("outside/{number}"), "secret");
        }
        symlink(stage.sandbox.path("outside"), stage.sandbox.path("link")).expect("a link");
        let pairs = [(stage.sandbox.path("src/d"), stage.sandbox.path("link"))];
        let upload = ["upload", "src", "s3://bucket/", "--no-follow-symlinks"];
        let (output, swaps) =
            while_swapping(&pairs, pause(round), || on_either_kernel(&stage, round, &upload));
        is_honest(&output);
        for key in stage.keys() {
            assert_eq!(stage.object_text(&key), "inside", "round {round}: {key}\n{output}");
        }
        let sent = stage.keys().len();
        swapped += swaps;
        failed += usize::from(sent < KEYS);
    }
    tell(&format!("{swapped} swaps; {failed} runs met a link"));
    assert!(swapped > 0, "nobody attacked");
    assert!(failed > 0, "no run met a link: the attack is too weak to show anything");
}

/// Links are followed here, so that either file may be sent, but never a part of each.
#[test]
fn a_file_swapped_for_another_while_it_is_sent_makes_no_object_of_both() {
    let size = 11 << 20;
    for round in 0..count("HAUL_ROUNDS", 4) {
        let stage = Stage::new();
        let one = stage.sandbox.fill("src/object", size);
        let other = stage.sandbox.fill("other", size);
        let (bytes, other_bytes) = (stage.sandbox.read("src/object"), stage.sandbox.read("other"));
        let upload = ["upload", "src", "s3://bucket/", "--part-size", "5MiB"];
        let (output, swaps) = while_swapping(&[(one, other)], pause(round), || stage.run(upload));
        assert!(swaps > 0 && matches!(output.code, Some(0 | 1)), "{output}");
        if let Some(object) = stage.testbed.object(BUCKET, "object") {
            let found = object.bytes();
            assert!(found == bytes || found == other_bytes, "a mixed object\n{output}");
        }
        assert_eq!(output.code == Some(0), !stage.keys().is_empty(), "{output}");
    }
}

/// What takes the name of a temp file before the program does.
#[derive(Debug, Clone, Copy)]
enum Plant {
    File,
    Link,
    HardLink,
    Pipe,
    Folder,
}

impl Plant {
    const ALL: [Self; 5] = [Self::File, Self::Link, Self::HardLink, Self::Pipe, Self::Folder];

    fn put(self, path: &Path, victim: &Path) {
        match self {
            Self::File => fs::write(path, OLD).expect("writable"),
            Self::Link => symlink(victim, path).expect("a link"),
            Self::HardLink => fs::hard_link(victim, path).expect("a link"),
            Self::Pipe => {
                assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
            }
            Self::Folder => fs::create_dir(path).expect("a folder"),
        }
    }
}

/// The names that a run gives its unfinished files are seen, taken, and met by the next run.
#[test]
fn a_name_that_is_taken_already_is_neither_followed_nor_waited_for() {
    const SIZE: u64 = 20 << 20;
    for plant in Plant::ALL {
        let stage = Stage::new();
        stage.testbed.put_object(BUCKET, "object", content("object", SIZE));
        let victim = stage.sandbox.write("outside/victim", OLD);
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        stage.testbed.fault(held.occurrence(2..=3));
        let download = || {
            let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
            haul.args(["--part-size", "1MiB"])
        };
        let running = download().spawn();
        gate.wait_for(2);
        let names = stage.files("out");
        assert!(!names.is_empty() && names.iter().all(|name| is_unfinished(name.as_ref())));
        running.signal(rustix::process::Signal::KILL);
        running.wait();
        gate.open();
        // The other file of the same number, too, where a run has one.
        let stems = names.iter().filter_map(|name| name.rsplit_once('.'));
        let taken = stems.flat_map(|(stem, _)| [format!("{stem}.part"), format!("{stem}.map")]);
        for name in taken.collect::<std::collections::BTreeSet<_>>() {
            let path = stage.sandbox.path("out").join(name);
            fs::remove_file(&path).ok();
            plant.put(&path, &victim);
        }
        let output = download().run();
        output.code(0);
        assert!(stage.sandbox.read("out/object") == content("object", SIZE), "{plant:?}\n{output}");
        assert_eq!(fs::read(&victim).expect("it stays"), OLD, "{plant:?}\n{output}");
        assert!(!stage.sandbox.path("out/object").is_symlink(), "{plant:?}");
    }
}
