//! Uploads that go on. Every count of bytes is the server's own.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::{Bucket, Haul, Output, Sandbox, content, haul};

const PART: u64 = 5 << 20;
const PARTS: u64 = 5;
const SIZE: u64 = (PARTS - 1) * PART + 1234;
/// Parts that the server has when the first run ends.
const DONE: u64 = 3;
const DONE_TEXT: &str = "15.0 MiB";
const OLD: &[u8] = b"what was there before";

/// A server, a file, and what an earlier run left.
struct Scene {
    testbed: Testbed,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "object", OLD);
        let sandbox = Sandbox::new();
        sandbox.fill("object", SIZE);
        Self { testbed, sandbox }
    }

    /// As anybody would type it.
    fn plain_command(&self) -> Haul {
        let command = haul().on(&self.testbed).env("XDG_STATE_HOME", self.sandbox.path("state"));
        command.arg("upload").arg(self.sandbox.path("object")).arg("s3://bucket/object")
    }

    /// One part after another, so that it is known which the server has.
    fn command(&self) -> Haul {
        self.plain_command().args(["--part-size", "5MiB", "--concurrency", "1"])
    }

    /// Holds all parts from this one on.
    fn hold_parts(&self, from: u64) -> Gate {
        let gate = Gate::new();
        let held = Fault::new(Operation::UploadPart, FaultKind::Gate(gate.clone()));
        self.testbed.fault(held.occurrence(from..=u64::MAX));
        gate
    }

    /// A run that is killed when the server has the `DONE` first parts.
    fn killed() -> Self {
        let scene = Self::new();
        let gate = scene.hold_parts(DONE + 1);
        let running = scene.command().spawn();
        gate.wait_for(1);
        running.signal(Signal::KILL);
        running.wait();
        scene.testbed.clear_faults();
        gate.open();
        assert_eq!(scene.testbed.open_uploads("bucket").len(), 1);
        assert_eq!(scene.records(), 1);
        scene.testbed.clear_requests();
        scene
    }

    fn records(&self) -> usize {
        fs::read_dir(self.sandbox.path("state/haul/uploads")).map_or(0, Iterator::count)
    }

    fn sent(&self) -> u64 {
        let requests = self.testbed.requests_of(Operation::UploadPart);
        requests.iter().map(|request| request.bytes_received).sum()
    }

    /// The same command again: the object, nothing else, and `sent` bytes to the server.
    #[track_caller]
    fn finished_by(&self, command: Haul, sent: u64) -> Output {
        let output = command.run();
        output.code(0).stderr_has("1 verified end to end");
        let object = self.testbed.object("bucket", "object").expect("it is there");
        assert!(object.content.bytes() == self.sandbox.read("object"), "other bytes");
        assert_eq!(self.sent(), sent, "bytes were sent\n{output}");
        self.nothing_is_left();
        output
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let open = self.testbed.open_uploads("bucket");
        assert!(open.is_empty(), "multipart uploads are left: {open:?}");
        assert_eq!(self.records(), 0, "records are left");
    }

    #[track_caller]
    fn the_old_object_stays(&self) {
        assert_eq!(self.testbed.object("bucket", "object").expect("it stays").content.bytes(), OLD);
    }
}

#[test]
fn what_a_killed_run_sent_is_not_sent_again() {
    let scene = Scene::killed();
    scene.the_old_object_stays();
    let output = scene.finished_by(scene.command(), SIZE - DONE * PART);
    output.stderr_has("15.0 MiB of them from an earlier run");
    assert_eq!(scene.testbed.count(Operation::CreateMultipartUpload), 0);
    scene.testbed.clear_requests();
    scene.finished_by(scene.command(), SIZE).stderr_lacks("earlier run");
}

#[test]
fn another_part_size_goes_on_with_the_first_one() {
    let scene = Scene::killed();
    scene.finished_by(scene.plain_command(), SIZE - DONE * PART);
}

/// Parts that were sent without the key would stay as they are.
#[test]
fn another_key_to_encrypt_with_starts_anew() {
    let scene = Scene::killed();
    let key = scene.sandbox.write("customer.key", [7; 32]);
    let output = scene.command().arg("--sse-c-key-file").arg(key).run();
    output.code(0).stderr_lacks("earlier run");
    scene.nothing_is_left();
    assert_eq!(scene.sent(), SIZE);
}

/// The earlier run may have been on a machine with more memory.
#[test]
fn parts_that_do_not_fit_into_memory_are_an_error_and_no_surprise() {
    let scene = Scene::killed();
    let path = fs::read_dir(scene.sandbox.path("state/haul/uploads")).expect("a folder");
    let path = path.map(|entry| entry.expect("a record").path()).next().expect("a record");
    let record = fs::read_to_string(&path).expect("a record");
    let larger = record.replace("\"part_size\":5242880", "\"part_size\":419430400");
    assert_ne!(record, larger);
    fs::write(&path, larger).expect("written");
    let output = scene.command().args(["--max-memory", "64MiB"]).run();
    output.code(1).stderr_has("raise --max-memory").stderr_has("--no-resume");
}

