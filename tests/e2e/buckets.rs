//! `haul mb` and `haul rb`: a bucket comes, and goes; what is in it goes only where that was agreed to.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::stage::{BUCKET, Stage};

fn buckets(stage: &Stage) -> Vec<String> {
    let lines = stage.run(["ls", "--json"]).code(0).json_lines();
    lines.iter().map(|line| line["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_bucket_is_made_and_removed() {
    let stage = Stage::new();
    stage.run(["mb", "s3://new-one"]).code(0).stdout_is("made s3://new-one/\n");
    assert_eq!(buckets(&stage), [BUCKET, "new-one"]);
    let output = stage.run(["mb", "s3://new-two/", "--json"]);
    assert_eq!(output.code(0).json_lines()[0]["source"], "s3://new-two/");
    stage.run(["rb", "s3://new-one"]).code(0).stderr_has("1 bucket removed");
    let summary = stage.run(["rb", "s3://new-two", "--json"]).code(0).json_lines().remove(0);
    assert_eq!((&summary["buckets"], &summary["success"]), (&1.into(), &true.into()));
    assert_eq!(buckets(&stage), [BUCKET]);
    stage.run(["rb", "s3://new-one"]).code(1).stderr_has("NoSuchBucket");
}

#[test]
fn a_bucket_that_is_there_already_is_an_error_that_says_whose() {
    let stage = Stage::new();
    stage.run(["mb", "s3://bucket"]).code(1).stderr_has("s3://bucket is there already");
    assert_eq!(stage.testbed.count(Operation::CreateBucket), 0, "S3 might say yes");
    // Nobody may list it, and yet it is ours.
    let denied = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    stage.run(["mb", "s3://bucket"]).code(1).stderr_has("there already, and yours");
    let theirs = FaultKind::status(409, "BucketAlreadyExists");
    stage.testbed.fault(Fault::new(Operation::CreateBucket, theirs).always());
    stage.run(["mb", "s3://other"]).code(1).stderr_has("somebody else's");
}

#[test]
fn a_reply_that_was_lost_makes_no_failure_of_what_was_done() {
    let stage = Stage::new();
    let lost = |operation| stage.testbed.fault(Fault::new(operation, FaultKind::LostReply).nth(1));
    lost(Operation::CreateBucket);
    stage.run(["mb", "s3://new-one"]).code(0).stdout_is("made s3://new-one/\n");
    assert_eq!(buckets(&stage), [BUCKET, "new-one"]);
    lost(Operation::DeleteBucket);
    stage.run(["rb", "s3://new-one"]).code(0).stderr_has("1 bucket removed");
    assert_eq!(buckets(&stage), [BUCKET]);
    let tries = [Operation::CreateBucket, Operation::DeleteBucket];
    assert_eq!(tries.map(|operation| stage.testbed.count(operation)), [2, 2]);
}

#[test]
fn a_bucket_is_made_in_the_region_that_was_named() {
    let stage = Stage::new();
    stage.run(["mb", "s3://far", "--region", "eu-central-1"]).code(0);
    stage.testbed.clear_requests();
    let output = stage.run(["ls", "s3://far", "--region", "us-east-1"]);
    output.code(0).stderr_has("far is in eu-central-1");
}

#[test]
fn a_bucket_with_something_in_it_stays() {
    let stage = Stage::with_keys(&["k"]);
    // Some servers would remove it all the same: they are not asked.
    stage.run(["rb", "s3://bucket"]).code(1).stderr_has("is not empty").stderr_has("--force");
    assert_eq!(stage.testbed.count(Operation::DeleteBucket), 0);
    stage.run(["rb", "s3://bucket", "--force"]).code(2).stderr_has("--yes");
    let from_environment = stage.haul().env("HAUL_YES", "1").env("HAUL_FORCE", "1");
    from_environment.args(["rb", "s3://bucket"]).run().code(1);
    assert_eq!(stage.keys(), ["k"]);
    assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
}

#[test]
fn a_bucket_that_has_old_versions_alone_stays_too() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    stage.testbed.put_object(BUCKET, "k", "bytes");
    stage.run(["rm", "s3://bucket/k"]).code(0);
    stage.run(["rb", "s3://bucket"]).code(1).stderr_has("is not empty");
    assert_eq!(stage.testbed.count(Operation::DeleteBucket), 0);
    // Where nobody may list them, the store has the last word.
    let denied = Fault::new(Operation::ListObjectVersions, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    stage.run(["rb", "s3://bucket"]).code(1).stderr_has("BucketNotEmpty").stderr_has("--force");
    assert_eq!(stage.testbed.versions(BUCKET).len(), 2);
}

/// What can't be seen is not taken for empty, nor what comes behind an empty page.
#[test]
fn a_bucket_whose_versions_can_not_be_listed_stays() {
    let stage = Stage::new();
    let rb = ["rb", "s3://bucket", "--max-attempts", "2"];
    let trouble = Fault::new(Operation::ListObjectVersions, FaultKind::internal_error());
    stage.testbed.fault(trouble.always());
    stage.run(rb).code(1).stderr_has("could not list all versions");
    stage.testbed.clear_faults();
    let empty = "<ListVersionsResult><IsTruncated>true</IsTruncated>\
                 <NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>b</NextVersionIdMarker>\
                 </ListVersionsResult>";
    let version = "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>k</Key>\
                   <VersionId>v</VersionId><Size>2</Size></Version></ListVersionsResult>";
    for (number, page) in [(1, empty), (2, version)] {
        let page = Fault::new(Operation::ListObjectVersions, FaultKind::xml(page));
        stage.testbed.fault(page.nth(number));
    }
    stage.run(rb).code(1).stderr_has("is not empty");
    assert_eq!(stage.testbed.count(Operation::DeleteBucket), 0);
    // A store that knows no versions.
    let unknown = FaultKind::status(501, "NotImplemented");
    stage.testbed.fault(Fault::new(Operation::ListObjectVersions, unknown).always());
    stage.run(rb).code(0);
    assert_eq!(buckets(&stage), [""; 0]);
}

#[test]
fn force_empties_it_first_with_all_versions_and_uploads() {
    let stage = Stage::new();
    stage.testbed.create_bucket("other");
    stage.testbed.put_object("other", "k", "stays");
    stage.testbed.keep_versions(BUCKET);
    for key in ["a", "a", "b", "c"] {
        stage.testbed.put_object(BUCKET, key, "bytes");
    }
    stage.run(["rm", "s3://bucket/c"]).code(0);
    stage.sandbox.fill("file", 12 << 20);
    // One that nobody finished.
    let failing = Fault::new(Operation::CompleteMultipartUpload, FaultKind::access_denied());
    let kept = Fault::new(Operation::AbortMultipartUpload, FaultKind::access_denied());
    stage.testbed.fault(failing.always());
    stage.testbed.fault(kept.always());
    stage.run(["upload", "file", "s3://bucket/up", "--part-size", "5MiB"]).code(1);
    stage.testbed.clear_faults();
    assert_eq!(stage.testbed.open_uploads(BUCKET).len(), 1);
    let output = stage.run(["rb", "s3://bucket", "--force", "--yes"]);
    output.code(0).stderr_has("5 objects removed").stderr_has("1 bucket removed");
    assert_eq!(buckets(&stage), ["other"]);
    assert_eq!(stage.testbed.keys("other"), ["k"]);
}

#[test]
fn what_can_not_be_removed_keeps_its_bucket() {
    let stage = Stage::with_keys(&["a", "b"]);
    let locked = FaultKind::refuse_keys("AccessDenied", &["b"]);
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, locked).always());
    let output = stage.run(["rb", "s3://bucket", "--force", "--yes"]);
    output.code(1).stderr_has("s3://bucket is still there").stderr_has("1 failed");
    assert_eq!(stage.keys(), ["b"]);
    assert_eq!(stage.testbed.count(Operation::DeleteBucket), 0);
}

