//! Rows of manifests that are compared: each with the file and the object that it names, and with
//! all that it says of them.

use serde_json::json;

use super::{nothing_was_read, results, summary};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

fn verify(stage: &Stage, rows: &str, args: &[&str]) -> Output {
    stage.sandbox.write("rows.csv", rows);
    stage.haul().args(["verify", "--json", "--manifest", "rows.csv"]).args(args).run()
}

#[test]
fn an_absolute_path_is_that_file_and_no_other_one() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "k", "right");
    let file = stage.sandbox.write("file", "wrong").to_string_lossy().into_owned();
    // Where the path would be below the base, the right bytes are.
    stage.sandbox.write(format!("base{file}"), "right");
    let rows = format!("source,destination\ns3://bucket/k,{file}\n");
    for args in [["s3://bucket/", "base"].as_slice(), &["s3://bucket/", "."], &[]] {
        let output = verify(&stage, &rows, args);
        output.code(1).stderr_has("absolute paths need").stderr_has("(line 2)");
        assert!(results(&output).is_empty(), "{output}");
    }
    let output = verify(&stage, &rows, &["s3://bucket/", "/"]);
    assert_eq!(summary(output.code(1))["compared"]["content"], 1, "{output}");
    stage.sandbox.write("file", "right");
    verify(&stage, &rows, &["s3://bucket/", "/"]).code(0);
}

#[test]
fn a_row_that_asks_for_something_else_is_no_duplicate() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "k", "12345");
    stage.testbed.put_object(BUCKET, "copy", "12345");
    let row = |more: &str| format!("s3://bucket/k,s3://bucket/copy,{more}\n");
    for (first, second) in [("5,,", "6,,"), ("5,,", "5,0123,"), ("5,,", "5,,other-version")] {
        let rows = ["source,destination,size,etag,version_id\n", &row(first), &row(second)];
        let output = verify(&stage, &rows.concat(), &[]);
        output.code(1).stderr_has("(line 3)").stderr_lacks("stood twice");
    }
    let rows = ["source,destination,size,etag,version_id\n", &row("5,,"), &row("5,,")];
    verify(&stage, &rows.concat(), &[]).code(0).stderr_has("1 row stood twice");
}

#[test]
fn what_a_row_says_is_about_its_source() {
    const SIZE: usize = 6 << 20;
    let stage = Stage::new();
    stage.sandbox.fill("f", SIZE as u64);
    let bytes = stage.sandbox.read("f");
    let etag = stage.testbed.put_object(BUCKET, "k", bytes);
    stage.run(["upload", "f", "s3://bucket/parts", "--part-size", "5MiB"]).code(0);
    assert_ne!(stage.object("parts").etag, etag, "one of parts has another ETag");
    let row = json!({"source": "s3://bucket/k", "destination": "s3://bucket/parts",
        "size": SIZE, "etag": etag});
    let args = ["verify", "--json", "--manifest", "-", "--manifest-format", "jsonl"];
    stage.feed(row.to_string(), args).code(0);
    let wrong = json!({"source": "s3://bucket/parts", "destination": "s3://bucket/k",
        "etag": etag});
    stage.feed(wrong.to_string(), args).code(1).stderr_has("the manifest says");
    // Another size at the destination is a difference, and no failure.
    stage.testbed.put_object(BUCKET, "short", "12345");
    for row in [
        json!({"source": "s3://bucket/k", "destination": "s3://bucket/short", "size": SIZE}),
        json!({"source": "f", "destination": "s3://bucket/short", "size": SIZE, "etag": etag}),
    ] {
        let output = stage.feed(row.to_string(), args);
        assert_eq!(summary(output.code(1))["compared"]["size"], 1, "{output}");
        assert_eq!(summary(&output)["failed"], 0, "{output}");
    }
    for (row, code) in [
        (json!({"source": "f", "destination": "s3://bucket/k", "etag": etag}), 0),
        (json!({"source": "f", "destination": "s3://bucket/k", "etag": "0123"}), 1),
        (json!({"source": "f", "destination": "s3://bucket/k", "size": 5}), 1),
    ] {
        stage.feed(row.to_string(), args).code(code);
    }
    nothing_was_read(&stage);
}

#[test]
fn a_journal_says_which_folder_its_paths_are_below() {
    let stage = Stage::with_keys(&["p/a", "p/b/c"]);
    stage.testbed.put_object(BUCKET, "p/d/", "");
    stage.run(["download", "s3://bucket/p/", "out", "--journal", "run.journal"]).code(0);
    stage.sandbox.write("up/f", "f");
    stage.run(["upload", "up", "s3://bucket/up/", "--journal", "up.journal"]).code(0);
    let elsewhere = stage.sandbox.folder("elsewhere");
    for (journal, same) in [("../run.journal", 2), ("../up.journal", 1)] {
        let haul = stage.haul().current_dir(&elsewhere);
        let output = haul.args(["verify", "--json", "--manifest", journal]).run();
        assert_eq!(summary(output.code(0))["compared"]["same"], same, "{output}");
    }
}
