//! The journal among what the run moves: it is no job's source and no job's destination, whatever
//! name leads to it, and a run that loses it says so.

use testbed::{Fault, FaultKind, Gate, Operation};

use super::entries;
use crate::stage::{BUCKET, Stage};

#[test]
fn an_object_does_not_replace_the_journal_that_the_run_writes() {
    for args in [
        ["download", "s3://bucket/w/", ".", "--journal", "run.journal"].as_slice(),
        &["download", "s3://bucket/w/", "../here", "--journal", "run.journal"],
        &["download", "s3://bucket/w/run.journal", ".", "--journal", "run.journal"],
        &["download", "s3://bucket/w/run.journal", "link", "--journal", "run.journal"],
    ] {
        let stage = Stage::with_keys(&["w/a", "w/run.journal"]);
        stage.sandbox.folder("here");
        std::os::unix::fs::symlink("run.journal", stage.sandbox.path("here/link")).expect("a link");
        let run = || stage.haul().args(args).current_dir(stage.sandbox.path("here")).run();
        for _ in 0..2 {
            run().code(1).stderr_has("is the journal of this run");
        }
        let text = stage.text("here/run.journal");
        assert!(text.starts_with("{\"haul_journal\":1"), "{text}");
        assert_eq!(
            entries(&stage, "here/run.journal")["s3://bucket/w/run.journal"]["outcome"],
            "failed"
        );
    }
}

#[test]
fn a_directory_is_uploaded_without_the_journal_that_the_run_writes() {
    let stage = Stage::new();
    stage.sandbox.write("d/a", "a");
    stage.sandbox.write("d/z", "z");
    let run = |args: &[&str]| stage.haul().args(args).current_dir(stage.sandbox.path("d")).run();
    let upload = ["upload", ".", "s3://bucket/", "--journal", "run.journal"];
    run(&upload).code(0).stderr_has("2 objects").stderr_has("left out ./run.journal: it is the");
    assert_eq!(stage.keys(), ["a", "z"]);
    run(&upload).code(0).stderr_has("0 objects").stderr_has("2 done before");
    // Another one is a file as any other.
    let other = ["upload", ".", "s3://bucket/", "--journal", "../other"];
    run(&other).code(0).stderr_has("3 objects").stderr_lacks("left out");
    assert_eq!(stage.keys(), ["a", "run.journal", "z"]);
}

#[test]
fn the_journal_as_a_source_of_its_own_is_refused() {
    let stage = Stage::new();
    stage.sandbox.write("a", "a");
    stage.sandbox.write("m.keys", "a\nj\n");
    for args in [
        ["upload", "a", "j", "s3://bucket/p/", "--journal", "j"].as_slice(),
        &["upload", "--manifest", "m.keys", ".", "s3://bucket/p/", "--journal", "j"],
    ] {
        let output = stage.run(args);
        output.code(1).stderr_has("j` is the journal of this run").stderr_has("1 object,");
        assert_eq!(stage.keys(), ["p/a"]);
        std::fs::remove_file(stage.sandbox.path("j")).expect("it was there");
    }
}

#[test]
fn a_journal_that_is_removed_meanwhile_fails_the_run() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/a", "a");
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone())));
    let download = ["download", "s3://bucket/p/", "out", "--journal", "j"];
    let running = stage.haul().args(download).spawn();
    gate.wait_for(1);
    std::fs::remove_file(stage.sandbox.path("j")).expect("it was there");
    gate.open();
    let output = running.wait();
    output.code(1).stderr_has("could not keep the journal `j`: it was removed");
    assert_eq!(stage.text("out/a"), "a");
}
