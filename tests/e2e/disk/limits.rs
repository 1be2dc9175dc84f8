//! Little of what a process needs: descriptors, threads, memory, time. The run does with less, or
//! says at once what is missing; it never fails items for it, hangs or panics.
//!
//! `HAUL_OBJECTS=N` takes so many objects where there are few descriptors.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation};

use super::lab::{MIB, count, is_honest, is_root, skip, tell, unprivileged};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

fn with_objects(objects: usize) -> Stage {
    let stage = Stage::new();
    for number in 0..objects {
        let key = format!("p/{}/{number}", number % 40);
        stage.testbed.put_object(BUCKET, &key, content(&key, 2000));
    }
    stage
}

#[test]
fn few_descriptors_fail_no_object() {
    let objects = count("HAUL_OBJECTS", 400);
    let all = format!("{} objects", objects + 1);
    let stage = with_objects(objects);
    stage.testbed.put_object(BUCKET, "p/large", content("p/large", 40 * MIB));
    // The first can be raised; in the others there is not enough for what is asked for.
    for limits in ["64:4096", "64:64", "40:40"] {
        let limits = format!("--nofile={limits}");
        let haul = stage.haul().args(["download", "s3://bucket/p/", "out", "--concurrency", "256"]);
        haul.under(["prlimit", &limits]).run().code(0).stderr_has(&all);
        let haul = stage.haul().args(["upload", "out", "s3://bucket/q/", "--concurrency", "256"]);
        haul.under(["prlimit", &limits]).run().code(0).stderr_has(&all);
        for number in [0, 7, objects - 1] {
            let key = format!("{}/{number}", number % 40);
            let wanted = content(&format!("p/{key}"), 2000);
            assert!(stage.sandbox.read(format!("out/{key}")) == wanted, "{key}");
            assert!(stage.object(&format!("q/{key}")).bytes() == wanted, "{key}");
        }
        assert_eq!(stage.files("out").len(), objects + 1);
        stage.sandbox.no_leftovers("out");
        stage.sandbox.remove("out");
    }
}

/// Where it can't work at all, it says so and ends.
#[test]
fn hardly_any_descriptors_are_an_error_of_one_line() {
    let stage = Stage::with_keys(&["p/a"]);
    let download = |most: u32, out: &str| {
        let haul = stage.haul().args(["download", "s3://bucket/p/", out, "--max-attempts", "2"]);
        let haul = haul.limit(Duration::from_secs(30));
        haul.under(["prlimit", &format!("--nofile={most}:{most}")]).run()
    };
    for most in 6..24 {
        let output = download(most, "out");
        is_honest(&output);
        output.code(1).stderr_has("open files are too few").stderr_has("ulimit -n");
    }
    for most in 24..32 {
        let out = format!("out-{most}");
        download(most, &out).code(0);
        assert_eq!(stage.text(&format!("{out}/a")), "p/a");
    }
}

#[test]
fn few_threads_are_done_with_or_said_to_be_too_few() {
    if !is_root() {
        skip("a user without other processes (root)");
        return;
    }
    let stage = Stage::with_keys(&["p/a", "p/d/b"]);
    stage.testbed.put_object(BUCKET, "p/large", content("p/large", 20 * MIB));
    let (mut done, mut refused) = (0, 0);
    for most in (1..24).step_by(2) {
        let out = format!("out-{most}");
        stage.sandbox.folder(&out);
        let haul = stage.haul().args(["download", "s3://bucket/p/", &out, "--timeout", "5"]);
        let haul = haul.limit(Duration::from_mins(1));
        let haul = unprivileged(&stage, haul, &[&out]);
        // Counted by user, whoever else runs something as this one.
        let limit = format!("--nproc={most}:{most}");
        let output = haul.under(["prlimit", &limit]).run();
        is_honest(&output);
        if output.code == Some(0) {
            assert_eq!(stage.files(&out), ["a", "d/b", "large"]);
            done += 1;
        } else {
            output.stderr_has("too few threads").stderr_has("ulimit -u");
            assert!(stage.files(&out).is_empty(), "{output}");
            refused += 1;
        }
    }
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
}

/// A control group of its own, with a limit of memory.
struct Group(PathBuf);

