//! Keys that no file can be called, and files that no key is called after: each is said, refused,
//! or written so that it leads back. None is passed over in silence.

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Keys that a folder can't hold as they are, beside one that it can.
const ODD: [&str; 12] = [
    "p/a//b",
    "p/a/./c",
    "p/../up",
    "p//abs",
    "p/back\\slash",
    "p/100%",
    "p/%41",
    "p/time 12:30",
    "p/CON",
    "p/folder/",
    "p/.haul-0123456789abcdef.part",
    "p/plain",
];

/// The files of `ODD` with `--encode-names`.
const WRITTEN: [&str; 12] = [
    "%/abs",
    "%2541",
    "%2Ehaul-0123456789abcdef.part",
    "%43ON",
    ".%2E/up",
    "100%25",
    "a/%/b",
    "a/%2E/c",
    "back%5Cslash",
    "folder/%",
    "plain",
    "time 12%3A30",
];

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

#[test]
fn keys_that_no_file_can_have_are_written_so_that_they_lead_back() {
    let stage = Stage::with_keys(&ODD);
    stage.run(["download", "--encode-names", "s3://bucket/p/", "out/"]).code(0);
    assert_eq!(sorted(stage.files("out")), WRITTEN);
    assert_eq!(stage.text("out/a/%/b"), "p/a//b");
    stage.run(["verify", "--encode-names", "s3://bucket/p/", "out/"]).code(0);
    stage.run(["verify", "--encode-names", "out/", "s3://bucket/p/"]).code(0);
    stage.run(["upload", "--encode-names", "out/", "s3://bucket/q/"]).code(0);
    let back = stage.keys().into_iter().filter(|key| key.starts_with("q/"));
    assert_eq!(sorted(back), sorted(ODD.map(|key| key.replacen("p/", "q/", 1))));
    assert_eq!(stage.object_text("q/%41"), "p/%41");
    stage.run(["verify", "s3://bucket/p/", "s3://bucket/q/"]).code(0);
}

#[test]
fn syncs_take_such_names_for_their_keys() {
    let stage = Stage::with_keys(&ODD);
    let down = ["sync", "--encode-names", "--delete", "s3://bucket/p/", "out/"];
    stage.run(down).code(0);
    assert_eq!(sorted(stage.files("out")), WRITTEN);
    stage.run(down).code(0).stderr_has("12 skipped");
    let up = ["sync", "--encode-names", "--delete", "out/", "s3://bucket/q/"];
    stage.run(up).code(0);
    stage.run(up).code(0).stderr_has("12 skipped");
    stage.testbed.put_object(BUCKET, "q/more: of it", "x");
    stage.run(up).code(0).stderr_has("1 object removed");
    // What is extra goes by the name that its file has, and filters go by the key's.
    stage.testbed.put_object(BUCKET, "p/x:y", "x");
    stage.run(down).code(0).stderr_has("1 object, ");
    stage.testbed.delete_object(BUCKET, "p/x:y");
    let kept = ["sync", "--encode-names", "--delete", "--exclude", "x:*", "s3://bucket/p/", "out/"];
    stage.run(kept).code(0);
    assert!(stage.files("out").contains(&"x%3Ay".to_owned()));
    stage.run(down).code(0).stderr_has("1 object removed");
    assert_eq!(sorted(stage.files("out")), WRITTEN);
    // No key is called after these: they are told, and stay.
    stage.sandbox.write("out/50%", "mine");
    stage.run(down).code(0);
    assert_eq!(stage.text("out/50%"), "mine");
    let output = stage.run(up);
    output.code(1).stderr_has("50%").stderr_has("is not how --encode-names writes any name");
    assert_eq!(stage.keys().iter().filter(|key| key.starts_with("q/")).count(), 12);
}

#[test]
fn one_object_and_moves_and_rows_are_called_the_same() {
    let stage = Stage::with_keys(&["a:b", "p/c:d", "p/e//f", "m/g:h", "m/i"]);
    stage.sandbox.folder("out");
    stage.run(["download", "--encode-names", "s3://bucket/a:b", "out/"]).code(0);
    stage.run(["verify", "--encode-names", "s3://bucket/a:b", "out/"]).code(0);
    stage.run(["upload", "--encode-names", "out/a%3Ab", "s3://bucket/one/"]).code(0);
    stage.run(["verify", "--encode-names", "out/a%3Ab", "s3://bucket/one/"]).code(0);
    assert_eq!(stage.object_text("one/a:b"), "a:b");
    stage.run(["mv", "--encode-names", "s3://bucket/p/", "out/"]).code(0);
    assert_eq!(stage.files("out"), ["a%3Ab", "c%3Ad", "e/%/f"]);
    stage.run(["mv", "--encode-names", "out/", "s3://bucket/back/"]).code(0);
    assert_eq!(stage.object_text("back/e//f"), "p/e//f");
    stage.sandbox.write("rows.csv", "key\ng:h\ni\n");
    let manifest = ["download", "--encode-names", "--manifest", "rows.csv"];
    stage.run([&manifest[..], &["s3://bucket/m/", "rows/"]].concat()).code(0);
    assert_eq!(stage.files("rows"), ["g%3Ah", "i"]);
    stage.sandbox.write("up.csv", "path\ng%3Ah\ni\n");
    let manifest = ["upload", "--encode-names", "--manifest", "up.csv"];
    stage.run([&manifest[..], &["rows/", "s3://bucket/n/"]].concat()).code(0);
    assert_eq!(stage.object_text("n/g:h"), "m/g:h");
    stage.sandbox.write("out/100%", "x");
    let upload = ["upload", "--encode-names", "out/100%", "s3://bucket/"];
    stage.run(upload).code(1).stderr_has("is not how --encode-names writes any name");
    stage.run(["upload", "--encode-names", "out/100%", "s3://bucket/named"]).code(0);
}

