//! Ctrl-C and SIGTERM while the server still answers what is asked of it.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::{Output, Sandbox, haul};

const PART: u64 = 5 << 20;
const OLD: &[u8] = b"what was there before";

pub(super) const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

#[test]
fn an_interrupted_multipart_upload_is_aborted() {
    for (signal, code) in SIGNALS {
        let testbed = testbed();
        testbed.put_object("bucket", "object", OLD);
        let sandbox = Sandbox::new();
        let file = sandbox.fill("object", 3 * PART);
        let gate = hold(&testbed, Operation::UploadPart);
        let upload = haul().on(&testbed).arg("upload").arg(file).arg("s3://bucket/");
        let running = upload.args(["--part-size", "5MiB", "--no-resume"]).spawn();
        gate.wait_for(3);
        assert_eq!(testbed.open_uploads("bucket").len(), 1);
        running.signal(signal);
        ended(&running.wait_within(super::stalled::LIMIT), code);
        assert!(testbed.open_uploads("bucket").is_empty());
        assert_eq!(testbed.object("bucket", "object").expect("it stays").content.bytes(), OLD);
    }
}

#[test]
fn an_interrupted_upload_of_many_objects_starts_no_more_and_leaves_none_half() {
    for (signal, code) in SIGNALS {
        let testbed = testbed();
        let sandbox = Sandbox::new();
        for number in 0..100 {
            sandbox.fill(&format!("files/{number:03}"), 1000);
        }
        let gate = Gate::new();
        let held = Fault::new(Operation::PutObject, FaultKind::Gate(gate.clone()));
        testbed.fault(held.occurrence(21..=u64::MAX));
        let upload = haul().on(&testbed).arg("upload").arg(sandbox.path("files/"));
        let running = upload.args(["s3://bucket/", "--concurrency", "8"]).spawn();
        gate.wait_for(8);
        running.signal(signal);
        let output = running.wait_within(super::stalled::LIMIT);
        ended(&output, code).stderr_has("20 of 100").stderr_has("80 not done");
        assert!(testbed.count(Operation::PutObject) <= 28, "{output}");
        for key in testbed.keys("bucket") {
            let object = testbed.object("bucket", &key).expect("it was listed");
            assert!(object.content.bytes() == sandbox.read(format!("files/{key}")), "{key}");
        }
    }
}

#[test]
fn an_interrupted_download_leaves_the_old_file_and_nothing_else() {
    for (signal, code) in SIGNALS {
        let testbed = testbed();
        testbed.put_object("bucket", "object", crate::harness::content("object", 4 << 20));
        let sandbox = Sandbox::new();
        sandbox.write("object", OLD);
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        testbed.fault(held.occurrence(2..=u64::MAX));
        let download = haul().on(&testbed).args(["download", "s3://bucket/object", "--no-resume"]);
        let download = download.arg(sandbox.path("object")).args(["--part-size", "1MiB"]);
        let running = download.spawn();
        gate.wait_for(3);
        running.signal(signal);
        ended(&running.wait_within(super::stalled::LIMIT), code);
        assert_eq!(sandbox.read("object"), OLD);
        assert_eq!(sandbox.tree("").len(), 1, "{:?}", sandbox.tree(""));
    }
}

#[test]
fn an_interrupted_download_of_many_objects_keeps_whole_files_only() {
    for (signal, code) in SIGNALS {
        let testbed = testbed();
        for number in 0..50 {
            let name = format!("p/{number:02}");
            testbed.put_object("bucket", &name, crate::harness::content(&name, 1000));
        }
        let sandbox = Sandbox::new();
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        testbed.fault(held.occurrence(11..=u64::MAX));
        let download = haul().on(&testbed).args(["download", "s3://bucket/p/"]);
        let running = download.arg(sandbox.path("out")).args(["--concurrency", "8"]).spawn();
        gate.wait_for(8);
        running.signal(signal);
        let output = running.wait_within(super::stalled::LIMIT);
        ended(&output, code).stderr_has("10 of 50");
        assert_eq!(sandbox.tree("out").len(), 10, "{output}");
        for name in sandbox.tree("out").into_keys() {
            let wanted = crate::harness::content(&format!("p/{name}"), 1000);
            assert!(sandbox.read(format!("out/{name}")) == wanted, "{name}");
        }
        sandbox.no_leftovers("");
    }
}

