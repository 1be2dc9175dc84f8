//! Runs that end by themselves before all is done: `--fail-fast`, `--max-errors`, failures that
//! all others would share, and a reader that left.

use std::process::Stdio;

use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::{Haul, Output, Sandbox, content, haul};

const FILES: usize = 100;

#[test]
fn without_a_limit_every_object_is_tried() {
    let (testbed, sandbox) = hundred();
    for key in ["010", "020", "030"] {
        testbed.fault(denied().key(key).always());
    }
    let output = upload(&testbed, &sandbox, "s3://bucket/").run();
    output.code(1).stderr_has("97 objects").stderr_has("3 failed").stderr_has("access denied");
    assert_eq!(testbed.keys("bucket").len(), FILES - 3);
    assert_eq!(errors(&output), 3, "{output}");
}

/// All are on their way, and none but the first is ever answered: only being stopped ends them.
#[test]
fn fail_fast_stops_all_others_at_once() {
    let (testbed, sandbox) = hundred();
    sandbox.fill("files/large", 11 << 20);
    let (first, others) = (Gate::new(), Gate::new());
    testbed.fault(Fault::new(Operation::PutObject, FaultKind::Gate(first.clone())).key("000"));
    testbed.fault(denied().key("000").always());
    for number in 1..FILES {
        let held = Fault::new(Operation::PutObject, FaultKind::Gate(others.clone()));
        testbed.fault(held.key(format!("{number:03}")).always());
    }
    testbed.fault(Fault::new(Operation::UploadPart, FaultKind::Gate(others.clone())).always());
    let upload = upload(&testbed, &sandbox, "s3://bucket/").arg("--fail-fast");
    let running = upload.args(["--concurrency", "128", "--no-resume"]).spawn();
    first.wait_for(1);
    others.wait_for(FILES - 1 + 2);
    assert_eq!(testbed.open_uploads("bucket").len(), 1);
    first.open();
    let output = running.wait();
    output.code(1).stderr_has("stopped early: ").stderr_has("1 failed");
    output.stderr_has("s3://bucket/000").stderr_has("100 not done");
    assert!(testbed.open_uploads("bucket").is_empty(), "{output}");
    assert!(testbed.keys("bucket").is_empty(), "{output}");
    assert_eq!(errors(&output), 1, "{output}");
}

#[test]
fn max_errors_lets_finish_what_was_begun() {
    let (testbed, sandbox) = hundred();
    testbed.fault(denied().always());
    let haul = upload(&testbed, &sandbox, "s3://bucket/").args(["--max-errors", "2"]);
    let output = haul.args(["--concurrency", "4"]).run();
    output.code(1).stderr_has("stopped early: ");
    let tried = testbed.count(Operation::PutObject);
    assert!((2..=8).contains(&tried), "{tried} were tried\n{output}");
}

#[test]
fn fewer_errors_than_the_limit_end_nothing() {
    let (testbed, sandbox) = hundred();
    testbed.fault(denied().key("050").always());
    let haul = upload(&testbed, &sandbox, "s3://bucket/").args(["--max-errors", "2"]);
    haul.run().code(1).stderr_has("99 objects").stderr_has("1 failed");
    assert_eq!(testbed.keys("bucket").len(), FILES - 1);
}

#[test]
fn wrong_credentials_are_said_once() {
    for (name, value, words) in [
        ("AWS_ACCESS_KEY_ID", "NOBODY", "InvalidAccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch"),
    ] {
        let (testbed, sandbox) = hundred();
        let output = upload(&testbed, &sandbox, "s3://bucket/").env(name, value).run();
        said_once(&output, words);
        output.stderr_has("--profile");
        assert!(testbed.keys("bucket").is_empty());
    }
}

#[test]
fn a_missing_bucket_is_said_once() {
    let (testbed, sandbox) = hundred();
    said_once(&upload(&testbed, &sandbox, "s3://no-such-bucket/").run(), "NoSuchBucket");
    let large = sandbox.fill("large", 11 << 20);
    let large = haul().on(&testbed).arg("upload").arg(large).arg("s3://no-such-bucket/").run();
    said_once(&large, "NoSuchBucket");
}