#[test]
fn what_no_run_will_go_on_with_is_ended_by_the_next_one() {
    // It fits into one request now, or nothing is to be resumed.
    for args in [["--part-size", "64MiB"].as_slice(), &["--part-size", "5MiB", "--no-resume"]] {
        let scene = Scene::killed();
        let output = scene.plain_command().args(args).run();
        output.code(0).stderr_has("1 verified end to end").stderr_lacks("earlier run");
        scene.nothing_is_left();
    }
}

#[test]
fn a_small_file_leaves_the_upload_of_another_process_alone() {
    let scene = Scene::new();
    let gate = scene.hold_parts(1);
    let first = scene.command().spawn();
    gate.wait_for(1);
    scene.plain_command().args(["--part-size", "64MiB"]).run().code(0);
    assert_eq!(scene.testbed.count(Operation::AbortMultipartUpload), 0);
    gate.open();
    first.wait().code(0);
    scene.nothing_is_left();
}

#[test]
fn an_interrupted_run_says_that_it_can_go_on_also_where_the_server_is_silent() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let scene = Scene::new();
        let gate = Gate::new();
        gate.open();
        let came = Fault::new(Operation::UploadPart, FaultKind::Gate(gate.clone()));
        scene.testbed.fault(came.occurrence(DONE + 1..=u64::MAX));
        scene.testbed.fault(
            Fault::new(Operation::UploadPart, FaultKind::StallHeaders)
                .occurrence(DONE + 1..=u64::MAX),
        );
        let running = scene.command().spawn();
        gate.wait_for(1);
        running.signal(signal);
        let output = running.wait_within(Duration::from_secs(5));
        let kept = format!("1 unfinished transfer kept, {DONE_TEXT} so far");
        output.code(code).stderr_has(&kept).stderr_has("next: haul upload");
        scene.the_old_object_stays();
        scene.testbed.clear_faults();
        scene.testbed.clear_requests();
        scene.finished_by(scene.command(), SIZE - DONE * PART);
    }
}

#[test]
fn a_run_that_gave_up_on_the_network_is_continued() {
    let scene = Scene::new();
    let fault = Fault::new(Operation::UploadPart, FaultKind::internal_error());
    scene.testbed.fault(fault.occurrence(DONE + 1..=u64::MAX));
    let kept = format!("1 unfinished transfer kept, {DONE_TEXT} so far");
    scene.command().args(["--max-attempts", "2"]).run().code(1).stderr_has(&kept);
    // Those of an earlier run count, too.
    scene.testbed.clear_faults();
    let refused = Fault::new(Operation::UploadPart, FaultKind::internal_error());
    scene.testbed.fault(refused.always());
    scene.command().args(["--max-attempts", "1"]).run().code(1).stderr_has(&kept);
    scene.testbed.clear_faults();
    scene.testbed.clear_requests();
    scene.finished_by(scene.command(), SIZE - DONE * PART);
}

#[test]
fn a_file_that_is_another_by_now_is_sent_whole_and_the_old_upload_is_aborted() {
    let scene = Scene::killed();
    let before = scene.testbed.open_uploads("bucket")[0].upload_id.clone();
    scene.sandbox.write("object", content("other", SIZE));
    touch(&scene, Duration::from_secs(7));
    scene.finished_by(scene.command(), SIZE).stderr_lacks("earlier run");
    let aborts = scene.testbed.requests_of(Operation::AbortMultipartUpload);
    assert!(aborts.iter().any(|abort| abort.upload_id.as_ref() == Some(&before)), "{aborts:?}");
}

/// Size and time are as they were: only the bytes tell.
#[test]
fn a_part_whose_bytes_changed_in_secret_is_sent_again() {
    let scene = Scene::killed();
    let path = scene.sandbox.path("object");
    let modified = fs::metadata(&path).and_then(|facts| facts.modified()).expect("a time");
    let mut bytes = scene.sandbox.read("object");
    bytes[usize::try_from(PART).expect("small") + 17] ^= 1;
    scene.sandbox.write("object", bytes);
    set_modified(&scene, modified);
    scene.finished_by(scene.command(), SIZE - (DONE - 1) * PART);
}

#[test]
fn an_upload_that_vanished_starts_anew() {
    let scene = Scene::killed();
    let id = scene.testbed.open_uploads("bucket")[0].upload_id.clone();
    Bucket::open(&scene.testbed, "bucket").abort("object", &id);
    scene.finished_by(scene.command(), SIZE);
}

