//! Faults of PUT and of each step of a multipart upload, onto a key that has an object already.
//!
//! One is left out, since its time-out is meant for minutes of silence: a stalled
//! `CompleteMultipartUpload`.

use testbed::{Bytes, Fault, FaultId, FaultKind, Operation};

use super::scene::{BUCKET, OLD, Scene};
use super::trouble::{Cost, Often, Trouble, broken_bodies, error_replies, nonsense, silences};
use crate::harness::{Haul, Output, for_each, haul};

const PART: u64 = 5 << 20;
const SMALL: u64 = 20_000;
/// Two parts, the second so small that its time-out is a second.
const LARGE: u64 = PART + SMALL;
const KEY: &str = "p/object";

#[derive(Debug, Clone)]
struct Case {
    step: Step,
    often: Often,
    trouble: Trouble,
}

/// Which request is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Put,
    Create,
    FirstPart,
    LastPart,
    Complete,
}

impl Step {
    const ALL: [Self; 5] =
        [Self::Put, Self::Create, Self::FirstPart, Self::LastPart, Self::Complete];

    fn fault(self, kind: FaultKind) -> Fault {
        let fault = match self {
            Self::Put => Fault::new(Operation::PutObject, kind),
            Self::Create => Fault::new(Operation::CreateMultipartUpload, kind),
            Self::FirstPart => Fault::new(Operation::UploadPart, kind).part(1),
            Self::LastPart => Fault::new(Operation::UploadPart, kind).part(2),
            Self::Complete => Fault::new(Operation::CompleteMultipartUpload, kind),
        };
        fault.bucket(BUCKET)
    }

    fn size(self) -> u64 {
        if self == Self::Put { SMALL } else { LARGE }
    }

    /// Bytes of the request's body, where they are the object's.
    fn body(self) -> u64 {
        match self {
            Self::FirstPart => PART,
            Self::Put | Self::LastPart => SMALL,
            Self::Create | Self::Complete => 0,
        }
    }

    fn troubles(self, often: Often) -> Vec<Trouble> {
        let mut troubles = error_replies();
        troubles.extend(silences());
        troubles.extend(self.in_the_request());
        troubles.extend(self.in_the_reply(often));
        // Whether all of a large part was taken depends on what the system holds for a connection.
        for trouble in troubles.iter_mut().filter(|_| self == Self::FirstPart) {
            use FaultKind::{StallHeaders, StallInRequest};
            if matches!(trouble.kind, StallHeaders | StallInRequest { .. }) {
                trouble.cause = "UploadPart failed";
            }
        }
        // Silence is waited for longer than this test may take.
        let waits = self == Self::Complete;
        troubles.retain(|trouble| {
            use FaultKind::{Stall, StallHeaders, StallInRequest};
            !waits || !matches!(trouble.kind, StallHeaders | StallInRequest { .. } | Stall { .. })
        });
        troubles
    }

    fn in_the_request(self) -> Vec<Trouble> {
        let after = [0, self.body() / 2, self.body().saturating_sub(1)];
        if self.body() == 0 {
            return Vec::new();
        }
        let resets = after.map(|after_bytes| FaultKind::ResetInRequest { after_bytes });
        let resets = resets.map(|kind| Trouble::new(kind, Cost::OnePart, "UploadPart failed"));
        let stall = FaultKind::StallInRequest { after_bytes: 100 };
        let stall = Trouble::new(stall, Cost::OnePart, "no reply within");
        let mut troubles = [resets.to_vec(), vec![stall]].concat();
        if self == Self::Put {
            for trouble in &mut troubles {
                trouble.cause = "PutObject failed";
            }
        }
        troubles
    }

