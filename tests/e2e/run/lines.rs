//! What lines do, and what is said of those that can't.

use std::collections::HashSet;

use testbed::{Fault, FaultKind, Operation};

use super::{script, summary};
use crate::stage::Stage;

#[test]
fn every_verb_does_what_it_does_alone() {
    let stage = Stage::with_keys(&["a", "b c", "gone", "tmp/1", "tmp/2", "tree/x", "tree/y/z"]);
    stage.sandbox.write("file", "file");
    stage.sandbox.write("site/index", "index");
    stage.sandbox.write("site/css/all", "all");
    stage.sandbox.write("moved", "moved");
    let lines = "\
# all of them
download s3://bucket/a out/
haul cp 's3://bucket/b c' \"out/b c\"   # with spaces
upload file s3://bucket/up/ --content-type text/x-test

s5cmd cp s3://bucket/a s3://bucket/copied
cp s3://bucket/tree/* wild/
cp s3://bucket/tree/ prefix/
mv moved s3://bucket/up/
mv s3://bucket/gone here
sync site/ s3://bucket/www/
rm s3://bucket/tmp/*";
    let output = script(&stage, lines, &["--json"]);
    output.code(0);
    assert_eq!(stage.files("out"), ["a", "b c"]);
    assert_eq!(stage.text("out/b c"), "b c");
    assert_eq!(stage.files("wild"), ["x", "y/z"]);
    assert_eq!(stage.files("prefix"), ["x", "y/z"]);
    assert_eq!(stage.text("here"), "gone");
    assert!(!stage.sandbox.path("moved").exists());
    let keys = [
        "a",
        "b c",
        "copied",
        "tree/x",
        "tree/y/z",
        "up/file",
        "up/moved",
        "www/css/all",
        "www/index",
    ];
    assert_eq!(stage.keys(), keys);
    assert_eq!(stage.object_text("up/file"), "file");
    let ended: Vec<_> = output.json_lines();
    let jobs = ended.iter().filter(|line| line["event"] == "done" || line["event"] == "removed");
    let (mut numbers, mut count) = (HashSet::new(), 0);
    for job in jobs {
        numbers.insert(job["number"].as_u64().expect("a number"));
        let name = job["source"].as_str().expect("a source");
        let line = job["line"].as_u64().expect("a line");
        let text = lines.lines().nth(usize::try_from(line).expect("small") - 1).expect("a line");
        let beginning = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
        let is_there = text.contains(name) || text.contains(beginning) || text.contains("tree/");
        assert!(is_there || text.contains("site/"), "{name} is not of `{text}`");
        count += 1;
    }
    assert_eq!((numbers.len(), count), (14, 14), "{output}");
    let summary = summary(&output);
    assert_eq!((&summary["objects"], &summary["removed"]), (&12.into(), &2.into()));
}

#[test]
fn a_bad_line_is_named_and_the_others_go_on() {
    let stage = Stage::with_keys(&["a", "b"]);
    let lines = "\
cp s3://bucket/a out/
cpp s3://bucket/a other
cp s3://bucket/a 'out/
cp s3://bucket/missing out/
cp s3://no-such-bucket/k out/
ls s3://bucket/
cp out nowhere
cp s3://bucket/b out/
cp s3://bucket/q* out/
sync not-here s3://bucket/www/";
    let output = script(&stage, lines, &[]);
    output.code(1);
    output.stderr_has(
        "not a command: unrecognized subcommand 'cpp'; a similar subcommand exists: 'cp' (line 2)",
    );
    output.stderr_has("a ' is opened and not closed (line 3)");
    output.stderr_has("s3://bucket/missing").stderr_has("(line 4)");
    output.stderr_has("NoSuchBucket").stderr_has("(line 5)");
    output.stderr_has("`ls` is nothing that a line may do; lines may do: download");
    output.stderr_has("could not do `cp out nowhere`: neither side is an S3 URI; ");
    output.stderr_has("2 objects").stderr_has("8 failed");
    output.stderr_has("no object matches").stderr_has("(line 9)").stderr_has("(line 10)");
    assert_eq!(stage.files("out"), ["a", "b"]);
    let output = script(&stage, lines, &["--json"]);
    let failed: Vec<_> = output.code(1).json_lines();
    let failed = failed.iter().filter(|line| line["event"] == "failed");
    let mut numbers: Vec<_> = failed.map(|line| line["line"].as_u64().expect("a line")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7, 9, 10]);
    assert_eq!(summary(&output)["failed"], 8);
}

