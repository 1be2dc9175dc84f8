//! Downloads that go on. Every count of bytes is the server's own.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, ObjectChecksum, Operation, PutOptions, Testbed};

use crate::harness::{Haul, Output, Sandbox, content, haul};

const PART: u64 = 1 << 20;
const PARTS: u64 = 8;
const SIZE: u64 = PARTS * PART;
/// Parts that the first run has when it ends.
const DONE: u64 = 5;
const OLD: &[u8] = b"what was there before";

/// A server with one object, and what an earlier run left of it.
struct Scene {
    testbed: Testbed,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "object", content("object", SIZE));
        let sandbox = Sandbox::new();
        sandbox.write("object", OLD);
        Self { testbed, sandbox }
    }

    /// One part after another, so that it is known which are done.
    fn command(&self) -> Haul {
        self.with(["--part-size", "1MiB", "--concurrency", "1"])
    }

    fn with(&self, options: [&str; 4]) -> Haul {
        let command = haul().on(&self.testbed).args(["download", "s3://bucket/object"]);
        command.arg(self.sandbox.path("object")).args(options)
    }

    /// A run that ends with its `DONE` first parts written and recorded.
    fn killed() -> Self {
        let scene = Self::new();
        scene.kill();
        scene
    }

    fn kill(&self) {
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        self.testbed.fault(held.occurrence(DONE + 1..=u64::MAX));
        let running = self.command().spawn();
        gate.wait_for(1);
        running.signal(Signal::KILL);
        running.wait();
        assert_eq!(self.sandbox.read("object"), OLD);
        assert_eq!(self.sandbox.leftovers("").len(), 2, "the bytes, and what is known of them");
        self.testbed.clear_faults();
        gate.open();
        self.testbed.clear_requests();
    }

    fn leftover(&self, end: &str) -> PathBuf {
        let mut paths = self.sandbox.leftovers("").into_iter();
        paths.find(|path| path.to_string_lossy().ends_with(end)).expect("it is left")
    }

    fn sent(&self) -> u64 {
        let requests = self.testbed.requests_of(Operation::GetObject);
        requests.iter().map(|request| request.bytes_sent).sum()
    }

    /// The same command again: the object, nothing else, and `sent` bytes from the server.
    #[track_caller]
    fn finished_by(&self, command: Haul, sent: u64) -> Output {
        let output = command.run();
        output.code(0);
        assert!(self.sandbox.read("object") == content("object", SIZE), "other bytes");
        assert_eq!(self.sandbox.tree("").len(), 1, "{:?}", self.sandbox.tree(""));
        assert_eq!(self.sent(), sent, "bytes were sent\n{output}");
        output
    }
}

#[test]
fn what_a_killed_run_fetched_is_not_fetched_again() {
    let scene = Scene::killed();
    let output = scene.finished_by(scene.command(), SIZE - DONE * PART);
    output.stderr_has("5.0 MiB of them from an earlier run").stderr_has("1 verified end to end");
    scene.testbed.clear_requests();
    scene.finished_by(scene.command(), SIZE).stderr_lacks("earlier run");
}

#[test]
fn an_interrupted_run_says_that_it_can_go_on_and_does() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let scene = Scene::new();
        let gate = Gate::new();
        gate.open();
        let came = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        scene.testbed.fault(came.nth(3));
        let stall = FaultKind::Stall { after_bytes: PART - 1 };
        scene.testbed.fault(Fault::new(Operation::GetObject, stall).occurrence(3..=u64::MAX));
        let running = scene.command().args(["--timeout", "60"]).spawn();
        gate.wait_for(1);
        // The third part has begun; how far it came is for the network to say.
        running.signal(signal);
        let output = running.wait();
        output
            .code(code)
            .stderr_has("1 unfinished transfer kept, ")
            .stderr_has("MiB so far: the same command goes on there")
            .stderr_has("interrupted: 0 of 1 object done, 0 B in ")
            .stderr_has("next: haul download");
        assert_eq!(scene.sandbox.read("object"), OLD);
        scene.testbed.clear_faults();
        scene.testbed.clear_requests();
        let output = scene.command().run();
        output.code(0).stderr_has("from an earlier run");
        assert!(scene.sandbox.read("object") == content("object", SIZE), "other bytes");
        assert!(scene.sent() <= SIZE - 2 * PART, "{} bytes were sent", scene.sent());
        scene.sandbox.no_leftovers("");
    }
}

#[test]
fn another_part_size_goes_on_all_the_same() {
    let scene = Scene::killed();
    let command = scene.with(["--part-size", "700KiB", "--concurrency", "2"]);
    scene.finished_by(command, SIZE - DONE * PART);
}

#[test]
fn a_found_object_goes_on_as_well_as_a_named_one() {
    let scene = Scene::killed();
    let command = haul().on(&scene.testbed).args(["download", "s3://bucket/obj*"]);
    let command = command.arg(scene.sandbox.path("")).args(["--part-size", "1MiB"]);
    scene.finished_by(command, SIZE - DONE * PART);
}

#[test]
fn an_object_that_is_another_by_now_is_fetched_whole() {
    for same_size in [true, false] {
        let scene = Scene::killed();
        let size = if same_size { SIZE } else { SIZE - 7 };
        let other = content("other", size);
        scene.testbed.put_object("bucket", "object", other.clone());
        scene.command().run().code(0).stderr_lacks("earlier run");
        let asked = &scene.testbed.requests_of(Operation::GetObject)[0];
        assert!(asked.header("if-match").is_some(), "{asked:?}");
        assert!(scene.sandbox.read("object") == other, "two versions met");
        assert_eq!(scene.sandbox.tree("").len(), 1);
        assert!(scene.sent() >= size);
    }
}

