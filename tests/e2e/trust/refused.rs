//! Requests that the store refuses: each for one object alone, or one for all of them.

use testbed::{Fault, FaultKind, Operation};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const OBJECTS: usize = 300;

fn stage_of_many() -> Stage {
    let stage = Stage::new();
    let mut rows = String::from("source\n");
    for number in 0..OBJECTS {
        stage.testbed.put_object(BUCKET, &format!("p/{number}"), "bytes");
        rows.push_str("s3://bucket/p/");
        rows.push_str(&number.to_string());
        rows.push('\n');
    }
    stage.sandbox.write("rows.csv", rows);
    stage
}

#[test]
fn one_object_that_may_not_be_read_fails_alone() {
    let stage = stage_of_many();
    let denied = Fault::new(Operation::GetObject, FaultKind::access_denied()).key("p/7");
    let denied = stage.testbed.fault(denied.always());
    let output = stage.run(["download", "s3://bucket/p/", "out/"]);
    output.code(1).stderr_has("s3://bucket/p/7").stderr_has("AccessDenied");
    output.stderr_has("request id").stderr_has("permission").stderr_has("1 failed");
    assert_eq!(error_lines(&output), 1, "{output}");
    assert_eq!(stage.testbed.hits(denied), 1, "it was tried again");
    let files = stage.files("out");
    assert!(files.len() == OBJECTS - 1 && !files.contains(&"7".to_owned()));
    stage.sandbox.no_leftovers("out");
}

#[test]
fn one_object_that_may_not_be_written_fails_alone() {
    let stage = Stage::new();
    for number in 0..50 {
        stage.sandbox.write(format!("files/{number}"), "bytes");
    }
    let denied = Fault::new(Operation::PutObject, FaultKind::access_denied()).key("p/7");
    let denied = stage.testbed.fault(denied.always());
    let output = stage.run(["upload", "files", "s3://bucket/p/"]);
    output.code(1).stderr_has("s3://bucket/p/7").stderr_has("AccessDenied");
    assert_eq!(error_lines(&output), 1, "{output}");
    assert_eq!(stage.testbed.hits(denied), 1, "it was tried again");
    assert_eq!(stage.keys().len(), 49);
}

#[test]
fn credentials_that_are_wrong_are_told_once_for_all_objects() {
    for (variable, value, code) in [
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "NOBODY", "InvalidAccessKeyId"),
    ] {
        let stage = stage_of_many();
        let download = ["download", "--manifest", "rows.csv", "out/", "--concurrency", "16"];
        let output = stage.haul().env(variable, value).args(download).run();
        output.code(1).stderr_has(code).stderr_has("--profile").stderr_lacks("not-the-secret");
        assert_eq!(error_lines(&output), 1, "{output}");
        assert!(stage.files("out").is_empty());
        let requests = stage.testbed.totals().requests;
        assert!(requests <= 2 * 16, "{requests} requests with wrong credentials");
    }
}

#[test]
fn a_bucket_that_is_missing_is_told_once_for_all_objects() {
    let stage = Stage::new();
    for number in 0..OBJECTS {
        stage.sandbox.write(format!("files/{number}"), "bytes");
    }
    let upload = ["upload", "files", "s3://no-such-bucket/", "--concurrency", "16"];
    let output = stage.run(upload);
    output.code(1).stderr_has("NoSuchBucket").stderr_has("no-such-bucket");
    assert_eq!(error_lines(&output), 1, "{output}");
    let requests = stage.testbed.totals().requests;
    assert!(requests <= 2 * 16, "{requests} requests for no bucket");
}

#[test]
fn a_missing_object_leaves_the_old_file_as_it_was() {
    let stage = Stage::new();
    stage.sandbox.write("out", "what was there before");
    for source in ["s3://bucket/no-such", "s3://no-such-bucket/key"] {
        stage.run(["download", source, "out"]).code(1).stderr_has(source);
        assert_eq!(stage.text("out"), "what was there before");
        assert_eq!(stage.files(""), ["out"]);
    }
}

fn error_lines(output: &Output) -> usize {
    output.stderr.lines().filter(|line| line.starts_with("error: ")).count()
}