#[test]
fn strict_starts_nothing_if_a_line_is_bad() {
    let stage = Stage::with_keys(&["a"]);
    let lines = "cp s3://bucket/a out/\nrm s3://bucket/a --recursiv\n";
    let output = script(&stage, lines, &["--strict"]);
    output.code(2).stderr_has("--recursive").stderr_has("(line 2)");
    output.stderr_has("1 of 2 lines are no commands: nothing was started");
    assert_eq!(stage.testbed.requests().len(), 0);
    script(&stage, "cp s3://bucket/a out/\n", &["--strict"]).code(0);
    stage.feed(lines, ["run", "-", "--strict"]).code(2).stderr_has("passes once");
}

/// What only the command itself finds out, from what was typed alone.
#[test]
fn strict_looks_at_what_lines_name() {
    for (line, told) in [
        ("cp s3://bucket/a", "needs a source and a destination"),
        ("mv file", "needs a source and a destination"),
        ("download s3://bucket/a", "needs a source and a destination"),
        ("upload file", "needs a source and a destination"),
        ("upload a b c", "is no S3 URI"),
        ("sync d/ s3://bucket/p/ more", "unexpected"),
        ("sync d/", "needs a source and a destination"),
        ("cp s3://bucket/a s3://bucket/a", "is where it is to go already"),
        ("mv s3://bucket/a s3://bucket/a", "is where it is to go already"),
        ("cp s3://bucket/p/ s3://bucket/p/q/", "would be copied again"),
        ("cp s3://bucket/p/ s3://bucket/one", "many objects can't become the one object"),
        ("cp file other", "neither side is an S3 URI"),
        ("rm file", "is a local path"),
    ] {
        let stage = Stage::with_keys(&["a"]);
        let lines = format!("cp s3://bucket/a out/\n{line}\n");
        let output = script(&stage, &lines, &["--strict"]);
        output.code(2).stderr_has(told).stderr_has("(line 2)");
        output.stderr_has("nothing was started");
        assert_eq!(stage.testbed.requests().len(), 0, "{line}");
    }
    let stage = Stage::with_keys(&["a"]);
    let lines = "cp s3://bucket/a s3://bucket/a --storage-class STANDARD_IA\nrm s3://bucket/b\n";
    script(&stage, lines, &["--strict"]).code(1);
    assert_eq!(stage.keys(), ["a"]);
}

#[test]
fn lines_come_through_standard_input_packed_or_from_the_store() {
    let stage = Stage::with_keys(&["a", "b"]);
    let bom = "\u{feff}cp s3://bucket/a one/\r\ncp s3://bucket/b one/";
    stage.feed(bom, ["run", "-"]).code(0);
    assert_eq!(stage.files("one"), ["a", "b"]);
    let packed = zstd::encode_all(&b"cp s3://bucket/a two/\n"[..], 1).expect("memory");
    stage.sandbox.write("commands.zst", packed);
    stage.run(["run", "commands.zst"]).code(0);
    assert_eq!(stage.files("two"), ["a"]);
    stage.testbed.put_object("bucket", "commands", "cp s3://bucket/b three/\n");
    stage.run(["run", "s3://bucket/commands"]).code(0);
    assert_eq!(stage.files("three"), ["b"]);
    stage.feed("", ["run", "-"]).code(0);
    stage.feed("# nothing\n\n", ["run", "-"]).code(0);
    stage.run(["run", "not-there"]).code(2).stderr_has("could not open `not-there`");
    stage.run(["run"]).code(2);
    stage.run(["run", "a", "b"]).code(2);
    stage.sandbox.write("cut.zst", b"\x28\xb5\x2f\xfd");
    stage.run(["run", "cut.zst"]).code(1).stderr_has("cut off");
}

