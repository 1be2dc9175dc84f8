//! Which object, which file and which folder a row means: never another one than it says, and
//! none from outside of what the command names.

use serde_json::json;
use testbed::Operation;

use crate::stage::{BUCKET, Stage};

#[test]
fn a_row_that_names_two_objects_does_neither() {
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let rows = [
        json!({"bucket": "other", "source": "p/a"}),
        json!({"bucket": "other", "source": "s3://bucket/p/a"}),
        json!({"source": "s3://bucket/p/a", "bucket": "bucket", "key": "p/b"}),
        json!({"source": "s3://bucket/p/a", "key": "p/b"}),
        json!({"source": "p/a", "bucket": "bucket", "key": "p/b"}),
    ];
    stage.sandbox.write("rows.jsonl", rows.map(|row| format!("{row}\n")).concat());
    let command = ["download", "--manifest", "rows.jsonl", "s3://bucket/", "out"];
    stage.run(command).code(1).stderr_has("5 failed");
    assert!(stage.files("out").is_empty());
    stage.sandbox.write("f", "f");
    stage.testbed.create_bucket("other");
    let rows = [
        json!({"bucket": "other", "path": "f"}),
        json!({"source": "f", "destination": "s3://bucket/q/x", "bucket": "bucket", "key": "q/y"}),
        json!({"source": "f", "destination": "s3://bucket/q/x", "bucket": "other"}),
        json!({"source": "f", "destination": "s3://bucket/q/x", "key": "q/y"}),
    ];
    stage.sandbox.write("up.jsonl", rows.map(|row| format!("{row}\n")).concat());
    stage.run(["upload", "--manifest", "up.jsonl", "s3://bucket/q/"]).code(1).stderr_has("4 fail");
    assert_eq!(stage.keys(), ["p/a", "p/b"]);
    assert!(stage.testbed.keys("other").is_empty());
}

#[test]
fn names_of_a_row_that_are_one_object_are_one() {
    let stage = Stage::with_keys(&["p/a"]);
    for row in [
        json!({"source": "s3://bucket/p/a", "bucket": "bucket", "key": "p/a"}),
        json!({"source": "s3://bucket/p/a", "bucket": "bucket"}),
        json!({"source": "s3://bucket/p/a", "key": "p/a"}),
        json!({"source": "s3://bucket/p/a", "key": "a"}),
        json!({"source": "a", "bucket": "bucket", "key": "p/a"}),
        json!({"source": "a", "bucket": "bucket"}),
    ] {
        let args = ["download", "--manifest", "-", "--manifest-format", "jsonl"];
        let haul = stage.haul().stdin(row.to_string()).args(args);
        haul.args(["s3://bucket/p/", "out"]).run().code(0);
        assert_eq!(stage.text("out/a"), "p/a", "{row}");
        std::fs::remove_file(stage.sandbox.path("out/a")).expect("it was there");
    }
    stage.sandbox.write("d/f", "f");
    for (row, key) in [
        (json!({"path": "d/f", "bucket": "bucket"}), "d/f"),
        (json!({"path": "d/f", "bucket": "bucket", "destination": "x/"}), "x/f"),
        (json!({"source": "d/f", "destination": "s3://bucket/y/", "key": "y/f"}), "y/f"),
        (
            json!({"source": "d/f", "destination": "s3://bucket/", "bucket": "bucket", "key": "f"}),
            "f",
        ),
    ] {
        let args = ["upload", "--manifest", "-", "--manifest-format", "jsonl"];
        stage.feed(row.to_string(), args).code(0);
        assert_eq!(stage.object_text(key), "f", "{row}");
    }
}