/// What is nearly done is let finish: the first signal drains.
#[test]
fn what_can_finish_in_a_moment_is_finished() {
    let testbed = testbed();
    let sandbox = Sandbox::new();
    let file = sandbox.fill("object", 3 * PART);
    let gate = hold(&testbed, Operation::CompleteMultipartUpload);
    let upload = haul().on(&testbed).arg("upload").arg(file).arg("s3://bucket/");
    let running = upload.args(["--part-size", "5MiB", "--no-resume"]).spawn();
    gate.wait_for(1);
    running.interrupt();
    gate.open();
    let output = running.wait_within(super::stalled::LIMIT);
    // It may have been done before the signal was heard.
    assert!(matches!(output.code, Some(0 | 130)), "{output}");
    let object = testbed.object("bucket", "object").expect("it was finished");
    assert!(object.content.bytes() == sandbox.read("object"));
    assert!(testbed.open_uploads("bucket").is_empty());
}

/// The reply that tells of an upload comes when the run is about to end: it is not left untold.
#[test]
fn an_upload_that_begins_while_the_run_ends_is_not_lost() {
    let testbed = testbed();
    let sandbox = Sandbox::new();
    let file = sandbox.fill("object", 3 * PART);
    let gate = hold(&testbed, Operation::CreateMultipartUpload);
    let upload = || {
        let upload = haul().on(&testbed).env("XDG_STATE_HOME", sandbox.path("state"));
        upload.arg("upload").arg(&file).args(["s3://bucket/", "--part-size", "5MiB"])
    };
    let running = upload().spawn();
    gate.wait_for(1);
    running.interrupt();
    // A second after the signal what is under way is given up. It is right at any moment.
    std::thread::sleep(std::time::Duration::from_millis(1300));
    gate.open();
    let output = running.wait_within(super::stalled::LIMIT);
    output.code(130);
    let open = testbed.open_uploads("bucket").len();
    assert_eq!(output.stderr.contains("1 unfinished transfer kept"), open == 1, "{output}");
    upload().run().code(0);
    assert!(testbed.open_uploads("bucket").is_empty());
}

#[test]
fn an_interrupted_stream_makes_no_object() {
    let testbed = testbed();
    let gate = hold(&testbed, Operation::UploadPart);
    let bytes = crate::harness::content("stdin", 3 * PART);
    let upload = haul().on(&testbed).stdin(bytes).args(["upload", "-", "s3://bucket/object"]);
    let running = upload.args(["--part-size", "5MiB", "--no-resume"]).spawn();
    gate.wait_for(2);
    running.interrupt();
    let output = running.wait_within(super::stalled::LIMIT);
    // What fed it would have to be typed again, too.
    output.code(130).stderr_has("interrupted: 0 of 1 object done").stderr_lacks("next:");
    assert!(testbed.open_uploads("bucket").is_empty());
    assert!(testbed.keys("bucket").is_empty());
}

/// Says how far it came, and what to type to go on.
#[track_caller]
pub(super) fn ended(output: &Output, code: i32) -> &Output {
    output.code(code).stderr_has("interrupted: ");
    let last = output.stderr.lines().last().unwrap_or_default();
    let next = format!("next: {}", output.line);
    assert_eq!(last, next, "{output}");
    output.stderr_lacks("error: ")
}

/// Requests of that kind wait until the gate is opened.
fn hold(testbed: &Testbed, operation: Operation) -> Gate {
    let gate = Gate::new();
    testbed.fault(Fault::new(operation, FaultKind::Gate(gate.clone())).always());
    gate
}

fn testbed() -> Testbed {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    testbed
}
