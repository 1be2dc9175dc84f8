//! Long listings, which are asked for in ranges of keys at once: every name in order and once, by
//! few requests more than pages, and nothing for all where a page can't be had.

use std::time::Duration;

use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const PAGE: usize = 10;

fn stage(keys: &[String]) -> Stage {
    let stage = Stage::on(Testbed::builder().page_size(PAGE).spawn().expect("a testbed"));
    for key in keys {
        stage.testbed.put_object(BUCKET, key, "x");
    }
    stage
}

fn days(count: usize) -> Vec<String> {
    let name = |number| format!("p/{:02}/{:02}/{number:04}", number % 12 + 1, number / 12 % 28);
    let mut keys: Vec<_> = (0..count).map(name).collect();
    keys.sort();
    keys
}

/// Characters that XML, URLs and file systems take for something else.
fn odd(count: usize) -> Vec<String> {
    let odd = ["\u{1}", "\n", "%41", "+", " ", "//", "é", "日", "\u{FFFD}", "\u{1F600}", "-", "/"];
    let name = |number: usize| {
        let (one, other) = (odd[number % odd.len()], odd[number / odd.len() % odd.len()]);
        format!("p/{one}{other}{number}")
    };
    let mut keys: Vec<_> = (0..count).map(name).collect();
    keys.sort();
    keys
}

fn ls(stage: &Stage) -> Output {
    stage.run(["ls", "-r", "--json", "s3://bucket/p/"])
}

fn names(output: &Output) -> Vec<String> {
    let name = |line: &serde_json::Value| line["key"].as_str().expect("a name").to_owned();
    output.json_lines().iter().map(name).collect()
}

fn starts(stage: &Stage) -> usize {
    let lists = stage.testbed.requests_of(Operation::ListObjectsV2);
    lists.iter().filter(|request| request.path.contains("start-after=")).count()
}

#[test]
fn a_long_listing_is_asked_for_in_ranges_and_comes_in_order() {
    for keys in [days(2_000), odd(2_000)] {
        let stage = stage(&keys);
        let output = ls(&stage);
        assert!(names(output.code(0)) == keys, "{output}");
        assert!(starts(&stage) > 4, "in {} ranges", starts(&stage));
        let requests = stage.testbed.count(Operation::ListObjectsV2);
        assert!(requests <= 280, "{requests} requests for 200 pages");
        assert!(stage.testbed.totals().max_in_flight <= 16);
    }
}

#[test]
fn a_short_listing_costs_a_request_a_page() {
    for (count, pages) in [(1, 1), (10, 1), (11, 2), (30, 3)] {
        let stage = stage(&days(count));
        assert_eq!(names(ls(&stage).code(0)).len(), count);
        assert_eq!(stage.testbed.count(Operation::ListObjectsV2), pages, "{count} keys");
        assert_eq!(starts(&stage), 0);
    }
}

#[test]
fn a_long_listing_is_downloaded_and_verified_whole() {
    let keys = days(600);
    let stage = stage(&keys);
    stage.run(["download", "s3://bucket/p/", "out/"]).code(0).stderr_has("600 objects");
    let files: Vec<_> = stage.files("out").iter().map(|name| format!("p/{name}")).collect();
    assert!(files == keys);
    stage.run(["verify", "s3://bucket/p/", "out/"]).code(0);
    stage.sandbox.write("out/12/27/extra", "x");
    stage.run(["verify", "s3://bucket/p/", "out/"]).code(1).stderr_has("1 extra");
}

#[test]
fn a_page_in_the_middle_that_can_not_be_had_is_never_taken_for_nothing() {
    let keys = days(1_000);
    for from in [4, 20, 60] {
        let stage = stage(&keys);
        let denied = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
        let fault = stage.testbed.fault(denied.occurrence(from..=u64::MAX));
        let output = ls(&stage);
        output.code(1).stderr_has("could not list s3://bucket/p/").stderr_has("AccessDenied");
        assert!(keys.starts_with(&names(&output)), "what came before it, in order");
        assert!(stage.testbed.hits(fault) > 0);
        // Nobody may call a file extra because of it.
        stage.sandbox.write("out/zz", "x");
        let output = stage.run(["verify", "s3://bucket/p/", "out/"]);
        output.code(1).stderr_has("could not list s3://bucket/p/").stderr_has("not looked for");
    }
}

#[test]
fn pages_that_fail_now_and_then_are_all_had_in_the_end() {
    let keys = days(1_000);
    for kind in [FaultKind::internal_error(), FaultKind::slow_down(), FaultKind::LostReply] {
        let stage = stage(&keys);
        let fault = Fault::new(Operation::ListObjectsV2, kind).drawn(3, 60);
        let fault = stage.testbed.fault(fault);
        let output = ls(&stage);
        assert!(names(output.code(0)) == keys, "{output}");
        assert!(stage.testbed.hits(fault) > 0);
    }
}

#[test]
fn a_long_listing_is_interrupted_at_once() {
    let stage = stage(&days(1_000));
    let gate = Gate::new();
    let held = Fault::new(Operation::ListObjectsV2, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(12..=u64::MAX));
    let running = stage.haul().args(["ls", "-r", "s3://bucket/p/"]).spawn();
    gate.wait_for(1);
    running.interrupt();
    running.wait_within(Duration::from_secs(5)).code(130);
}