#[test]
fn a_base_that_is_no_prefix_is_refused() {
    let stage = Stage::with_keys(&["2024/x"]);
    stage.sandbox.write("f", "f");
    stage.sandbox.write("list.keys", "f\n");
    for args in [
        ["upload", "--manifest", "list.keys", "s3://bucket/backup"].as_slice(),
        &["cp", "--manifest", "list.keys", "s3://bucket/backup"],
        &["download", "--manifest", "list.keys", "s3://bucket/20", "out"],
        &["verify", "--manifest", "list.keys", "s3://bucket/20", "out"],
    ] {
        stage.run(args).code(2).stderr_has("end it with a slash");
    }
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn no_row_takes_a_file_from_outside_the_base() {
    let stage = Stage::new();
    stage.sandbox.write("secret", "hush");
    stage.sandbox.write("data/f", "f");
    let absolute = stage.sandbox.path("secret").to_string_lossy().into_owned();
    let rows = format!(
        "source,destination\n../secret,s3://bucket/up/1\nx/../../secret,s3://bucket/up/2\n\
         {absolute},s3://bucket/up/3\n./f,s3://bucket/up/f\n"
    );
    stage.sandbox.write("rows.csv", &rows);
    for verb in ["upload", "cp"] {
        let output = stage.run([verb, "--manifest", "rows.csv", "data"]);
        output.code(1).stderr_has("could leave the base").stderr_has("need the base /");
        output.stderr_has("3 failed");
        assert_eq!(stage.keys(), ["up/f"], "{output}");
    }
    let list = format!("{absolute}\n");
    let args = ["upload", "--manifest", "-", "--manifest-format", "keys"];
    stage.feed(list.clone(), args.iter().chain(&["s3://bucket/"])).code(1);
    assert_eq!(stage.keys(), ["up/f"]);
    stage.feed(list, args.iter().chain(&["/", "s3://bucket/all/"])).code(0);
    assert_eq!(stage.object_text(&format!("all{absolute}")), "hush");
}

#[test]
fn a_folder_marker_is_a_folder_and_no_file() {
    for list in ["d/\nd/a\nd/b\n", "d/a\nd/b\nd/\n"] {
        let stage = Stage::with_keys(&["d/a", "d/b"]);
        stage.testbed.put_object(BUCKET, "d/", "");
        stage.sandbox.write("list.keys", list);
        let command = ["download", "--strict", "--manifest", "list.keys", "s3://bucket/", "out"];
        let journaled = stage.haul().args(command).args(["--journal", "run.journal"]).run();
        journaled.code(0).stderr_has("3 objects");
        assert_eq!(stage.files("out"), ["d/a", "d/b"]);
        stage.run(["download", "--manifest", "run.journal", "again"]).code(0);
        stage.sandbox.same("out", "again");
        assert!(stage.sandbox.path("again/d").is_dir());
        // That of the base itself is what all others are below.
        let listing = stage.run(["ls", "-r", "--json", "s3://bucket/d/"]).code(0).stdout.clone();
        let args = ["download", "--manifest", "-", "--manifest-format", "jsonl"];
        stage.feed(listing, args.iter().chain(&["s3://bucket/d/", "below"])).code(0);
        assert_eq!(stage.files("below"), ["a", "b"]);
        assert!(!stage.sandbox.path("below/d").exists());
    }
}

#[test]
fn a_folder_marker_that_has_bytes_or_is_not_there_is_an_error() {
    let stage = Stage::with_keys(&["full/", "d/a"]);
    stage.testbed.put_object(BUCKET, "d/", "");
    for (row, said) in [
        (json!({"source": "s3://bucket/full/"}), "has 5 bytes"),
        (json!({"source": "s3://bucket/full/", "size": 5}), "has 5 bytes"),
        (json!({"source": "s3://bucket/full/", "size": 0}), "has 5 bytes"),
        (json!({"source": "s3://bucket/none/"}), "NotFound"),
        (json!({"source": "s3://bucket/none/", "size": 0}), "NotFound"),
        (json!({"source": "s3://bucket/d/", "etag": "0123"}), "the manifest says"),
        (json!({"source": "s3://bucket/d/", "checksum": "crc32:AAAAAQ=="}), "the manifest says"),
    ] {
        let good = json!({"source": "s3://bucket/d/a"});
        stage.sandbox.write("rows.jsonl", format!("{row}\n{good}\n"));
        let output = stage.run(["download", "--manifest", "rows.jsonl", "out"]);
        output.code(1).stderr_has("(line 1)").stderr_has(said);
        assert_eq!(stage.files("out"), ["d/a"], "{row}\n{output}");
        assert!(
            !stage.sandbox.path("out/full").exists() && !stage.sandbox.path("out/none").exists()
        );
    }
    let row = json!({"source": "s3://bucket/d/", "size": 0, "checksum": "crc32:AAAAAA=="});
    let args = ["download", "--manifest", "-", "--manifest-format", "jsonl", "empty"];
    stage.feed(row.to_string(), args).code(0);
    assert!(stage.sandbox.path("empty/d").is_dir());
    // Whoever names a file gets one.
    let row = json!({"source": "s3://bucket/full/", "destination": "file"});
    let args = ["download", "--manifest", "-", "--manifest-format", "jsonl", "named"];
    stage.feed(row.to_string(), args).code(0);
    assert_eq!(stage.text("named/file"), "full/");
    assert!(stage.testbed.count(Operation::GetObject) > 0);
}
