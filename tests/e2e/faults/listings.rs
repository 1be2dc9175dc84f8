//! Faults of LIST and HEAD. A listing that broke off is worth nothing: nobody may take a part of
//! it for all of it.

use std::time::{Duration, Instant};

use testbed::{Fault, FaultId, FaultKind, Gate, Operation, Testbed};

use super::scene::{BUCKET, OLD, Scene};
use super::trouble::{Cost, Often, Trouble, broken_bodies, error_replies, nonsense, silences};
use crate::harness::{Output, for_each, haul};

const OBJECTS: usize = 5;
const PAGE: usize = 2;

#[derive(Debug, Clone)]
struct Case {
    /// Counted from 1.
    page: u64,
    often: Often,
    trouble: Trouble,
}

#[test]
fn a_listing_survives_each_fault_once() {
    for_each(&cases(Often::Once), |case| {
        let (scene, fault) = set(case);
        download_within(&scene, case.trouble.timeout()).code(0).stderr_has("5 objects");
        scene.fired(fault);
        assert_eq!(scene.sandbox.tree("out").len(), OBJECTS);
        let listing = ls(&scene);
        assert_eq!(listing.code(0).stdout_text().lines().count(), OBJECTS, "{listing}");
    });
}

#[test]
fn a_listing_that_breaks_off_is_never_taken_for_all() {
    for_each(&cases(Often::Always), |case| {
        let (scene, fault) = set(case);
        let download = download_within(&scene, case.trouble.timeout());
        download.code(1).stderr_has("could not list s3://bucket/p/").stderr_has(case.trouble.cause);
        scene.fired(fault);
        scene.sandbox.no_leftovers("");
    });
}

#[test]
fn a_listing_on_screen_that_breaks_off_says_so() {
    for page in [1, 2] {
        let trouble = Trouble::new(FaultKind::access_denied(), Cost::Nothing, "");
        let (scene, fault) = set(&Case { page, often: Often::Always, trouble });
        let listing = ls(&scene);
        listing.code(1).stderr_has("could not list s3://bucket/p/").stderr_has("AccessDenied");
        scene.fired(fault);
    }
}

/// The bytes are all there by then; only the checksum to compare them with is not.
#[test]
fn a_download_without_its_head_is_done_and_said_to_be_unproven() {
    for kind in [FaultKind::access_denied(), FaultKind::internal_error(), FaultKind::LostReply] {
        let scene = Scene::new();
        let bytes = scene.object("object", 3_000_000);
        let fault = Fault::new(Operation::HeadObject, kind).always();
        let fault = scene.testbed.fault(fault);
        download(&scene).code(0).stderr_has("1 by length and ETag only");
        scene.fired(fault);
        assert!(scene.sandbox.read("out/object") == bytes);
    }
}

#[test]
fn a_head_that_fails_once_proves_the_download_all_the_same() {
    let mut troubles = [error_replies(), silences()].concat();
    // A reply to HEAD has no body, so that of a 400 and a 403 nothing is known but the number.
    troubles.retain(|trouble| !trouble.cause.starts_with("40"));
    for_each(&troubles, |trouble| {
        let scene = Scene::new();
        scene.object("object", 3_000_000);
        let fault = Fault::new(Operation::HeadObject, trouble.kind.clone());
        let fault = scene.testbed.fault(fault);
        let output = download_within(&scene, trouble.timeout());
        output.code(0).stderr_has("1 verified end to end");
        scene.fired(fault);
    });
}

/// The checksum of bytes that did not come is of no use to anyone.
#[test]
fn a_head_that_hangs_does_not_hold_up_a_download_that_failed() {
    let scene = Scene::new();
    scene.object("object", 3_000_000);
    let head = Fault::new(Operation::HeadObject, FaultKind::StallHeaders).always();
    let head = scene.testbed.fault(head);
    let gate = Gate::new();
    for kind in [FaultKind::Gate(gate.clone()), FaultKind::access_denied()] {
        let later = Fault::new(Operation::GetObject, kind).range_start(1 << 20);
        scene.testbed.fault(later.always());
    }
    let download = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
    let download = download.arg(scene.sandbox.path("out/")).args(["--part-size", "1MiB"]);
    let running = download.args(["--timeout", "60"]).spawn();
    let since = Instant::now();
    while scene.testbed.hits(head) == 0 {
        assert!(since.elapsed() < Duration::from_secs(30), "no HEAD was sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    gate.open();
    let output = running.wait();
    output.code(1).stderr_has("AccessDenied");
    assert!(output.took.as_secs() < 45, "it waited for the HEAD\n{output}");
}

/// Nobody knows whether something would be overwritten, so nothing is written.
#[test]
fn an_upload_that_cannot_look_first_writes_nothing() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, "p/object", OLD);
    let file = scene.sandbox.write("object", "new");
    let head = Fault::new(Operation::HeadObject, FaultKind::internal_error()).always();
    let head = scene.testbed.fault(head);
    let upload = haul().on(&scene.testbed).arg("upload").arg(file).arg("s3://bucket/p/");
    let upload = upload.args(["--overwrite", "newer", "--max-attempts", "3"]).run();
    upload.code(1).stderr_has("could not look at s3://bucket/p/object").stderr_has("500");
    scene.fired(head);
    assert_eq!(scene.testbed.count(Operation::PutObject), 0);
}

fn set(case: &Case) -> (Scene, FaultId) {
    let testbed = Testbed::builder().page_size(PAGE).spawn();
    let scene = Scene::on(testbed.expect("a free port on the loopback interface"));
    for number in 0..OBJECTS {
        scene.object(&number.to_string(), 100);
    }
    let fault = Fault::new(Operation::ListObjectsV2, case.trouble.kind.clone());
    let fault = scene.trouble(fault, case.page, case.often);
    (scene, fault)
}

fn download(scene: &Scene) -> Output {
    download_within(scene, "60")
}

fn download_within(scene: &Scene, timeout: &str) -> Output {
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
    let haul = haul.arg(scene.sandbox.path("out/")).args(["--part-size", "1MiB"]);
    haul.args(["--timeout", timeout, "--max-attempts", "3"]).run()
}

fn ls(scene: &Scene) -> Output {
    haul().on(&scene.testbed).args(["ls", "s3://bucket/p/"]).run()
}

fn cases(often: Often) -> Vec<Case> {
    let mut troubles = [error_replies(), silences(), broken_bodies(400, often)].concat();
    troubles.push(Trouble::new(FaultKind::LostReply, Cost::Nothing, "reset by peer"));
    troubles.push(Trouble::new(nonsense("<html>"), Cost::Nothing, "ListObjectsV2 failed"));
    troubles.push(Trouble::new(nonsense(""), Cost::Nothing, "ListObjectsV2 failed"));
    // What is no XML up to its end is nothing at all, so that bytes which came do not count.
    for trouble in &mut troubles {
        use FaultKind::{ResetInBody, Stall, Truncate};
        if matches!(trouble.kind, ResetInBody { .. } | Stall { .. } | Truncate { .. }) {
            trouble.cause = "ListObjectsV2 failed";
        }
    }
    let cases = [1, 2].into_iter().flat_map(|page| {
        let troubles = troubles.iter().cloned();
        troubles.map(move |trouble| Case { page, often, trouble })
    });
    cases.collect()
}