    fn in_the_reply(self, often: Often) -> Vec<Trouble> {
        let other = FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        let kinds = match self {
            Self::Put => Vec::new(),
            Self::FirstPart | Self::LastPart => vec![
                (FaultKind::MissingETag, "no ETag"),
                (FaultKind::LostReply, "reset by peer"),
                (other, "the store has crc64nvme:AAAAAAAAAAA="),
            ],
            Self::Create => vec![(nonsense("<html>"), "CreateMultipartUpload failed")],
            Self::Complete => vec![
                (FaultKind::error_in_ok("InternalError"), "InternalError"),
                (FaultKind::error_in_ok("SlowDown"), "SlowDown"),
                (nonsense("<html>"), "CompleteMultipartUpload failed"),
            ],
        };
        let troubles = kinds.into_iter();
        let mut troubles: Vec<_> =
            troubles.map(|(kind, cause)| Trouble::new(kind, Cost::OnePart, cause)).collect();
        // The work is done, so that these never last: a look at the object settles the doubt.
        if often == Often::Once && matches!(self, Self::Put | Self::Complete) {
            troubles.push(Trouble::new(FaultKind::LostReply, Cost::OnePart, ""));
        }
        if often == Often::Once && self == Self::Complete {
            let empty = FaultKind::Reply { status: 200, headers: Vec::new(), body: Bytes::new() };
            troubles.push(Trouble::new(empty, Cost::Nothing, ""));
            troubles.extend(
                broken_bodies(100, often)
                    .into_iter()
                    .filter(|it| !matches!(it.kind, FaultKind::Stall { .. })),
            );
        }
        troubles
    }
}

#[test]
fn an_upload_survives_each_fault_once() {
    for_each(&cases(Often::Once), |case| {
        let (scene, fault, output) = run(case);
        output.code(0).stderr_has("1 verified end to end");
        scene.fired(fault);
        stored(&scene, case.step);
        scene.no_open_uploads();
        let most = match case.trouble.cost {
            Cost::Nothing | Cost::OnePart => case.step.size() + case.step.body(),
            Cost::WholeObject => 2 * case.step.size(),
        };
        let received = bodies(&scene);
        assert!(received <= most, "{received} bytes were received, {most} are allowed");
    });
}

#[test]
fn an_upload_that_cannot_be_done_leaves_the_old_object() {
    for_each(&cases(Often::Always), |case| {
        let (scene, fault, output) = run(case);
        scene.fired(fault);
        let object = scene.testbed.object(BUCKET, KEY).expect("the old object is there");
        assert!(object.content.bytes() == OLD, "the old object is gone\n{output}");
        output.code(1).stderr_has("error: ").stderr_has(case.trouble.cause);
        output.stderr_has("s3://bucket/p/object");
        let errors = output.stderr.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{output}");
        finished_by_the_next_run(case, &scene, &output);
    });
}

/// The same command again, once nothing is in its way: nothing of the first one is left behind.
fn finished_by_the_next_run(case: &Case, scene: &Scene, failed: &Output) {
    let is_kept = !scene.testbed.open_uploads(BUCKET).is_empty();
    assert_eq!(is_kept, failed.stderr.contains("1 unfinished transfer kept"), "{failed}");
    scene.testbed.clear_faults();
    let output = command(scene, case.trouble.timeout()).run();
    output.code(0).stderr_has("1 verified end to end");
    stored(scene, case.step);
    scene.no_open_uploads();
}

/// S3 has made an upload whose id nobody was told: no client can know which one it is. So this
/// is the one fault that leaves something behind; `haul` must at least never use or complete it.
#[test]
fn a_lost_reply_to_create_costs_one_empty_upload_and_nothing_else() {
    let scene = Scene::new();
    let fault = Fault::new(Operation::CreateMultipartUpload, FaultKind::LostReply);
    let fault = scene.testbed.fault(fault);
    upload(&scene, Step::Create).code(0).stderr_has("1 verified end to end");
    scene.fired(fault);
    stored(&scene, Step::Create);
    let open = scene.testbed.open_uploads(BUCKET);
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0].parts.is_empty(), "a part was sent to it: {open:?}");
}

/// Whether the work was done can't be seen from here, but each time it is the same work.
#[test]
fn a_put_whose_reply_is_always_lost_is_said_to_have_failed() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, KEY, OLD);
    let fault = Fault::new(Operation::PutObject, FaultKind::LostReply).always();
    let fault = scene.testbed.fault(fault);
    upload(&scene, Step::Put).code(1).stderr_has("could not write s3://bucket/p/object");
    assert_eq!(scene.testbed.hits(fault), 3);
    stored(&scene, Step::Put);
}

/// Complete is done the first time; that nobody hears of it is no reason to fail.
#[test]
fn a_complete_whose_reply_is_always_lost_is_found_to_be_done() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, KEY, OLD);
    let fault = Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply).always();
    let fault = scene.testbed.fault(fault);
    upload(&scene, Step::Complete).code(0).stderr_has("1 verified end to end");
    scene.fired(fault);
    stored(&scene, Step::Complete);
    scene.no_open_uploads();
}

