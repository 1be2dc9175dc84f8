//! Copies that meet trouble: errors behind a 200, lost replies, a source that changes in the middle,
//! a store that copies something else. There is never half an object, nor one of two versions, nor
//! an upload that is left.

use testbed::{Fault, FaultKind, Gate, Operation};

use super::{IN_PARTS, MIB};
use crate::harness::{Output, content};
use crate::stage::{BUCKET, Stage};

const SIZE: u64 = 12 * MIB;

fn stage() -> Stage {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "small", content("small", 1000));
    stage.testbed.put_object(BUCKET, "large", content("large", SIZE));
    stage
}

fn copy(stage: &Stage, key: &str, more: &[&str]) -> Output {
    let source = format!("s3://bucket/{key}");
    let command = stage.haul().args(["cp", &source, "s3://bucket/copy"]).args(IN_PARTS);
    command.args(more).run()
}

#[track_caller]
fn is_copied(stage: &Stage, key: &str) {
    assert!(stage.object("copy").bytes() == stage.object(key).bytes(), "the bytes differ");
    let open = stage.testbed.open_uploads(BUCKET);
    assert!(open.is_empty(), "multipart uploads are left: {open:?}");
}

#[test]
fn an_error_behind_a_200_is_an_error() {
    for (key, operation) in [("small", Operation::CopyObject), ("large", Operation::UploadPartCopy)]
    {
        for code in ["InternalError", "SlowDown"] {
            let stage = stage();
            let fault = stage.testbed.fault(Fault::new(operation, FaultKind::error_in_ok(code)));
            copy(&stage, key, &[]).code(0).stderr_has("1 verified end to end");
            assert_eq!(stage.testbed.hits(fault), 1);
            is_copied(&stage, key);
        }
        for kind in [
            FaultKind::error_in_ok("InternalError"),
            FaultKind::error_in_ok("AccessDenied"),
            FaultKind::xml("<?xml version=\"1.0\"?><CopyObjectResult/>"),
            FaultKind::xml("  \n"),
            FaultKind::internal_error(),
            FaultKind::HtmlBody,
        ] {
            let stage = stage();
            stage.testbed.fault(Fault::new(operation, kind.clone()).always());
            let output = copy(&stage, key, &["--max-attempts", "2"]);
            output.code(1).stderr_has(&format!("s3://bucket/{key}"));
            assert!(stage.testbed.object(BUCKET, "copy").is_none(), "{kind:?}");
            assert!(stage.testbed.open_uploads(BUCKET).is_empty(), "{kind:?}");
        }
    }
}

#[test]
fn requests_that_break_off_or_lose_their_replies_are_made_again() {
    for (key, operations) in [
        ("small", &[Operation::HeadObject, Operation::CopyObject][..]),
        (
            "large",
            &[
                Operation::HeadObject,
                Operation::CreateMultipartUpload,
                Operation::UploadPartCopy,
                Operation::CompleteMultipartUpload,
            ],
        ),
    ] {
        for operation in operations {
            for kind in [FaultKind::ResetBeforeHeaders, FaultKind::LostReply] {
                let stage = stage();
                let fault = stage.testbed.fault(Fault::new(*operation, kind));
                let output = copy(&stage, key, &[]);
                output.code(0);
                assert_eq!(stage.testbed.hits(fault), 1, "{operation}");
                assert!(stage.object("copy").bytes() == stage.object(key).bytes());
            }
        }
    }
}

/// Without a word from the store, one's own copy looks like somebody else's.
#[test]
fn a_lost_reply_does_not_make_ones_own_copy_another_ones() {
    let stage = stage();
    for (key, operation) in
        [("small", Operation::CopyObject), ("large", Operation::CompleteMultipartUpload)]
    {
        stage.testbed.fault(Fault::new(operation, FaultKind::LostReply));
        copy(&stage, key, &["--no-clobber"]).code(0).stderr_has("1 verified end to end");
        is_copied(&stage, key);
        stage.testbed.delete_object(BUCKET, "copy");
        stage.testbed.clear_faults();
    }
}

