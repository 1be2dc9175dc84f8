//! Keys made to do harm: to leave the destination, to overwrite each other, to talk to a terminal.
//! Nothing outside the destination may ever change, and the good keys beside them must arrive.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;
use testbed::{Fault, FaultKind, Gate, Operation};
use walkdir::WalkDir;

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Keys that lead out of a folder, or name no file at all.
const LEADING_OUT: [&str; 13] = [
    "../e",
    "a/../../e",
    "..",
    "a/..",
    "/../e",
    "//../e",
    "/abs",
    "//abs",
    "..\\e",
    "a\\..\\..\\e",
    "C:\\e",
    "nul\0inside",
    "./../e",
];
const GOOD: [&str; 3] = ["good", "deep/er/good", "..dots..not/parents.."];

/// Deep enough that every `..` of the keys ends inside the sandbox, where it is seen.
const OUT: &str = "one/two/out";

#[test]
fn no_listed_key_leads_out_of_the_destination() {
    for source in ["s3://bucket/", "s3://bucket/p/", "s3://bucket/p/*", "s3://bucket/*"] {
        let prefix = if source.contains("/p/") { "p/" } else { "" };
        let stage = with_bad_and_good(prefix);
        let before = outside(&stage);
        let output = stage.run(["download", source, "one/two/out/"]);
        output.code(1).stderr_has("error: ").stderr_has("..");
        assert_eq!(outside(&stage), before, "{source} changed something outside\n{output}");
        assert_good_arrived(&stage, &output);
    }
}

#[test]
fn no_key_of_a_manifest_leads_out_of_the_destination() {
    let stage = with_bad_and_good("");
    let line = |key: &&str| {
        serde_json::json!({ "source": format!("s3://bucket/{key}") }).to_string() + "\n"
    };
    let rows: String = LEADING_OUT.iter().chain(&GOOD).map(line).collect();
    stage.sandbox.write("rows.jsonl", rows);
    let before = outside(&stage);
    let output = stage.run(["download", "--manifest", "rows.jsonl", OUT]);
    output.code(1).stderr_has("(line 1)");
    assert_eq!(outside(&stage), before, "something outside changed\n{output}");
    assert_good_arrived(&stage, &output);
}

#[test]
fn no_destination_of_a_manifest_leads_out_of_the_base() {
    let stage = Stage::with_keys(&["good"]);
    let absolute = stage.sandbox.path("absolute").to_string_lossy().into_owned();
    let line = |destination: &&str| {
        serde_json::json!({ "source": "s3://bucket/good", "destination": destination }).to_string()
            + "\n"
    };
    let bad = [LEADING_OUT.as_slice(), &[&absolute, "../", "a/../../b/"]].concat();
    let rows: String = bad.iter().chain(&["good"]).map(line).collect();
    stage.sandbox.write("rows.jsonl", rows);
    let before = outside(&stage);
    let output = stage.run(["download", "--json", "--manifest", "rows.jsonl", OUT]);
    output.code(1);
    assert_eq!(outside(&stage), before, "something outside changed\n{output}");
    assert_eq!(stage.files(OUT), ["good"], "{output}");
    let failed = output.json_lines().into_iter().filter(|line| line["event"] == "failed");
    assert_eq!(failed.count(), bad.len(), "{output}");
}

#[test]
fn a_single_object_with_an_unsafe_name_is_refused() {
    for key in ["..", "a/..", "x\\y", "a/b\0c"] {
        let stage = Stage::with_keys(&[key]);
        // A NUL can't be typed; a manifest can hold it.
        let (manifest, uri) = ("rows.jsonl", format!("s3://bucket/{key}"));
        let row = serde_json::json!({ "source": uri }).to_string();
        stage.sandbox.write(manifest, row);
        stage.sandbox.folder(OUT);
        let before = outside(&stage);
        let output = if key.contains('\0') {
            stage.run(["download", "--manifest", manifest, OUT])
        } else {
            stage.run(["download", "--raw", &uri, OUT])
        };
        output.code(1).stderr_has("error: ");
        assert_eq!(outside(&stage), before, "{key:?} changed something outside\n{output}");
        assert_eq!(stage.files(OUT), Vec::<String>::new(), "{output}");
    }
}

#[test]
fn an_exact_destination_takes_an_object_of_any_name() {
    let stage = Stage::with_keys(&["..", "a\\..\\b"]);
    stage.run(["download", "--raw", "s3://bucket/..", "dots"]).code(0);
    stage.run(["download", "--raw", "s3://bucket/a\\..\\b", "slashes"]).code(0);
    assert_eq!(stage.text("dots"), "..");
    assert_eq!(stage.text("slashes"), "a\\..\\b");
}

