//! `haul du`: sums are right, by folder and by class, and none is told that may be wrong.

use testbed::{Fault, FaultKind, Operation, PutOptions};

use crate::stage::{BUCKET, Stage};

/// Objects whose size is the length of their key.
const KEYS: [&str; 7] = ["a", "p", "p/1", "p/q/22", "p/q/r/3", "p2/x", "z/y"];

/// Name, objects and bytes of each line.
fn sums(stage: &Stage, args: &[&str]) -> Vec<(String, u64, u64)> {
    let output = stage.run(["du", "--json"].iter().chain(args));
    let lines = output.code(0).json_lines();
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    lines
        .iter()
        .map(|line| {
            assert_eq!(line["event"], "usage");
            let source = line["source"].as_str().expect("a name");
            let name = source.strip_prefix("s3://bucket/").expect("of the bucket");
            (name.to_owned(), number(&line["objects"]), number(&line["bytes"]))
        })
        .collect()
}

fn of(name: &str, objects: u64, bytes: u64) -> (String, u64, u64) {
    (name.to_owned(), objects, bytes)
}

#[test]
fn a_sum_is_of_what_was_named_and_of_nothing_else() {
    let stage = Stage::with_keys(&KEYS);
    assert_eq!(sums(&stage, &["s3://bucket"]), [of("", 7, 25)]);
    assert_eq!(sums(&stage, &["s3://bucket/p/"]), [of("p/", 3, 16)]);
    // The object `p` and what is below it, and never `p2`.
    assert_eq!(sums(&stage, &["s3://bucket/p"]), [of("p", 4, 17)]);
    assert_eq!(sums(&stage, &["s3://bucket/a"]), [of("a", 1, 1)]);
    assert_eq!(sums(&stage, &["s3://bucket/p*"]), [of("p*", 5, 21)]);
    assert_eq!(sums(&stage, &["s3://bucket/p/", "--exclude", "q/**"]), [of("p/", 1, 3)]);
    assert_eq!(sums(&stage, &["s3://bucket/p/", "s3://bucket/z/"]).len(), 2);
    let output = stage.run(["du", "s3://bucket/p/"]);
    output.code(0).stdout_is("             16            3  s3://bucket/p/\n");
}

#[test]
fn folders_have_sums_of_their_own() {
    let stage = Stage::with_keys(&KEYS);
    assert_eq!(
        sums(&stage, &["s3://bucket", "--depth", "1"]),
        [of("p/", 3, 16), of("p2/", 1, 4), of("z/", 1, 3), of("", 7, 25)]
    );
    assert_eq!(
        sums(&stage, &["s3://bucket/p/", "--depth", "9"]),
        [of("p/q/", 2, 13), of("p/q/r/", 1, 7), of("p/", 3, 16)]
    );
}

#[test]
fn classes_have_sums_of_their_own() {
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let cold = PutOptions::new().storage_class("GLACIER");
    stage.testbed.put_object_with(BUCKET, "p/c", "12345", &cold);
    let output = stage.run(["du", "s3://bucket/p/", "--by-storage-class", "--json"]);
    let lines = output.code(0).json_lines();
    assert_eq!((&lines[0]["storage_class"], &lines[0]["bytes"]), (&"GLACIER".into(), &5.into()));
    assert_eq!((&lines[1]["storage_class"], &lines[1]["bytes"]), (&"STANDARD".into(), &6.into()));
    let output = stage.run(["du", "s3://bucket/p/", "--by-storage-class"]);
    output.code(0).stdout_has("5            1  s3://bucket/p/  GLACIER\n");
}

#[test]
fn all_versions_are_summed_up_where_that_is_asked_for() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for bytes in ["1", "22", "333"] {
        stage.testbed.put_object(BUCKET, "k", bytes);
    }
    stage.run(["rm", "s3://bucket/k"]).code(0);
    assert_eq!(sums(&stage, &["s3://bucket"]), [of("", 0, 0)]);
    assert_eq!(sums(&stage, &["s3://bucket", "--all-versions"]), [of("", 3, 6)]);
    stage.testbed.put_object(BUCKET, "k2", "4444");
    assert_eq!(sums(&stage, &["s3://bucket/k", "--all-versions"]), [of("k", 3, 6)]);
    let output = stage.run(["du", "s3://bucket", "--all-versions"]);
    output.code(0).stdout_has("and 1 delete marker");
}

#[test]
fn many_keys_are_one_sum() {
    let stage = Stage::new();
    stage.testbed.put_synthetic_keys(BUCKET, "p/", 20_000, 3);
    assert_eq!(sums(&stage, &["s3://bucket/p/"]), [of("p/", 20_000, 60_000)]);
    assert_eq!(sums(&stage, &["s3://bucket/p/", "--depth", "1"]).len(), 101);
    let output = stage.run(["du", "s3://bucket", "--human-readable"]);
    output.code(0).stdout_has("58.6 KiB");
}

#[test]
fn no_sum_is_told_of_what_was_not_seen_to_its_end() {
    let stage = Stage::with_keys(&KEYS);
    stage.run(["du", "s3://bucket/none/"]).code(1).stderr_has("nothing is at").stdout_is("");
    stage.run(["du", "s3://bucket/none", "s3://bucket/z/"]).code(1).stdout_has("s3://bucket/z/");
    stage.run(["du", "s3://no-such-bucket"]).code(1).stderr_has("NoSuchBucket");
    let denied = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    stage.run(["du", "s3://bucket/p/"]).code(1).stderr_has("could not list").stdout_is("");
    for wrong in ["file", "-", "https://b/k"] {
        stage.run(["du", wrong]).code(2);
    }
    stage.run(["du"]).code(2);
    stage.run(["du", "s3://bucket", "--depth", "x"]).code(2);
}
