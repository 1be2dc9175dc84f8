//! `mv --version-id`: that very version goes, when it has arrived; whatever else the key has or had
//! stays. What is asserted of a version that is left is read without `haul`.

use testbed::{Fault, FaultKind, Operation};

use super::{ids, stage};
use crate::stage::{BUCKET, Stage};

#[test]
fn the_version_that_is_named_goes_and_no_other() {
    for destination in ["file", "s3://bucket/to"] {
        let (stage, [old, new]) = stage("old");
        stage.run(["mv", "--version-id", &old, "s3://bucket/k", destination]).code(0);
        let moved =
            if destination == "file" { stage.text("file") } else { stage.object_text("to") };
        assert_eq!((moved, stage.object_text("k")), ("old".to_owned(), "new".to_owned()));
        assert_eq!(ids(&stage, "k"), [new]);
        assert_eq!(stage.object_text("k2"), "another");
    }
}

/// The one before it has the key again: there is no delete marker.
#[test]
fn the_newest_may_be_named_and_uncovers_the_one_before() {
    let (stage, [old, new]) = stage("old");
    stage.run(["mv", "--version-id", &new, "s3://bucket/k", "s3://bucket/to"]).code(0);
    assert_eq!((stage.object_text("to"), stage.object_text("k")), ("new".into(), "old".into()));
    assert_eq!(ids(&stage, "k"), [old]);
}

/// In a bucket that never kept versions there is one, which may be written to.
#[test]
fn the_only_version_goes_if_it_still_is_what_was_moved() {
    let stage = Stage::with_keys(&["k", "k2"]);
    stage.run(["mv", "--version-id", "other", "s3://bucket/k", "file"]).code(1);
    stage.run(["mv", "--version-id", "null", "s3://bucket/k2", "file"]).code(0);
    assert_eq!((stage.text("file"), stage.keys()), ("k2".to_owned(), vec!["k".to_owned()]));
    let replace = Fault::new(Operation::DeleteObject, FaultKind::ReplaceObject("later".into()));
    stage.testbed.fault(replace.times(1));
    let output = stage.run(["mv", "--version-id", "null", "s3://bucket/k", "s3://bucket/to"]);
    output.code(1).stderr_has("its source could not be removed, and was kept");
    assert_eq!((stage.object_text("to"), stage.object_text("k")), ("k".into(), "later".into()));
}

/// Whatever happens on the way, what has the key stays, and the version stays until its bytes are
/// elsewhere.
#[test]
fn a_move_that_fails_leaves_all_versions() {
    let denied = |operation| Fault::new(operation, FaultKind::access_denied()).always();
    for (destination, operation) in [
        ("file", Operation::GetObject),
        ("s3://bucket/to", Operation::CopyObject),
        ("file", Operation::DeleteObject),
        ("s3://bucket/to", Operation::DeleteObject),
    ] {
        let (stage, [old, new]) = stage("old");
        stage.testbed.fault(denied(operation));
        stage.run(["mv", "--version-id", &old, "s3://bucket/k", destination]).code(1);
        assert_eq!(ids(&stage, "k"), [new, old], "{destination} {operation:?}");
        assert_eq!(stage.object_text("k"), "new");
    }
}

/// By the journal it has arrived: the version goes without being copied once more.
#[test]
fn the_same_command_removes_what_an_earlier_one_left() {
    for (destination, moves) in
        [("file", Operation::GetObject), ("s3://bucket/to", Operation::CopyObject)]
    {
        let (stage, [old, new]) = stage("old");
        let fault = Fault::new(Operation::DeleteObject, FaultKind::access_denied()).times(1);
        stage.testbed.fault(fault);
        let mv = ["mv", "--journal", "log", "--version-id", &old, "s3://bucket/k", destination];
        stage.run(mv).code(1);
        assert_eq!(ids(&stage, "k"), [new.clone(), old.clone()]);
        stage.run(mv).code(0);
        assert_eq!((ids(&stage, "k"), stage.testbed.count(moves)), (vec![new], 1));
        stage.run(mv).code(0);
        assert_eq!(stage.object_text("k"), "new");
    }
}

/// The look right before the end is answered for another version: no removal is sent.
#[test]
fn a_store_that_loses_track_of_versions_is_asked_for_no_removal() {
    let (stage, [old, new]) = stage("old");
    let other = FaultKind::SetHeader { name: "x-amz-version-id".to_owned(), value: new.clone() };
    stage.testbed.fault(Fault::new(Operation::HeadObject, other).always());
    let output = stage.run(["mv", "--version-id", &old, "s3://bucket/k", "file"]);
    output.code(1).stderr_has("its source could not be removed, and was kept");
    assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
    assert_eq!((ids(&stage, "k"), stage.text("file")), (vec![new, old], "old".to_owned()));
}

/// A store that left a delete marker instead has not removed the version, and that is said.
#[test]
fn a_removal_of_something_else_is_no_success() {
    let (stage, [old, _]) = stage("old");
    let other = FaultKind::SetHeader { name: "x-amz-version-id".to_owned(), value: "m".to_owned() };
    stage.testbed.fault(Fault::new(Operation::DeleteObject, other).always());
    let output = stage.run(["mv", "--version-id", &old, "s3://bucket/k", "file"]);
    output.code(1).stderr_has("removed another version, or left a delete marker");
}

#[test]
fn a_version_is_not_moved_onto_its_own_key() {
    let (stage, [old, _]) = stage("old");
    for destination in ["s3://bucket/k", "s3://bucket/", "s3://bucket"] {
        let mv = ["mv", "--version-id", &old, "s3://bucket/k", destination];
        stage.run(mv).code(2).stderr_has("is where it is to go already");
    }
    assert_eq!((ids(&stage, "k").len(), stage.testbed.requests().len()), (2, 0));
    assert!(stage.testbed.object(BUCKET, "k").is_some());
}
