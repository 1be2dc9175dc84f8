//! `--compare`: what makes two sides of one name differ, and what it costs to find out.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use testbed::{ObjectChecksum, Operation, PutOptions};

use super::{changes, down, up, with_files};
use crate::stage::{BUCKET, Stage};

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn touch(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(time).expect("times can be set");
}

/// Objects as the files below `tree/`, and an hour older or newer than those.
fn scene(object: &str, is_source_newer: bool) -> Stage {
    let stage = with_files(["f"]);
    let file = stage.sandbox.write("tree/f", "content");
    let now = SystemTime::now();
    touch(&file, if is_source_newer { now } else { now - 2 * HOUR });
    let options = PutOptions::new().last_modified(now - HOUR);
    stage.testbed.put_object_with(BUCKET, "p/f", object.to_owned(), &options);
    stage
}

#[test]
fn each_way_to_compare_moves_what_it_says() {
    // What the object holds, whether the file is newer, and whether it is uploaded.
    for (compare, object, is_newer, is_moved) in [
        ("auto", "content", true, false),
        ("auto", "CONTENT", true, true),
        ("auto", "CONTENT", false, false),
        ("auto", "shorter", false, false),
        ("auto", "short", false, true),
        ("size", "CONTENT", true, false),
        ("size", "short", false, true),
        ("mtime", "content", true, true),
        ("mtime", "CONTENT", false, false),
        ("mtime", "short", false, true),
        ("checksum", "content", false, false),
        ("checksum", "content", true, false),
        ("checksum", "CONTENT", false, true),
        ("checksum", "CONTENT", true, true),
        ("checksum", "short", false, true),
    ] {
        let stage = scene(object, is_newer);
        let case = format!("{compare} {object} {is_newer}");
        let dry = up(&stage, ["--compare", compare, "--dry-run"]);
        assert_eq!(dry.code(0).stdout_text().lines().count(), usize::from(is_moved), "{case}");
        assert_eq!(changes(&stage), 0, "{case}");
        let output = up(&stage, ["--compare", compare]);
        output.code(0);
        assert_eq!(stage.testbed.count(Operation::PutObject), usize::from(is_moved), "{case}");
        let wanted = if is_moved { "content" } else { object };
        assert_eq!(stage.object_text("p/f"), wanted, "{case}");
    }
}

#[test]
fn downloads_are_compared_by_what_is_stored_and_no_object_is_read_for_it() {
    for (object, compare, is_moved) in [
        ("content", "auto", false),
        ("CONTENT", "auto", true),
        ("CONTENT", "size", false),
        ("content", "checksum", false),
        ("CONTENT", "checksum", true),
    ] {
        let stage = scene(object, false);
        down(&stage, ["--compare", compare]).code(0);
        let read = stage.testbed.count(Operation::GetObject);
        assert_eq!(read, usize::from(is_moved), "{object} {compare}");
        assert_eq!(stage.text("tree/f"), if is_moved { object } else { "content" });
    }
}

/// Nothing is stored that could prove them the same.
#[test]
fn what_can_not_be_proven_the_same_is_moved() {
    let stage = scene("content", true);
    let options = PutOptions::new()
        .checksum(ObjectChecksum::None)
        .etag("0123-4")
        .last_modified(SystemTime::now() - HOUR);
    stage.testbed.put_object_with(BUCKET, "p/f", "content", &options);
    up(&stage, []).code(0).stderr_has("1 object, ");
    assert_eq!(stage.testbed.count(Operation::PutObject), 1);
}

#[test]
fn a_file_that_is_as_old_as_its_object_is_not_looked_at_again() {
    let stage = Stage::new();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 700_000_000);
    stage.testbed.put_object_with(BUCKET, "p/f", "x", &PutOptions::new().last_modified(time));
    down(&stage, []).code(0).stderr_has("1 object, ");
    stage.testbed.clear_requests();
    down(&stage, []).code(0).stderr_has("1 skipped");
    assert_eq!(stage.testbed.totals().in_flight, 0);
    let asked: Vec<_> = stage.testbed.requests().iter().map(|request| request.operation).collect();
    assert!(asked.iter().all(|asked| *asked == Operation::ListObjectsV2), "{asked:?}");
}

/// What was written in the second in which its object was, is newer for all that anybody knows.
#[test]
fn a_file_that_is_written_in_the_second_of_its_object_is_not_passed_over() {
    let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for compare in ["auto", "mtime"] {
        let stage = with_files(["f"]);
        let file = stage.sandbox.write("tree/f", "content");
        let options = PutOptions::new().last_modified(second + Duration::from_millis(300));
        stage.testbed.put_object_with(BUCKET, "p/f", "CONTENT", &options);
        touch(&file, second + Duration::from_millis(600));
        up(&stage, ["--compare", compare]).code(0);
        assert_eq!(stage.object_text("p/f"), "content", "{compare}");
        // Again, with the same content now.
        let options = PutOptions::new().last_modified(second);
        stage.testbed.put_object_with(BUCKET, "p/f", "content", &options);
        up(&stage, ["--compare", compare]).code(0).stderr_has("1 skipped");
        // A file that has its object's time was not written to.
        stage.testbed.put_object_with(BUCKET, "p/f", "CONTENT", &options);
        touch(&file, second);
        up(&stage, ["--compare", compare]).code(0).stderr_has("1 skipped");
        let before = stage.testbed.count(Operation::HeadObject);
        down(&stage, ["--compare", compare]).code(0).stderr_has("1 skipped");
        assert_eq!(stage.testbed.count(Operation::HeadObject), before, "{compare}");
        // Objects of other objects.
        let options = PutOptions::new().last_modified(second + Duration::from_millis(900));
        stage.testbed.put_object_with(BUCKET, "q/f", "another", &options);
        let sync = ["sync", "s3://bucket/q/", "s3://bucket/p/", "--compare", compare];
        stage.run(sync).code(0);
        assert_eq!(stage.object_text("p/f"), "another", "{compare}");
    }
    for overwrite in ["newer", "changed"] {
        let stage = with_files(["f"]);
        let file = stage.sandbox.write("tree/f", "content");
        let options = PutOptions::new().last_modified(second);
        stage.testbed.put_object_with(BUCKET, "p/f", "CONTENT", &options);
        touch(&file, second + Duration::from_millis(600));
        let upload = ["upload", "tree", "s3://bucket/p/", "--overwrite", overwrite];
        stage.run(upload).code(0).stderr_has("1 object");
        assert_eq!(stage.object_text("p/f"), "content", "{overwrite}");
        stage.testbed.put_object_with(BUCKET, "a", "one", &options);
        stage.testbed.put_object_with(BUCKET, "b", "two", &options);
        let cp = ["cp", "s3://bucket/a", "s3://bucket/b", "--overwrite", overwrite];
        stage.run(cp).code(0);
        assert_eq!(stage.object_text("b"), "one", "{overwrite}");
    }
}
