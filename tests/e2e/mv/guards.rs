//! All that keeps a source: a skip, a doubt, a failure, something that was written meanwhile. At no
//! moment may the bytes be nowhere; what is kept is said, and makes the exit code 1.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use testbed::{Fault, FaultKind, Operation, PutOptions, Testbed};

use super::MIB;
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

/// A way of moving, and the operation that writes, or reads, its bytes.
const WAYS: [(&str, &str, Operation); 3] = [
    ("s3://bucket/k", "file", Operation::GetObject),
    ("f", "s3://bucket/up", Operation::PutObject),
    ("s3://bucket/k", "s3://bucket/copy", Operation::CopyObject),
];

fn stage() -> Stage {
    let stage = Stage::with_keys(&["k"]);
    stage.sandbox.write("f", "f");
    stage
}

#[track_caller]
fn keeps(stage: &Stage, source: &str) {
    let bytes = if source == "f" { stage.text("f") } else { stage.object_text("k") };
    assert!(bytes == "k" || bytes == "f", "{bytes}");
}

#[test]
fn what_is_skipped_keeps_its_source() {
    for (source, destination, _) in WAYS {
        let stage = stage();
        stage.sandbox.write("file", "old");
        let older = SystemTime::now() - Duration::from_hours(1);
        let file = File::options().write(true).open(stage.sandbox.path("f")).expect("a file");
        file.set_modified(older).expect("times can be set");
        let options = PutOptions::new().last_modified(older);
        stage.testbed.put_object_with(BUCKET, "k", "k", &options);
        stage.testbed.put_object(BUCKET, "up", "old");
        stage.testbed.put_object(BUCKET, "copy", "old");
        for mode in ["never", "newer"] {
            let mv = ["mv", "--overwrite", mode, source, destination];
            stage.run(mv).code(0).stderr_has("1 skipped");
        }
        keeps(&stage, source);
    }
}

#[test]
fn what_is_left_out_keeps_its_source() {
    let stage = Stage::with_keys(&["p/a.tmp", "p/b"]);
    stage.run(["mv", "s3://bucket/p/", "s3://bucket/q/", "--exclude", "*.tmp"]).code(0);
    assert_eq!(stage.keys(), ["p/a.tmp", "q/b"]);
}

#[test]
fn of_many_that_would_become_one_the_later_stay() {
    let stage = Stage::with_keys(&["p/a/x", "p/b/x"]);
    for destination in ["s3://bucket/q/", "out/"] {
        let output = stage.run(["mv", "--flatten", "s3://bucket/p/", destination]);
        output.code(1).stderr_has("two jobs with one destination");
        assert_eq!(stage.object_text("p/b/x"), "p/b/x");
        stage.testbed.put_object(BUCKET, "p/a/x", "p/a/x");
    }
    assert_eq!(stage.object_text("q/x"), "p/a/x");
    assert_eq!(stage.text("out/x"), "p/a/x");
    for folder in ["d/a", "d/b"] {
        stage.sandbox.write(format!("{folder}/x"), folder);
    }
    stage.run(["mv", "--flatten", "d", "s3://bucket/up/"]).code(1);
    assert_eq!((stage.files("d").len(), stage.object_text("up/x").as_str()), (1, "d/a"));
}

/// `p/p/x` would land on `p/x`, whose bytes might not have gone to `x` by then.
#[test]
fn a_chain_of_moves_loses_nothing() {
    let stage = Stage::with_keys(&["p/x", "p/p/x", "p/p/p/x"]);
    stage.run(["mv", "s3://bucket/p/", "s3://bucket/"]).code(1);
    assert_eq!(stage.keys(), ["p/p/p/x", "p/p/x", "x"]);
    for (key, text) in [("x", "p/x"), ("p/p/x", "p/p/x"), ("p/p/p/x", "p/p/p/x")] {
        assert_eq!(stage.object_text(key), text);
    }
    // The way is free now.
    stage.run(["mv", "s3://bucket/p/p/x", "s3://bucket/p/x"]).code(0);
    assert_eq!(stage.object_text("p/x"), "p/p/x");
}

#[test]
fn a_failed_copy_keeps_its_source() {
    for (source, destination, operation) in WAYS {
        for kind in [FaultKind::access_denied(), FaultKind::internal_error()] {
            let stage = stage();
            stage.testbed.fault(Fault::new(operation, kind).always());
            stage.run(["mv", "--max-attempts", "2", source, destination]).code(1);
            keeps(&stage, source);
            assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
        }
    }
    let stage = stage();
    let behind_200 = FaultKind::error_in_ok("InternalError");
    stage.testbed.fault(Fault::new(Operation::CopyObject, behind_200).always());
    let mv = ["mv", "--max-attempts", "2", "s3://bucket/k", "s3://bucket/copy"];
    stage.run(mv).code(1);
    assert_eq!(stage.keys(), ["k"]);
}

