//! Journals that are not this command's, not ours, or not whole: nothing moves, exit 2, and the
//! text says which it is. A torn last line is no reason to refuse.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use testbed::{Fault, FaultKind, Gate, Operation};

use super::{KEYS, reads};
use crate::stage::{BUCKET, Stage};

/// After a whole run with a journal.
fn finished() -> Stage {
    let stage = Stage::with_keys(&KEYS);
    stage.sandbox.write("m.keys", "a\nb/c\nd\n");
    stage.run(COMMAND).code(0);
    stage.run(["download", "--journal", "tree.journal", "s3://bucket/p/", "tree"]).code(0);
    stage.testbed.clear_requests();
    stage
}

const COMMAND: [&str; 7] =
    ["download", "--journal", "run.journal", "--manifest", "m.keys", "s3://bucket/p/", "out"];

#[track_caller]
fn refused(stage: &Stage, args: &[&str], said: &str) {
    let before = stage.sandbox.tree("");
    let requests = stage.testbed.totals().requests;
    let output = stage.run(args);
    output.code(2).stderr_has("error: ").stderr_has(said).no_escapes();
    assert!(before == stage.sandbox.tree(""), "something was written\n{output}");
    assert_eq!(stage.testbed.totals().requests, requests, "{output}");
}

/// JSON makes six bytes of each control character: such a line would be longer than any that is
/// read.
#[test]
fn a_row_that_is_too_long_for_a_line_does_not_spoil_the_journal() {
    let stage = Stage::new();
    stage.sandbox.write("a", "a");
    stage.sandbox.write("b", "b");
    let long = "\u{1}".repeat(250_000);
    let rows = format!("source,destination,metadata\na,a,x={long}\nb,b,x=y\n");
    stage.sandbox.write("m.csv", rows);
    let command =
        ["upload", "--journal", "run.journal", "--manifest", "m.csv", ".", "s3://bucket/"];
    stage.run(command).code(1).stderr_has("1 object,").stderr_has("1 failed");
    let longest = stage.text("run.journal").lines().map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 100_000), "{longest:?}");
    stage.run(command).code(1).stderr_has("1 done before").stderr_has("1 failed");
    // What its row asked for is not there to be asked for again.
    let again = ["upload", "--manifest", "run.journal", "--only", "failed"];
    stage.run(again).code(1).stderr_has("no job on line 2 to be done again");
    assert_eq!(stage.keys(), ["b"]);
}

#[test]
fn another_command_is_refused_by_what_differs() {
    let stage = finished();
    let tree = "tree.journal";
    for (args, said) in [
        (
            ["download", "--journal", tree, "s3://bucket/q/", "tree"].as_slice(),
            "its source is s3://bucket/p/",
        ),
        (&["download", "--journal", tree, "s3://bucket/p/", "other"], "its destination is "),
        (
            &["download", "--journal", tree, "s3://bucket/p/", "tree", "--exclude", "*.x"],
            "its selection is none",
        ),
        (&["download", "--journal", tree, "s3://bucket/p/", "tree", "--flatten"], "--flatten"),
        (&["upload", "--journal", tree, "out", "s3://bucket/"], "its verb is download"),
        (
            &["download", "--journal", tree, "--manifest", "m.keys", "s3://bucket/p/", "tree"],
            "its manifest is none",
        ),
        (
            &[
                "download",
                "--journal",
                tree,
                "s3://bucket/p/",
                "tree",
                "--endpoint-url",
                "http://127.0.0.1:1",
            ],
            "its endpoint is ",
        ),
    ] {
        refused(&stage, args, said);
        refused(&stage, args, "is of another command");
    }
}

