//! `haul upload`: which files are meant, what their objects are called, and what never makes an
//! object. Attributes and manifests have files of their own.

use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};

use testbed::{Fault, FaultKind, Operation, PutOptions};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

#[test]
fn one_file_lands_where_it_was_typed() {
    for (destination, key) in [
        ("s3://bucket", "f"),
        ("s3://bucket/", "f"),
        ("s3://bucket/p/", "p/f"),
        ("s3://bucket/p/name", "p/name"),
        ("s3://bucket/p//", "p//f"),
        ("s3://bucket/../x", "../x"),
    ] {
        let stage = Stage::new();
        stage.sandbox.write("dir/f", "bytes");
        stage.run(["upload", "dir/f", destination]).code(0);
        assert_eq!(stage.keys(), [key], "{destination}");
        assert_eq!(stage.object_text(key), "bytes");
    }
}

#[test]
fn a_directory_lands_with_the_paths_below_it() {
    for source in ["dir", "dir/", "./dir", "./dir/", "dir/."] {
        let stage = Stage::new();
        for file in ["dir/a", "dir/b/c", "dir/.hidden", "dir/ü #%+?*", "beside"] {
            stage.sandbox.write(file, file);
        }
        stage.sandbox.folder("dir/empty/deeper");
        stage.run(["upload", source, "s3://bucket/p/"]).code(0);
        assert_eq!(stage.keys(), ["p/.hidden", "p/a", "p/b/c", "p/ü #%+?*"], "{source}");
        assert_eq!(stage.object_text("p/b/c"), "dir/b/c");
    }
}

#[test]
fn several_sources_land_below_one_prefix() {
    let stage = Stage::new();
    stage.sandbox.write("one", "1");
    stage.sandbox.write("dir/two", "2");
    stage.sandbox.write("deep/er/three", "3");
    stage.run(["upload", "one", "dir", "deep/er/three", "s3://bucket/p/"]).code(0);
    assert_eq!(stage.keys(), ["p/one", "p/three", "p/two"]);
}

#[test]
fn two_files_with_one_key_do_the_first() {
    let stage = Stage::new();
    stage.sandbox.write("a/f", "first");
    stage.sandbox.write("b/f", "second");
    stage.sandbox.write("b/g", "other");
    let output = stage.run(["upload", "a", "b", "s3://bucket/"]);
    output.code(1).stderr_has("b/f");
    assert_eq!(stage.object_text("f"), "first");
    assert_eq!(stage.keys(), ["f", "g"]);
    let output = stage.run(["upload", "--flatten", ".", "s3://bucket/flat/"]);
    output.code(1);
    assert_eq!(stage.keys(), ["f", "flat/f", "flat/g", "g"]);
}

#[test]
fn filters_choose_files() {
    let stage = Stage::new();
    for file in ["d/a.txt", "d/b.log", "d/cache/c.txt", "d/deep/cache/d.txt"] {
        stage.sandbox.write(file, file);
    }
    let filters = ["--exclude", "*", "--include", "*.txt", "--exclude", "**/cache/**"];
    stage.haul().args(["upload", "d", "s3://bucket/"]).args(filters).run().code(0);
    assert_eq!(stage.keys(), ["a.txt"]);
}

#[test]
fn links_are_followed_unless_told_otherwise() {
    let stage = Stage::new();
    stage.sandbox.write("real/f", "linked");
    stage.sandbox.write("d/plain", "plain");
    let link =
        |target: &str, name: &str| symlink(target, stage.sandbox.path(name)).expect("a link");
    link("../real", "d/folder");
    link("../real/f", "d/file");
    stage.run(["upload", "d", "s3://bucket/followed/"]).code(0);
    stage.run(["upload", "--no-follow-symlinks", "d", "s3://bucket/plain/"]).code(0);
    let keys = ["followed/file", "followed/folder/f", "followed/plain", "plain/plain"];
    assert_eq!(stage.keys(), keys);
    link("d", "typed");
    stage.run(["upload", "--no-follow-symlinks", "typed", "s3://bucket/typed/"]).code(0);
    assert!(stage.keys().contains(&"typed/plain".to_owned()), "a typed link is followed");
}

