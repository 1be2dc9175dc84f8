//! Ctrl-C and SIGTERM while the server answers nothing any more: the program ends all the same,
//! and names what it could not clean away.

use std::time::Duration;

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use super::signals::{SIGNALS, ended};
use crate::harness::{Running, Sandbox, content, haul};

/// What a first signal may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// What a second signal may take: at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
const PART: u64 = 5 << 20;
const OLD: &[u8] = b"what was there before";

#[test]
fn a_multipart_upload_to_a_stalled_server_is_named_with_its_id() {
    for (signal, code) in SIGNALS {
        let (testbed, _sandbox, running) = stalled_upload();
        let open = testbed.open_uploads("bucket");
        assert_eq!(open.len(), 1);
        running.signal(signal);
        let output = running.wait_within(LIMIT);
        ended(&output, code).stderr_has(&open[0].upload_id).stderr_has("s3://bucket/object");
        assert_eq!(testbed.object("bucket", "object").expect("it stays").content.bytes(), OLD);
    }
}

#[test]
fn many_multipart_uploads_to_a_stalled_server_are_all_named_in_time() {
    let testbed = testbed();
    let sandbox = Sandbox::new();
    for number in 0..10 {
        sandbox.fill(&format!("files/{number}"), PART + 1);
    }
    let gate = stall_after(&testbed, Operation::UploadPart);
    let upload = haul().on(&testbed).arg("upload").arg(sandbox.path("files/"));
    let upload = upload.args(["s3://bucket/", "--part-size", "5MiB", "--no-resume"]);
    // How many are found to be worth it depends on the machine.
    let running = upload.args(["--concurrency", "20"]).spawn();
    gate.wait_for(20);
    let open = testbed.open_uploads("bucket");
    assert_eq!(open.len(), 10);
    running.interrupt();
    let output = running.wait_within(LIMIT);
    ended(&output, 130);
    for upload in open {
        output.stderr_has(&upload.upload_id);
    }
}

#[test]
fn a_download_from_a_stalled_server_leaves_the_old_file() {
    for (signal, code) in SIGNALS {
        for stall in [FaultKind::StallHeaders, FaultKind::Stall { after_bytes: 1000 }] {
            let (testbed, sandbox) = (testbed(), Sandbox::new());
            testbed.put_object("bucket", "object", content("object", 4 << 20));
            sandbox.write("object", OLD);
            // The gate only tells that the requests came; the second fault is what they meet.
            let gate = Gate::new();
            gate.open();
            let came = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
            testbed.fault(came.occurrence(2..=u64::MAX));
            testbed.fault(Fault::any(stall).occurrence(2..=u64::MAX));
            let download =
                haul().on(&testbed).args(["download", "s3://bucket/object", "--no-resume"]);
            let download = download.arg(sandbox.path("object"));
            let running = download.args(["--part-size", "1MiB"]).spawn();
            gate.wait_for(3);
            running.signal(signal);
            ended(&running.wait_within(LIMIT), code);
            assert_eq!(sandbox.read("object"), OLD);
            assert_eq!(sandbox.tree("").len(), 1, "{:?}", sandbox.tree(""));
        }
    }
}

#[test]
fn a_stalled_first_request_is_interrupted_too() {
    let files = Sandbox::new();
    let file = files.fill("object", 1000).to_string_lossy().into_owned();
    let large = files.fill("large", 2 * PART).to_string_lossy().into_owned();
    let out = files.path("out/").to_string_lossy().into_owned();
    let commands = [
        ["download", "s3://bucket/object", &out],
        ["download", "s3://bucket/", &out],
        ["upload", &file, "s3://bucket/"],
        ["upload", &large, "s3://bucket/"],
        ["ls", "-r", "s3://bucket/"],
    ];
    for command in commands {
        let testbed = testbed();
        let gate = Gate::new();
        gate.open();
        testbed.fault(Fault::any(FaultKind::Gate(gate.clone())).always());
        testbed.fault(Fault::any(FaultKind::StallHeaders).always());
        let running = haul().on(&testbed).args(command).spawn();
        gate.wait_for(1);
        running.interrupt();
        running.wait_within(LIMIT).code(130);
        assert!(testbed.keys("bucket").is_empty());
        files.no_leftovers("");
    }
}

/// The first one is heard: the upload is being aborted, in vain.
#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second, code) in [
        (Signal::INT, Signal::INT, 130),
        (Signal::TERM, Signal::TERM, 143),
        (Signal::INT, Signal::TERM, 143),
        (Signal::HUP, Signal::INT, 130),
    ] {
        let (testbed, _sandbox, running) = stalled_upload();
        let aborts = Gate::new();
        aborts.open();
        let abort = Fault::new(Operation::AbortMultipartUpload, FaultKind::Gate(aborts.clone()));
        testbed.fault(abort.always());
        running.signal(first);
        aborts.wait_for(1);
        running.signal(second);
        running.wait_within(AT_ONCE).code(code);
    }
}

/// Two together, before anything was done about the first.
#[test]
fn two_signals_together_end_it_at_once() {
    let (_testbed, _sandbox, running) = stalled_upload();
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    // Which of them is heard first is for the system to say.
    let output = running.wait_within(AT_ONCE);
    assert!(matches!(output.code, Some(130 | 143)), "{output}");
}

/// An upload of which the server has an id and answers nothing any more.
fn stalled_upload() -> (Testbed, Sandbox, Running) {
    let (testbed, sandbox) = (testbed(), Sandbox::new());
    testbed.put_object("bucket", "object", OLD);
    let file = sandbox.fill("object", 3 * PART);
    let gate = stall_after(&testbed, Operation::UploadPart);
    let upload = haul().on(&testbed).arg("upload").arg(file).arg("s3://bucket/");
    let running = upload.args(["--part-size", "5MiB", "--no-resume"]).spawn();
    gate.wait_for(3);
    (testbed, sandbox, running)
}

/// From the first of these requests on, they and all that cleans up after them meet silence. The
/// gate counts them.
fn stall_after(testbed: &Testbed, operation: Operation) -> Gate {
    let gate = Gate::new();
    gate.open();
    testbed.fault(Fault::new(operation, FaultKind::Gate(gate.clone())).always());
    for stalled in [operation, Operation::AbortMultipartUpload, Operation::HeadObject] {
        testbed.fault(Fault::new(stalled, FaultKind::StallHeaders).always());
    }
    gate
}

fn testbed() -> Testbed {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    testbed
}
