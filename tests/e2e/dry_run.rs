//! `--dry-run`: what would be done, and what would not. It must never say another thing than the real
//! run does, where it looks at all; nor write, nor send, a byte.

use std::time::{Duration, SystemTime};

use testbed::{Operation, PutOptions};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const MODES: [&str; 4] = ["always", "never", "newer", "changed"];

/// How many objects a run moved, or would have moved.
fn moved(output: &Output, field: &str) -> (u64, u64) {
    let lines = output.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    let number = |name: &str| summary[name].as_u64().expect("a number");
    (number(field), number("skipped"))
}

/// The same command twice, of which only the second does anything.
#[track_caller]
fn foretold(stage: &Stage, args: &[&str]) {
    let dry = stage.haul().args(args).args(["--json", "--dry-run"]).run();
    let real = stage.haul().args(args).arg("--json").run();
    assert_eq!(moved(&dry, "planned_objects"), moved(&real, "objects"), "{dry}\n{real}");
}

#[test]
fn a_dry_run_of_downloads_skips_what_the_real_one_skips() {
    let hour = Duration::from_hours(1);
    let (old, now) = (SystemTime::now() - 2 * hour, SystemTime::now());
    for mode in MODES {
        for sources in [["s3://bucket/p/a", "s3://bucket/p/b"].as_slice(), &["s3://bucket/p/"]] {
            let stage = Stage::new();
            for (key, time) in [("p/a", old), ("p/b", now), ("p/c", old), ("p/d", old)] {
                let options = PutOptions::new().last_modified(time);
                stage.testbed.put_object_with(BUCKET, key, key, &options);
            }
            for (file, text) in [("out/a", "p/a"), ("out/b", "p/b"), ("out/c", "longer")] {
                let path = stage.sandbox.write(file, text);
                let file = std::fs::File::options().write(true).open(path).expect("a file");
                file.set_modified(now - hour).expect("set");
            }
            let args = [&["download"], sources, &["out", "--overwrite", mode]].concat();
            foretold(&stage, &args);
        }
    }
}

#[test]
fn a_dry_run_of_uploads_skips_what_the_real_one_skips() {
    let hour = Duration::from_hours(1);
    for mode in MODES {
        let stage = Stage::new();
        for (key, hours) in [("a", 0), ("b", 2), ("c", 0)] {
            let options = PutOptions::new().last_modified(SystemTime::now() - hours * hour);
            stage.testbed.put_object_with(BUCKET, key, "1", &options);
        }
        for (file, text) in [("d/a", "1"), ("d/b", "1"), ("d/c", "longer"), ("d/d", "1")] {
            let path = stage.sandbox.write(file, text);
            let file = std::fs::File::options().write(true).open(path).expect("a file");
            file.set_modified(SystemTime::now() - hour).expect("set");
        }
        foretold(&stage, &["upload", "d", "s3://bucket/", "--overwrite", mode]);
    }
}

#[test]
fn what_a_dry_run_would_skip_is_told_as_the_real_run_tells_it() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("out/a", "there");
    let args = ["download", "s3://bucket/", "out", "--no-clobber", "--dry-run", "-v"];
    let output = stage.run(args);
    output.code(0).stdout_is("download  s3://bucket/b -> out/b  1 B\n");
    output.stderr_has("skip: s3://bucket/a -> out/a: something is there already");
    output.stderr_has("dry run: 1 object, 1 B, nothing was moved, 1 skipped");
    assert_eq!(stage.text("out/a"), "there");
}

#[test]
fn a_dry_run_keeps_the_order_of_its_plan() {
    let names: Vec<_> = (100..300).map(|number| format!("f/{number}")).collect();
    let stage = Stage::with_keys(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        stage.sandbox.write(name, "text");
    }
    let args = ["upload", "f", "s3://bucket/new/", "--overwrite", "never", "--dry-run", "--json"];
    let lines = stage.run(args).code(0).json_lines();
    let plan = lines.iter().filter(|line| line["event"] == "plan");
    let numbers: Vec<_> = plan.map(|line| line["number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    assert_eq!(stage.testbed.totals().requests, 200);
    assert_eq!(stage.testbed.count(Operation::HeadObject), 200);
}

#[test]
fn a_local_source_that_is_missing_fails_a_dry_run_too() {
    let stage = Stage::new();
    stage.sandbox.write("f", "f");
    stage.sandbox.write("rows.csv", "source,destination\nf,f\nnope,n\n");
    for args in [
        ["upload", "f", "nope", "s3://bucket/"].as_slice(),
        &["upload", "--manifest", "rows.csv", "s3://bucket/"],
    ] {
        let output = stage.haul().args(args).arg("--dry-run").run();
        output.code(1).stderr_has("could not open `nope`").stdout_has("f -> s3://bucket/f");
        output.stderr_has("dry run: 1 object");
    }
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_too_long_is_told_before_any_byte_is_asked_for() {
    let long = "k".repeat(300);
    let (key, folder) = (format!("p/{long}"), format!("p/{long}/f"));
    let stage = Stage::with_keys(&[&key, &folder, "p/short"]);
    for more in [["--dry-run"].as_slice(), &["--dry-run", "--no-clobber"], &[]] {
        let args = ["download", "s3://bucket/p/", "out"];
        let output = stage.haul().args(args).args(more).run();
        output.code(1).stderr_has("could not").stderr_has("name too long").stderr_has("--raw KEY");
        assert_eq!(stage.sandbox.path("out").exists(), more.is_empty());
    }
    let exact = stage.run(["download", "s3://bucket/p/short", &format!("new/{long}"), "--dry-run"]);
    exact.code(1).stderr_has("File name too long");
    assert_eq!(stage.testbed.count(Operation::GetObject), 1, "bytes came for nothing");
    assert_eq!(stage.files("out"), ["short"]);
}
