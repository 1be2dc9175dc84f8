//! `haul clean`: what killed runs left behind is found, and removed only when that was asked for.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use testbed::{Aged, Fault, FaultKind, Gate, Operation};

use crate::harness::{Haul, Output, content};
use crate::stage::{BUCKET, Stage};

const PART: u64 = 5 << 20;

/// A bucket with one unfinished upload below `p/`.
fn killed_upload() -> Stage {
    let stage = Stage::new();
    stage.sandbox.fill("file", 3 * PART);
    let gate = Gate::new();
    let held = Fault::new(Operation::UploadPart, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(2..=u64::MAX));
    let upload = remembering(&stage).args(["upload", "file", "s3://bucket/p/file"]);
    let running = upload.args(["--part-size", "5MiB", "--concurrency", "1"]).spawn();
    gate.wait_for(1);
    running.signal(Signal::KILL);
    running.wait();
    gate.open();
    stage.testbed.clear_faults();
    assert_eq!(stage.testbed.open_uploads(BUCKET).len(), 1);
    stage
}

/// A folder with one partial file and its record.
fn killed_download() -> Stage {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "object", content("object", 4 << 20));
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(3..=u64::MAX));
    let download = stage.haul().args(["download", "s3://bucket/object", "out/below/"]);
    let running = download.args(["--part-size", "1MiB", "--concurrency", "1"]).spawn();
    gate.wait_for(1);
    running.signal(Signal::KILL);
    running.wait();
    gate.open();
    stage.testbed.clear_faults();
    stage
}

/// Holds all such requests from now on.
fn hold(stage: &Stage, operation: Operation) -> Gate {
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(operation, FaultKind::Gate(gate.clone())).always());
    gate
}

/// Files that say which uploads can go on.
fn records(stage: &Stage) -> usize {
    fs::read_dir(stage.sandbox.path("state/haul/uploads")).map_or(0, Iterator::count)
}

/// A command of somebody whose commands know of each other.
fn remembering(stage: &Stage) -> Haul {
    stage.haul().env("XDG_STATE_HOME", stage.sandbox.path("state"))
}

fn outcomes(output: &Output) -> Vec<String> {
    output.json_lines().iter().map(|line| line["outcome"].as_str().unwrap_or("").into()).collect()
}

#[test]
fn a_young_upload_is_listed_and_left_alone() {
    let stage = killed_upload();
    for args in [
        ["clean", "s3://bucket", "--json"].as_slice(),
        &["clean", "s3://bucket", "--json", "--yes"],
    ] {
        let output = stage.run(args);
        assert_eq!(outcomes(output.code(0)), ["young"]);
        output.stderr_has("1 left alone");
    }
    assert_eq!(stage.testbed.open_uploads(BUCKET).len(), 1);
}

#[test]
fn uploads_are_aborted_only_with_yes_and_only_below_the_prefix() {
    let stage = killed_upload();
    let id = stage.testbed.open_uploads(BUCKET)[0].upload_id.clone();
    let output = stage.run(["clean", "s3://bucket/p/", "--all"]);
    output.code(0).stdout_has("s3://bucket/p/file").stdout_has(&id).stderr_has("1 found");
    stage.run(["clean", "s3://bucket/q/", "--all", "--yes"]).code(0).stderr_has("nothing is left");
    assert_eq!(stage.testbed.open_uploads(BUCKET).len(), 1);
    assert_eq!(records(&stage), 1);
    let clean = remembering(&stage).args(["clean", "s3://bucket", "--all", "--yes", "--json"]);
    let output = clean.run();
    assert_eq!(outcomes(output.code(0)), ["removed"]);
    output.stderr_has("1 removed");
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
    assert_eq!(records(&stage), 0, "its record stays");
}

/// A run that is killed when its upload is complete leaves the record of one that is no more.
#[test]
fn a_record_of_an_upload_that_is_gone_goes() {
    let stage = killed_upload();
    let clean = |place: &str| remembering(&stage).args(["clean", place, "--yes"]).run();
    clean("s3://bucket").code(0);
    assert_eq!(records(&stage), 1, "it is young");
    // By somebody who has no record of it.
    stage.run(["clean", "s3://bucket", "--all", "--yes"]).code(0).stderr_has("1 removed");
    remembering(&stage).args(["clean", "s3://bucket"]).run().code(0);
    clean("s3://bucket/q/").code(0);
    stage.testbed.fault(Fault::new(Operation::ListParts, FaultKind::access_denied()));
    clean("s3://bucket").code(1);
    assert_eq!(records(&stage), 1);
    clean("s3://bucket").code(0);
    assert_eq!(records(&stage), 0);
}

