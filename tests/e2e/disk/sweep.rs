//! Every system call that a recorded run makes on its files fails once, with each error that a
//! system may give, and once from then on. It must hold each time: no exit code 0 without the whole
//! file, the old one or the new one under its name, nothing else that is not recognisable, no hang.
//!
//! `HAUL_SWEEP=all cargo test --test e2e disk::sweep -- --nocapture` takes both, once and from then
//! on, with each error, and in one scene every call of the process, those of its start included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::lab::{
    MIB, OLD, everything, has_strace, injected, is_honest, is_unfinished, tell, traced,
};
use crate::harness::{Haul, Output, content, for_each};
use crate::stage::{BUCKET, Stage};

/// A call, and how it may fail. Calls that are made again when they were interrupted are not
/// interrupted for ever.
const DOWNLOAD: &[(&str, &[&str])] = &[
    ("openat2", &["EMFILE", "EACCES", "ENOSPC", "EIO", "EROFS", "ENFILE", "EINTR", "EAGAIN"]),
    ("open", &["EMFILE", "EACCES", "EIO", "ENFILE"]),
    ("openat", &["EMFILE", "EACCES", "EIO", "ENFILE"]),
    ("mkdir", &["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO"]),
    ("mkdirat", &["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO"]),
    ("fallocate", &["ENOSPC", "EDQUOT", "EIO", "EFBIG", "EOPNOTSUPP", "EINTR"]),
    ("ftruncate", &["ENOSPC", "EIO", "EFBIG", "EINTR"]),
    ("fstatfs", &["EIO", "ENOSYS"]),
    ("pwritev", &["ENOSPC", "EDQUOT", "EIO", "EFBIG", "EINTR", "EAGAIN"]),
    ("pwrite64", &["ENOSPC", "EDQUOT", "EIO", "EFBIG", "EINTR", "EAGAIN"]),
    ("statx", &["EIO", "EACCES"]),
    ("flock", &["ENOLCK", "EINTR", "EIO"]),
    ("utimensat", &["EPERM", "EIO", "EROFS"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "EINVAL"]),
    ("close", &["EIO", "ENOSPC", "EINTR"]),
    ("renameat", &["EXDEV", "EACCES", "ENOSPC", "EIO", "EROFS", "EDQUOT"]),
    ("renameat2", &["EXDEV", "EACCES", "ENOSPC", "EIO", "EROFS", "EINVAL", "ENOSYS"]),
    ("linkat", &["EPERM", "EIO"]),
    ("unlinkat", &["EIO", "EACCES", "EROFS"]),
];

const UPLOAD: &[(&str, &[&str])] = &[
    ("openat", &["EMFILE", "EACCES", "EIO", "ENFILE", "EINTR"]),
    ("openat2", &["EMFILE", "EACCES", "EIO", "ENFILE", "EINTR", "ENOSYS", "EPERM"]),
    ("statx", &["EIO", "EACCES"]),
    ("getdents64", &["EIO", "EACCES"]),
    ("pread64", &["EIO", "EINTR", "EAGAIN"]),
    ("fadvise64", &["EINVAL", "EIO"]),
    ("close", &["EIO", "EINTR"]),
];

/// Calls that a process makes by the hundred before it does anything.
const START: [&str; 3] = ["openat", "statx", "close"];

/// One run, and the call in it that fails.
#[derive(Debug, Clone)]
struct Case {
    scene: usize,
    call: &'static str,
    error: &'static str,
    /// As strace counts: in each thread from 1, `7` or `7+`.
    when: String,
}

/// What is moved, under a name for messages.
struct Scene {
    name: &'static str,
    arguments: &'static [&'static str],
    size: u64,
    calls: &'static [(&'static str, &'static [&'static str])],
}

const SCENES: [Scene; 5] = [
    Scene {
        name: "a download of several writes",
        arguments: &["download", "s3://bucket/object", "out/"],
        size: 2 * MIB,
        calls: DOWNLOAD,
    },
    Scene {
        name: "a download in parts into a new folder",
        arguments: &["download", "s3://bucket/", "out/new/", "--part-size", "6MiB"],
        size: 17 * MIB,
        calls: DOWNLOAD,
    },
    Scene {
        name: "a download that keeps what is there",
        arguments: &["download", "s3://bucket/object", "out/fresh/", "--no-clobber"],
        size: MIB,
        calls: DOWNLOAD,
    },
    Scene {
        name: "an upload of a tree",
        arguments: &["upload", "source", "s3://bucket/"],
        size: MIB,
        calls: UPLOAD,
    },
    Scene {
        name: "an upload in parts without links",
        arguments: &[
            "upload",
            "source",
            "s3://bucket/",
            "--part-size",
            "5MiB",
            "--no-follow-symlinks",
        ],
        size: 11 * MIB,
        calls: UPLOAD,
    },
];

impl Scene {
    fn is_upload(&self) -> bool {
        self.arguments[0] == "upload"
    }

    fn stage(&self) -> Stage {
        let stage = Stage::new();
        if self.is_upload() {
            stage.testbed.put_object(BUCKET, "object", OLD);
            stage.sandbox.write("source/object", content("object", self.size));
        } else {
            stage.testbed.put_object(BUCKET, "object", content("object", self.size));
            stage.sandbox.write("out/object", OLD);
        }
        stage
    }

    fn command(&self, stage: &Stage) -> Haul {
        let haul = stage.haul().args(self.arguments).args(["--concurrency", "1"]);
        haul.args(["--max-attempts", "2", "--timeout", "5"]).limit(Duration::from_mins(1))
    }