/// The store heeds the tag at the last moment.
#[test]
fn an_object_that_was_written_to_before_its_removal_stays() {
    for (source, destination, _) in [WAYS[0], WAYS[2]] {
        let stage = stage();
        let change = FaultKind::replace_object("newer");
        stage.testbed.fault(Fault::new(Operation::DeleteObject, change));
        let output = stage.run(["mv", source, destination]);
        output.code(1).stderr_has("could not be removed, and was kept");
        output.stderr_has("it was written to after it was read");
        assert_eq!(stage.object_text("k"), "newer");
    }
}

/// It does not heed tags: the look before tells, and nothing is asked for.
#[test]
fn an_object_that_was_written_to_is_not_even_asked_to_go() {
    for (source, destination, nth) in [
        ("s3://bucket/k", "file", 1),
        // The first look is the one before.
        ("s3://bucket/k", "s3://bucket/copy", 2),
    ] {
        for bytes in ["newer", "k"] {
            let stage = stage();
            let old = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
            let options =
                testbed::PutOptions { last_modified: Some(old), ..testbed::PutOptions::default() };
            stage.testbed.put_object_with(BUCKET, "k", "k", &options);
            // The same bytes, written again, are another object, too.
            let change = FaultKind::replace_object(bytes);
            let look = Fault::new(Operation::HeadObject, change).key("k").nth(nth);
            stage.testbed.fault(look);
            stage.run(["mv", source, destination]).code(1).stderr_has("was kept");
            assert_eq!(stage.object_text("k"), bytes);
            assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
        }
    }
}

#[test]
fn a_file_that_was_written_to_meanwhile_stays() {
    for size in [1000, 12 * MIB] {
        let stage = Stage::new();
        let file = stage.sandbox.fill("f", size);
        let path = file.clone();
        let append = move |_: &testbed::Request| {
            let mut bytes = fs::read(&path).expect("readable");
            bytes.push(7);
            fs::write(&path, bytes).expect("writable");
        };
        let last =
            if size > MIB { Operation::CompleteMultipartUpload } else { Operation::PutObject };
        stage.testbed.fault(Fault::new(last, FaultKind::callback_after(append)));
        let output = stage.run(["mv", "f", "s3://bucket/", "--part-size", "5MiB"]);
        output.code(1).stderr_has("could not be removed, and was kept");
        assert_eq!(fs::read(&file).expect("there").len() as u64, size + 1);
        assert!(stage.object("f").bytes() == content("f", size), "what was read is there");
    }
}

#[test]
fn a_file_that_took_the_place_of_the_moved_one_stays() {
    let stage = Stage::new();
    let (file, other) = (stage.sandbox.write("f", "old"), stage.sandbox.write("g", "new"));
    let modified = fs::metadata(&file).and_then(|found| found.modified()).expect("a time");
    let times = fs::File::options().write(true).open(&other).expect("there");
    times.set_modified(modified).expect("the same time, and the same length");
    let (from, to) = (other, file.clone());
    let replace = move |_: &testbed::Request| fs::rename(&from, &to).expect("renamed");
    let after = FaultKind::callback_after(replace);
    stage.testbed.fault(Fault::new(Operation::PutObject, after));
    stage.run(["mv", "f", "s3://bucket/"]).code(1).stderr_has("was kept");
    assert_eq!((stage.text("f"), stage.object_text("f")), ("new".into(), "old".into()));
}

/// No checksum came with the reply, and by the time of a look nothing is there.
#[test]
fn a_destination_that_nobody_sees_keeps_the_source() {
    let stage = Stage::on(Testbed::builder().default_checksum(None).spawn().expect("spawned"));
    stage.sandbox.write("f", "f");
    let name = "x-amz-checksum-crc64nvme".to_owned();
    stage
        .testbed
        .fault(Fault::new(Operation::PutObject, FaultKind::RemoveHeader { name }).always());
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::DeleteObject));
    let output = stage.run(["mv", "f", "s3://bucket/"]);
    output.code(1).stderr_has("what is there now is not what was written");
    assert_eq!(stage.text("f"), "f");
    stage.run(["mv", "f", "s3://bucket/"]).code(0);
    assert_eq!((stage.object_text("f").as_str(), stage.files("").len()), ("f", 0));
}

#[test]
fn verification_that_is_off_still_needs_the_object_to_be_there() {
    for (source, destination, _) in WAYS {
        let stage = stage();
        stage.run(["mv", "--verify", "off", source, destination]).code(0);
        let is_left = match source {
            "f" => stage.sandbox.path("f").exists(),
            _ => stage.testbed.object(BUCKET, "k").is_some(),
        };
        assert!(!is_left, "{source} is gone");
        let arrived = match destination.strip_prefix("s3://bucket/") {
            Some(key) => stage.object_text(key),
            None => stage.text(destination),
        };
        assert_eq!(arrived, if source == "f" { "f" } else { "k" }, "{destination}");
    }
    let stage = stage();
    let told = "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>";
    stage.testbed.fault(Fault::new(Operation::CopyObject, FaultKind::xml(told)));
    let mv = ["mv", "--verify", "off", "s3://bucket/k", "s3://bucket/copy"];
    stage.run(mv).code(1).stderr_has("was kept");
    assert_eq!(stage.keys(), ["k"], "nothing was copied, whatever the reply said");
}

