//! `ls --all-versions`: each version and each delete marker, of what was named and of nothing else.

use serde_json::Value;
use testbed::{Fault, FaultKind, Operation, Testbed};

use super::ids;
use crate::stage::{BUCKET, Stage};

/// `p/k` with two versions and a delete marker on top, and others beside it.
fn stage(testbed: Testbed) -> Stage {
    let stage = Stage::on(testbed);
    stage.testbed.put_object(BUCKET, "p/was-there", "0");
    stage.testbed.keep_versions(BUCKET);
    for (key, bytes) in [("p/k", "1"), ("p/k", "22"), ("p/d/x", "x"), ("p2", "333"), ("p", "4")] {
        stage.testbed.put_object(BUCKET, key, bytes);
    }
    stage.run(["rm", "s3://bucket/p/k"]).code(0);
    stage
}

fn list(stage: &Stage, args: &[&str]) -> Vec<Value> {
    let output = stage.haul().args(["ls", "--all-versions", "--json"]).args(args).run();
    output.code(0).json_lines()
}

fn names(lines: &[Value]) -> Vec<&str> {
    let name = |line: &'_ Value| line.get("key").or(line.get("prefix")).is_some();
    assert!(lines.iter().all(name));
    lines.iter().filter_map(|line| line.get("key").or(line.get("prefix"))?.as_str()).collect()
}

#[test]
fn each_version_has_a_line_the_newest_first() {
    let stage = stage(Testbed::spawn());
    let lines = list(&stage, &["s3://bucket/p/k"]);
    let told = |line: &Value| {
        let [version, latest, marker] = ["version_id", "is_latest", "is_delete_marker"];
        let id = line[version].as_str().expect("a text").to_owned();
        (id, line[latest] == true, line[marker] == true, line["size"].as_u64())
    };
    let wanted = [(true, true, None), (false, false, Some(2)), (false, false, Some(1))];
    let wanted = wanted.into_iter().zip(ids(&stage, "p/k"));
    let wanted: Vec<_> =
        wanted.map(|((latest, marker, size), id)| (id, latest, marker, size)).collect();
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), wanted);
    for line in &lines {
        assert_eq!(
            (&line["event"], &line["source"]),
            (&"version".into(), &"s3://bucket/p/k".into())
        );
        assert!(line["last_modified"].is_string(), "{line}");
    }
    let output = stage.run(["ls", "--all-versions", "s3://bucket/p/k"]);
    let text = output.code(0).stdout_text();
    let text: Vec<Vec<_>> =
        text.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    let [marker, new, old] = [0, 1, 2].map(|at| wanted[at].0.as_str());
    assert_eq!(text[0], ["delete", "marker", marker, "latest", "p/k"]);
    assert_eq!((&text[1], &text[2]), (&vec!["2", new, "p/k"], &vec!["1", old, "p/k"]));
    stage.run(["ls", "--all-versions", "-H", "s3://bucket/p/k"]).code(0).stdout_has("2 B  ");
}

/// As without versions, page by page.
#[test]
fn levels_prefixes_wildcards_and_filters_mean_what_they_mean_without() {
    for page_size in [1, 2, 1000] {
        let stage = stage(Testbed::builder().page_size(page_size).spawn().expect("a testbed"));
        for (args, wanted) in [
            (["s3://bucket"].as_slice(), ["p", "p/", "p2"].as_slice()),
            (&["s3://bucket/p"], &["p", "p/"]),
            (&["s3://bucket/p/"], &["p/d/", "p/k", "p/k", "p/k", "p/was-there"]),
            (&["-r", "s3://bucket/p/"], &["p/d/x", "p/k", "p/k", "p/k", "p/was-there"]),
            (&["-r", "s3://bucket/p"], &["p", "p/d/x", "p/k", "p/k", "p/k", "p/was-there"]),
            (&["s3://bucket/p/*"], &["p/d/x", "p/k", "p/k", "p/k", "p/was-there"]),
            (&["s3://bucket/?2"], &["p2"]),
            (&["-r", "s3://bucket/", "--exclude", "p/**"], &["p", "p2"]),
            (&["-r", "s3://bucket/", "--include", "**/k"], &["p/k", "p/k", "p/k"]),
            (&["s3://bucket/p/k", "--include", "*.zip"], &[]),
        ] {
            let lines = list(&stage, args);
            let mut found = names(&lines);
            // A page has its prefixes first.
            found.sort_unstable();
            assert_eq!(found, wanted, "{args:?} in pages of {page_size}");
        }
        assert_eq!(stage.testbed.count(Operation::ListObjectsV2), 0);
    }
}

#[test]
fn a_bucket_that_never_kept_versions_has_one_of_each() {
    let stage = Stage::with_keys(&["a", "b"]);
    let lines = list(&stage, &["s3://bucket"]);
    assert_eq!(names(&lines), ["a", "b"]);
    let is_only = |line: &Value| line["version_id"] == "null" && line["is_latest"] == true;
    assert!(lines.iter().all(is_only), "{lines:?}");
    stage.run(["ls", "--all-versions", "s3://bucket/a"]).code(0).stdout_has("  null  ");
}

#[test]
fn what_is_not_there_or_can_not_be_listed_is_said() {
    let stage = Stage::with_keys(&["a"]);
    for uri in ["s3://bucket/none", "s3://bucket/none/", "s3://bucket/none*"] {
        let output = stage.run(["ls", "--all-versions", uri]);
        output.code(1).stdout_is("").stderr_has("nothing is at");
    }
    Stage::new().run(["ls", "--all-versions", "s3://bucket"]).code(0).stdout_is("");
    stage.run(["ls", "--all-versions"]).code(2);
    let environment = stage.haul().env("HAUL_ALL_VERSIONS", "true").args(["ls", "s3://bucket"]);
    environment.run().code(0).stderr_has("has to be typed");
    assert_eq!(stage.testbed.count(Operation::ListObjectVersions), 3);
    let denied = Fault::new(Operation::ListObjectVersions, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    stage.run(["ls", "--all-versions", "s3://bucket"]).code(1).stderr_has("list all versions");
}

#[test]
fn keys_with_odd_characters_are_escaped_and_exact_in_json() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for key in ["a\nb", "c\u{1b}[2J", "d+e f&é"] {
        stage.testbed.put_object(BUCKET, key, "1");
    }
    stage.run(["ls", "--all-versions", "s3://bucket"]).code(0).no_escapes().stdout_has("  a\\nb\n");
    let lines = list(&stage, &["s3://bucket"]);
    assert_eq!(names(&lines), ["a\nb", "c\u{1b}[2J", "d+e f&é"]);
}

/// What `ls` says is what a manifest reads.
#[test]
fn a_line_is_a_row_of_a_manifest() {
    let stage = stage(Testbed::spawn());
    let lines = list(&stage, &["s3://bucket/p/k"]);
    stage.sandbox.write("rows.jsonl", format!("{}\n", lines[2]));
    stage.run(["download", "--manifest", "rows.jsonl", "s3://bucket/p/", "out/"]).code(0);
    assert_eq!(stage.text("out/k"), "1");
}