    /// Of each call, its numbers within its thread: those on the scene's files, or all.
    fn recorded(&self, all: bool) -> BTreeMap<&'static str, BTreeSet<usize>> {
        let stage = self.stage();
        let log = stage.sandbox.path("log");
        let names: Vec<_> = self.calls.iter().map(|(call, _)| *call).collect();
        traced(self.command(&stage), &log, &names.join(","), &[]).run().code(0);
        let log = fs::read_to_string(&log).expect("a log");
        let own = stage.sandbox.path("").to_string_lossy().into_owned();
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in log.lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
            let Some(call) = names.iter().find(|call| **call == name) else { continue };
            let number = counts.entry((thread, call)).or_default();
            *number += 1;
            let is_own = arguments.contains(&own)
                || ["\"out", "\"source", ".haul-"].iter().any(|name| arguments.contains(name));
            if all || is_own {
                found.entry(*call).or_default().insert(*number);
            }
        }
        found
    }

    #[track_caller]
    fn judge(&self, stage: &Stage, case: &Case, output: &Output) {
        // A library that can't be loaded: the program never began. And what the SDK asserts in a
        // build like this one: that a system has certificates.
        let is_loader = output.code == Some(127) && output.stderr.contains("shared librar")
            || output.code == Some(101) && output.stderr.contains("no valid root certificates");
        // The standard library's own way to say that a folder could not be closed.
        let is_closing = case.call == "close" && output.stderr.contains("error during closedir");
        if is_closing {
            assert!(output.code == Some(1), "what follows was left out in silence\n{output}");
        } else if !is_loader {
            is_honest(output);
        }
        let new = content("object", self.size);
        if self.is_upload() {
            let object = stage.object("object").bytes();
            assert!(object == new || object == OLD, "a mixed object\n{output}");
            assert!(object == new || output.code != Some(0), "0, and not done\n{output}");
            let open = stage.testbed.open_uploads(BUCKET);
            assert!(open.is_empty(), "{open:?}\n{output}");
            return;
        }
        let place = match self.arguments[2] {
            "out/" => "object",
            "out/new/" => "new/object",
            _ => "fresh/object",
        };
        let mut is_done = false;
        for (path, bytes) in everything(&stage.sandbox.path("out")) {
            if path == Path::new(place) && bytes == new {
                is_done = true;
            } else if path == Path::new("object") {
                assert!(bytes == OLD, "the old file has {} bytes\n{output}", bytes.len());
            } else if is_unfinished(&path) {
                let may_stay = case.call == "unlinkat";
                assert!(may_stay, "{} is left\n{output}", path.display());
            } else {
                assert!(bytes == b"folder", "{} is there, too\n{output}", path.display());
            }
        }
        assert!(is_done || output.code != Some(0), "0, and no file\n{output}");
    }
}

#[test]
fn no_call_that_fails_makes_a_run_lie_or_lose_a_file() {
    if !has_strace() {
        return;
    }
    let all = std::env::var_os("HAUL_SWEEP").is_some_and(|wish| wish == "all");
    let mut cases = Vec::new();
    for (scene, what) in SCENES.iter().enumerate() {
        // Once is enough for what all runs do alike; most of it is on libraries and certificates.
        let recorded = what.recorded(all && scene == 0);
        for (call, errors) in what.calls {
            let errors =
                if all && scene == 0 && START.contains(call) { &errors[..1] } else { errors };
            let numbers = recorded.get(call).into_iter().flatten();
            let numbered =
                numbers.flat_map(|number| errors.iter().map(move |error| (number, error)));
            for (turn, (number, error)) in numbered.enumerate() {
                let for_good = !matches!(*error, "EINTR" | "EAGAIN");
                // Usually one of the two, by turns.
                if all || turn % 2 == 0 || !for_good {
                    cases.push(Case { scene, call, error, when: number.to_string() });
                }
                if for_good && (all || turn % 2 == 1) {
                    cases.push(Case { scene, call, error, when: format!("{number}+") });
                }
            }
        }
        // What was begun can't be removed, either.
        let unremovable = Case { scene, call: "unlinkat", error: "EIO", when: "1+".to_owned() };
        cases.extend((!what.is_upload()).then_some(unremovable));
    }
    let (hit, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each(&cases, |case| {
        let scene = &SCENES[case.scene];
        let stage = scene.stage();
        let log = stage.sandbox.path("log");
        let mut injections = vec![format!("{}:error={}:when={}", case.call, case.error, case.when)];
        let mut calls = case.call.to_owned();
        if case.call == "unlinkat" {
            injections.push("pwritev:error=EIO:when=1".to_owned());
            calls.push_str(",pwritev");
        }
        let output = traced(scene.command(&stage), &log, &calls, &injections).run();
        hit.fetch_add(usize::from(injected(&log) > 0), Relaxed);
        failed.fetch_add(usize::from(output.code != Some(0)), Relaxed);
        scene.judge(&stage, case, &output);
    });
    let (hit, failed) = (hit.into_inner(), failed.into_inner());
    let scenes = SCENES.map(|scene| scene.name).join(", ");
    tell(&format!(
        "{} cases, {hit} with a call that failed, {failed} that ended with an error, the others \
         with the whole file; in {scenes}",
        cases.len()
    ));
    assert!(hit * 10 >= cases.len() * 8, "only {hit} of {} cases were hit", cases.len());
    assert!(failed * 2 >= hit, "only {failed} of {hit} runs noticed");
}
