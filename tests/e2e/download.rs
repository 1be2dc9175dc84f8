//! `haul download`: where objects land, which are meant, and what stands there afterwards. It must
//! never be about faults of the server or names made to do harm; those have files of their own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use testbed::{Operation, PutOptions};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

#[test]
fn one_object_lands_where_it_was_typed() {
    for (destination, file) in [
        (".", "a.txt"),
        ("new/", "new/a.txt"),
        ("new/deeper/", "new/deeper/a.txt"),
        ("name", "name"),
        ("new/name", "new/name"),
        ("./name", "name"),
    ] {
        let stage = Stage::with_keys(&["dir/a.txt"]);
        stage.run(["download", "s3://bucket/dir/a.txt", destination]).code(0);
        assert_eq!(stage.files(""), [file], "{destination}");
        assert_eq!(stage.text(file), "dir/a.txt");
    }
    let stage = Stage::with_keys(&["dir/a.txt"]);
    stage.sandbox.folder("there");
    stage.run(["download", "s3://bucket/dir/a.txt", "there"]).code(0);
    assert_eq!(stage.files(""), ["there/a.txt"]);
}

#[test]
fn several_objects_land_in_one_folder() {
    let stage = Stage::with_keys(&["a/x", "b/y", "c/z/1"]);
    stage.run(["download", "s3://bucket/a/x", "s3://bucket/b/y", "s3://bucket/c/", "out"]).code(0);
    assert_eq!(stage.files("out"), ["x", "y", "z/1"]);
}

#[test]
fn a_prefix_lands_with_the_names_below_it() {
    let keys = ["p/a", "p/b/c", "p/b//d", "p.txt", "q/p/a"];
    let stage = Stage::with_keys(&keys);
    stage.run(["download", "s3://bucket/p/", "out"]).code(0);
    assert_eq!(stage.files("out"), ["a", "b/c", "b/d"]);
    stage.run(["download", "s3://bucket", "all"]).code(0);
    assert_eq!(stage.files("all"), ["p.txt", "p/a", "p/b/c", "p/b/d", "q/p/a"]);
}

#[test]
fn a_wildcard_crosses_folders_and_keeps_what_is_below_its_own() {
    let keys = ["p/2024/x1", "p/2024/y", "p/2025/deep/x2", "p/20", "p/30/x"];
    for (source, wanted) in [
        ("s3://bucket/p/2*/x*", ["2024/x1", "2025/deep/x2"].as_slice()),
        ("s3://bucket/p/2*", &["20", "2024/x1", "2024/y", "2025/deep/x2"]),
        ("s3://bucket/p/??", &["20"]),
        ("s3://bucket/p/20?4/*", &["2024/x1", "2024/y"]),
        ("s3://bucket/p/2024/*", &["x1", "y"]),
        ("s3://bucket/*x", &["p/30/x"]),
    ] {
        let stage = Stage::with_keys(&keys);
        stage.run(["download", source, "out/"]).code(0);
        assert_eq!(stage.files("out"), wanted, "{source}");
    }
}

#[test]
fn raw_takes_a_key_literally() {
    let stage = Stage::with_keys(&["a*", "ab", "a?c", "abc", "folder/"]);
    stage.run(["download", "--raw", "s3://bucket/a*", "out/"]).code(0);
    stage.run(["download", "--raw", "s3://bucket/a?c", "out/"]).code(0);
    assert_eq!(stage.files("out"), ["a*", "a?c"]);
    stage.run(["download", "--raw", "s3://bucket/folder/", "marker"]).code(0);
    assert_eq!(stage.text("marker"), "folder/");
}

#[test]
fn the_last_filter_that_matches_wins() {
    let keys = ["a.log", "a.txt", "cache/b.txt", "deep/cache/c.txt", "d.tmp", "e[1].x", "e1.x"];
    for (filters, wanted) in [
        (
            ["--exclude", "*.txt", "--include", "a.txt"].as_slice(),
            ["a.log", "a.txt", "d.tmp", "e1.x", "e[1].x"].as_slice(),
        ),
        (&["--include", "a.txt", "--exclude", "*.txt"], &[]),
        (&["--include", "*.txt"], &["a.txt", "cache/b.txt", "deep/cache/c.txt"]),
        (&["--include", "*.txt", "--exclude", "**/cache/**"], &["a.txt"]),
        (&["--include", "*.{log,tmp}"], &["a.log", "d.tmp"]),
        (&["--include", "e[0-9].x"], &["e1.x"]),
        (&["--exclude", "*"], &[]),
    ] {
        let stage = Stage::with_keys(&keys);
        let command = stage.haul().args(["download", "s3://bucket/", "out"]).args(filters);
        let output = command.run();
        output.code(0);
        assert_eq!(stage.files("out"), wanted, "{output}");
        if wanted.is_empty() {
            output.stderr_has("nothing");
        }
    }
}

