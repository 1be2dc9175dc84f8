//! Rows that do not say how large their objects are: few requests find it out.

use testbed::{Fault, FaultKind, Operation};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;
/// Rows whose objects are asked for by range, before the whole is.
const BY_RANGE: usize = 16;

/// Small objects, and behind them all a large one.
fn stage(small: usize) -> Stage {
    let stage = Stage::new();
    let mut rows = String::new();
    for number in 0..small {
        let key = number.to_string();
        stage.testbed.put_object(BUCKET, &key, key.clone());
        rows += &key;
        rows += "\n";
    }
    stage.testbed.put_object(BUCKET, "large", content("large", 3 * MIB));
    stage.sandbox.write("m.keys", rows + "large\n");
    stage
}

fn download(stage: &Stage, concurrency: &str) {
    let args = ["download", "--manifest", "m.keys", "s3://bucket/", "out", "--part-size", "1MiB"];
    let args = args.into_iter().chain(["--concurrency", concurrency]);
    stage.run(args).code(0).stderr_has("verified end to end");
    assert!(stage.sandbox.read("out/large") == content("large", 3 * MIB));
}

#[test]
fn small_objects_take_one_request_each_once_they_are_expected() {
    let stage = stage(40);
    download(&stage, "1");
    assert_eq!(stage.testbed.count(Operation::HeadObject), BY_RANGE);
    let gets = stage.testbed.requests_of(Operation::GetObject);
    let with_range = gets.iter().filter(|request| request.range.is_some()).count();
    // The large one's second and third part, too.
    assert_eq!((gets.len(), with_range), (40 + 3, BY_RANGE + 2));
}

#[test]
fn a_large_object_among_many_small_ones_arrives_whole_by_as_many_requests() {
    for concurrency in ["1", "8", "auto"] {
        let stage = stage(40);
        // Broken off in its first part, it goes on from there, and by range.
        let broken = FaultKind::ResetInBody { after_bytes: MIB / 2 };
        let broken = Fault::new(Operation::GetObject, broken).key("large").times(1);
        let broken = stage.testbed.fault(broken);
        download(&stage, concurrency);
        assert_eq!(stage.testbed.hits(broken), 1);
    }
}

/// It would be read from its start for each part.
#[test]
fn a_large_object_of_a_store_that_knows_no_ranges_comes_in_one() {
    let stage = stage(40);
    let whole = Fault::new(Operation::GetObject, FaultKind::WholeObjectForRange);
    stage.testbed.fault(whole.key("large").always());
    download(&stage, "1");
    let gets = stage.testbed.requests_of(Operation::GetObject);
    assert_eq!(gets.iter().filter(|request| request.key.as_deref() == Some("large")).count(), 1);
}