#[test]
fn a_source_that_changes_is_copied_from_the_start() {
    for (key, operation, nth) in [
        ("small", Operation::CopyObject, 1),
        ("large", Operation::UploadPartCopy, 1),
        ("large", Operation::UploadPartCopy, 3),
    ] {
        let stage = stage();
        let gate = Gate::new();
        let hold = FaultKind::Gate(gate.clone());
        stage.testbed.fault(Fault::new(operation, hold).nth(nth));
        let source = format!("s3://bucket/{key}");
        let command = stage.haul().args(["cp", &source, "s3://bucket/copy"]).args(IN_PARTS);
        let running = command.args(["--concurrency", "1"]).spawn();
        gate.wait_for(1);
        stage.testbed.put_object(BUCKET, key, content("changed", SIZE + 1));
        gate.open();
        running.wait().code(0);
        assert!(stage.object("copy").bytes() == content("changed", SIZE + 1));
        is_copied(&stage, key);
        // Each request says which version it is about; other guards would notice later.
        let is_pinned = |name: &str| name == "x-amz-copy-source-if-match";
        for request in stage.testbed.requests_of(operation) {
            assert!(request.headers.iter().any(|(name, _)| is_pinned(name)), "{request:?}");
        }
    }
}

/// Replaces the source as it is looked at for the n-th time.
fn replace(stage: &Stage, nth: u64, name: &str) {
    let other = FaultKind::replace_object(content(name, SIZE));
    stage.testbed.fault(Fault::new(Operation::HeadObject, other).key("large").nth(nth));
}

/// Not every store heeds the tag: what all parts are of is looked at before they become an object.
#[test]
fn a_source_that_changed_behind_its_last_part_is_copied_from_the_start() {
    let stage = stage();
    replace(&stage, 2, "changed");
    copy(&stage, "large", &[]).code(0);
    assert!(stage.object("copy").bytes() == content("changed", SIZE));
    is_copied(&stage, "large");
    assert_eq!(stage.testbed.count(Operation::UploadPartCopy), 6);
}

#[test]
fn a_source_that_never_rests_is_given_up_on() {
    let stage = stage();
    (1..=6).for_each(|nth| replace(&stage, nth, &nth.to_string()));
    copy(&stage, "large", &[]).code(1).stderr_has("changed during the copy, 3 times");
    assert!(stage.testbed.object(BUCKET, "copy").is_none());
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

#[test]
fn a_copy_that_is_not_like_its_source_is_an_error() {
    let stage = stage();
    let other = "<?xml version=\"1.0\"?><CopyObjectResult><ETag>\"x\"</ETag>\
        <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>\
        <ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>";
    let fault = Fault::new(Operation::CopyObject, FaultKind::xml(other));
    stage.testbed.fault(fault.clone().times(2));
    copy(&stage, "small", &[]).code(0).stderr_has("1 verified end to end");
    stage.testbed.fault(fault.always());
    let output = copy(&stage, "small", &[]);
    output.code(1).stderr_has("the copy has crc64nvme:AAAAAAAAAAA=");
    copy(&stage, "small", &["--verify", "off"]).code(0).stderr_lacks("verified end to end");
    stage.testbed.clear_faults();
    let other = "<?xml version=\"1.0\"?><CopyPartResult><ETag>\"x\"</ETag>\
        <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></CopyPartResult>";
    stage.testbed.delete_object(BUCKET, "copy");
    let fault = Fault::new(Operation::UploadPartCopy, FaultKind::xml(other));
    stage.testbed.fault(fault.part(2).always());
    let output = copy(&stage, "large", &[]);
    output.code(1).stderr_has("the copy has crc64nvme:");
    assert!(stage.testbed.object(BUCKET, "copy").is_none(), "it never becomes an object");
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

/// A copy of which neither reply nor tag tells is looked at.
#[test]
fn a_copy_of_another_length_is_an_error() {
    let stage = stage();
    stage.testbed.put_object(BUCKET, "copy", "short");
    let etag = stage.object("copy").etag;
    let told = format!("<CopyObjectResult><ETag>\"{etag}\"</ETag></CopyObjectResult>");
    stage.testbed.fault(Fault::new(Operation::CopyObject, FaultKind::xml(told)).always());
    let output = copy(&stage, "small", &[]);
    output.code(1).stderr_has("the copy has 5 bytes, its source 1000 bytes");
}

#[test]
fn what_may_not_be_copied_says_so() {
    let stage = stage();
    stage.testbed.fault(Fault::new(Operation::CopyObject, FaultKind::access_denied()).always());
    copy(&stage, "small", &[]).code(1).stderr_has("could not copy s3://bucket/small to");
    stage.testbed.clear_faults();
    let refuse = Fault::new(Operation::GetObjectTagging, FaultKind::access_denied());
    stage.testbed.fault(refuse.always());
    copy(&stage, "large", &[]).code(0).stderr_has("the tags of some objects may not be read");
    is_copied(&stage, "large");
}