/// What is gone is told, whatever becomes of the bucket.
#[test]
fn a_bucket_that_is_emptied_and_stays_has_a_summary() {
    let rb = ["rb", "s3://bucket", "--force", "--yes", "--json"];
    for (operation, objects) in [
        (Operation::DeleteBucket, 2),
        (Operation::ListMultipartUploads, 2),
        (Operation::DeleteBucket, 0),
    ] {
        let stage = Stage::with_keys(["a", "b"].get(..objects).expect("so many"));
        stage.testbed.fault(Fault::new(operation, FaultKind::access_denied()).always());
        let output = stage.run(rb);
        output.code(1).stderr_has("AccessDenied");
        if objects > 0 {
            output.stderr_has("2 objects removed").stderr_has("1 failed");
        }
        let summary = output.json_lines().pop().expect("a summary");
        let counts = ["removed", "failed", "buckets"].map(|name| summary[name].as_u64());
        assert_eq!(counts, [Some(objects as u64), Some(1), Some(0)], "{output}");
        assert_eq!(buckets(&stage), [BUCKET]);
    }
}

#[test]
fn an_interrupt_behind_the_last_object_says_what_is_gone() {
    let stage = Stage::with_keys(&["a", "b"]);
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::DeleteBucket, FaultKind::Gate(gate.clone())));
    let rb = stage.haul().args(["rb", "s3://bucket", "--force", "--yes", "--json"]);
    let running = rb.spawn();
    gate.wait_for(1);
    running.signal(Signal::INT);
    let output = running.wait();
    output.code(130).stderr_has("2 objects removed").stderr_has("before the store said");
    let summary = output.json_lines().pop().expect("a summary");
    let told = ["event", "end", "removed", "buckets"].map(|name| summary[name].to_string());
    assert_eq!(told, ["\"summary\"", "\"interrupted\"", "2", "0"]);
    gate.open();
}

#[test]
fn wrong_usage_changes_nothing() {
    let stage = Stage::on(Testbed::spawn());
    for args in [
        ["mb", "s3://bucket/k"].as_slice(),
        &["mb", "file"],
        &["mb", "s3://b@evil"],
        &["mb"],
        &["rb", "s3://bucket/p/", "--force", "--yes"],
        &["rb", "s3://bucket", "--yes"],
        &["rb", "."],
        &["rb", "-"],
        &["rb"],
    ] {
        stage.run(args).code(2);
    }
    assert_eq!(stage.testbed.requests().len(), 0);
}