#[test]
fn a_complete_that_is_refused_behind_a_200_fails_at_once() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, KEY, OLD);
    let refused = FaultKind::error_in_ok("AccessDenied");
    let fault = Fault::new(Operation::CompleteMultipartUpload, refused).always();
    let fault = scene.testbed.fault(fault);
    upload(&scene, Step::Complete).code(1).stderr_has("AccessDenied").stderr_has("p/object");
    assert_eq!(scene.testbed.hits(fault), 1, "there is no point in another try");
    assert!(scene.testbed.object(BUCKET, KEY).expect("it is there").content.bytes() == OLD);
    scene.no_open_uploads();
}

#[test]
fn an_abort_that_fails_for_a_moment_is_tried_again() {
    for kind in [FaultKind::internal_error(), FaultKind::ResetBeforeHeaders, FaultKind::LostReply] {
        let scene = Scene::new();
        let denied = Fault::new(Operation::UploadPart, FaultKind::access_denied()).always();
        scene.testbed.fault(denied);
        let abort = scene.testbed.fault(Fault::new(Operation::AbortMultipartUpload, kind));
        let output = upload(&scene, Step::FirstPart);
        output.code(1).stderr_has("AccessDenied").stderr_lacks("upload id");
        scene.fired(abort);
        scene.no_open_uploads();
    }
}

#[test]
fn an_abort_that_hangs_is_tried_again() {
    let scene = Scene::new();
    scene.testbed.fault(Fault::new(Operation::UploadPart, FaultKind::access_denied()).always());
    let stall = Fault::new(Operation::AbortMultipartUpload, FaultKind::StallHeaders);
    let stall = scene.testbed.fault(stall);
    upload(&scene, Step::FirstPart).code(1).stderr_has("AccessDenied");
    scene.fired(stall);
    scene.no_open_uploads();
}

#[test]
fn an_upload_that_cannot_be_aborted_is_named_with_its_id() {
    for kind in [FaultKind::access_denied(), FaultKind::internal_error(), FaultKind::StallHeaders] {
        let scene = Scene::new();
        scene.testbed.fault(Fault::new(Operation::UploadPart, FaultKind::access_denied()).always());
        scene.testbed.fault(Fault::new(Operation::AbortMultipartUpload, kind).always());
        let output = upload(&scene, Step::FirstPart);
        let open = scene.testbed.open_uploads(BUCKET);
        assert_eq!(open.len(), 1, "{output}");
        output.code(1).stderr_has("s3://bucket/p/object").stderr_has(&open[0].upload_id);
    }
}

fn run(case: &Case) -> (Scene, FaultId, Output) {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, KEY, OLD);
    let fault = case.step.fault(case.trouble.kind.clone());
    let fault = scene.trouble(fault, 1, case.often);
    let output = upload_within(&scene, case.step, case.trouble.timeout());
    (scene, fault, output)
}

fn upload(scene: &Scene, step: Step) -> Output {
    upload_within(scene, step, "60")
}

fn upload_within(scene: &Scene, step: Step, timeout: &str) -> Output {
    scene.sandbox.fill("object", step.size());
    command(scene, timeout).run()
}

fn command(scene: &Scene, timeout: &str) -> Haul {
    let haul = haul().on(&scene.testbed).env("XDG_STATE_HOME", scene.sandbox.path("state"));
    let haul = haul.arg("upload").arg(scene.sandbox.path("object")).arg("s3://bucket/p/");
    haul.args(["--part-size", "5MiB", "--timeout", timeout, "--max-attempts", "3"])
}

#[track_caller]
fn stored(scene: &Scene, step: Step) {
    let object = scene.testbed.object(BUCKET, KEY).expect("there is an object");
    let sent = scene.sandbox.read("object");
    assert_eq!(sent.len() as u64, step.size());
    assert!(object.content.bytes() == sent, "the object has other bytes");
}

fn bodies(scene: &Scene) -> u64 {
    let operations = [Operation::PutObject, Operation::UploadPart];
    operations.into_iter().map(|operation| scene.bytes_received(operation)).sum()
}

fn cases(often: Often) -> Vec<Case> {
    let cases = Step::ALL.into_iter().flat_map(|step| {
        let troubles = step.troubles(often).into_iter();
        troubles.map(move |trouble| Case { step, often, trouble })
    });
    cases.collect()
}