/// One object by two names: to write it is to write to the source.
#[test]
fn the_same_object_by_another_address_stays() {
    let stage = stage();
    let port = stage.testbed.port();
    let other = format!("http://localhost:{port}");
    for key in ["k", "old"] {
        // Of this very second, which no time in a header tells from the next write, and older.
        let old = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
        let options =
            testbed::PutOptions { last_modified: Some(old), ..testbed::PutOptions::default() };
        stage.testbed.put_object_with(BUCKET, "old", "old", &options);
        stage.testbed.put_object(BUCKET, "k", "k");
        let name = format!("s3://bucket/{key}");
        let mv = ["mv", &name, &name, "--source-endpoint-url", &other, "--journal", key];
        // What the first run writes down is no leave for the next one.
        for _ in 0..2 {
            let output = stage.haul().args(mv).run();
            output.code(1).stderr_has("or is the destination by another name");
            assert_eq!(stage.object_text(key), key);
            assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
        }
    }
}

/// Nothing tells whether it is the source itself that was written to.
#[test]
fn what_looks_the_same_and_has_no_time_stays_whatever_a_journal_says() {
    let stage = Stage::with_keys(&["k"]);
    let name = "last-modified".to_owned();
    let untold = Fault::new(Operation::HeadObject, FaultKind::RemoveHeader { name });
    stage.testbed.fault(untold.always());
    stage.testbed.fault(Fault::new(Operation::DeleteObject, FaultKind::access_denied()));
    let mv = ["mv", "--journal", "j", "s3://bucket/k", "s3://bucket/copy"];
    stage.run(mv).code(1).stderr_has("was kept");
    stage.run(mv).code(1).stderr_has("may be the same object");
    assert_eq!(stage.keys(), ["copy", "k"]);
    assert_eq!(stage.testbed.count(Operation::DeleteObject), 1);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_takes_no_moved_object() {
    let stage = stage();
    stage.run(["mv", "s3://bucket/k", "/dev/null"]).code(1).stderr_has("is not kept");
    assert_eq!(stage.keys(), ["k"]);
}

/// Who may read and write may not always see tags; a copy without them would be a loss.
#[test]
fn tags_that_may_not_be_read_keep_the_source() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "k", content("k", 12 * MIB));
    let refuse = Fault::new(Operation::GetObjectTagging, FaultKind::access_denied());
    stage.testbed.fault(refuse.always());
    let mv = ["mv", "s3://bucket/k", "s3://bucket/copy", "--copy-parts-above", "5MiB"];
    stage.run(mv).code(1).stderr_has("could not read the tags of s3://bucket/k");
    assert_eq!(stage.keys(), ["k"]);
}

/// Row by row it would be told too late: the object in the middle would be gone by then.
#[test]
fn a_row_that_moves_what_one_before_writes_to_starts_nothing() {
    for rows in [["a,b", "b,c"], ["a,b", "b,a"]] {
        for (verb, manifest) in [("mv", "m.csv"), ("mv", "-"), ("cp", "m.csv")] {
            let stage = Stage::with_keys(&["a", "b"]);
            let text = table(rows);
            stage.sandbox.write("m.csv", &text);
            let command = stage.haul().stdin(text).args([verb, "--manifest", manifest]);
            command.run().code(2).stderr_has("refused as a whole").stderr_has("(line 3)");
            assert_eq!((stage.object_text("a"), stage.object_text("b")), ("a".into(), "b".into()));
            assert_eq!(stage.keys().len(), 2);
        }
    }
    // The other way round nothing is lost.
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("m.csv", table(["b,c", "a,b"]));
    stage.run(["mv", "--manifest", "m.csv"]).code(1).stderr_has("or reads from there");
    assert_eq!((stage.object_text("a"), stage.object_text("c")), ("a".into(), "b".into()));
}

fn table(rows: [&str; 2]) -> String {
    let lines = rows.map(|row| {
        let (source, destination) = row.split_once(',').expect("two");
        format!("s3://bucket/{source},s3://bucket/{destination}\n")
    });
    format!("source,destination\n{}", lines.concat())
}

/// Lines that move to one file by two of its names would leave one of the two nowhere.
#[test]
fn two_lines_never_move_to_one_file_by_two_spellings() {
    for (one, other) in [("d/f", "d/../d/f"), ("d/f", "link/f"), ("d/new/f", "link/new/../new/f")] {
        let stage = Stage::with_keys(&["a", "b"]);
        stage.sandbox.folder("d");
        std::os::unix::fs::symlink("d", stage.sandbox.path("link")).expect("a link");
        let lines = format!("mv s3://bucket/a {one}\nmv s3://bucket/b {other}\n");
        let output = stage.feed(lines, ["run", "-"]);
        output.code(1).stderr_has("line 2").stderr_has("neither waits for the other");
        assert_eq!((stage.text(one), stage.keys()), ("a".to_owned(), vec!["b".to_owned()]));
    }
}
