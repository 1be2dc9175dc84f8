//! Two writers of one key: `--no-clobber` writes only where nothing is, and a reply that was lost
//! must not make our own object look like somebody else's.

use testbed::{Fault, FaultKind, Operation, Testbed};

use crate::harness::{Output, Sandbox, for_each, haul};

const PART: u64 = 5 << 20;
const THEIRS: &[u8] = b"somebody else's";

/// Sizes of a single request and of a multipart upload.
const SIZES: [u64; 2] = [1000, PART + 1000];

struct Scene {
    testbed: Testbed,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        Self { testbed, sandbox: Sandbox::new() }
    }

    fn upload(&self, size: u64, options: &[&str]) -> Output {
        let file = self.sandbox.fill("object", size);
        let haul = haul().on(&self.testbed).arg("upload").arg(file).arg("s3://bucket/");
        haul.args(["--part-size", "5MiB", "--max-attempts", "3"]).args(options).run()
    }

    fn bytes(&self) -> Vec<u8> {
        let object = self.testbed.object("bucket", "object").expect("there is an object");
        object.content.bytes().to_vec()
    }

    fn is_ours(&self) -> bool {
        self.bytes() == self.sandbox.read("object")
    }

    fn no_open_uploads(&self) {
        let open = self.testbed.open_uploads("bucket");
        assert!(open.is_empty(), "multipart uploads are left: {open:?}");
    }
}

fn last_step(size: u64) -> Operation {
    if size > PART { Operation::CompleteMultipartUpload } else { Operation::PutObject }
}

#[test]
fn no_clobber_leaves_what_is_there_and_moves_nothing() {
    for size in SIZES {
        let scene = Scene::new();
        scene.testbed.put_object("bucket", "object", THEIRS);
        scene.upload(size, &["--no-clobber"]).code(0).stderr_has("1 skipped");
        assert_eq!(scene.bytes(), THEIRS);
        scene.no_open_uploads();
        let sent = scene.testbed.requests_of(Operation::UploadPart).len();
        assert_eq!(sent, 0, "parts were sent for nothing");
    }
}

/// They come after the look and before the write: only the condition of the write sees them.
#[test]
fn no_clobber_leaves_what_came_in_the_meantime() {
    for size in SIZES {
        let scene = Scene::new();
        let theirs = FaultKind::replace_object(THEIRS);
        let fault = scene.testbed.fault(Fault::new(last_step(size), theirs));
        scene.upload(size, &["--no-clobber"]).code(0).stderr_has("1 skipped");
        assert_eq!(scene.testbed.hits(fault), 1);
        assert_eq!(scene.bytes(), THEIRS);
        scene.no_open_uploads();
    }
}

/// The second try is told 412, by the object of the first.
#[test]
fn our_own_object_is_recognised_after_a_lost_reply() {
    for_each(&SIZES, |&size| {
        for options in [&["--no-clobber"][..], &[]] {
            let scene = Scene::new();
            let fault = scene.testbed.fault(Fault::new(last_step(size), FaultKind::LostReply));
            let output = scene.upload(size, options);
            output.code(0).stderr_has("1 object").stderr_has("1 verified end to end");
            output.stderr_lacks("skipped");
            assert_eq!(scene.testbed.hits(fault), 1);
            assert!(scene.is_ours(), "{output}");
            scene.no_open_uploads();
        }
    });
}

/// The same bytes were there before, with other attributes: a last step that failed was not done.
#[test]
fn an_object_that_was_there_before_is_not_taken_for_ours() {
    for kind in [FaultKind::slow_down(), FaultKind::internal_error(), FaultKind::ResetBeforeHeaders]
    {
        let scene = Scene::new();
        scene.upload(PART + 1000, &["--content-type", "text/old"]).code(0);
        let fault = Fault::new(Operation::CompleteMultipartUpload, kind);
        let fault = scene.testbed.fault(fault);
        scene.upload(PART + 1000, &["--content-type", "text/new"]).code(0);
        assert_eq!(scene.testbed.hits(fault), 1);
        let object = scene.testbed.object("bucket", "object").expect("there is an object");
        assert_eq!(object.attributes.content_type.as_deref(), Some("text/new"));
        scene.no_open_uploads();
    }
}

#[test]
fn a_last_step_that_always_fails_is_not_excused_by_an_equal_object() {
    let scene = Scene::new();
    scene.upload(PART + 1000, &["--content-type", "text/old"]).code(0);
    let fault = Fault::new(Operation::CompleteMultipartUpload, FaultKind::internal_error());
    scene.testbed.fault(fault.always());
    scene.upload(PART + 1000, &["--content-type", "text/new"]).code(1).stderr_has("complete");
}

/// Somebody else wrote the same bytes in the meantime: theirs stays, and nothing of ours.
#[test]
fn no_clobber_leaves_equal_bytes_of_somebody_else() {
    for size in SIZES {
        let scene = Scene::new();
        let same = crate::harness::content("object", size);
        scene.testbed.fault(Fault::new(last_step(size), FaultKind::replace_object(same)));
        scene.upload(size, &["--no-clobber"]).code(0).stderr_has("1 skipped");
        assert!(scene.is_ours(), "the same bytes");
        scene.no_open_uploads();
    }
}