#[test]
fn an_upload_that_is_in_use_here_stays() {
    let stage = killed_upload();
    let gate = hold(&stage, Operation::UploadPart);
    let upload = remembering(&stage).args(["upload", "file", "s3://bucket/p/file"]);
    let running = upload.args(["--part-size", "5MiB", "--concurrency", "1"]).spawn();
    gate.wait_for(1);
    for args in [["--all"].as_slice(), &["--all", "--yes"]] {
        let clean = remembering(&stage).args(["clean", "s3://bucket", "--json"]);
        let output = clean.args(args).run();
        assert_eq!(outcomes(output.code(0)), ["in_use"]);
    }
    gate.open();
    running.wait().code(0);
    assert_eq!(records(&stage), 0);
}

#[test]
fn an_old_upload_that_still_gets_parts_is_left_alone() {
    let stage = killed_upload();
    let two_days = Duration::from_hours(48);
    stage.testbed.age_uploads(BUCKET, Aged::Uploads, two_days);
    for args in [
        ["clean", "s3://bucket", "--json"].as_slice(),
        &["clean", "s3://bucket", "--json", "--yes"],
    ] {
        assert_eq!(outcomes(stage.run(args).code(0)), ["young"]);
    }
    stage.testbed.age_uploads(BUCKET, Aged::Parts, two_days);
    let output = stage.run(["clean", "s3://bucket", "--json", "--yes"]);
    assert_eq!(outcomes(output.code(0)), ["removed"]);
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

#[test]
fn a_name_without_a_slash_is_that_of_one_object() {
    let stage = killed_upload();
    for (name, outcome) in [("s3://bucket/p/fil", None), ("s3://bucket/p/file", Some("found"))] {
        let output = stage.run(["clean", name, "--all", "--json"]);
        assert_eq!(outcomes(output.code(0)), Vec::from_iter(outcome), "{name}");
    }
}

#[test]
fn what_cannot_be_removed_does_not_stop_the_others() {
    let stage = killed_download();
    stage.sandbox.write("victim", "kept");
    let planted = stage.sandbox.path("out/.haul-0123456789abcdef.part");
    fs::hard_link(stage.sandbox.path("victim"), planted).expect("a link");
    let output = stage.run(["clean", "out", "--yes", "--json"]);
    assert_eq!(outcomes(output.code(1)), ["failed", "removed", "removed"]);
    output.stderr_has("error: ").stderr_has(".haul-0123456789abcdef.part");
    output.stderr_has("2 removed").stderr_has("1 failed");
    assert_eq!(stage.sandbox.leftovers("out").len(), 1);
}

#[test]
fn an_upload_that_cannot_be_aborted_is_an_error() {
    let stage = killed_upload();
    let denied = Fault::new(Operation::AbortMultipartUpload, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    let output = stage.run(["clean", "s3://bucket", "--all", "--yes"]);
    output.code(1).stderr_has("error: could not abort the unfinished upload of s3://bucket/p/file");
}

#[test]
fn partial_files_are_removed_only_with_yes() {
    let stage = killed_download();
    assert_eq!(stage.sandbox.leftovers("out").len(), 2);
    stage.sandbox.write("out/below/plain", "kept");
    let output = stage.run(["clean", "out", "--json"]);
    assert_eq!(outcomes(output.code(0)), ["found", "found"]);
    assert_eq!(stage.sandbox.leftovers("out").len(), 2);
    let output = stage.run(["clean", "out", "--yes", "--json"]);
    assert_eq!(outcomes(output.code(0)), ["removed", "removed"]);
    assert_eq!(stage.sandbox.tree("out").len(), 1, "nothing else is touched");
    stage.run(["clean", "out"]).code(0).stderr_has("nothing is left behind");
}

#[test]
fn a_partial_file_that_is_in_use_stays() {
    let stage = killed_download();
    let gate = hold(&stage, Operation::GetObject);
    let download = stage.haul().args(["download", "s3://bucket/object", "out/below/"]);
    let running = download.args(["--part-size", "1MiB", "--concurrency", "1"]).spawn();
    gate.wait_for(1);
    let output = stage.run(["clean", "out", "--yes", "--json"]);
    assert_eq!(outcomes(output.code(0)), ["in_use", "in_use"]);
    gate.open();
    running.wait().code(0);
    assert!(stage.sandbox.read("out/below/object") == content("object", 4 << 20));
    stage.sandbox.no_leftovers("out");
}

/// `haul clean … | head`: a listing has been seen far enough, a removal is not done by half.
#[test]
fn a_reader_that_leaves_ends_a_listing_and_no_removal() {
    let stage = Stage::new();
    // More lines than wait to be written.
    let folder = format!("out/{}/{}", "d".repeat(200), "e".repeat(200));
    for number in 0..300 {
        stage.sandbox.write(format!("{folder}/.haul-{number:016x}.part"), "");
    }
    let clean = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let clean = stage.haul().args(["clean", "out"]).args(args);
        clean.stdout_to(Stdio::from(writer)).run()
    };
    clean(&[]).code(0);
    assert_eq!(stage.sandbox.leftovers("out").len(), 300);
    clean(&["--yes"]).code(0).stderr_has("300 removed");
    stage.sandbox.no_leftovers("out");
}

#[test]
fn pages_of_uploads_that_come_round_again_are_an_error() {
    let stage = Stage::new();
    for number in 0..200_u64 {
        let marker = number % 3;
        let page = FaultKind::xml(format!(
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>k{marker}</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>\
             </ListMultipartUploadsResult>"
        ));
        let page = Fault::new(Operation::ListMultipartUploads, page);
        stage.testbed.fault(page.nth(number + 1));
    }
    let output = stage.run(["clean", "s3://bucket/p/", "--yes"]);
    output.code(1).stderr_has("could not list the unfinished uploads of s3://bucket/p/");
    output.stderr_has("repeats");
    assert!(stage.testbed.count(Operation::ListMultipartUploads) < 20, "{output}");
}

#[test]
fn the_file_of_a_second_download_to_one_place_stays() {
    let stage = killed_download();
    let gate = hold(&stage, Operation::GetObject);
    let download = || {
        let download = stage.haul().args(["download", "s3://bucket/object", "out/below/"]);
        download.args(["--part-size", "1MiB", "--concurrency", "1"]).spawn()
    };
    let first = download();
    gate.wait_for(1);
    let second = download();
    gate.wait_for(2);
    gate.let_one_pass();
    gate.let_one_pass();
    gate.wait_for(4);
    let output = stage.run(["clean", "out", "--yes", "--json"]);
    assert_eq!(outcomes(output.code(0)), ["in_use"; 3]);
    gate.open();
    first.wait().code(0);
    second.wait().code(0);
    assert!(stage.sandbox.read("out/below/object") == content("object", 4 << 20));
    stage.sandbox.no_leftovers("out");
}

#[test]
fn wrong_usage_removes_nothing() {
    let stage = killed_download();
    stage.run(["clean", "out", "--all", "--yes"]).code(2).stderr_has("--all is for uploads");
    stage.run(["clean", "-", "--yes"]).code(2);
    stage.run(["clean"]).code(2);
    stage.run(["clean", "none", "--yes"]).code(1).stderr_has("could not read `none`");
    stage.run(["clean", "s3://missing", "--yes"]).code(1).stderr_has("NoSuchBucket");
    assert_eq!(stage.sandbox.leftovers("out").len(), 2);
    assert!(fs::exists(stage.sandbox.path("out")).expect("known"));
}

/// Cut off in good order: nothing but its missing end tells.
#[test]
fn a_list_of_uploads_that_is_cut_off_is_not_taken_for_all() {
    let stage = killed_upload();
    let cut = FaultKind::ShortConsistent { length: 200 };
    let cut = stage.testbed.fault(Fault::new(Operation::ListMultipartUploads, cut).always());
    let output = stage.run(["clean", "s3://bucket", "--all"]);
    output.code(1).stderr_has("cut off").stderr_lacks("found");
    assert!(stage.testbed.hits(cut) > 1, "it was not asked again\n{output}");
    stage.testbed.clear_faults();
    let cut =
        Fault::new(Operation::ListMultipartUploads, FaultKind::ShortConsistent { length: 200 });
    stage.testbed.fault(cut.times(1));
    stage.run(["clean", "s3://bucket", "--all"]).code(0).stdout_has("p/file");
}
