//! `--preserve`: the time and the permissions of a file, by way of its object's metadata.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, StoredObject};

use crate::stage::Stage;

const MODE: u32 = 0o751;

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789)
}

/// A small file and one of several parts, both of that time and mode.
fn prepare(stage: &Stage) {
    stage.sandbox.write("in/small", "bytes");
    stage.sandbox.fill("in/large", 17 << 20);
    for name in ["in/small", "in/large"] {
        let path = stage.sandbox.path(name);
        fs::set_permissions(&path, Permissions::from_mode(MODE)).expect("a mode");
        let file = File::options().write(true).open(path).expect("it is there");
        file.set_modified(time()).expect("a time");
    }
}

fn facts(path: &Path) -> (SystemTime, u32) {
    let metadata = fs::metadata(path).expect("it is there");
    (metadata.modified().expect("a time"), metadata.permissions().mode() & 0o7777)
}

fn metadata(object: &StoredObject) -> Vec<(String, String)> {
    object.attributes.metadata.clone().into_iter().collect()
}

#[test]
fn times_and_permissions_come_back() {
    for verb in ["cp", "mv", "sync"] {
        let stage = Stage::new();
        prepare(&stage);
        let extra = if verb == "sync" { &[][..] } else { &["--part-size", "8MiB"] };
        stage.run([&[verb, "--preserve", "in/", "s3://bucket/p/"], extra].concat()).code(0);
        for key in ["p/small", "p/large"] {
            let told = metadata(&stage.object(key));
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let wanted = [pair("mode", "100751"), pair("mtime", "1234567890.123456789")];
            assert_eq!(told, wanted, "{verb} {key}");
        }
        stage.run([&[verb, "--preserve", "s3://bucket/p/", "out/"], extra].concat()).code(0);
        for name in ["out/small", "out/large"] {
            assert_eq!(facts(&stage.sandbox.path(name)), (time(), MODE), "{verb} {name}");
        }
    }
}

#[test]
fn without_the_option_nothing_is_kept_or_given() {
    let stage = Stage::new();
    prepare(&stage);
    stage.run(["upload", "in/small", "s3://bucket/plain"]).code(0);
    assert_eq!(metadata(&stage.object("plain")), []);
    stage.run(["upload", "--preserve", "in/small", "s3://bucket/kept"]).code(0);
    stage.run(["download", "s3://bucket/kept", "file"]).code(0);
    let (modified, mode) = facts(&stage.sandbox.path("file"));
    assert_ne!(modified, time());
    assert_ne!(mode, MODE);
}

#[test]
fn a_second_sync_moves_nothing_either_way() {
    let stage = Stage::new();
    prepare(&stage);
    for (from, to) in [("in/", "s3://bucket/p/"), ("s3://bucket/p/", "out/")] {
        stage.run(["sync", "--preserve", from, to]).code(0).stderr_has("2 objects, ");
        stage.run(["sync", "--preserve", from, to]).code(0).stderr_has("2 skipped");
    }
    let by_time = ["sync", "--preserve", "--compare", "mtime", "s3://bucket/p/", "out/"];
    stage.run(by_time).code(2).stderr_has("--compare mtime");
}

#[test]
fn what_is_typed_goes_before_and_what_makes_no_sense_is_not_taken() {
    let stage = Stage::new();
    prepare(&stage);
    let typed = ["upload", "--preserve", "--metadata", "mtime=1000000000", "in/small"];
    stage.run([&typed[..], &["s3://bucket/typed"]].concat()).code(0);
    stage.run(["download", "--preserve", "s3://bucket/typed", "typed"]).code(0);
    let billion = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    assert_eq!(facts(&stage.sandbox.path("typed")), (billion, MODE));
    // What came over the network sets no set-user-ID bit.
    let hostile = ["upload", "--metadata", "mtime=yesterday", "--metadata", "mode=106777"];
    stage.run([&hostile[..], &["in/small", "s3://bucket/hostile"]].concat()).code(0);
    stage.run(["download", "--preserve", "s3://bucket/hostile", "hostile"]).code(0);
    let (modified, mode) = facts(&stage.sandbox.path("hostile"));
    assert_eq!(mode, 0o777);
    assert!(modified > billion, "as old as the object");
}

#[test]
fn rows_and_pipes_take_part_as_far_as_they_can() {
    let stage = Stage::new();
    prepare(&stage);
    stage.sandbox.write("rows.csv", "source,destination\nsmall,s3://bucket/row\n");
    stage.run(["upload", "--preserve", "--manifest", "rows.csv", "in/"]).code(0);
    assert_eq!(metadata(&stage.object("row")).len(), 2);
    stage.feed("bytes", ["upload", "--preserve", "-", "s3://bucket/stream"]).code(0);
    assert_eq!(metadata(&stage.object("stream")), []);
    let output = stage.run(["download", "--preserve", "s3://bucket/row", "-"]);
    output.code(0).stdout_is("bytes");
    stage.run(["cp", "--preserve", "s3://bucket/row", "s3://bucket/copy"]).code(0);
    assert_eq!(metadata(&stage.object("copy")).len(), 2);
}

/// What is left of a run that was killed is finished with the same.
#[test]
fn what_goes_on_later_has_them_too() {
    let stage = Stage::new();
    prepare(&stage);
    let slow = ["--part-size", "5MiB", "--concurrency", "1"];
    for (operation, from, to) in [
        (Operation::UploadPart, "in/large", "s3://bucket/large"),
        (Operation::GetObject, "s3://bucket/large", "out/large"),
    ] {
        let gate = Gate::new();
        let held = Fault::new(operation, FaultKind::Gate(gate.clone()));
        stage.testbed.fault(held.occurrence(3..=u64::MAX));
        let records = stage.sandbox.path("state");
        let haul = || stage.haul().env("XDG_STATE_HOME", &records);
        let running = haul().args(["cp", "--preserve", from, to]).args(slow).spawn();
        gate.wait_for(1);
        running.signal(Signal::KILL);
        running.wait();
        stage.testbed.clear_faults();
        gate.open();
        let output = haul().args(["cp", "--preserve", from, to]).args(slow).run();
        output.code(0).stderr_has("10.0 MiB of them from an earlier run");
    }
    assert_eq!(metadata(&stage.object("large")).len(), 2);
    assert_eq!(facts(&stage.sandbox.path("out/large")), (time(), MODE));
}