#[test]
fn a_broken_link_and_a_loop_fail_alone() {
    let stage = Stage::new();
    stage.sandbox.write("d/good", "good");
    symlink("nowhere", stage.sandbox.path("d/broken")).expect("a link");
    symlink("..", stage.sandbox.folder("d/sub").join("loop")).expect("a link");
    let output = stage.run(["upload", "d", "s3://bucket/"]);
    output.code(1).stderr_has("d/broken").stderr_has("d/sub/loop");
    assert_eq!(stage.keys(), ["good"], "{output}");
}

#[test]
fn what_is_no_file_is_left_out_and_told() {
    let stage = Stage::new();
    stage.sandbox.write("d/good", "good");
    let pipe = stage.sandbox.path("d/pi\u{1b}pe");
    assert!(Command::new("mkfifo").arg(pipe).status().expect("mkfifo").success());
    let output = stage.run(["upload", "d", "s3://bucket/"]);
    output.code(0).stderr_has("left out").no_escapes();
    assert_eq!(stage.keys(), ["good"]);
}

#[test]
fn a_pipe_that_is_named_is_refused_with_the_way_that_works() {
    let stage = Stage::new();
    let pipe = stage.sandbox.path("pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().expect("mkfifo").success());
    let output = stage.run(["upload", "pipe", "s3://bucket/key"]);
    output.code(1).stderr_has("it is a pipe").stderr_has("hint: ").stderr_has("haul upload - ");
}

#[test]
fn a_stream_that_is_longer_than_it_should_be_is_not_said_to_have_ended() {
    let stage = Stage::new();
    let upload = ["upload", "-", "s3://bucket/key", "--expected-size", "2"];
    let output = stage.haul().args(upload).stdin("abc").run();
    output.code(1).stderr_has("the stream is longer than 2 bytes");
    assert!(stage.keys().is_empty(), "{output}");
}

/// What fed it is no part of the command: typed again, it would wait for the keyboard.
#[test]
fn the_next_command_is_not_told_for_a_stream() {
    let stage = Stage::new();
    stage.sandbox.write("file", "bytes");
    stage.testbed.fault(Fault::new(Operation::PutObject, FaultKind::internal_error()).always());
    let once = ["s3://bucket/key", "--max-attempts", "1"];
    let output = stage.haul().args(["upload", "-"]).args(once).stdin("bytes").run();
    output.code(1).stderr_has("500").stderr_lacks("next:");
    let output = stage.haul().args(["upload", "file"]).args(once).run();
    output.code(1).stderr_has("500").stderr_has("next: haul upload file");
}

#[test]
fn a_name_that_no_key_can_hold_fails_alone() {
    let stage = Stage::new();
    stage.sandbox.write("d/good", "good");
    let bad = std::ffi::OsString::from_vec(b"d/bad\xff".to_vec());
    stage.sandbox.write(&bad, "bad");
    let long = ["x".repeat(200), "y".repeat(200), "z".repeat(200)].join("/");
    stage.sandbox.write(format!("d/{long}/{long}/end"), "long");
    let output = stage.run(["upload", "d", "s3://bucket/"]);
    output.code(1).stderr_has("UTF-8").stderr_has("1024");
    assert_eq!(stage.keys(), ["good"], "{output}");
}

#[test]
fn files_of_every_size_arrive_byte_equal_and_verified() {
    let stage = Stage::new();
    let sizes = [0, 1, 16 << 10, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 25 * MIB];
    for size in sizes {
        stage.sandbox.fill(&format!("d/{size}"), size);
    }
    let output = stage.run(["upload", "--json", "d", "s3://bucket/"]);
    let lines = output.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["verified"], sizes.len(), "{output}");
    for size in sizes {
        let object = stage.object(&size.to_string());
        assert!(object.bytes() == content(&format!("d/{size}"), size), "{size} bytes differ");
        assert_eq!(object.parts.is_empty(), size <= 8 * MIB, "{size} bytes");
        let checksum = object.checksum.expect("a checksum");
        assert_eq!(checksum.algorithm, testbed::Algorithm::Crc64Nvme, "{size} bytes");
    }
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

#[test]
fn standard_input_becomes_an_object_of_any_length() {
    for size in [0, 5, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 30 * MIB + 7] {
        let stage = Stage::new();
        let bytes = content("stream", size);
        stage.feed(bytes.clone(), ["upload", "-", "s3://bucket/f.txt"]).code(0);
        let object = stage.object("f.txt");
        assert!(object.bytes() == bytes, "{size} bytes differ");
        assert_eq!(object.attributes.content_type.as_deref(), Some("text/plain"));
        let exact = ["upload", "-", "s3://bucket/exact", "--expected-size", &size.to_string()];
        stage.feed(bytes.clone(), exact).code(0);
        assert!(stage.object("exact").bytes() == bytes, "{size} bytes differ");
    }
}

#[test]
fn a_stream_of_another_length_makes_no_object() {
    for size in [0, 100, 8 * MIB, 20 * MIB] {
        for expected in [size + 1, size.saturating_sub(1), 50 * MIB] {
            if expected == size {
                continue;
            }
            let stage = Stage::new();
            let expected = expected.to_string();
            let args = ["upload", "-", "s3://bucket/f", "--expected-size", &expected];
            let output = stage.feed(content("stream", size), args);
            output.code(1).stderr_has("error: ").stderr_has(&expected);
            assert!(stage.keys().is_empty(), "an object was made\n{output}");
            assert!(stage.testbed.open_uploads(BUCKET).is_empty(), "parts are left\n{output}");
        }
    }
}

#[test]
fn a_dry_run_tells_everything_and_sends_nothing() {
    let stage = Stage::new();
    stage.sandbox.fill("d/a", 1000);
    stage.sandbox.fill("d/b/c", 24);
    let output = stage.run(["upload", "--dry-run", "d", "s3://bucket/p/"]);
    output.code(0).stdout_has("d/a -> s3://bucket/p/a").stdout_has("d/b/c -> s3://bucket/p/b/c");
    output.stderr_has("2 objects").stderr_has("1.0 KiB");
    assert_eq!(stage.testbed.totals().requests, 0);
    let one = stage.run(["upload", "--dry-run", "--json", "d/a", "s3://bucket/p/"]);
    let lines = one.code(0).json_lines();
    assert_eq!(lines.last().expect("a summary")["planned_bytes"], 1000, "{one}");
    let args = ["upload", "--dry-run", "-", "s3://bucket/p/x"];
    stage.feed("bytes", args).code(0).stdout_has("s3://bucket/p/x");
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn what_is_there_is_replaced_unless_told_otherwise() {
    let hour = Duration::from_hours(1);
    let now = SystemTime::now();
    for (text, time, mode, is_replaced) in [
        ("other", now - hour, "always", true),
        ("same", now - hour, "never", false),
        ("other", now - hour, "newer", true),
        ("other", now + hour, "newer", false),
        ("other", now + hour, "changed", true),
        ("same", now + hour, "changed", false),
        ("same", now - hour, "changed", true),
    ] {
        let stage = Stage::new();
        let options = PutOptions::new().last_modified(time);
        stage.testbed.put_object_with(BUCKET, "d", "SAME", &options);
        stage.sandbox.write("d", text);
        let output = stage.run(["upload", "--overwrite", mode, "d", "s3://bucket/"]);
        output.code(0);
        let wanted = if is_replaced { text } else { "SAME" };
        assert_eq!(stage.object_text("d"), wanted, "{text} {mode}\n{output}");
    }
}

#[test]
fn no_clobber_lets_the_store_refuse() {
    for size in [5, 20 * MIB] {
        let stage = Stage::new();
        stage.sandbox.fill("f", size);
        stage.testbed.put_object(BUCKET, "there", "old");
        stage.run(["upload", "--no-clobber", "f", "s3://bucket/there"]).code(0);
        stage.run(["upload", "--no-clobber", "f", "s3://bucket/new"]).code(0);
        let stream = ["upload", "--no-clobber", "-", "s3://bucket/there"];
        stage.feed("stream", stream).code(0);
        assert_eq!(stage.object_text("there"), "old");
        assert_eq!(stage.object("new").len(), size);
        let operation =
            if size == 5 { Operation::PutObject } else { Operation::CompleteMultipartUpload };
        let writes = stage.testbed.requests_of(operation);
        assert!(!writes.is_empty());
        for write in writes {
            assert_eq!(write.header("if-none-match"), Some("*"), "{size} bytes");
        }
        assert!(stage.testbed.open_uploads(BUCKET).is_empty());
    }
}

#[test]
fn parts_are_as_large_as_told() {
    let stage = Stage::new();
    stage.sandbox.fill("f", 12 * MIB);
    stage.run(["upload", "--part-size", "5MiB", "f", "s3://bucket/"]).code(0);
    let sizes: Vec<_> = stage.object("f").parts.iter().map(|part| part.size).collect();
    assert_eq!(sizes, [5 * MIB, 5 * MIB, 2 * MIB]);
}

#[test]
fn an_empty_directory_is_a_success_that_says_so() {
    let stage = Stage::new();
    stage.sandbox.folder("empty/deeper");
    stage.run(["upload", "empty", "s3://bucket/"]).code(0).stderr_has("nothing");
    stage.sandbox.write("d/f", "f");
    let args = ["upload", "d", "s3://bucket/", "--exclude", "*"];
    stage.run(args).code(0).stderr_has("nothing");
    assert!(stage.keys().is_empty());
}

/// In quotes, or in a line of `run`, no shell has read them.
#[test]
fn wildcards_of_local_names_are_those_of_a_shell() {
    let stage = Stage::new();
    let files = ["a.gz", "b.gz", "c.txt", "d.gz/in/it", "e/f.gz", "x/2023/a", "x/2024/a", "x/y/a"];
    for name in files.iter().chain(&["[literal]*.gz"]) {
        stage.sandbox.write(name, name.as_bytes());
    }
    for (pattern, wanted) in [
        ("*.gz", ["[literal]*.gz", "a.gz", "b.gz", "d.gz/in/it"].as_slice()),
        ("?.gz", &["a.gz", "b.gz", "d.gz/in/it"]),
        ("x/20*/a", &["2023/a", "2024/a"]),
        ("./x/*4", &["2024/a"]),
        // A file of that very name.
        ("[literal]*.gz", &["[literal]*.gz"]),
    ] {
        stage.run(["cp", pattern, "s3://bucket/"]).code(0);
        assert_eq!(stage.keys(), wanted, "{pattern}");
        stage.run(["rm", "-r", "--yes", "s3://bucket"]).code(0);
        stage.feed(format!("cp '{pattern}' s3://bucket/\n"), ["run", "-"]).code(0);
        assert_eq!(stage.keys(), wanted, "{pattern}");
        stage.run(["rm", "-r", "--yes", "s3://bucket"]).code(0);
    }
    let one = stage.run(["cp", "x/20*", "s3://bucket/one"]);
    one.code(2).stderr_has("many files can't become the one object");
    for pattern in ["*.none", "none/*", "c.txt/*"] {
        stage.run(["cp", pattern, "s3://bucket/"]).code(1).stderr_has(pattern);
    }
    stage.run(["cp", "*.gz", "s3://bucket/", "--exclude", "*/**", "--dry-run"]).code(0);
    assert_eq!(stage.keys().len(), 0);
    stage.run(["mv", "x/*/a", "s3://bucket/"]).code(0);
    assert_eq!(stage.keys(), ["2023/a", "2024/a", "y/a"]);
    assert!(!stage.sandbox.path("x/2023/a").exists());
    assert_eq!(stage.text("e/f.gz"), "e/f.gz");
}

/// A folder that no pattern reaches is not looked into.
#[cfg(unix)]
#[test]
fn wildcards_go_into_no_folder_that_does_not_match() {
    let stage = Stage::new();
    stage.sandbox.write("d/a.csv", "x");
    stage.sandbox.write("d/loop/a", "x");
    std::os::unix::fs::symlink("../loop", stage.sandbox.path("d/loop/again")).expect("a link");
    stage.run(["cp", "d/*.csv", "s3://bucket/"]).code(0);
    assert_eq!(stage.keys(), ["a.csv"]);
    stage.run(["cp", "d/*", "s3://bucket/"]).code(1).stderr_has("again");
}