#[test]
fn a_dry_run_says_what_all_lines_would_do() {
    let stage = Stage::with_keys(&["a", "tmp/1"]);
    stage.sandbox.write("site/index", "index");
    let lines = "cp s3://bucket/a out/\nrm s3://bucket/tmp/*\nsync site/ s3://bucket/www/\nmv site/index s3://bucket/i\nbad\n";
    let output = script(&stage, lines, &["--dry-run"]);
    output.code(1).stderr_has("(line 5)");
    for planned in ["s3://bucket/a", "s3://bucket/tmp/1", "s3://bucket/www/index", "s3://bucket/i"]
    {
        output.stdout_has(planned);
    }
    assert_eq!(stage.keys(), ["a", "tmp/1"]);
    assert_eq!(stage.files("").len(), 2, "the commands, and the file");
}

#[test]
fn options_of_the_run_are_those_of_its_lines_unless_they_have_their_own() {
    let stage = Stage::with_keys(&["a"]);
    let server = stage.testbed.endpoint();
    let nowhere = "http://127.0.0.1:9";
    let lines = format!("cp s3://bucket/a out/\ncp s3://bucket/a own --endpoint-url {nowhere}\n");
    let output = script(&stage, &lines, &["--endpoint-url", &server, "--max-attempts", "1"]);
    output.code(1).stderr_has("(line 2)");
    assert_eq!(stage.files("out"), ["a"]);
    assert!(!stage.sandbox.path("own").exists());
}

#[test]
fn what_may_pass_is_tried_again_and_counted() {
    let stage = Stage::with_keys(&["a", "b"]);
    let busy = Fault::new(Operation::GetObject, FaultKind::slow_down());
    stage.testbed.fault(busy.occurrence(1..=2));
    let output = script(&stage, "cp s3://bucket/a out/\ncp s3://bucket/b out/\n", &["--json"]);
    assert_eq!(summary(output.code(0))["retries"], 2);
}

/// The bytes of one of them would be nowhere any more.
#[test]
fn two_lines_do_not_use_one_place_where_one_of_them_moves() {
    for (first, second, told) in [
        (
            "mv s3://bucket/a here",
            "mv s3://bucket/b ./here",
            "/here, and this one moves something to it",
        ),
        (
            "mv s3://bucket/a s3://bucket/p/b",
            "cp s3://bucket/b s3://bucket/p/",
            "line 1 moves something to s3://bucket/p/b, and this one writes it",
        ),
        (
            "upload a s3://bucket/",
            "mv s3://bucket/b s3://bucket/a",
            "line 1 writes s3://bucket/a, and this one moves something to it",
        ),
        // A rotation.
        (
            "mv s3://bucket/a s3://bucket/c",
            "mv s3://bucket/b s3://bucket/a",
            "line 1 moves s3://bucket/a away, and this one moves something to it",
        ),
        (
            "mv s3://bucket/a s3://bucket/c",
            "cp s3://bucket/b s3://bucket/a",
            "line 1 moves s3://bucket/a away, and this one writes it",
        ),
        ("mv a s3://bucket/c", "cp s3://bucket/b a", "/a away, and this one writes it"),
        (
            "cp s3://bucket/b s3://bucket/a",
            "mv s3://bucket/a here",
            "line 1 writes s3://bucket/a, and this one moves it away",
        ),
        (
            "mv s3://bucket/a one",
            "mv s3://bucket/a two",
            "line 1 moves s3://bucket/a away, and this one moves it away",
        ),
        (
            "rm s3://bucket/a",
            "mv s3://bucket/b s3://bucket/a",
            "line 1 removes s3://bucket/a, and this one moves something to it",
        ),
        (
            "mv --raw s3://bucket/* s3://bucket/c",
            "cp s3://bucket/b s3://bucket/*",
            "line 1 moves s3://bucket/* away, and this one writes it",
        ),
    ] {
        let stage = Stage::with_keys(&["a", "b", "*"]);
        stage.sandbox.write("a", "a");
        let lines = format!("{first}\n{second}\n");
        let strict = script(&stage, &lines, &["--strict"]);
        strict.code(2).stderr_has(told).stderr_has("(line 2)").stderr_has("nothing was started");
        let output = script(&stage, &lines, &[]);
        output.code(1).stderr_has(told).stderr_has("(line 2)").stderr_has("1 failed");
        assert!(stage.keys().contains(&"b".to_owned()), "{second}");
    }
}