/// Without a checksum of the whole, nothing behind this check would notice.
#[test]
fn a_server_that_ignores_if_match_is_noticed_by_its_etag() {
    let scene = Scene::new();
    let plain = PutOptions::new().checksum(ObjectChecksum::None);
    scene.testbed.put_object_with("bucket", "object", content("object", SIZE), &plain);
    scene.kill();
    let changed = Fault::new(Operation::GetObject, FaultKind::ChangedETag);
    let fault = scene.testbed.fault(changed);
    scene.command().run().code(0).stderr_lacks("earlier run");
    assert_eq!(scene.testbed.hits(fault), 1);
    assert!(scene.sandbox.read("object") == content("object", SIZE), "two versions met");
    scene.sandbox.no_leftovers("");
}

/// Without a checksum of the whole, nothing behind this check would notice.
#[test]
fn bytes_that_changed_on_the_disk_are_fetched_again() {
    let scene = Scene::new();
    let plain = PutOptions::new().checksum(ObjectChecksum::None);
    scene.testbed.put_object_with("bucket", "object", content("object", SIZE), &plain);
    scene.kill();
    let part = OpenOptions::new().write(true).open(scene.leftover(".part")).expect("a file");
    part.write_at(&[0x55], 2 * PART + 17).expect("written");
    scene.finished_by(scene.command(), SIZE - (DONE - 1) * PART);
}

#[test]
fn bytes_that_are_missing_on_the_disk_are_fetched_again() {
    let scene = Scene::killed();
    let part = OpenOptions::new().write(true).open(scene.leftover(".part")).expect("a file");
    part.set_len(3 * PART + 5).expect("shortened");
    scene.finished_by(scene.command(), SIZE - 3 * PART);
}

#[test]
fn a_record_that_is_torn_or_foreign_costs_time_and_nothing_else() {
    let scene = Scene::killed();
    let record = fs::read(scene.leftover(".map")).expect("a record");
    fs::write(scene.leftover(".map"), &record[..record.len() - 3]).expect("torn");
    scene.finished_by(scene.command(), SIZE - (DONE - 1) * PART);

    let identity = String::from_utf8(record).expect("text");
    for foreign in [
        String::new(),
        "not a record\n".to_owned(),
        identity.replace("\"bucket\":\"bucket\"", "\"bucket\":\"other\""),
        identity.replace("\"key\":\"object\"", "\"key\":\"other\""),
        identity.replace("http://127.0.0.1", "http://127.0.0.2"),
        identity.replace("\"crc\":\"crc64nvme\"", "\"crc\":\"crc32\""),
    ] {
        let scene = Scene::killed();
        fs::write(scene.leftover(".map"), &foreign).expect("written");
        scene.finished_by(scene.command(), SIZE);
    }
}

#[test]
fn an_object_that_was_all_there_is_not_fetched_at_all() {
    let scene = Scene::new();
    let gate = Gate::new();
    let held = Fault::new(Operation::HeadObject, FaultKind::Gate(gate.clone()));
    scene.testbed.fault(held.always());
    // The HEAD for the checksum goes beside the parts, and its answer is waited for at the end.
    let running = scene.with(["--part-size", "1MiB", "--concurrency", "2"]).spawn();
    gate.wait_for(1);
    until(|| fs::read(scene.leftover(".map")).is_ok_and(|map| lines(&map) > PARTS));
    running.signal(Signal::KILL);
    running.wait();
    gate.open();
    scene.testbed.clear_faults();
    scene.testbed.clear_requests();
    scene.finished_by(scene.command(), 0).stderr_has("8.0 MiB of them from an earlier run");
}

#[test]
fn without_resume_nothing_is_kept_and_nothing_continued() {
    let scene = Scene::killed();
    scene.finished_by(scene.command().arg("--no-resume"), SIZE);

    let scene = Scene::new();
    scene.testbed.fault(
        Fault::new(Operation::GetObject, FaultKind::internal_error()).occurrence(4..=u64::MAX),
    );
    let output = scene.command().args(["--no-resume", "--max-attempts", "2"]).run();
    output.code(1).stderr_lacks("kept");
    scene.sandbox.no_leftovers("");
}

#[test]
fn what_failed_for_good_is_not_kept() {
    for kind in [FaultKind::access_denied(), FaultKind::status(404, "NoSuchKey")] {
        let scene = Scene::new();
        scene.testbed.fault(Fault::new(Operation::GetObject, kind).occurrence(4..=u64::MAX));
        scene.command().run().code(1).stderr_lacks("kept");
        scene.sandbox.no_leftovers("");
        assert_eq!(scene.sandbox.read("object"), OLD);
    }
}

#[test]
fn two_runs_with_one_destination_do_not_share_a_partial_file() {
    let scene = Scene::new();
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    scene.testbed.fault(held.always());
    let (first, second) = (scene.command().spawn(), scene.command().spawn());
    gate.wait_for(2);
    assert_eq!(scene.sandbox.leftovers("").len(), 2, "each has its own");
    gate.open();
    first.wait().code(0);
    second.wait().code(0);
    assert!(scene.sandbox.read("object") == content("object", SIZE));
    assert_eq!(scene.sandbox.tree("").len(), 1);
    assert_eq!(scene.sent(), 2 * SIZE);
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Waits for something that is bound to happen.
fn until(mut happened: impl FnMut() -> bool) {
    let since = std::time::Instant::now();
    while !happened() {
        assert!(since.elapsed().as_secs() < 60, "it never happened");
        std::thread::yield_now();
    }
}