#[test]
fn flatten_drops_folders_and_refuses_equal_names() {
    let stage = Stage::with_keys(&["a/x", "a/b/y", "c/z", "d/x"]);
    let output = stage.run(["download", "--flatten", "s3://bucket/", "out"]);
    output.code(1).stderr_has("s3://bucket/d/x");
    assert_eq!(stage.files("out"), ["x", "y", "z"]);
    assert_eq!(stage.text("out/x"), "a/x", "the first one stays");
}

#[test]
fn a_dry_run_tells_everything_and_writes_nothing() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/a", content("a", 1000));
    stage.testbed.put_object(BUCKET, "p/b/c", content("c", 24));
    let output = stage.run(["download", "--dry-run", "s3://bucket/p/", "out/"]);
    output
        .code(0)
        .stdout_has("s3://bucket/p/a -> out/a")
        .stdout_has("s3://bucket/p/b/c -> out/b/c");
    output.stderr_has("2 objects").stderr_has("1.0 KiB");
    let json = stage.run(["download", "--dry-run", "--json", "s3://bucket/p/", "out/"]);
    let lines = json.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["planned_objects"], 2, "{json}");
    assert_eq!(summary["planned_bytes"], 1024, "{json}");
    assert!(!stage.sandbox.path("out").exists(), "the folder was made\n{output}");
    assert_eq!(stage.testbed.count(Operation::GetObject), 0, "bytes were fetched");
}

#[test]
fn what_is_there_is_replaced_unless_told_otherwise() {
    let old = SystemTime::now() - Duration::from_hours(2);
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    // Of a file that is as old as `old`: the size of the object, its time, the mode, and whether
    // the file is replaced.
    for (text, time, mode, is_replaced) in [
        ("other", hour_ago, "always", true),
        ("same", old, "always", true),
        ("other", hour_ago, "never", false),
        ("same", hour_ago, "newer", true),
        ("other", old - Duration::from_hours(1), "newer", false),
        ("other", old, "changed", true),
        ("same", old, "changed", false),
        ("same", hour_ago, "changed", true),
    ] {
        for source in ["s3://bucket/p/", "s3://bucket/p/f"] {
            let stage = Stage::new();
            let options = PutOptions::new().last_modified(time);
            stage.testbed.put_object_with(BUCKET, "p/f", text, &options);
            let file = stage.sandbox.write("out/f", "SAME");
            set_modified(&file, old);
            let output = stage.run(["download", "--overwrite", mode, source, "out/"]);
            output.code(0);
            let found = stage.text("out/f");
            let case = format!("{text} {mode} {source}");
            assert_eq!(found, if is_replaced { text } else { "SAME" }, "{case}\n{output}");
            if !is_replaced {
                output.stderr_has("1 skipped");
            }
        }
    }
}

#[test]
fn no_clobber_keeps_what_is_there_and_fetches_the_rest() {
    let stage = Stage::with_keys(&["there", "new"]);
    stage.sandbox.write("out/there", "mine");
    let output = stage.run(["download", "--no-clobber", "s3://bucket/", "out/"]);
    output.code(0).stderr_has("1 skipped");
    assert_eq!(stage.text("out/there"), "mine");
    assert_eq!(stage.text("out/new"), "new");
}

#[test]
fn a_file_is_as_old_as_its_object_unless_told_otherwise() {
    let then = SystemTime::UNIX_EPOCH + Duration::from_mins(25_000_000);
    for size in [10, 20 * MIB] {
        let stage = Stage::new();
        let options = PutOptions::new().last_modified(then);
        stage.testbed.put_object_with(BUCKET, "f", content("f", size), &options);
        stage.run(["download", "s3://bucket/f", "like"]).code(0);
        stage.run(["download", "--no-mtime", "s3://bucket/f", "now"]).code(0);
        let modified = |name| fs::metadata(stage.sandbox.path(name)).and_then(|it| it.modified());
        assert_eq!(modified("like").expect("a time"), then, "{size} bytes");
        let age = modified("now").expect("a time").elapsed().unwrap_or_default();
        assert!(age < Duration::from_hours(1), "{size} bytes: {age:?}");
    }
}

#[test]
fn the_mode_of_a_file_follows_the_umask() {
    for (umask, mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664), ("027", 0o640)] {
        let stage = Stage::with_keys(&["p/f"]);
        stage.testbed.put_object(BUCKET, "large", content("large", 20 * MIB));
        let haul = env!("CARGO_BIN_EXE_haul");
        let line =
            format!("umask {umask} && exec {haul} download s3://bucket/p/f s3://bucket/large out/");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
        let ended = shell.output().expect("a shell");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        for file in ["out/f", "out/large"] {
            let found = fs::metadata(stage.sandbox.path(file)).expect("a file").permissions();
            assert_eq!(found.mode() & 0o7777, mode, "{file} with umask {umask}");
        }
    }
}