#[test]
fn a_key_whose_file_has_another_name_is_told_and_never_moved() {
    let stage = Stage::with_keys(&["p/a//b", "p/c/./d", "p/e"]);
    let mv = stage.run(["mv", "s3://bucket/p/", "moved/"]);
    mv.code(1).stderr_has("no file is called `a//b`").stderr_has("--encode-names");
    assert_eq!(stage.files("moved"), ["e"]);
    assert_eq!(stage.keys(), ["p/a//b", "p/c/./d"]);
    let told = "no file can be called `a//b`: it is `a/b`, and 1 more like it";
    stage.run(["download", "s3://bucket/p/", "out/"]).code(0).stderr_has(told);
    stage.run(["sync", "s3://bucket/p/", "synced/"]).code(0).stderr_has(told);
}

/// The object of a prefix itself, with bytes in it, is no folder's marker.
#[test]
fn what_is_called_as_the_prefix_is_never_left_out_in_silence() {
    let full = "its key ends in `/`, but it has 2 bytes";
    let stage = Stage::with_keys(&["n/", "n/x"]);
    for verb in ["download", "mv", "sync"] {
        let output = stage.run([verb, "s3://bucket/n/", "out/"]);
        output.code(1).stderr_has(full);
        stage.testbed.put_object(BUCKET, "n/x", "n/x");
    }
    assert_eq!(stage.files("out"), ["x"]);
    assert_eq!(stage.object_text("n/"), "n/");
    stage.run(["verify", "s3://bucket/n/", "out/"]).code(1).stderr_has(full);
    stage.run(["verify", "out/", "s3://bucket/n/"]).code(1).stderr_has(full);
    stage.sandbox.write("rows.csv", "key,size\nn/,2\n");
    let rows = ["download", "--manifest", "rows.csv", "s3://bucket/", "rows/"];
    stage.run(rows).code(1).stderr_has(full);
    // Between objects it is one like others.
    stage.run(["sync", "s3://bucket/n/", "s3://bucket/m/"]).code(0).stderr_has("2 objects, ");
    assert_eq!(stage.object_text("m/"), "n/");
    stage.run(["sync", "s3://bucket/n/", "s3://bucket/m/"]).code(0).stderr_has("2 skipped");
    stage.run(["verify", "s3://bucket/n/", "s3://bucket/m/"]).code(0).stderr_has("2 the same");
    stage.testbed.create_bucket("other");
    for verb in ["cp", "mv", "sync"] {
        let output = stage.run([verb, "s3://bucket/m/", "s3://other"]);
        output.code(1).stderr_has("could not");
        assert_eq!(stage.object_text("m/"), "n/", "{verb}");
    }
    stage.run(["cp", "--flatten", "s3://bucket/n/", "s3://bucket/flat/"]).code(1).stderr_has(full);
    // Without bytes it stands for the folder.
    stage.testbed.put_object(BUCKET, "n/", "");
    stage.run(["download", "s3://bucket/n/", "again/"]).code(0);
    stage.run(["sync", "s3://bucket/n/", "s3://other/"]).code(0);
    assert_eq!(stage.testbed.keys("other"), ["x"]);
}

#[test]
fn files_that_are_called_as_our_own_are_told() {
    let stage = Stage::new();
    stage.sandbox.write("in/.haul-0123456789abcdef.part", "x");
    stage.sandbox.write("in/f", "x");
    let told = "left out in/.haul-0123456789abcdef.part: it has the name of a file that haul has \
                not finished";
    stage.run(["upload", "in", "s3://bucket/"]).code(0).stderr_has(told);
    stage.run(["sync", "in", "s3://bucket/s/"]).code(0).stderr_has(told);
    stage.run(["mv", "in", "s3://bucket/m/"]).code(0).stderr_has(told);
    assert_eq!(stage.keys(), ["f", "m/f", "s/f"]);
    assert_eq!(stage.files("in"), [".haul-0123456789abcdef.part"]);
}

#[test]
fn a_dry_run_refuses_what_the_run_would() {
    let stage = Stage::with_keys(&["p/.haul-0123456789abcdef.part", "p/x", "p/x/y", "p/z"]);
    for verb in ["cp", "sync"] {
        let command = [verb, "s3://bucket/p/", "out/", "--json"];
        let failed = |output: &Output| {
            let lines = output.code(1).json_lines();
            let failed = lines.iter().filter(|line| line["event"] == "failed");
            let mut names: Vec<_> =
                failed.filter_map(|line| Some(line["source"].as_str()?.to_owned())).collect();
            names.sort();
            names
        };
        let told = failed(&stage.haul().args(command).arg("--dry-run").run());
        assert_eq!(told, ["s3://bucket/p/.haul-0123456789abcdef.part", "s3://bucket/p/x/y"]);
        assert_eq!(failed(&stage.run(command)), told, "{verb}");
        stage.sandbox.remove("out");
    }
}