#[test]
fn a_symlink_planted_below_the_destination_is_not_followed() {
    let stage = Stage::with_keys(&["folder/file", "file", "dangling", "loop/x", "good"]);
    stage.sandbox.write("outside/secret", "secret");
    stage.sandbox.write("outside/folder/there", "there");
    let out = stage.sandbox.folder(OUT);
    symlink(stage.sandbox.path("outside/folder"), out.join("folder")).expect("a link");
    symlink(stage.sandbox.path("outside/secret"), out.join("file")).expect("a link");
    symlink(stage.sandbox.path("outside/new"), out.join("dangling")).expect("a link");
    symlink("loop", out.join("loop")).expect("a link");
    let before = outside(&stage);
    let output = stage.run(["download", "s3://bucket/", OUT]);
    output.code(1).stderr_has("symlink");
    assert_eq!(outside(&stage), before, "something outside changed\n{output}");
    assert_eq!(stage.text("one/two/out/good"), "good");
    let links = ["folder", "file", "dangling", "loop"].map(|name| out.join(name).is_symlink());
    assert_eq!(links, [true; 4], "a planted link was replaced\n{output}");
}

#[test]
fn keys_that_meet_in_one_file_are_done_once_and_told() {
    for keys in [["a//b", "a/b"], ["a/./b", "a/b"], ["x", "x/y"], ["x/", "x"]] {
        let stage = Stage::new();
        for key in keys.iter().filter(|key| !key.ends_with('/')) {
            stage.testbed.put_object(BUCKET, key, (*key).to_owned());
        }
        for marker in keys.iter().filter(|key| key.ends_with('/')) {
            stage.testbed.put_object(BUCKET, marker, "");
        }
        stage.testbed.put_object(BUCKET, "zz", "zz");
        let output = stage.run(["download", "s3://bucket/", OUT]);
        output.code(1).stderr_has("error: could not write");
        let arrived = stage.files(OUT);
        assert!(arrived.contains(&"zz".to_owned()), "{arrived:?}\n{output}");
        assert_eq!(arrived.len(), 2, "{arrived:?}\n{output}");
        for file in arrived {
            let text = stage.text(&format!("{OUT}/{file}"));
            assert!(text == "zz" || keys.contains(&text.as_str()), "{text:?} is of no object");
        }
    }
}

/// The first bytes of the SHA-256 of `x.bin`: the name that its file has while it is on its way.
#[test]
fn a_key_like_the_name_of_a_file_on_its_way_takes_no_place() {
    let stage = Stage::with_keys(&["p/x.bin", "p/.haul-1a2037de5d182672.part", "p/last"]);
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.key("p/x.bin").always());
    let running = stage.haul().args(["download", "s3://bucket/p/", "out/"]).spawn();
    gate.wait_for(1);
    gate.open();
    let output = running.wait();
    output.code(1).stderr_has(".haul-1a2037de5d182672.part").stderr_has("files on their way");
    assert_eq!(stage.sandbox.read("out/x.bin"), b"p/x.bin");
    assert_eq!(stage.sandbox.read("out/last"), b"p/last");
    stage.sandbox.no_leftovers("out");
}

#[test]
fn a_folder_marker_makes_a_folder_and_one_with_bytes_is_an_error() {
    let stage = Stage::with_keys(&["full/", "full/file"]);
    stage.testbed.put_object(BUCKET, "empty/", "");
    let output = stage.run(["download", "s3://bucket/", OUT]);
    output.code(1).stderr_has("s3://bucket/full/").stderr_has("5 bytes");
    assert!(stage.sandbox.path(OUT).join("empty").is_dir(), "{output}");
    assert_eq!(stage.files(OUT), ["full/file"], "{output}");
    stage.testbed.delete_object(BUCKET, "full/");
    stage.run(["download", "s3://bucket/", "again"]).code(0);
    assert!(stage.sandbox.path("again/empty").is_dir());
}

#[test]
fn names_of_255_bytes_work_and_longer_ones_fail_alone() {
    let (longest, too_long) = ("l".repeat(255), "m".repeat(256));
    let wide = "ü".repeat(127);
    let deep = format!("{}/end", ["d".repeat(250), "e".repeat(250), "f".repeat(250)].join("/"));
    let stage = Stage::with_keys(&[&longest, &too_long, &wide, &deep]);
    let output = stage.run(["download", "s3://bucket/", OUT]);
    output.code(1).stderr_has("too long");
    assert_eq!(stage.files(OUT), [deep, longest, wide], "{output}");
    stage.sandbox.no_leftovers("");
}

const SPEAKING: [&str; 4] =
    ["red\u{1b}[31m", "two\nlines\rover", "gnp\u{202e}exe", "c1\u{9b}2J\u{7}\u{7f}\t"];

