//! `haul ls`: buckets, one level, everything, and what matches; for people and for programs.

use std::time::{Duration, SystemTime};

use testbed::{PutOptions, Testbed};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const KEYS: [&str; 8] = ["a", "a/1", "a/b/2", "a/b/3", "ab", "z//y", "ü/x", "z"];

#[test]
fn without_an_argument_the_buckets_are_listed() {
    let stage = Stage::new();
    stage.testbed.create_bucket("another");
    stage.run(["ls"]).code(0).stdout_has("another\n").stdout_has("bucket\n");
    let output = stage.run(["ls", "--json"]);
    let names: Vec<_> =
        output.code(0).json_lines().iter().map(|line| line["name"].to_string()).collect();
    assert_eq!(names, ["\"another\"", "\"bucket\""]);
}

#[test]
fn one_level_is_listed_unless_told_otherwise() {
    let stage = Stage::with_keys(&KEYS);
    for (args, wanted) in [
        (["s3://bucket"].as_slice(), ["a", "a/", "ab", "z", "z/", "ü/"].as_slice()),
        (&["s3://bucket/"], &["a", "a/", "ab", "z", "z/", "ü/"]),
        (&["s3://bucket/a/"], &["a/1", "a/b/"]),
        (&["s3://bucket/a"], &["a", "a/"]),
        (&["s3://bucket/ab"], &["ab"]),
        (&["s3://bucket/z/"], &["z//"]),
        (&["-r", "s3://bucket/a/"], &["a/1", "a/b/2", "a/b/3"]),
        (&["-r", "s3://bucket/a"], &["a", "a/1", "a/b/2", "a/b/3"]),
        (&["s3://bucket/a*"], &["a", "a/1", "a/b/2", "a/b/3", "ab"]),
        (&["s3://bucket/a/?/*"], &["a/b/2", "a/b/3"]),
        (&["-r", "s3://bucket", "--include", "*b*"], &["a/b/2", "a/b/3", "ab"]),
        (&["-r", "s3://bucket", "--exclude", "a*"], &["z", "z//y", "ü/x"]),
    ] {
        let output = stage.haul().args(["ls", "--json"]).args(args).run();
        let mut names = names(output.code(0));
        names.sort();
        assert_eq!(names, wanted, "{output}");
    }
}

#[test]
fn a_line_has_time_size_and_name() {
    let stage = Stage::new();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let options = PutOptions::new().last_modified(time).storage_class("STANDARD_IA");
    let etag = stage.testbed.put_object_with(BUCKET, "p/k", vec![0; 3000], &options);
    let output = stage.run(["ls", "s3://bucket/p/"]);
    output.code(0).stdout_is("2023-11-14T22:13:20Z          3000  p/k\n");
    stage.run(["ls", "--human-readable", "s3://bucket/p/"]).code(0).stdout_has("2.9 KiB  p/k");
    stage.testbed.put_object(BUCKET, "p/q/k", "bytes");
    let long = stage.run(["ls", "--long", "-H", "s3://bucket/p/"]);
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = long.code(0).stdout_text().lines().map(columns).collect();
    assert_eq!(lines[0], ["2023-11-14T22:13:20Z", "2.9", "KiB", "STANDARD_IA", &etag, "p/k"]);
    assert_eq!(lines[1], ["PRE", "p/q/"]);
    let lines = long.stdout_text().lines();
    let names: Vec<_> = lines.filter_map(|line| line.find(" p/")).collect();
    assert!(names.len() == 2 && names[0] == names[1], "{long}");
    stage.testbed.delete_object(BUCKET, "p/q/k");
    let json = stage.run(["ls", "--json", "s3://bucket/p/"]);
    let lines = json.code(0).json_lines();
    assert_eq!(lines.len(), 1, "{json}");
    let object = &lines[0];
    assert_eq!(object["event"], "object");
    assert_eq!(object["source"], "s3://bucket/p/k");
    assert_eq!(object["key"], "p/k");
    assert_eq!(object["size"], 3000);
    assert_eq!(object["last_modified"], "2023-11-14T22:13:20Z");
    assert_eq!(object["etag"], etag);
    assert_eq!(object["storage_class"], "STANDARD_IA");
}

#[test]
fn many_pages_are_one_listing() {
    let stage = Stage::on(Testbed::builder().page_size(10).spawn().expect("a testbed"));
    for number in 0..101 {
        stage.testbed.put_object(BUCKET, &format!("p/{number:03}/x"), "");
    }
    assert_eq!(names(stage.run(["ls", "--json", "s3://bucket/p/"]).code(0)).len(), 101);
    assert_eq!(names(stage.run(["ls", "-r", "--json", "s3://bucket"]).code(0)).len(), 101);
}

/// Whatever falls into one page: scripts compare listings line by line.
#[test]
fn folders_and_objects_of_one_level_are_in_one_order() {
    let keys = ["a", "a-/x", "a.b", "a/x", "a/y", "a0", "b/x", "b0", "c", "d/x", "ü"];
    let wanted = ["a", "a-/", "a.b", "a/", "a0", "b/", "b0", "c", "d/", "ü"];
    for size in [1, 2, 3, 1000] {
        let stage = Stage::on(Testbed::builder().page_size(size).spawn().expect("a testbed"));
        stage.testbed.keep_versions(BUCKET);
        for key in keys {
            stage.testbed.put_object(BUCKET, &format!("p/{key}"), key);
        }
        let wanted: Vec<_> = wanted.iter().map(|name| format!("p/{name}")).collect();
        for more in [&[][..], &["--all-versions"]] {
            let ls = ["ls", "s3://bucket/p/"];
            let json = stage.haul().args(ls).arg("--json").args(more).run();
            assert_eq!(names(json.code(0)), wanted, "{size} {json}");
            let text = stage.haul().args(ls).args(more).run();
            let last = |line: &str| line.split_whitespace().last().map(str::to_owned);
            let lines: Vec<_> = text.code(0).stdout_text().lines().filter_map(last).collect();
            assert_eq!(lines, wanted, "{size} {text}");
        }
    }
}

#[test]
fn what_matches_nothing_is_told() {
    let stage = Stage::with_keys(&["dir/a"]);
    for uri in ["s3://bucket/no-such", "s3://bucket/no/such/", "s3://bucket/no*", "s3://bucket/di"]
    {
        let output = stage.run(["ls", uri]);
        output.code(1).stderr_has("error: ").stderr_has(uri).stderr_has("hint: ").stdout_is("");
    }
    Stage::new().run(["ls", "s3://bucket/"]).code(0).stdout_is("");
}

#[test]
fn filters_that_leave_nothing_do_not_say_that_nothing_is_there() {
    let stage = Stage::with_keys(&["dir/a"]);
    for uri in ["s3://bucket/dir/", "s3://bucket/dir/a", "s3://bucket/d*"] {
        let output = stage.run(["ls", uri, "--include", "*.zip"]);
        output.code(0).stdout_is("");
        assert_eq!(output.stderr, "", "{output}");
    }
    stage.run(["ls", "s3://bucket/no/", "--include", "*.zip"]).code(1).stderr_has("nothing is at");
}

fn names(output: &Output) -> Vec<String> {
    let name = |line: &serde_json::Value| {
        let name = line.get("key").or(line.get("prefix")).expect("a name");
        name.as_str().expect("a text").to_owned()
    };
    output.json_lines().iter().map(name).collect()
}
