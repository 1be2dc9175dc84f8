//! Faults of GET, on the way to a file: an object of several parts and one of less than a part,
//! each named alone (its size is not known) and found in a listing (its size is known).

use testbed::{Fault, FaultKind, Operation};

use super::scene::{BUCKET, OLD, Scene};
use super::trouble::{
    Cost, Often, Trouble, broken_bodies, error_replies, silences, wrong_bodies, wrong_ranges,
};
use crate::harness::{Haul, Output, for_each, haul};

const PART: u64 = 1 << 20;
const LARGE: u64 = 5 * PART + 1234;
const SMALL: u64 = 3000;
/// Who asks in the second run.
const SECOND: &str = "AKIDSECOND";
/// Error documents count as bytes sent; they are small, but there may be a hundred.
const ERROR_DOCUMENTS: u64 = 64 << 10;

#[derive(Debug, Clone)]
struct Case {
    shape: Shape,
    at: At,
    often: Often,
    trouble: Trouble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    LargeAlone,
    LargeListed,
    SmallAlone,
    SmallListed,
}

/// Which GETs are hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    First,
    /// The first one was answered as it should be.
    Later,
}

impl Shape {
    const ALL: [Self; 4] =
        [Self::LargeAlone, Self::LargeListed, Self::SmallAlone, Self::SmallListed];

    fn size(self) -> u64 {
        match self {
            Self::LargeAlone | Self::LargeListed => LARGE,
            Self::SmallAlone | Self::SmallListed => SMALL,
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::LargeAlone | Self::SmallAlone => "s3://bucket/p/object",
            Self::LargeListed | Self::SmallListed => "s3://bucket/p/",
        }
    }

    /// Bytes of the first reply.
    fn reply(self) -> u64 {
        self.size().min(PART)
    }

    /// A small object whose size is known is asked for without a range.
    fn has_ranges(self) -> bool {
        self != Self::SmallListed
    }
}

#[test]
fn a_download_survives_each_fault_once() {
    for_each(&cases(Often::Once), |case| {
        let (scene, fault, output) = run(case);
        output.code(0).stderr_has("1 verified end to end");
        scene.fired(fault);
        let size = case.shape.size();
        assert!(scene.sandbox.read("out/object") == scene.object("object", size), "bytes differ");
        scene.sandbox.no_leftovers("");
        let most = match case.trouble.cost {
            Cost::Nothing => size,
            Cost::OnePart => size + case.shape.reply(),
            Cost::WholeObject => 2 * size,
        };
        let sent = scene.bytes_sent(Operation::GetObject);
        assert!(sent <= most + ERROR_DOCUMENTS, "{sent} bytes were sent, {most} are allowed");
    });
}

#[test]
fn a_download_that_cannot_be_done_leaves_the_old_file() {
    for_each(&cases(Often::Always), |case| {
        let (scene, fault, output) = run(case);
        scene.fired(fault);
        assert!(scene.sandbox.read("out/object") == OLD, "the old file is gone\n{output}");
        output.code(1).stderr_has("error: ").stderr_has(case.trouble.cause);
        output.stderr_has("s3://bucket/p/object");
        let errors = output.stderr.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{output}");
        finished_by_the_next_run(case, &scene, &output);
    });
}

#[test]
fn a_store_that_knows_no_ranges_is_read_from_its_first_byte() {
    for shape in Shape::ALL {
        let scene = Scene::new();
        let bytes = scene.object("object", shape.size());
        let whole = Fault::new(Operation::GetObject, FaultKind::WholeObjectForRange);
        scene.testbed.fault(whole.always());
        // What breaks off goes on from the start.
        let broken = FaultKind::ResetInBody { after_bytes: shape.size() / 2 };
        let broken = scene.testbed.fault(Fault::new(Operation::GetObject, broken).times(1));
        let download = ["download", shape.source()];
        let download = haul().on(&scene.testbed).args(download).args(["--part-size", "1MiB"]);
        download.arg(scene.sandbox.path("out/")).run().code(0).stderr_has("1 verified end to end");
        assert!(scene.sandbox.read("out/object") == bytes, "{shape:?}");
        scene.fired(broken);
        assert!(scene.testbed.count(Operation::GetObject) <= 3, "{shape:?}");
        scene.sandbox.no_leftovers("");
    }
}