impl Group {
    /// Of either kind of tree, where this process may make one.
    fn of(limit: u64) -> Option<Self> {
        let name = format!("haul-test-{}-{limit}", std::process::id());
        for (tree, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let group = Self(Path::new(tree).join(&name));
            let made = fs::create_dir(&group.0);
            if made.is_ok() && fs::write(group.0.join(file), limit.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }

    fn enter(&self) -> [String; 4] {
        let script = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        ["sh".to_owned(), "-c".to_owned(), script, "group".to_owned()]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn a_control_group_of_128_mebibytes_is_enough() {
    let Some(group) = Group::of(128 * MIB) else {
        skip("the right to make a control group (root, and a writable tree)");
        return;
    };
    let stage = with_objects(400);
    for number in 0..3 {
        stage.testbed.put_synthetic(BUCKET, &format!("large/{number}"), 150 * MIB, number);
    }
    for source in ["large/", "p/"] {
        let uri = format!("s3://bucket/{source}");
        let haul = stage.haul().args(["download", &uri, &format!("out/{source}")]);
        let output = haul.under(group.enter()).run();
        output.code(0);
        assert_eq!(output.signal, None, "{output}");
        let haul = stage.haul().args(["upload", &format!("out/{source}"), "s3://bucket/again/"]);
        haul.under(group.enter()).run().code(0);
    }
    for number in 0..3 {
        let (one, other) =
            (stage.object(&format!("large/{number}")), stage.object(&format!("again/{number}")));
        assert!(one.bytes() == other.bytes(), "large/{number}");
    }
}

/// A limit of addresses, which more than the memory in use counts against.
#[test]
fn a_limit_of_addresses_is_done_with_or_said() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/object", content("p/object", 64 * MIB));
    let mut done = Vec::new();
    for mebibytes in [128_u64, 256, 512, 1024, 2048, 4096] {
        let out = format!("out-{mebibytes}");
        let haul = stage.haul().args(["download", "s3://bucket/p/", &out]);
        let haul = haul.args(["--max-memory", "32MiB"]).limit(Duration::from_mins(1));
        let output = haul.under(["prlimit", &format!("--as={}", mebibytes * MIB)]).run();
        // An allocator that gets nothing has nobody to tell: the process ends, and has no file.
        if output.code == Some(0) {
            assert!(stage.sandbox.read(format!("{out}/object")) == content("p/object", 64 * MIB));
            done.push(mebibytes);
        } else {
            assert!(!stage.sandbox.path(format!("{out}/object")).exists(), "{output}");
        }
    }
    tell(&format!("addresses that were enough, in MiB: {done:?}"));
    assert!(done.contains(&2048), "{done:?}");
}

/// Stopped, and its connections end meanwhile: it goes on where it was.
#[test]
fn a_run_that_was_stopped_for_a_while_goes_on() {
    for upload in [false, true] {
        let stage = Stage::new();
        let bytes = content("object", 17 * MIB);
        let gate = Gate::new();
        let (operation, arguments) = if upload {
            stage.sandbox.write("object", &bytes);
            (Operation::UploadPart, ["upload", "object", "s3://bucket/"])
        } else {
            stage.testbed.put_object(BUCKET, "object", bytes.clone());
            (Operation::GetObject, ["download", "s3://bucket/object", "out/"])
        };
        for kind in [FaultKind::Gate(gate.clone()), FaultKind::ResetBeforeHeaders] {
            stage.testbed.fault(Fault::new(operation, kind).occurrence(1..=3));
        }
        let haul = stage.haul().args(arguments).args(["--part-size", "5MiB", "--timeout", "2"]);
        let running = haul.spawn();
        gate.wait_for(if upload { 3 } else { 1 });
        running.signal(Signal::STOP);
        gate.open();
        // The time is the fault: more than any of its limits passes without it.
        thread::sleep(Duration::from_secs(3));
        running.signal(Signal::CONT);
        let output = running.wait();
        output.code(0);
        let arrived = if upload {
            stage.object("object").bytes().to_vec()
        } else {
            stage.sandbox.read("out/object")
        };
        assert!(arrived == bytes, "{output}");
    }
}

/// Who compares with dates that others wrote, or writes one down, as into a signature: no wait
/// depends on it.
const DATED: [&str; 10] = [
    "commands/clean.rs",
    "commands/options/bounds.rs",
    "commands/presign.rs",
    "storage/memory/stored.rs",
    "storage/s3/classify.rs",
    "storage/s3/credentials.rs",
    "storage/s3/direct/send.rs",
    "storage/s3/presign.rs",
    "transfer/journal/entry.rs",
    "transfer/moving.rs",
];

/// The wall clock is for what is shown and stored; what waits, waits by one that can't jump. The
/// engine's time is `Instant` alone, and so is that of all it asks.
#[test]
fn no_wait_depends_on_the_wall_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut asked = 0;
    for floor in ["app", "commands", "jobs", "transfer", "storage/s3", "storage/local"] {
        for entry in walkdir::WalkDir::new(source.join(floor)) {
            let entry = entry.expect("the sources are readable");
            if !entry.file_type().is_file() {
                continue;
            }
            if DATED.iter().any(|file| entry.path().ends_with(file)) {
                continue;
            }
            let text = fs::read_to_string(entry.path()).expect("the sources are text");
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            for clock in ["SystemTime::now", "Timestamp::now", "Zoned::now", "UNIX_EPOCH.elapsed"] {
                assert!(!program.contains(clock), "{clock} in {}", entry.path().display());
            }
            asked += 1;
        }
    }
    assert!(asked > 50, "only {asked} files were looked at");
}