/// A store may have taken a killed run's last part for whole after the next run had sent it again.
#[test]
fn parts_that_the_store_does_not_accept_in_the_end_are_all_sent_again() {
    let scene = Scene::killed();
    let refused = FaultKind::status(400, "InvalidPart");
    let fault = Fault::new(Operation::CompleteMultipartUpload, refused);
    let fault = scene.testbed.fault(fault);
    scene.finished_by(scene.command(), 2 * SIZE - DONE * PART);
    assert_eq!(scene.testbed.hits(fault), 1);
}

#[test]
fn an_upload_that_was_told_otherwise_starts_anew() {
    let scene = Scene::killed();
    scene.finished_by(scene.command().args(["--content-type", "text/x-other"]), SIZE);
    let object = scene.testbed.object("bucket", "object").expect("it is there");
    assert_eq!(object.attributes.content_type.as_deref(), Some("text/x-other"));
}

#[test]
fn a_store_that_lists_no_parts_costs_time_and_nothing_else() {
    let scene = Scene::killed();
    scene.testbed.fault(Fault::new(Operation::ListParts, FaultKind::access_denied()).always());
    scene.finished_by(scene.command(), SIZE);
}

#[test]
fn a_record_that_is_torn_or_foreign_is_not_believed() {
    let scene = Scene::killed();
    let folder = scene.sandbox.path("state/haul/uploads");
    let path = fs::read_dir(folder).expect("a folder").next().expect("a record").expect("a file");
    let record = fs::read_to_string(path.path()).expect("a record");
    for foreign in [
        record[..record.len() - 3].to_owned(),
        String::new(),
        record.replace("\"bucket\":\"bucket\"", "\"bucket\":\"other\""),
        record.replace("\"format\":1", "\"format\":2"),
    ] {
        fs::write(path.path(), foreign).expect("written");
        scene.testbed.clear_requests();
        let output = scene.command().run();
        output.code(0).stderr_lacks("earlier run");
        assert_eq!(scene.sent(), SIZE);
        assert_eq!(scene.records(), 0);
        // The upload that nothing tells of any more is for `haul clean`.
        assert_eq!(scene.testbed.open_uploads("bucket").len(), 1);
    }
}

#[test]
fn without_resume_an_upload_is_aborted_and_none_is_continued() {
    let scene = Scene::new();
    let fault = Fault::new(Operation::UploadPart, FaultKind::internal_error());
    scene.testbed.fault(fault.occurrence(DONE + 1..=u64::MAX));
    let output = scene.command().args(["--max-attempts", "2", "--no-resume"]).run();
    output.code(1).stderr_lacks("kept");
    scene.nothing_is_left();
}

#[test]
fn what_failed_for_good_is_aborted() {
    for kind in [FaultKind::access_denied(), FaultKind::status(400, "InvalidArgument")] {
        let scene = Scene::new();
        let fault = Fault::new(Operation::UploadPart, kind);
        scene.testbed.fault(fault.occurrence(DONE + 1..=u64::MAX));
        scene.command().run().code(1).stderr_lacks("kept");
        scene.nothing_is_left();
        scene.the_old_object_stays();
    }
}

#[test]
fn two_runs_with_one_destination_do_not_share_an_upload() {
    let scene = Scene::new();
    let gate = scene.hold_parts(1);
    let first = scene.command().spawn();
    gate.wait_for(1);
    // By now the first one has a record, which the second finds.
    let second = scene.command().spawn();
    gate.wait_for(2);
    assert_eq!(scene.testbed.open_uploads("bucket").len(), 2, "each has its own");
    gate.open();
    first.wait().code(0);
    second.wait().code(0);
    scene.nothing_is_left();
    assert_eq!(scene.sent(), 2 * SIZE);
}

#[test]
fn a_state_folder_that_cannot_be_used_does_not_stop_an_upload() {
    let scene = Scene::new();
    scene.sandbox.write("state", "a file where the folder would be");
    scene.finished_by(scene.command(), SIZE);
}

/// The store had put the object together, and nobody heard of it.
#[test]
fn a_run_that_is_killed_after_the_last_step_is_not_harmed() {
    let scene = Scene::new();
    let gate = Gate::new();
    let fault = Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply);
    scene.testbed.fault(fault);
    let held = Fault::new(Operation::HeadObject, FaultKind::Gate(gate.clone()));
    scene.testbed.fault(held.always());
    let running = scene.command().spawn();
    gate.wait_for(1);
    running.signal(Signal::KILL);
    running.wait();
    gate.open();
    scene.testbed.clear_faults();
    scene.testbed.clear_requests();
    scene.finished_by(scene.command(), SIZE);
}

fn touch(scene: &Scene, later: Duration) {
    set_modified(scene, SystemTime::now() + later);
}

fn set_modified(scene: &Scene, time: SystemTime) {
    let file = File::options().write(true).open(scene.sandbox.path("object")).expect("a file");
    file.set_modified(time).expect("a time");
}
