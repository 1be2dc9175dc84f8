//! A manifest that comes through a pipe whose writer says nothing more, and does not leave either:
//! what ends a run ends it all the same, with its summary.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::stalled::LIMIT;
use crate::harness::Running;
use crate::stage::Stage;

/// Only a run that waits for the pipe takes as long.
const AGES: Duration = Duration::from_mins(1);

/// A command that reads these rows of keys from a pipe, which stays open as long as the file lives.
fn reading(stage: &Stage, rows: &str, args: &[&str]) -> (Running, File) {
    let pipe = stage.sandbox.path("pipe.keys");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut running = stage.haul().args(args).args(["--manifest", "pipe.keys", "--json"]).spawn();
    // Succeeds as soon as somebody reads: from then on signals are heard, too.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut kept = loop {
        match File::options().write(true).custom_flags(flags).open(&pipe) {
            Ok(kept) => break kept,
            Err(_) => assert!(!running.has_ended(), "it ended without its manifest"),
        }
        std::thread::yield_now();
    };
    kept.write_all(rows.as_bytes()).expect("it takes some rows");
    (running, kept)
}

#[test]
fn a_run_that_gives_up_does_not_wait_for_more_rows() {
    for args in [
        ["download", "out", "--fail-fast"].as_slice(),
        &["download", "out", "--max-errors", "1"],
        &["verify", "s3://bucket/", "out", "--fail-fast"],
    ] {
        let stage = Stage::new();
        stage.sandbox.folder("out");
        // Neither can be done: there is no such bucket.
        let (running, _pipe) = reading(&stage, "s3://none/a\ns3://none/b\n", args);
        let output = running.wait_within(AGES);
        output.code(1).stderr_has("stopped early: ");
        let summary = output.json_lines().pop().expect("a summary");
        assert_eq!((&summary["event"], &summary["end"]), (&"summary".into(), &"gave_up".into()));
    }
}

#[test]
fn a_signal_ends_it_with_a_summary() {
    let stage = Stage::with_keys(&["a"]);
    let (mut running, _pipe) = reading(&stage, "s3://bucket/a\n", &["download", "out"]);
    running.until_stdout_has("\"event\":\"done\"");
    running.signal(Signal::TERM);
    let output = running.wait_within(LIMIT);
    output.code(143).stderr_has("interrupted: 1 of 1+ objects done").stderr_has("next: ");
    let summary = output.json_lines().pop().expect("a summary");
    assert_eq!((&summary["event"], &summary["signal"]), (&"summary".into(), &15.into()));
}

#[test]
fn a_signal_before_the_first_row_ends_it_too() {
    let stage = Stage::new();
    let (running, _pipe) = reading(&stage, "", &["download", "out"]);
    running.signal(Signal::TERM);
    running.wait_within(LIMIT).code(143).stderr_has("nothing was started");
}