#[test]
fn another_manifest_is_refused_by_its_row() {
    let stage = finished();
    for (rows, said) in [
        (
            "a\nX\nd\n",
            "on line 2 it has s3://bucket/p/b/c -> b/c, now there is s3://bucket/p/X -> X",
        ),
        ("0\na\nb/c\nd\n", "on line 1"),
        ("a\nb/c\n", "on line 3 it has s3://bucket/p/d -> d, now there is no such row"),
        ("", "no such row"),
    ] {
        stage.sandbox.write("m.keys", rows);
        refused(&stage, &COMMAND, said);
    }
    let stage = finished();
    stage.sandbox.write("m.csv", "source,size\ns3://bucket/p/a,3\n");
    let command = ["download", "--journal", "j", "--manifest", "m.csv", "out"];
    stage.run(command).code(0);
    stage.testbed.clear_requests();
    stage.sandbox.write("m.csv", "source,size\ns3://bucket/p/a,4\n");
    refused(&stage, &command, "asks for something else");
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_is() {
    let stage = finished();
    let text = stage.text("run.journal");
    for (name, content, said) in [
        ("notes", "my notes\n".to_owned(), "no journal of haul"),
        ("no-newline", "my notes".to_owned(), "no journal of haul"),
        ("csv", "source,destination\ns3://bucket/a,b\n".to_owned(), "no journal of haul"),
        ("binary", "\0\0\0\0\n\u{1}".to_owned(), "no journal of haul"),
        ("newer", text.replacen("\"haul_journal\":1", "\"haul_journal\":2", 1), "line 1"),
        ("edited", text.replacen("\"outcome\":\"done\"", "\"outcome\":\"failed\"", 1), "line 2"),
        ("size", text.replacen("\"size\":3", "\"size\":4", 1), "damaged, or was edited"),
        ("middle", text.replacen("{\"number\":2", "{\"number\":2,", 1), "damaged"),
        ("zeros", text.replacen("\n{", "\n\0\0\0\n{", 1), "line 2"),
        ("long", text.replacen('\n', &format!("\n{}\n", "x".repeat(3 << 20)), 1), "line 2"),
    ] {
        stage.sandbox.write("run.journal", &content);
        refused(&stage, &COMMAND, said);
        assert_eq!(stage.text("run.journal"), content, "{name}");
    }
}

#[test]
fn a_torn_last_line_is_only_looked_at_again() {
    let stage = finished();
    let whole = stage.text("run.journal");
    let last = whole.trim_end().rfind('\n').expect("lines") + 1;
    for end in [last + 1, last + 40, whole.len() - 2, whole.len() - 1] {
        stage.sandbox.write("run.journal", &whole[..end]);
        stage.testbed.clear_requests();
        let output = stage.run(COMMAND);
        output.code(0).stderr_has("1 object,").stderr_has("2 done before");
        assert_eq!(reads(&stage), 1, "{end}: {output}");
        assert_eq!(stage.text("run.journal").lines().count(), 4, "{end}");
        stage.run(COMMAND).code(0).stderr_has("3 done before");
    }
    let first = whole.find('\n').expect("lines");
    for end in [0, 1, 10, 30, first] {
        stage.sandbox.write("run.journal", &whole[..end]);
        stage.run(COMMAND).code(0).stderr_has("3 objects").stderr_lacks("before");
        assert_eq!(stage.text("run.journal").lines().count(), 4, "{end}");
    }
    // Blocks that a power cut left empty.
    stage.sandbox.write("run.journal", [whole.as_bytes(), &[0; 4096]].concat());
    stage.run(COMMAND).code(0).stderr_has("3 done before");
    assert_eq!(stage.text("run.journal"), whole);
}

#[test]
fn what_others_could_have_planted_is_refused() {
    let stage = finished();
    let at = |name: &str| stage.sandbox.path(name);
    symlink("run.journal", at("link")).expect("linked");
    symlink("nowhere", at("dangling")).expect("linked");
    std::fs::hard_link(at("tree.journal"), at("twice")).expect("linked");
    std::fs::copy(at("run.journal"), at("open")).expect("copied");
    std::fs::set_permissions(at("open"), std::fs::Permissions::from_mode(0o622)).expect("set");
    for (name, said) in [
        ("link", "symlink"),
        ("dangling", "symlink"),
        ("twice", "more than one name"),
        ("open", "others may write"),
        ("out", "directory"),
        ("/dev/null", "no regular file"),
        ("no/such/folder", "No such file"),
    ] {
        let mut command = COMMAND;
        command[2] = name;
        refused(&stage, &command, said);
    }
    // Only root can make a file of another user.
    if rustix::process::geteuid().is_root() {
        std::fs::copy(at("run.journal"), at("foreign")).expect("copied");
        std::os::unix::fs::chown(at("foreign"), Some(65534), None).expect("root may");
        let mut command = COMMAND;
        command[2] = "foreign";
        refused(&stage, &command, "another user");
    }
}

#[test]
fn two_processes_do_not_share_a_journal() {
    let stage = Stage::with_keys(&KEYS);
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone())).always());
    let command = ["download", "--journal", "run.journal", "s3://bucket/p/", "out"];
    let first = stage.haul().args(command).spawn();
    gate.wait_for(1);
    stage.run(command).code(2).stderr_has("another haul is at work with it");
    gate.open();
    first.wait().code(0);
    stage.run(command).code(0).stderr_has("3 done before");
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let stage = Stage::with_keys(&KEYS);
    stage.testbed.put_object(BUCKET, "m.keys", "s3://bucket/p/a\n");
    for (args, said) in [
        (["download", "--journal", "j", "s3://bucket/p/a", "-"].as_slice(), "pass once"),
        (&["upload", "--journal", "j", "-", "s3://bucket/k"], "pass once"),
        (&["download", "--journal", "j", "--dry-run", "s3://bucket/p/a", "x"], "--dry-run"),
        (&["download", "--only", "failed", "s3://bucket/p/a", "x"], "--manifest"),
        (
            &["download", "--only", "failed", "--manifest", "s3://bucket/m.keys", "x"],
            "read as keys",
        ),
        (&["download", "--only", "done", "--manifest", "s3://bucket/m.keys", "x"], "invalid value"),
        (&["download", "--journal", "j", "--manifest", "no-such.csv", "x"], "no-such.csv"),
    ] {
        stage.run(args).code(2).stderr_has(said);
    }
    assert!(stage.files("").is_empty(), "{:?}", stage.files(""));
}
