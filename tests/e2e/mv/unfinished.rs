//! Moves that are cut off, or whose last step fails: both copies are there then, that is said, and
//! the same command with its journal goes on where it was, without moving a byte twice.

use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, PutOptions};

use crate::harness::content;
use crate::journal::entries;
use crate::stage::{BUCKET, Stage};

/// Moves of one object or file each, and the operation that moves the bytes.
const WAYS: [([&str; 2], Operation); 2] = [
    (["s3://bucket/p/", "out/"], Operation::GetObject),
    (["s3://bucket/p/", "s3://bucket/q/"], Operation::CopyObject),
];

fn mv<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    [&["mv", "--journal", "j"], paths].concat()
}

#[test]
fn a_source_that_can_not_be_removed_is_said_to_be_kept_and_goes_with_the_next_run() {
    for (paths, operation) in WAYS {
        for overwrite in ["always", "never"] {
            let stage = Stage::with_keys(&["p/k"]);
            let refuse = Fault::new(Operation::DeleteObject, FaultKind::access_denied());
            stage.testbed.fault(refuse.always());
            let command = [mv(&paths), vec!["--overwrite", overwrite]].concat();
            let output = stage.run(&command);
            let at = if operation == Operation::GetObject { "out/k" } else { "s3://bucket/q/k" };
            output.code(1).stderr_has(&format!("it is at {at} in full"));
            output.stderr_has("could not be removed, and was kept");
            let entry = &entries(&stage, "j")["s3://bucket/p/k"];
            assert_eq!(
                (&entry["outcome"], &entry["source_is"]),
                (&"failed".into(), &"there".into())
            );
            assert!(stage.keys().contains(&"p/k".to_owned()));
            let moved = stage.testbed.count(operation);
            stage.testbed.clear_faults();
            stage.run(&command).code(0).stderr_has("done before");
            assert!(!stage.keys().contains(&"p/k".to_owned()), "{paths:?}");
            assert_eq!(stage.testbed.count(operation), moved, "no byte moved twice");
            let entry = &entries(&stage, "j")["s3://bucket/p/k"];
            assert_eq!(
                (&entry["outcome"], &entry["source_is"]),
                (&"done".into(), &"removed".into())
            );
            // A new object of that name is a new one to move.
            stage.testbed.put_object(BUCKET, "p/k", "p/k");
            if overwrite == "always" {
                stage.run(&command).code(0);
                assert_eq!(stage.testbed.count(operation), moved + 1);
                assert!(!stage.keys().contains(&"p/k".to_owned()), "{paths:?}");
            }
        }
    }
}

/// It must not be started once more: it would find its own copy, and be skipped in silence.
#[test]
fn a_removal_that_fails_for_a_while_is_an_error_whatever_is_to_be_overwritten() {
    for (paths, operation) in WAYS {
        let stage = Stage::with_keys(&["p/a", "p/k"]);
        let fault = Fault::new(Operation::DeleteObject, FaultKind::internal_error());
        stage.testbed.fault(fault.key("p/k").always());
        let more = ["--no-clobber", "--max-attempts", "2"];
        let output = stage.run([&["mv"], &paths[..], &more].concat());
        output.code(1).stderr_has("was kept");
        assert_eq!(stage.testbed.count(operation), 2);
        assert!(stage.keys().contains(&"p/k".to_owned()));
    }
}

