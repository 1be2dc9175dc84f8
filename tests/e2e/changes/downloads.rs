//! Objects that are replaced or deleted in the middle of a download.

use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::{Haul, Output, Sandbox, content, for_each, haul};

const PART: u64 = 1 << 20;
const SIZE: u64 = 4 * PART;
const OLD: &[u8] = b"what was there before";

struct Scene {
    testbed: Testbed,
    sandbox: Sandbox,
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        let (first, second) = (content("first", SIZE), content("second", SIZE));
        testbed.put_object("bucket", "object", first.clone());
        let sandbox = Sandbox::new();
        sandbox.write("object", OLD);
        Self { testbed, sandbox, first, second }
    }

    fn haul(&self) -> Haul {
        let haul = haul().on(&self.testbed).args(["download", "s3://bucket/object"]);
        haul.arg(self.sandbox.path("object")).args(["--part-size", "1MiB", "--max-attempts", "3"])
    }

    fn on_get(&self, number: u64, kind: FaultKind) {
        self.testbed.fault(Fault::new(Operation::GetObject, kind).nth(number));
    }

    fn untouched(&self, output: &Output) {
        assert!(self.sandbox.read("object") == OLD, "the old file is gone\n{output}");
        self.sandbox.no_leftovers("");
    }
}

#[test]
fn an_object_replaced_in_the_middle_arrives_in_one_version() {
    let sizes = [SIZE, SIZE / 2, SIZE + 1, 100, 0];
    let cases: Vec<_> =
        [1, 2, 3, 4].into_iter().flat_map(|get| sizes.map(|size| (get, size))).collect();
    for_each(&cases, |&(get, size)| {
        let scene = Scene::new();
        let second = content("second", size);
        scene.on_get(get, FaultKind::replace_object(second.clone()));
        let output = scene.haul().run();
        output.code(0);
        let found = scene.sandbox.read("object");
        // Parts that were asked for before the change may be all that was missing.
        let is_one = found == second || (get > 1 && found == scene.first);
        assert!(is_one, "{} bytes of two versions\n{output}", found.len());
        scene.sandbox.no_leftovers("");
        let sent: u64 = scene.testbed.requests().iter().map(|request| request.bytes_sent).sum();
        assert!(sent <= 2 * SIZE.max(size) + (1 << 16), "{sent} bytes were sent");
    });
}

/// Here the first version is half-way in the file for certain when the second appears.
#[test]
fn parts_held_back_until_the_object_was_replaced_are_of_the_new_version() {
    let scene = Scene::new();
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    scene.testbed.fault(held.occurrence(3..=4));
    let running = scene.haul().spawn();
    gate.wait_for(2);
    scene.testbed.replace_object("bucket", "object", scene.second.clone());
    gate.open();
    running.wait().code(0).stderr_has("1 verified end to end");
    assert!(scene.sandbox.read("object") == scene.second);
    scene.sandbox.no_leftovers("");
}

#[test]
fn an_object_that_changes_again_and_again_is_given_up() {
    let scene = Scene::new();
    for number in 1..=3 {
        // Each fresh start begins with a whole version, and meets the next one at its second part.
        let next = FaultKind::replace_object(content(&format!("version {number}"), SIZE));
        let fault = Fault::new(Operation::GetObject, next).range_start(PART);
        scene.testbed.fault(fault.nth(number));
    }
    let output = scene.haul().run();
    output.code(1).stderr_has("s3://bucket/object").stderr_has("changed during the download");
    scene.untouched(&output);
}

#[test]
fn a_server_that_ignores_if_match_cannot_mix_versions() {
    for get in [2, 3, 4] {
        let scene = Scene::new();
        scene.on_get(get, FaultKind::ChangedETag);
        let output = scene.haul().run();
        output.code(0).stderr_has("1 verified end to end");
        assert!(scene.sandbox.read("object") == scene.first);
    }
    let scene = Scene::new();
    let fault = Fault::new(Operation::GetObject, FaultKind::ChangedETag).occurrence(2..=u64::MAX);
    scene.testbed.fault(fault);
    let output = scene.haul().run();
    output.code(1).stderr_has("changed during the download");
    scene.untouched(&output);
}

#[test]
fn an_object_deleted_in_the_middle_leaves_the_old_file() {
    for get in [1, 2, 3, 4] {
        let scene = Scene::new();
        scene.on_get(get, FaultKind::DeleteObject);
        let output = scene.haul().run();
        output.code(1).stderr_has("could not read s3://bucket/object").stderr_has("404 NoSuchKey");
        scene.untouched(&output);
    }
}

#[test]
fn an_object_deleted_in_the_middle_leaves_nothing_where_nothing_was() {
    let scene = Scene::new();
    std::fs::remove_file(scene.sandbox.path("object")).expect("it is there");
    scene.on_get(3, FaultKind::DeleteObject);
    scene.haul().run().code(1);
    assert!(scene.sandbox.tree("").is_empty(), "{:?}", scene.sandbox.tree(""));
}

#[test]
fn an_object_deleted_after_it_was_listed_fails_alone() {
    let scene = Scene::new();
    for name in ["a", "b", "c"] {
        scene.testbed.put_object("bucket", &format!("p/{name}"), name);
    }
    let delete = Fault::new(Operation::GetObject, FaultKind::DeleteObject).key("p/b");
    scene.testbed.fault(delete);
    let download = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
    let output = download.arg(scene.sandbox.path("out/")).run();
    output.code(1).stderr_has("s3://bucket/p/b").stderr_has("2 objects").stderr_has("1 failed");
    let names: Vec<_> = scene.sandbox.tree("out").into_keys().collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn standard_output_never_gets_bytes_of_two_versions() {
    for kind in [FaultKind::ChangedETag, FaultKind::replace_object(content("second", SIZE))] {
        let scene = Scene::new();
        scene.on_get(3, kind);
        let stdout = haul().on(&scene.testbed).args(["download", "s3://bucket/object", "-"]);
        let output = stdout.args(["--part-size", "1MiB"]).run();
        assert!(scene.first.starts_with(&output.stdout), "bytes of another version\n");
        output.code(1).stderr_has("s3://bucket/object");
    }
}
