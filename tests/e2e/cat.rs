//! `haul cat`: the bytes of objects in order, all of them and no others, or an error.

use std::process::Stdio;

use testbed::{Fault, FaultKind, Operation};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

#[test]
fn objects_come_in_the_order_in_which_they_were_named() {
    let stage = Stage::with_keys(&["a", "b", "c1", "c2", "d*", "dx"]);
    let cat = ["cat", "s3://bucket/b", "s3://bucket/a", "s3://bucket/c*"];
    stage.run(cat).code(0).stdout_is("bac1c2").stderr_has("4 objects");
    stage.run(["cat", "s3://bucket/d*", "--raw", "-q"]).code(0).stdout_is("d*").stderr_lacks("1");
    let output = stage.run(["cat", "s3://bucket/a"]);
    output.code(0).stderr_has("1 verified end to end");
}

#[test]
fn large_objects_come_in_parts_and_in_order() {
    let stage = Stage::new();
    let bytes = [content("one", 20 * MIB + 3), content("two", 9 * MIB)];
    for (key, bytes) in ["k1", "k2"].into_iter().zip(&bytes) {
        stage.testbed.put_object(BUCKET, key, bytes.clone());
    }
    stage.testbed.put_object(BUCKET, "k3", "");
    let output = stage.run(["cat", "s3://bucket/k*", "--part-size", "1MiB"]);
    output.code(0).stdout_is(bytes.concat()).stderr_has("3 verified end to end");
}

#[test]
fn a_range_is_those_bytes_and_says_that_no_checksum_is_of_them() {
    let stage = Stage::new();
    let bytes = content("k", 10 * MIB);
    stage.testbed.put_object(BUCKET, "k", bytes.clone());
    stage.testbed.put_object(BUCKET, "empty", "");
    let size = bytes.len();
    for (range, wanted) in [
        ("0-0", 0..1),
        ("1000-1999", 1000..2000),
        ("bytes=5242880-", 5 << 20..size),
        ("-7", size - 7..size),
        ("3000000-9000000", 3_000_000..9_000_001),
        ("9999999-99999999999", 9_999_999..size),
    ] {
        let range = format!("--range={range}");
        let output = stage.run(["cat", "s3://bucket/k", &range, "--part-size", "1MiB"]);
        output.code(0).stdout_is(&bytes[wanted]).stderr_has("1 by length and ETag only");
    }
    let whole = stage.run(["cat", "s3://bucket/k", "--range", "0-"]);
    whole.code(0).stdout_is(&bytes).stderr_has("1 verified end to end");
    let beyond = stage.run(["cat", "s3://bucket/k", "--range", "99999999-"]);
    beyond.code(1).stdout_is("").stderr_has("none of those asked for");
    stage.run(["cat", "s3://bucket/empty", "--range", "0-9"]).code(1);
    for wrong in ["5-4", "x", "-0", "1-2,4-5", ""] {
        stage.run(["cat", "s3://bucket/k", &format!("--range={wrong}")]).code(2);
    }
}

#[test]
fn a_range_is_of_one_version() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "k", content("k", 4 * MIB));
    let replaced = FaultKind::replace_object(content("other", 4 * MIB));
    stage.testbed.fault(Fault::new(Operation::GetObject, replaced).nth(2));
    let args = ["--range", "0-3000000", "--part-size", "1MiB", "--concurrency", "1"];
    stage
        .run(["cat", "s3://bucket/k"].iter().chain(&args))
        .code(1)
        .stderr_has("PreconditionFailed");
}

#[test]
fn what_is_missing_is_an_error_and_what_breaks_off_is_the_end() {
    let stage = Stage::with_keys(&["a", "b", "c", "dir/x"]);
    let output = stage.run(["cat", "s3://bucket/a", "s3://bucket/none", "s3://bucket/c"]);
    output.code(1).stdout_is("ac").stderr_has("s3://bucket/none");
    stage.run(["cat", "s3://bucket/dir"]).code(1).stderr_has("is a prefix");
    stage.run(["cat", "s3://bucket/q*"]).code(1).stderr_has("no object matches");
    let denied = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(denied.key("b").always());
    let output = stage.run(["cat", "s3://bucket/a", "s3://bucket/b", "s3://bucket/c"]);
    output.code(1).stdout_is("a").stderr_has("AccessDenied");
}

/// It is not missing: whoever reads has its beginning, and would take what follows for the rest.
#[test]
fn nothing_follows_an_object_that_was_removed_on_its_way() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "a", content("a", 4 * MIB));
    stage.testbed.put_object(BUCKET, "b", "what follows");
    let gone = FaultKind::status(404, "NoSuchKey");
    stage.testbed.fault(Fault::new(Operation::GetObject, gone).key("a").nth(2));
    let cat = ["cat", "s3://bucket/a", "s3://bucket/b", "--part-size", "1MiB"];
    let output = stage.run(cat.iter().chain(&["--concurrency", "1"]));
    output.code(1).stdout_is(&content("a", 4 * MIB)[..1 << 20]).stderr_has("NoSuchKey");
    output.stderr_lacks("haul ls");
}

/// What was written can't be taken back: nothing may follow it.
#[test]
fn wrong_bytes_are_noticed_and_nothing_follows_them() {
    let stage = Stage::with_keys(&["a", "b"]);
    let flipped = Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 0 });
    stage.testbed.fault(flipped.key("a").always());
    let output = stage.run(["cat", "s3://bucket/a", "s3://bucket/b"]);
    output.code(1).stderr_has("checksum");
    assert!(!output.stdout_text().contains('b'), "{output}");
}

#[test]
fn a_reader_that_leaves_ends_it_with_141_and_in_silence() {
    let stage = Stage::new();
    for key in ["k1", "k2"] {
        stage.testbed.put_object(BUCKET, key, content(key, 4 * MIB));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let cat = stage.haul().args(["cat", "s3://bucket/k*"]).stdout_to(Stdio::from(writer));
    let output = cat.run();
    assert_eq!(output.code(141).stderr, "");
}

#[test]
fn one_version_is_printed_and_wrong_usage_prints_nothing() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for bytes in ["old", "new"] {
        stage.testbed.put_object(BUCKET, "k", bytes);
    }
    let versions = stage.testbed.versions(BUCKET);
    for (wanted, (_, version)) in ["new", "old"].into_iter().zip(&versions) {
        let cat = ["cat", "s3://bucket/k", "--version-id", version];
        stage.run(cat).code(0).stdout_is(wanted);
    }
    let wrong: [&[&str]; 7] = [
        &["cat"],
        &["cat", "file"],
        &["cat", "-"],
        &["cat", "s3://bucket"],
        &["cat", "s3://bucket/p/"],
        &["cat", "s3://bucket/k", "--json"],
        &["cat", "s3://bucket/k*", "--version-id", "x"],
    ];
    for args in wrong {
        stage.run(args).code(2).stdout_is("");
    }
}