/// It would all have to be held in memory.
#[test]
fn a_store_that_knows_no_ranges_streams_what_fits_into_a_part() {
    let scene = Scene::new();
    let bytes = scene.object("object", LARGE);
    let whole = Fault::new(Operation::GetObject, FaultKind::WholeObjectForRange);
    scene.testbed.fault(whole.always());
    let stream = |part_size| {
        let download = ["download", "s3://bucket/p/object", "-", "--part-size", part_size];
        haul().on(&scene.testbed).args(download).run()
    };
    let refused = stream("1MiB");
    refused.code(1).stderr_has("the store sends the whole object");
    assert!(refused.stdout.is_empty() && scene.testbed.count(Operation::GetObject) == 1);
    assert!(stream("8MiB").code(0).stdout == bytes);
}

/// The same command again, once nothing is in its way: it fetches what is missing, and no byte
/// that was kept.
fn finished_by_the_next_run(case: &Case, scene: &Scene, failed: &Output) {
    let is_kept = !scene.sandbox.leftovers("").is_empty();
    assert_eq!(is_kept, failed.stderr.contains("1 unfinished transfer kept"), "{failed}");
    assert!(!is_kept || case.shape.size() == LARGE, "less than a part is not worth a record");
    scene.testbed.clear_faults();
    // Requests of the first run may still come in: the second one has a name of its own.
    scene.testbed.add_credentials(SECOND, "SECRET");
    let command = command(case, scene).env("AWS_ACCESS_KEY_ID", SECOND);
    let output = command.env("AWS_SECRET_ACCESS_KEY", "SECRET").run();
    output.code(0).stderr_has("1 verified end to end");
    assert_eq!(is_kept, output.stderr.contains("from an earlier run"), "{failed}\n{output}");
    assert!(scene.sandbox.read("out/object") == scene.object("object", case.shape.size()));
    scene.sandbox.no_leftovers("");
    let requests = scene.testbed.requests_of(Operation::GetObject);
    let is_second = |request: &&testbed::Request| {
        request.header("authorization").is_some_and(|header| header.contains(SECOND))
    };
    let sent: u64 = requests.iter().filter(is_second).map(|request| request.bytes_sent).sum();
    assert!(sent <= case.shape.size() && (sent < case.shape.size()) == is_kept, "{sent} bytes");
}

fn run(case: &Case) -> (Scene, testbed::FaultId, Output) {
    let scene = Scene::new();
    scene.object("object", case.shape.size());
    scene.sandbox.write("out/object", OLD);
    let from = match case.at {
        At::First => 1,
        At::Later => 3,
    };
    let fault = Fault::new(Operation::GetObject, case.trouble.kind.clone());
    let fault = scene.trouble(fault.bucket(BUCKET), from, case.often);
    let output = command(case, &scene).run();
    (scene, fault, output)
}

fn command(case: &Case, scene: &Scene) -> Haul {
    haul()
        .on(&scene.testbed)
        .args(["download", case.shape.source()])
        .arg(scene.sandbox.path("out"))
        .args(["--part-size", "1MiB", "--timeout", case.trouble.timeout(), "--max-attempts", "3"])
}

fn cases(often: Often) -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in Shape::ALL {
        let length = shape.reply();
        let mut troubles = [error_replies(), silences(), broken_bodies(length, often)].concat();
        troubles.extend(wrong_bodies(length));
        if shape.has_ranges() {
            troubles.extend(wrong_ranges(PART));
        }
        for at in [At::First, At::Later] {
            if at == At::Later && shape.size() <= PART {
                continue;
            }
            let troubles = troubles.iter().cloned();
            cases.extend(troubles.map(|trouble| Case { shape, at, often, trouble }));
        }
    }
    cases.retain(|case| !is_harmless(case));
    cases.into_iter().map(adjusted).collect()
}

/// Where a fault is none.
fn is_harmless(case: &Case) -> bool {
    use FaultKind::{ChangedETag, WholeObjectForRange};
    if matches!(case.trouble.kind, WholeObjectForRange) && case.at == At::First {
        // See `a_store_that_knows_no_ranges_is_read_from_its_first_byte`.
        return true;
    }
    case.shape == Shape::SmallAlone
        // All of an object is right where less than a part is all of it; and another version of
        // it is as good as this one, see `changes`.
        && matches!(case.trouble.kind, WholeObjectForRange | ChangedETag)
}

/// Without a range nothing but the checksum tells that a body is short.
fn adjusted(mut case: Case) -> Case {
    if !case.shape.has_ranges() && matches!(case.trouble.kind, FaultKind::ShortConsistent { .. }) {
        case.trouble.cause = "crc64nvme:";
    }
    case
}
