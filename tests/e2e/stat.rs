//! `haul stat`: all that the store tells of an object, as text and as JSON.

use testbed::{Fault, FaultKind, Operation, PutOptions};

use crate::stage::{BUCKET, Stage};

#[test]
fn all_that_is_told_is_shown() {
    let stage = Stage::new();
    let options = PutOptions::new().storage_class("GLACIER").part_size(5);
    stage.testbed.put_object_with(BUCKET, "cold", "0123456789ab", &options);
    stage.sandbox.write("f.txt", "bytes");
    let upload = ["upload", "f.txt", "s3://bucket/k", "--metadata", "colour=b\u{e9}ige"];
    let attributes = ["--cache-control", "max-age=60", "--content-type", "text/x-test"];
    stage.run(upload.iter().chain(&attributes)).code(0);
    let output = stage.run(["stat", "s3://bucket/k", "s3://bucket/cold", "--json"]);
    let lines = output.code(0).json_lines();
    assert_eq!(lines[0]["event"], "stat");
    assert_eq!((&lines[0]["source"], &lines[0]["size"]), (&"s3://bucket/k".into(), &5.into()));
    assert_eq!(lines[0]["content_type"], "text/x-test");
    assert_eq!(lines[0]["cache_control"], "max-age=60");
    assert_eq!(lines[0]["checksum_type"], "FULL_OBJECT");
    assert!(lines[0]["checksums"]["crc64nvme"].is_string(), "{output}");
    assert!(lines[0]["metadata"]["colour"].is_string(), "{output}");
    assert_eq!((&lines[1]["storage_class"], &lines[1]["parts"]), (&"GLACIER".into(), &3.into()));
    let output = stage.run(["stat", "s3://bucket/k"]);
    output.code(0).stdout_has("s3://bucket/k\n  size                 5 B\n");
    output.stdout_has("  content type         text/x-test\n").stdout_has("  meta colour");
    assert_eq!(stage.testbed.count(Operation::HeadObject), 3, "one request an object");
}

#[test]
fn what_is_not_there_is_an_error_and_the_others_are_shown() {
    let stage = Stage::with_keys(&["a", "dir/x", "z"]);
    let output = stage.run(["stat", "s3://bucket/a", "s3://bucket/none", "s3://bucket/z"]);
    output.code(1).stdout_has("s3://bucket/a").stdout_has("s3://bucket/z");
    output.stderr_has("error: could not look at s3://bucket/none");
    stage.run(["stat", "s3://bucket/dir"]).code(1).stderr_has("is a prefix: end it with a slash");
    stage.run(["stat", "s3://bucket/dir/"]).code(1).stderr_has("haul ls lists");
    for wrong in ["s3://bucket", "file", "-", "https://bucket/k"] {
        stage.run(["stat", wrong]).code(2);
    }
    stage.run(["stat"]).code(2);
    stage.run(["stat", "s3://bucket/a", "s3://bucket/z", "--version-id", "x"]).code(2);
    let denied = Fault::new(Operation::HeadObject, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    stage.run(["stat", "s3://bucket/a"]).code(1).stderr_has("hint: ");
}

#[test]
fn each_version_has_facts_of_its_own_and_keys_are_literal() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for bytes in ["1", "22"] {
        stage.testbed.put_object(BUCKET, "a*?\u{1b}", bytes);
    }
    let versions = stage.testbed.versions(BUCKET);
    for (size, (_, version)) in [2, 1].into_iter().zip(&versions) {
        let args = ["stat", "s3://bucket/a*?\u{1b}", "--version-id", version, "--json"];
        let line = stage.run(args).code(0).json_lines().remove(0);
        assert_eq!((&line["size"], &line["version_id"]), (&size.into(), &version.as_str().into()));
    }
    stage.run(["stat", "s3://bucket/a*?\u{1b}"]).code(0).no_escapes();
    stage.run(["stat", "s3://bucket/a*?\u{1b}", "--version-id", "none"]).code(1);
}