#[test]
fn a_kill_between_copy_and_removal_leaves_both_and_the_next_run_removes() {
    for (paths, operation) in WAYS {
        for journal in [true, false] {
            let stage = Stage::with_keys(&["p/a", "p/b", "p/c"]);
            let command = if journal { mv(&paths) } else { [&["mv"], &paths[..]].concat() };
            let gate = Gate::new();
            let hold = Fault::new(Operation::DeleteObject, FaultKind::Gate(gate.clone()));
            stage.testbed.fault(hold.always());
            let running = stage.haul().args(&command).spawn();
            gate.wait_for(3);
            running.signal(Signal::KILL);
            assert_eq!(running.wait().signal, Some(9));
            stage.testbed.clear_faults();
            // The requests that were held are dropped with their connections, or done: either way
            // each object is somewhere.
            gate.open();
            let moved = stage.testbed.count(operation);
            stage.run(&command).code(0);
            for key in ["a", "b", "c"] {
                let there = if operation == Operation::GetObject {
                    stage.text(&format!("out/{key}"))
                } else {
                    stage.object_text(&format!("q/{key}"))
                };
                assert_eq!(there, format!("p/{key}"));
            }
            assert!(!stage.keys().iter().any(|key| key.starts_with("p/")), "{paths:?}");
            if journal {
                assert_eq!(stage.testbed.count(operation), moved, "no byte moved twice");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_can_not_be_removed_stays_and_goes_with_the_next_run() {
    use std::os::unix::fs::PermissionsExt;
    // Root may remove anything.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let stage = Stage::new();
    let file = stage.sandbox.write("d/f", "f");
    let folder = file.parent().expect("a folder");
    let mode = |mode| std::fs::set_permissions(folder, PermissionsExt::from_mode(mode));
    mode(0o555).expect("a mode");
    stage.run(mv(&["d", "s3://bucket/"])).code(1).stderr_has("was kept");
    mode(0o755).expect("a mode");
    stage.run(mv(&["d", "s3://bucket/"])).code(0);
    assert_eq!((stage.files("d").len(), stage.testbed.count(Operation::PutObject)), (0, 1));
}

#[test]
fn what_changed_since_is_moved_anew() {
    let stage = Stage::with_keys(&["p/k"]);
    let refuse = Fault::new(Operation::DeleteObject, FaultKind::access_denied());
    stage.testbed.fault(refuse.always());
    let command = mv(&["s3://bucket/p/", "s3://bucket/q/"]);
    stage.run(&command).code(1);
    stage.testbed.clear_faults();
    stage.testbed.put_object(BUCKET, "p/k", "newer");
    stage.run(&command).code(0);
    assert_eq!((stage.object_text("q/k").as_str(), stage.keys().len()), ("newer", 1));
    // Where the copy is gone, the source is all there is.
    stage.testbed.put_object(BUCKET, "p/k", "another");
    stage.testbed.fault(Fault::new(Operation::DeleteObject, FaultKind::access_denied()));
    stage.run(&command).code(1);
    stage.testbed.delete_object(BUCKET, "q/k");
    stage.run(&command).code(0);
    assert_eq!((stage.object_text("q/k").as_str(), stage.keys().len()), ("another", 1));
}

/// Where a program shows a bucket as files, what was written to may be the source itself.
#[test]
fn what_has_the_same_bytes_and_was_written_since_is_moved_anew() {
    for (paths, operation) in WAYS {
        let stage = Stage::with_keys(&["p/k"]);
        let refuse = Fault::new(Operation::DeleteObject, FaultKind::access_denied());
        stage.testbed.fault(refuse);
        let command = mv(&paths);
        stage.run(&command).code(1);
        let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
        let options = PutOptions { last_modified: Some(later), ..PutOptions::default() };
        stage.testbed.put_object_with(BUCKET, "p/k", "p/k", &options);
        let moved = stage.testbed.count(operation);
        stage.run(&command).code(0).stderr_lacks("done before");
        assert_eq!(stage.testbed.count(operation), moved + 1);
        assert!(!stage.keys().contains(&"p/k".to_owned()), "{paths:?}");
    }
}

#[test]
fn rows_that_were_moved_are_done_before() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("f", "f");
    let rows = "source,destination\ns3://bucket/a,down\nf,s3://bucket/up\n\
        s3://bucket/b,s3://bucket/across\n";
    stage.sandbox.write("rows.csv", rows);
    let command = mv(&["--manifest", "rows.csv"]);
    stage.run(&command).code(0);
    stage.run(&command).code(0).stderr_has("3 done before");
    assert_eq!(stage.keys(), ["across", "up"]);
    stage.testbed.delete_object(BUCKET, "across");
    stage.run(&command).code(1).stderr_has("s3://bucket/b");
}

#[test]
fn a_removal_whose_reply_is_lost_is_a_removal() {
    for (paths, _) in WAYS {
        let stage = Stage::with_keys(&["p/k"]);
        let lost = stage.testbed.fault(Fault::new(Operation::DeleteObject, FaultKind::LostReply));
        stage.run([&["mv"], &paths[..]].concat()).code(0);
        assert_eq!(stage.testbed.hits(lost), 1);
        assert!(!stage.keys().contains(&"p/k".to_owned()));
    }
}

/// It looks once more, and removes without the condition.
#[test]
fn a_server_that_knows_no_conditions_removes_all_the_same() {
    let stage = Stage::with_keys(&["k"]);
    let unknown = FaultKind::status(501, "NotImplemented");
    stage.testbed.fault(Fault::new(Operation::DeleteObject, unknown.clone()));
    stage.run(["mv", "s3://bucket/k", "s3://bucket/copy"]).code(0);
    assert_eq!(stage.keys(), ["copy"]);
    let sent = stage.testbed.requests_of(Operation::DeleteObject);
    let has = |at: usize| sent[at].headers.iter().any(|(name, _)| name == "if-match");
    assert!(has(0) && !has(1));
    // The look counts.
    let change = FaultKind::replace_object("newer");
    stage.testbed.clear_faults();
    stage.testbed.fault(Fault::new(Operation::DeleteObject, unknown));
    stage.testbed.fault(Fault::new(Operation::HeadObject, change).key("copy").nth(3));
    stage.run(["mv", "s3://bucket/copy", "s3://bucket/k"]).code(1).stderr_has("was kept");
    assert_eq!(stage.object_text("copy"), "newer");
}

#[test]
fn an_interrupted_move_has_each_object_somewhere() {
    let stage = Stage::new();
    for number in 0..50 {
        let key = format!("p/{number}");
        stage.testbed.put_object(BUCKET, &key, content(&key, 1000));
    }
    let gate = Gate::new();
    let hold = Fault::new(Operation::DeleteObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(hold.occurrence(10..=u64::MAX));
    let command = mv(&["s3://bucket/p/", "s3://bucket/q/"]);
    let running = stage.haul().args(&command).spawn();
    gate.wait_for(1);
    running.signal(Signal::INT);
    let output = running.wait();
    output.code(130);
    gate.open();
    stage.testbed.clear_faults();
    stage.run(&command).code(0);
    for number in 0..50 {
        let object = stage.object(&format!("q/{number}"));
        assert!(object.bytes() == content(&format!("p/{number}"), 1000));
    }
    assert!(!stage.keys().iter().any(|key| key.starts_with("p/")));
}

/// With a bound, so that the source is looked at before anything else.
fn bounded<'a>(source: &'a str, destination: &'a str) -> [&'a str; 7] {
    ["mv", "--journal", "j", source, destination, "--older-than", "1d"]
}

fn put_old(stage: &Stage) {
    let days = SystemTime::now() - Duration::from_hours(48);
    stage.testbed.put_object_with(BUCKET, "k", "k", &PutOptions::new().last_modified(days));
}

const NAMED: [&str; 2] = ["out/", "s3://bucket/q/"];

#[test]
fn a_source_that_was_moved_is_no_more_there_to_be_judged_and_is_done() {
    for destination in NAMED {
        let stage = Stage::new();
        put_old(&stage);
        let command = bounded("s3://bucket/k", destination);
        stage.run(command).code(0).stderr_has("1 object,");
        stage.run(command).code(0).stderr_has("done before");
        // A younger one of that name is none that is meant.
        stage.testbed.put_object(BUCKET, "k", "young");
        stage.run(command).code(0);
        assert_eq!(stage.object_text("k"), "young");
        stage.testbed.delete_object(BUCKET, "k");
        // What is at the destination no more was moved by somebody else.
        let arrived = if destination == "out/" {
            std::fs::remove_file(stage.sandbox.path("out/k")).expect("it is there");
            "out/k"
        } else {
            stage.testbed.delete_object(BUCKET, "q/k");
            "q/k"
        };
        stage.run(command).code(1).stderr_has("404 NotFound");
        assert!(!stage.sandbox.path("out/k").exists() && stage.keys().is_empty(), "{arrived}");
    }
    let stage = Stage::new();
    let file = stage.sandbox.write("f", "f");
    let age = |days: u64| {
        let file = std::fs::File::options().write(true).open(&file).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).expect("a time");
    };
    age(2);
    let command = bounded("f", "s3://bucket/");
    stage.run(command).code(0).stderr_has("1 object,");
    stage.run(command).code(0).stderr_has("done before");
    stage.sandbox.write("f", "young");
    stage.run(command).code(0);
    assert_eq!((stage.text("f"), stage.object_text("f")), ("young".into(), "f".into()));
    std::fs::remove_file(&file).expect("it is there");
    stage.testbed.delete_object(BUCKET, "f");
    stage.run(command).code(1).stderr_has("`f`");
    // No journal, no excuse.
    let plain = ["mv", "f", "s3://bucket/", "--older-than", "1d"];
    stage.run(plain).code(1).stderr_has("nothing is there");
}

/// What is not there when it is judged, and is there when it would be moved, was judged by nobody.
#[test]
fn what_no_bound_has_judged_stays() {
    for destination in NAMED {
        for arrived in [false, true] {
            let stage = Stage::new();
            let command = bounded("s3://bucket/k", destination);
            if arrived {
                put_old(&stage);
                let refuse = Fault::new(Operation::DeleteObject, FaultKind::access_denied());
                stage.testbed.fault(refuse.always());
                stage.run(command).code(1).stderr_has("was kept");
                stage.testbed.clear_faults();
            } else {
                stage.testbed.put_object(BUCKET, "k", "young");
            }
            let gone =
                Fault::new(Operation::HeadObject, FaultKind::status(404, "NoSuchKey")).key("k");
            stage.testbed.fault(gone.once());
            let output = stage.run(command);
            output.code(1).stderr_has("it was not there when its size and time were to be judged");
            assert!(stage.keys().contains(&"k".to_owned()), "{output}");
        }
    }
}

/// Killed behind its last removal, a move of a prefix has nothing left to do.
#[test]
fn a_prefix_that_was_moved_whole_is_done_by_its_journal_alone() {
    for destination in ["s3://bucket/q/", "out/"] {
        let stage = Stage::with_keys(&["p/a", "p/b"]);
        let with_journal = ["mv", "--journal", "j", "s3://bucket/p/", destination];
        stage.run(with_journal).code(0).stderr_has("2 objects");
        stage.run(with_journal).code(0);
        let nothing = "nothing is below s3://bucket/p/";
        stage.run(["mv", "s3://bucket/p/", destination]).code(1).stderr_has(nothing);
        stage.run(["mv", "--journal", "k", "s3://bucket/p/", destination]).code(1);
        // What is copied is there still, or somebody else removed it.
        let stage = Stage::with_keys(&["p/a"]);
        let copied = ["cp", "--journal", "j", "s3://bucket/p/", destination];
        stage.run(copied).code(0);
        stage.testbed.delete_object(BUCKET, "p/a");
        stage.run(copied).code(1).stderr_has(nothing);
    }
}
