//! `haul restore`: archived objects are asked back, each once, and waited for where that is wanted.

use testbed::{Fault, FaultKind, Gate, Operation, PutOptions};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const COLD: [&str; 3] = ["p/a", "p/d/b", "p2"];

/// Three objects in archives, and two in none.
fn cold() -> Stage {
    let stage = Stage::with_keys(&["p/warm", "q"]);
    for (key, class) in COLD.into_iter().zip(["GLACIER", "DEEP_ARCHIVE", "GLACIER"]) {
        let options = PutOptions::new().storage_class(class);
        stage.testbed.put_object_with(BUCKET, key, key.to_owned(), &options);
    }
    stage
}

/// Keys and what became of them.
fn outcomes(output: &Output) -> Vec<String> {
    let lines = output.json_lines().into_iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    lines.map(|line| format!("{} {}", text(&line["source"]), text(&line["outcome"]))).collect()
}

fn asked(stage: &Stage) -> Vec<String> {
    let requests = stage.testbed.requests_of(Operation::RestoreObject);
    let mut keys: Vec<_> = requests.into_iter().filter_map(|request| request.key).collect();
    keys.sort();
    keys
}

#[test]
fn what_is_archived_is_asked_for_once_and_can_be_read_then() {
    let stage = cold();
    let download = ["download", "s3://bucket/p/", "out/"];
    stage.run(download).code(1).stderr_has("archived").stderr_has("`haul restore`");
    let restore = ["restore", "-r", "s3://bucket/p/", "--json"];
    let output = stage.run(restore);
    output.code(0).stderr_has("2 asked for, 1 in no archive");
    assert_eq!(outcomes(&output), ["s3://bucket/p/a asked", "s3://bucket/p/d/b asked"]);
    assert_eq!(output.json_lines()[1]["storage_class"], "DEEP_ARCHIVE");
    assert_eq!(asked(&stage), ["p/a", "p/d/b"]);
    let output = stage.run(restore);
    output.code(0).stderr_has("2 asked for before");
    assert_eq!(outcomes(&output), ["s3://bucket/p/a restoring", "s3://bucket/p/d/b restoring"]);
    stage.run(download).code(1);
    stage.testbed.finish_restores(BUCKET);
    let output = stage.run(restore);
    output.code(0).stderr_has("2 brought back");
    assert_eq!(outcomes(&output), ["s3://bucket/p/a restored", "s3://bucket/p/d/b restored"]);
    assert_eq!(asked(&stage).len(), 2, "nothing is asked for twice");
    stage.run(download).code(0);
    assert_eq!(stage.text("out/a"), "p/a");
    let output = stage.run(["restore", "s3://bucket/q", "s3://bucket/p2"]);
    output.code(0).stdout_has("readable").stdout_has("s3://bucket/q\n");
    output.stdout_has("asked      GLACIER              s3://bucket/p2\n");
    assert_eq!(asked(&stage), ["p/a", "p/d/b", "p2"]);
}

#[test]
fn only_what_was_named_is_asked_for() {
    let stage = cold();
    stage.run(["restore", "-r", "s3://bucket/p", "--exclude", "d/**"]).code(0);
    assert_eq!(asked(&stage), ["p/a"], "`p2` is not below `p`");
    stage.run(["restore", "s3://bucket/*/b"]).code(0).stderr_has("1 asked for");
    assert_eq!(asked(&stage), ["p/a", "p/d/b"]);
    let output = stage.run(["restore", "s3://bucket/none", "s3://bucket/p2", "s3://bucket/x*"]);
    output.code(1).stderr_has("s3://bucket/none").stderr_has("nothing is at s3://bucket/x*");
    assert_eq!(asked(&stage), COLD, "what is missing stops no other");
}

#[test]
fn a_dry_run_and_wrong_usage_ask_for_nothing() {
    let stage = cold();
    let output = stage.run(["restore", "-r", "s3://bucket", "--dry-run", "--json"]);
    output.code(0).stderr_has("3 would be asked for");
    assert!(outcomes(&output).iter().all(|line| line.ends_with(" would_ask")), "{output}");
    for wrong in [
        &["s3://bucket/p/"][..],
        &["s3://bucket"],
        &["p/a"],
        &["s3://bucket/p2", "--days", "0"],
        &["s3://bucket/p2", "--tier", "soon"],
        &["s3://bucket/p2", "--wait", "--dry-run"],
        &["s3://bucket/p2", "s3://bucket/p/a", "--version-id", "x"],
        &[],
    ] {
        stage.run(["restore"].iter().chain(wrong)).code(2);
    }
    assert_eq!(stage.testbed.count(Operation::RestoreObject), 0);
}