/// Many may write and not look: a moment's trouble must not end in an error about looking.
#[test]
fn who_may_not_look_completes_all_the_same() {
    for size in SIZES {
        let scene = Scene::new();
        let denied = Fault::new(Operation::HeadObject, FaultKind::access_denied());
        scene.testbed.fault(denied.always());
        scene.testbed.fault(Fault::new(last_step(size), FaultKind::slow_down()));
        scene.upload(size, &[]).code(0);
        assert!(scene.is_ours());
        scene.no_open_uploads();
    }
}

/// It was completed, nobody heard of it, and nobody may look: what is gone is not said to be kept.
#[test]
fn an_upload_that_is_gone_is_not_said_to_be_kept() {
    let scene = Scene::new();
    let denied = Fault::new(Operation::HeadObject, FaultKind::access_denied());
    scene.testbed.fault(denied.always());
    let lost = Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply);
    scene.testbed.fault(lost.always());
    let output = scene.upload(PART + 1000, &[]);
    output.code(1).stderr_has("the upload is gone").stderr_lacks("kept");
    scene.no_open_uploads();
}

/// A server without checksums: size and the `ETag` of the parts tell whose object it is.
#[test]
fn our_own_object_is_recognised_by_its_parts_where_there_is_no_checksum() {
    let testbed = Testbed::builder().default_checksum(None).spawn().expect("a free port");
    testbed.create_bucket("bucket");
    let scene = Scene { testbed, sandbox: Sandbox::new() };
    // What was sent with the upload would be told, too.
    let untold = FaultKind::RemoveHeader { name: "x-amz-checksum-crc64nvme".to_owned() };
    scene.testbed.fault(Fault::new(Operation::HeadObject, untold).always());
    let lost = Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply);
    scene.testbed.fault(lost);
    scene.upload(PART + 1000, &[]).code(0);
    assert!(scene.is_ours());
    let started = scene.testbed.count(Operation::CreateMultipartUpload);
    assert_eq!(started, 1, "it was not recognised, and sent again");
    scene.no_open_uploads();
}

/// Our reply was lost because nothing was done, and then somebody else was faster.
#[test]
fn somebody_elses_object_is_not_taken_for_ours_after_a_lost_reply() {
    for size in SIZES {
        let scene = Scene::new();
        scene.testbed.fault(Fault::new(last_step(size), FaultKind::ResetBeforeHeaders));
        scene.testbed.fault(Fault::new(last_step(size), FaultKind::replace_object(THEIRS)).nth(2));
        scene.upload(size, &["--no-clobber"]).code(0).stderr_has("1 skipped");
        assert_eq!(scene.bytes(), THEIRS);
        scene.no_open_uploads();
    }
}

/// The upload is gone and the object is not ours: somebody aborted it. Once more from the start.
#[test]
fn an_upload_that_somebody_aborted_is_started_again_once() {
    let gone = || FaultKind::status(404, "NoSuchUpload");
    let scene = Scene::new();
    scene.testbed.fault(Fault::new(Operation::UploadPart, gone()).part(1));
    let output = scene.upload(PART + 1000, &[]);
    output.code(0).stderr_has("1 verified end to end");
    assert!(scene.is_ours(), "{output}");
    scene.no_open_uploads();

    let scene = Scene::new();
    scene.testbed.put_object("bucket", "object", THEIRS);
    scene.testbed.fault(Fault::new(Operation::UploadPart, gone()).part(1).always());
    let output = scene.upload(PART + 1000, &[]);
    output.code(1).stderr_has("NoSuchUpload").stderr_has("s3://bucket/object");
    assert_eq!(scene.testbed.count(Operation::CreateMultipartUpload), 2);
    assert_eq!(scene.bytes(), THEIRS);
    scene.no_open_uploads();
}

#[test]
fn a_conflict_of_two_writers_is_settled_by_a_fresh_start() {
    for size in SIZES {
        let scene = Scene::new();
        let conflict = FaultKind::status(409, "ConditionalRequestConflict");
        let fault = scene.testbed.fault(Fault::new(last_step(size), conflict));
        scene.upload(size, &["--no-clobber"]).code(0).stderr_has("1 verified end to end");
        assert_eq!(scene.testbed.hits(fault), 1);
        assert!(scene.is_ours());
        scene.no_open_uploads();
    }
}

#[test]
fn a_store_that_says_it_has_other_bytes_is_not_believed_to_be_right() {
    for size in SIZES {
        let scene = Scene::new();
        let other = FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        let operation = if size > PART { Operation::UploadPart } else { Operation::PutObject };
        scene.testbed.fault(Fault::new(operation, other).always());
        scene.upload(size, &[]).code(1).stderr_has("crc64nvme:AAAAAAAAAAA=").stderr_has("object");
        scene.no_open_uploads();
    }
}