#[test]
fn a_missing_bucket_is_said_once_for_a_download_too() {
    let (testbed, sandbox) = hundred();
    let rows: Vec<_> = (0..FILES).map(|n| format!("s3://no-such-bucket/{n}")).collect();
    let list = sandbox.write("list.keys", rows.join("\n"));
    for source in [
        vec!["s3://no-such-bucket/".to_owned()],
        vec!["s3://no-such-bucket/key".to_owned()],
        vec!["--manifest".to_owned(), list.to_string_lossy().into_owned()],
    ] {
        let is_list = source.len() == 2;
        let download = haul().on(&testbed).arg("download").args(&source);
        let output = download.arg(sandbox.path("out/")).run();
        output.code(1).stderr_has("NoSuchBucket");
        // A manifest may name other buckets: there each row is told, and grouped at the end.
        assert!(is_list || errors(&output) == 1, "{output}");
        sandbox.no_leftovers("");
    }
}

#[test]
fn a_missing_bucket_among_several_is_no_reason_to_leave_out_the_others() {
    let (testbed, sandbox) = hundred();
    for key in ["a", "b"] {
        testbed.put_object("bucket", key, key);
    }
    let download = haul().on(&testbed).args(["download", "--concurrency", "1"]);
    let sources = ["s3://no-such-bucket/x", "s3://bucket/a", "s3://bucket/b"];
    let output = download.args(sources).arg(sandbox.path("out/")).run();
    output.code(1).stderr_has("NoSuchBucket").stderr_has("2 objects").stderr_has("1 failed");
    assert_eq!(sandbox.tree("out").len(), 2, "{output}");
}

/// One error, where many objects were asked for, is not the whole story.
#[test]
fn a_run_that_gave_up_says_so_after_one_failure_too() {
    let (testbed, sandbox) = hundred();
    let list = |name: &str, first: &str| {
        let rows = (0..FILES).map(|number| format!("{number:03}\n"));
        sandbox.write(name, [first.to_owned()].into_iter().chain(rows).collect::<String>())
    };
    let missing = list("missing.keys", "none\n");
    let bad = list("bad.keys", "../bad\n");
    for manifest in [missing, bad] {
        for limit in [["--fail-fast"].as_slice(), &["--max-errors", "1"]] {
            let upload = haul().on(&testbed).args(["upload", "--concurrency", "1"]).args(limit);
            let upload = upload.arg("--manifest").arg(&manifest);
            let output = upload.arg(sandbox.path("files")).arg("s3://bucket/").run();
            output.code(1).stderr_has("stopped early: 0 of ").stderr_has("1 failed");
        }
    }
    let alone = haul().on(&testbed).args(["upload", "--fail-fast"]).arg(sandbox.path("none"));
    alone.arg("s3://bucket/").run().code(1).stderr_lacks("stopped early");
}

#[test]
fn a_server_that_is_not_there_is_said_once_and_soon() {
    let (testbed, sandbox) = hundred();
    let address = testbed.endpoint();
    let environment = testbed.env();
    drop(testbed);
    let upload = haul().envs(environment).arg("upload").arg(sandbox.path("files/"));
    let output = upload.arg("s3://bucket/").run();
    said_once(&output, "cannot connect");
    output.stderr_has(&address);
    // Twenty seconds, for a server that starts up, and not for each of the files.
    assert!(output.took.as_secs() < 50, "{output}");
}

#[test]
fn a_reader_that_left_ends_a_download_silently() {
    for size in [1000, 10 << 20] {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "object", content("object", size));
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let download = haul().on(&testbed).args(["download", "s3://bucket/object", "-"]);
        let output = download.stdout_to(Stdio::from(writer)).run();
        output.code(141);
        assert_eq!(output.stderr, "", "{output}");
    }
}

fn denied() -> Fault {
    Fault::new(Operation::PutObject, FaultKind::access_denied())
}

fn hundred() -> (Testbed, Sandbox) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let sandbox = Sandbox::new();
    for number in 0..FILES {
        sandbox.fill(&format!("files/{number:03}"), 100);
    }
    (testbed, sandbox)
}

fn upload(testbed: &Testbed, sandbox: &Sandbox, destination: &str) -> Haul {
    haul().on(testbed).arg("upload").arg(sandbox.path("files/")).arg(destination)
}

fn errors(output: &Output) -> usize {
    output.stderr.lines().filter(|line| line.starts_with("error: ")).count()
}

#[track_caller]
fn said_once(output: &Output, words: &str) {
    output.code(1).stderr_has(words);
    assert_eq!(errors(output), 1, "{output}");
    assert_eq!(output.stderr.matches("hint: ").count(), 1, "{output}");
}