#[test]
fn days_and_tier_are_told_to_the_store() {
    let stage = cold();
    stage.run(["restore", "s3://bucket/p2"]).code(0);
    let terms = |key: &str| stage.object(key).attributes.restore_terms.clone();
    assert_eq!(terms("p2"), Some((7, "Standard".to_owned())));
    let bulk = ["restore", "s3://bucket/p/d/b", "--days", "30", "--tier", "Bulk"];
    stage.run(bulk).code(0);
    assert_eq!(terms("p/d/b"), Some((30, "Bulk".to_owned())));
    let fault = FaultKind::status(503, "GlacierExpeditedRetrievalNotAvailable");
    stage.testbed.fault(Fault::new(Operation::RestoreObject, fault).always());
    let output = stage.run(["restore", "s3://bucket/p/a", "--tier", "expedited"]);
    output.code(1).stderr_has("GlacierExpeditedRetrievalNotAvailable");
    assert_eq!(asked(&stage), ["p/a", "p/d/b", "p2"], "and it is not asked again");
}

#[test]
fn what_fails_stops_no_other_and_what_may_pass_is_tried_again() {
    let stage = cold();
    let ask = |kind| Fault::new(Operation::RestoreObject, kind);
    stage.testbed.fault(ask(FaultKind::slow_down()).key("p/a").once());
    stage.testbed.fault(ask(FaultKind::access_denied()).key("p/d/b").always());
    // Somebody else was faster.
    let under_way = FaultKind::status(409, "RestoreAlreadyInProgress");
    stage.testbed.fault(ask(under_way).key("p2").always());
    let output = stage.run(["restore", "-r", "s3://bucket", "--json"]);
    output.code(1).stderr_has("could not restore s3://bucket/p/d/b").stderr_has("1 failed");
    assert_eq!(outcomes(&output), ["s3://bucket/p/a asked", "s3://bucket/p2 asked"]);
    assert_eq!(asked(&stage), ["p/a", "p/a", "p/d/b", "p2"]);
}

#[test]
fn it_waits_until_all_can_be_read() {
    let stage = cold();
    let gate = Gate::new();
    let held = Fault::new(Operation::HeadObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.nth(2));
    let restore = stage.haul().args(["restore", "s3://bucket/p2", "--wait", "--json"]).spawn();
    gate.wait_for(1);
    stage.testbed.finish_restores(BUCKET);
    gate.open();
    let output = restore.wait();
    output.code(0).stderr_has("1 asked for, 1 brought back");
    assert_eq!(outcomes(&output), ["s3://bucket/p2 asked", "s3://bucket/p2 restored"]);
    assert_eq!(stage.testbed.count(Operation::RestoreObject), 1);
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let stage = cold();
    let gate = Gate::new();
    let held = Fault::new(Operation::HeadObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.nth(2));
    let restore = stage.haul().args(["restore", "s3://bucket/p2", "--wait"]).spawn();
    gate.wait_for(1);
    restore.interrupt();
    gate.open();
    restore.wait().code(130).stdout_has("asked");
}

#[test]
fn archived_objects_are_left_out_where_that_is_wanted() {
    let stage = cold();
    let download = ["download", "s3://bucket/p/", "out/", "--skip-archived", "-v"];
    let output = stage.run(download);
    output.code(0).stderr_has("archived, and not restored").stderr_has("2 skipped");
    assert_eq!(stage.files("out"), ["warm"]);
    stage.run(["cp", "s3://bucket/p/", "s3://bucket/to/", "--skip-archived"]).code(0);
    stage.run(["sync", "s3://bucket/p/", "s3://bucket/sync/", "--skip-archived"]).code(0);
    // A move leaves where it is what it leaves out.
    stage.run(["mv", "s3://bucket/p/", "s3://bucket/moved/", "--skip-archived"]).code(0);
    let wanted = ["moved/warm", "p/a", "p/d/b", "p2", "q", "sync/warm", "to/warm"];
    assert_eq!(stage.keys(), wanted);
    let output = stage.run(["download", "s3://bucket/p/a", "-", "--skip-archived"]);
    output.code(1).stdout_is("");
    stage.run(["restore", "s3://bucket/p/a"]).code(0);
    stage.testbed.finish_restores(BUCKET);
    stage.run(download).code(0).stderr_has("1 skipped");
    assert_eq!(stage.text("out/a"), "p/a", "its class is the same, and it can be read");
}

#[test]
fn the_class_that_keeps_an_object_from_being_read_is_named() {
    let stage = cold();
    let body = "<Error><Code>InvalidObjectState</Code><Message>not now</Message>\
                <StorageClass>DEEP_ARCHIVE</StorageClass></Error>";
    let headers = vec![("content-type".to_owned(), "application/xml".to_owned())];
    let reply = FaultKind::Reply { status: 403, headers, body: body.into() };
    stage.testbed.fault(Fault::new(Operation::GetObject, reply).always());
    let output = stage.run(["download", "s3://bucket/p/a", "a"]);
    output.code(1).stderr_has("not now: DEEP_ARCHIVE").stderr_has("`haul restore`");
}