#[test]
fn a_replaced_file_does_not_keep_the_mode_that_it_had() {
    let stage = Stage::with_keys(&["f"]);
    let file = stage.sandbox.write("f", "secret");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).expect("a mode");
    stage.run(["download", "s3://bucket/f", "f"]).code(0);
    assert_eq!(stage.text("f"), "f");
}

#[test]
fn a_symlink_that_was_typed_is_followed() {
    let stage = Stage::with_keys(&["p/f"]);
    stage.sandbox.write("real/old", "old");
    let link =
        |target: &str, name: &str| symlink(target, stage.sandbox.path(name)).expect("a link");
    link("real", "folder");
    link("real/old", "file");
    link("real/new", "dangling");
    stage.run(["download", "s3://bucket/p/", "folder"]).code(0);
    assert_eq!(stage.text("real/f"), "p/f");
    stage.run(["download", "s3://bucket/p/f", "folder/sub/"]).code(0);
    assert_eq!(stage.text("real/sub/f"), "p/f");
    for name in ["file", "dangling"] {
        stage.run(["download", "s3://bucket/p/f", name]).code(0);
        assert!(stage.sandbox.path(name).is_symlink(), "{name} was replaced");
    }
    assert_eq!(stage.text("real/old"), "p/f");
    assert_eq!(stage.text("real/new"), "p/f");
    stage.sandbox.no_leftovers("");
}

#[test]
fn an_object_streams_to_stdout_in_order() {
    for size in [0, 10, 8 * MIB, 8 * MIB + 1, 30 * MIB + 7] {
        let stage = Stage::new();
        let bytes = content("stream", size);
        stage.testbed.put_object(BUCKET, "f", bytes.clone());
        for command in ["download", "cp"] {
            let output = stage.run([command, "s3://bucket/f", "-"]);
            output.code(0).stdout_is(&bytes);
        }
        assert!(stage.files("").is_empty(), "a file was made");
    }
}

#[test]
fn devices_and_pipes_are_written_in_place() {
    let stage = Stage::new();
    let bytes = content("pipe", 12 * MIB);
    stage.testbed.put_object(BUCKET, "f", bytes.clone());
    let pipe = stage.sandbox.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).expect("the pipe is readable")
    });
    stage.run(["download", "s3://bucket/f", "pipe"]).code(0);
    assert!(reader.join().expect("the reader ends") == bytes, "other bytes came through the pipe");
    assert!(!fs::metadata(&pipe).expect("there").is_file(), "the pipe was replaced");
    stage.run(["download", "s3://bucket/f", "/dev/null"]).code(0);
    assert!(!Path::new("/dev/null").is_file(), "/dev/null was replaced");
    stage.run(["download", "s3://bucket/f", "/dev/stdout"]).code(0).stdout_is(&bytes);
}

#[test]
fn objects_of_every_size_arrive_byte_equal_and_verified() {
    let stage = Stage::new();
    let sizes = [0, 1, 16 << 10, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 25 * MIB];
    for size in sizes {
        let bytes = content(&format!("wanted/{size}"), size);
        stage.sandbox.write(format!("wanted/{size}"), &bytes);
        stage.testbed.put_object(BUCKET, &format!("p/{size}"), bytes);
    }
    let output = stage.run(["download", "--json", "s3://bucket/p/", "out"]);
    let lines = output.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["objects"], sizes.len(), "{output}");
    assert_eq!(summary["verified"], sizes.len(), "{output}");
    stage.sandbox.same("wanted", "out");
    stage.sandbox.no_leftovers("");
}

#[test]
fn parts_are_as_large_as_told() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "f", content("f", 3 * MIB));
    stage.run(["download", "--part-size", "1MiB", "s3://bucket/f", "f"]).code(0);
    assert!(stage.sandbox.read("f") == content("f", 3 * MIB));
    let mut ranges: Vec<_> = stage.testbed.requests_of(Operation::GetObject).into_iter().collect();
    ranges.sort_by_key(testbed::Request::range_start);
    let ranges: Vec<_> = ranges.iter().filter_map(|request| request.range.as_deref()).collect();
    assert_eq!(ranges, ["bytes=0-1048575", "bytes=1048576-2097151", "bytes=2097152-3145727"]);
}

#[test]
fn a_listing_of_many_pages_is_downloaded_whole() {
    let stage = Stage::on(testbed::Testbed::builder().page_size(7).spawn().expect("a testbed"));
    for number in 0..100 {
        stage.testbed.put_object(BUCKET, &format!("p/{number:03}"), number.to_string());
    }
    stage.run(["download", "s3://bucket/p/", "out"]).code(0).stderr_has("100 objects");
    assert_eq!(stage.files("out").len(), 100);
}

fn set_modified(file: &Path, time: SystemTime) {
    let opened = fs::File::options().write(true).open(file).expect("writable");
    opened.set_modified(time).expect("a time");
}