/// A rotation: all bytes stay somewhere.
#[test]
fn lines_that_write_what_another_one_moves_away_lose_nothing() {
    for last in ["mv s3://bucket/r/2 s3://bucket/r/1", "cp s3://bucket/c s3://bucket/r/1"] {
        let stage = Stage::with_keys(&["r/1", "r/2", "c"]);
        let lines = format!("mv s3://bucket/r/1 s3://bucket/r/3\n{last}\n");
        script(&stage, &lines, &[]).code(1).stderr_has("(line 2)");
        let mut texts: Vec<_> = stage.keys().iter().map(|key| stage.object_text(key)).collect();
        texts.sort();
        assert_eq!(texts, ["c", "r/1", "r/2"]);
        assert_eq!(stage.object_text("r/3"), "r/1");
    }
}

#[test]
fn lines_that_only_meet_in_part_are_all_done() {
    let stage = Stage::with_keys(&["a", "b", "d"]);
    stage.sandbox.write("folder/x", "x");
    let lines = "\
cp s3://bucket/a here
cp s3://bucket/b here
mv s3://bucket/b there/
mv s3://bucket/d s3://bucket/e
cp s3://bucket/a s3://bucket/f
rm s3://bucket/f
cp folder s3://bucket/up/
mv other/folder s3://bucket/up/";
    stage.sandbox.write("other/folder/y", "y");
    let output = script(&stage, lines, &["--strict", "-v"]);
    // Whether `f` is there when it is to be removed is for whoever wrote that.
    assert!(!output.stderr.contains("not a command"), "{output}");
    assert!(["a", "b"].contains(&stage.text("here").as_str()), "{output}");
    for key in ["e", "up/x", "up/y"] {
        assert!(stage.keys().contains(&key.to_owned()), "{output}");
    }
}

#[test]
fn what_the_configuration_sets_for_run_is_set_for_its_lines() {
    let stage = Stage::with_keys(&["a"]);
    let with = |settings: &str| {
        stage.sandbox.write("c.toml", settings);
        stage.sandbox.write("commands", "cp s3://bucket/a out/\n");
        let haul = stage.haul().env("HAUL_CONFIG", "c.toml");
        haul.args(["run", "commands", "--json"]).run()
    };
    // What would be done, and nothing else.
    let dry = with("[run]\ndry-run = true\n");
    dry.code(0).stdout_has("s3://bucket/a");
    assert!(!stage.sandbox.path("out").exists(), "{dry}");
    // One try, where the usual number of them would do.
    let busy = || Fault::new(Operation::GetObject, FaultKind::slow_down()).once();
    stage.testbed.fault(busy());
    assert_eq!(summary(with("[run]\nmax-attempts = 1\n").code(1))["failed"], 1);
    stage.testbed.fault(busy());
    assert_eq!(summary(with("").code(0))["retries"], 1);
    // What is set for this command alone goes before what is set for all.
    let signed = |settings: &str| {
        stage.testbed.clear_requests();
        with(settings);
        let requests = stage.testbed.requests();
        let last = requests.last().expect("a request");
        last.header("authorization").unwrap_or_default().to_owned()
    };
    assert!(signed("region = \"x-1\"\n[run]\nregion = \"y-1\"\n").contains("/y-1/s3/"));
    let flags = "no-sign-request = true\n[run]\nno-sign-request = false\n";
    assert_ne!(signed(flags), "");
    assert_eq!(signed("[run]\nno-sign-request = true\n"), "");
}

#[test]
fn what_a_line_says_goes_before_what_is_set_and_that_line_alone() {
    let stage = Stage::with_keys(&["a", "b", "p/keep/k", "p/k"]);
    for name in ["one", "two", "three"] {
        stage.sandbox.write(name, "before");
    }
    let lines = "cp s3://bucket/a two\ncp s3://bucket/a one --overwrite always\n\
                 cp s3://bucket/b three --verify off\n\
                 cp s3://bucket/p/ left/ --exclude 'keep/**'\ncp s3://bucket/p/ right/\n";
    stage.sandbox.write("commands", lines);
    let haul = stage.haul().env("HAUL_NO_CLOBBER", "1").env("HAUL_INCLUDE", "**");
    haul.args(["run", "commands"]).run().code(0);
    assert_ne!(stage.text("one"), "before");
    assert_eq!((stage.text("two"), stage.text("three")), ("before".into(), "before".into()));
    assert_eq!(stage.files("left"), ["k"]);
    assert_eq!(stage.files("right"), ["k", "keep/k"]);
}