#[test]
fn no_name_speaks_to_a_terminal() {
    let stage = Stage::with_keys(&SPEAKING);
    let missing = SPEAKING.map(|key| format!("s3://bucket/missing-{key}\0")).concat();
    for output in [
        stage.run(["ls", "s3://bucket/"]),
        stage.run(["ls", "-r", "s3://bucket"]),
        stage.run(["download", "--dry-run", "s3://bucket/", OUT]),
        stage.run(["download", "-vv", "s3://bucket/", OUT]),
        stage.run(["download", "-vv", "--no-clobber", "s3://bucket/", OUT]),
        stage.run(["upload", "-vv", OUT, "s3://bucket/again/"]),
        stage.feed(missing, ["download", "--manifest", "-", "--manifest-format", "keys0", OUT]),
        stage.run(["download", "s3://bucket/no\u{1b}[2J\u{202e}such", OUT]),
        stage.run(["download", "s3://bucket/no\u{1b}[2J\u{202e}such/", OUT]),
        stage.run(["upload", "no\u{1b}[2J\u{202e}such", "s3://bucket/"]),
        stage.run(["ls", "s3://bucket/no\u{1b}[2J\u{202e}such"]),
        stage.run(["ls", "s3://no\u{1b}[2J\u{202e}such"]),
        stage.run(["ls", "--no\u{1b}[2Jsuch"]),
        stage.run(["download", "--manifest", "no\u{1b}[2J\u{202e}such.csv", OUT]),
    ] {
        let is_hidden = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{80}'..='\u{9f}' | '\t');
        let text = [output.stdout_text(), &output.stderr].concat();
        assert!(!text.contains(is_hidden), "a name came through raw\n{output}");
        output.no_escapes();
    }
    for key in SPEAKING {
        assert_eq!(stage.text(&format!("{OUT}/{key}")), key);
        assert_eq!(stage.object_text(&format!("again/{key}")), key);
    }
}

#[test]
fn programs_get_names_exact() {
    let stage = Stage::with_keys(&SPEAKING);
    let mut wanted: Vec<_> = SPEAKING.iter().map(|key| format!("s3://bucket/{key}")).collect();
    wanted.sort();
    for args in [
        ["ls", "--json", "s3://bucket/", ""].as_slice(),
        &["download", "--json", "s3://bucket/", OUT],
        &["download", "--json", "--dry-run", "s3://bucket/", OUT],
    ] {
        let output = stage.run(args.iter().filter(|arg| !arg.is_empty()));
        output.code(0);
        let kinds = ["object", "done", "plan"].map(Value::from);
        let lines = output.json_lines().into_iter().filter(|line| kinds.contains(&line["event"]));
        let mut sources: Vec<_> =
            lines.map(|line| line["source"].as_str().expect("a name").to_owned()).collect();
        sources.sort();
        assert_eq!(sources, wanted, "{output}");
    }
}

fn with_bad_and_good(prefix: &str) -> Stage {
    let keys: Vec<_> =
        LEADING_OUT.iter().chain(&GOOD).map(|key| format!("{prefix}{key}")).collect();
    let stage = Stage::with_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    stage.sandbox.write("e", "not to be changed");
    stage.sandbox.write("one/e", "not to be changed");
    stage.sandbox.write("one/two/e", "not to be changed");
    stage
}

#[track_caller]
fn assert_good_arrived(stage: &Stage, output: &Output) {
    let mut good = GOOD.map(str::to_owned);
    good.sort();
    assert_eq!(stage.files(OUT), good, "{output}");
    for key in &good {
        assert!(stage.text(&format!("{OUT}/{key}")).ends_with(key), "{key}\n{output}");
    }
    stage.sandbox.no_leftovers("");
}

/// Everything in the sandbox but what is below the destination: files with their bytes, links
/// with what they point to.
fn outside(stage: &Stage) -> BTreeMap<PathBuf, String> {
    let (root, out) = (stage.sandbox.path(""), stage.sandbox.path(OUT));
    let describe = |path: &PathBuf| {
        let kind = fs::symlink_metadata(path).expect("it is there").file_type();
        if kind.is_symlink() {
            format!("link to {:?}", fs::read_link(path))
        } else if kind.is_file() {
            format!("file of {:?}", fs::read(path).expect("readable"))
        } else {
            "folder".to_owned()
        }
    };
    let paths = WalkDir::new(root).into_iter().map(|entry| entry.expect("readable").into_path());
    let outside = paths.filter(|path| !path.starts_with(&out));
    // The folders above the destination are made with it.
    let outside = outside.filter(|path| !out.starts_with(path));
    outside.map(|path| (path.clone(), describe(&path))).collect()
}
