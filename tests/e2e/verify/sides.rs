//! What the two sides may be, which names belong together, and which are left out: as download,
//! upload and cp have it.

use super::{nothing_was_read, results};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Keys whose order is not that of a walk, and folders beside files of the same start.
const NAMES: [&str; 8] = ["a", "a-", "a.b", "a0", "b/a", "b/a.b/c", "b/a0", "ü/x"];

fn both(names: &[&str]) -> Stage {
    let stage = Stage::new();
    for name in names {
        stage.testbed.put_object(BUCKET, &format!("p/{name}"), (*name).to_owned());
        stage.sandbox.write(format!("tree/p/{name}"), name);
    }
    stage
}

fn verify(stage: &Stage, args: &[&str]) -> Output {
    stage.haul().args(["verify", "--json"]).args(args).run()
}

/// Names with their results, `same` left out.
fn differing(output: &Output) -> Vec<(String, String)> {
    results(output).into_iter().filter(|(_, result)| result != "same").collect()
}

#[test]
fn names_are_found_whatever_the_order_of_either_side() {
    let testbed = testbed::Testbed::builder().page_size(2).spawn().expect("a free port");
    let stage = Stage::on(testbed);
    for name in NAMES {
        stage.testbed.put_object(BUCKET, &format!("p/{name}"), name.to_owned());
        stage.testbed.put_object(BUCKET, &format!("q/p/{name}"), name.to_owned());
        stage.sandbox.write(format!("tree/p/{name}"), name);
    }
    let sides = ["s3://bucket/p/", "tree/p", "s3://bucket/q/p/"];
    for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
        let output = verify(&stage, &[sides[one], sides[other]]);
        assert_eq!(results(output.code(0)).len(), NAMES.len(), "{output}");
    }
}

#[test]
fn a_key_is_the_file_that_a_download_makes_of_it() {
    let stage = both(&["a/b", "c"]);
    stage.testbed.put_object(BUCKET, "p/x//y", "y");
    stage.testbed.put_object(BUCKET, "p/./z", "z");
    stage.testbed.put_object(BUCKET, "p/folder/", "");
    stage.sandbox.write("tree/p/x/y", "y");
    stage.sandbox.write("tree/p/z", "z");
    stage.sandbox.folder("tree/p/folder/empty");
    let output = verify(&stage, &["s3://bucket/p/", "tree/p"]);
    assert_eq!(results(output.code(0)).len(), 4, "{output}");
    // A marker is no object that a file is missing for.
    let output = verify(&stage, &["tree/p", "s3://bucket/p/", "--exclude", "{x,.}/**"]);
    assert!(!results(output.code(1)).contains_key("folder"), "{output}");
    // Two keys that are one file: the second is said, and the file is not extra.
    stage.testbed.put_object(BUCKET, "p/x/y", "y");
    let output = verify(&stage, &["s3://bucket/p/", "tree/p"]);
    output.code(1).stderr_has("the same destination");
    assert!(differing(&output).is_empty(), "{output}");
    // No file can be this one, and none is looked for outside.
    stage.testbed.delete_object(BUCKET, "p/x/y");
    for key in ["p/../../outside", "p//absolute", "p/back\\slash"] {
        stage.testbed.put_object(BUCKET, key, "x");
        let output = verify(&stage, &["s3://bucket/p/", "tree/p"]);
        output.code(1).stderr_has("unsafe name");
        assert!(differing(&output).is_empty(), "{output}");
        stage.testbed.delete_object(BUCKET, key);
    }
    stage.testbed.put_object(BUCKET, "p/full/", "bytes");
    verify(&stage, &["s3://bucket/p/", "tree/p"]).code(1).stderr_has("full/");
}

#[test]
fn a_folder_where_a_file_should_be_is_a_missing_file() {
    let stage = both(&["a", "b"]);
    stage.testbed.put_object(BUCKET, "p/d", "d");
    stage.sandbox.write("tree/p/d/inside", "x");
    let output = verify(&stage, &["s3://bucket/p/", "tree/p"]);
    let wanted = [("d", "missing"), ("d/inside", "extra")];
    let wanted = wanted.map(|(name, result)| (name.to_owned(), result.to_owned()));
    assert_eq!(differing(output.code(1)), wanted, "{output}");
    let output = verify(&stage, &["tree/p", "s3://bucket/p/"]);
    let wanted = [("d", "extra"), ("d/inside", "missing")];
    let wanted = wanted.map(|(name, result)| (name.to_owned(), result.to_owned()));
    assert_eq!(differing(output.code(1)), wanted, "{output}");
}

#[test]
fn single_places_are_found_by_name() {
    let stage = both(&["a"]);
    stage.sandbox.write("tree/name", "a");
    stage.testbed.put_object(BUCKET, "q/a", "a");
    for (source, destination) in [
        ("s3://bucket/p/a", "tree/p"),
        ("s3://bucket/p/a", "tree/p/"),
        ("s3://bucket/p/a", "tree/p/a"),
        ("s3://bucket/p/a", "tree/name"),
        ("tree/p/a", "s3://bucket/p/"),
        ("tree/p/a", "s3://bucket/p/a"),
        ("tree/name", "s3://bucket/p/a"),
        ("s3://bucket/p/a", "s3://bucket/q/"),
        ("s3://bucket/p/a", "s3://bucket/q/a"),
    ] {
        let output = stage.run(["verify", source, destination]);
        output.code(0).stderr_has("1 object, ").stderr_has("1 the same").stdout_is("");
    }
    stage.run(["verify", "s3://bucket/p/a", "tree/none"]).code(1).stdout_has("missing  ");
    stage.run(["verify", "tree/name", "s3://bucket/none"]).code(1).stdout_has("missing  ");
    stage.run(["verify", "s3://bucket/none", "tree/name"]).code(1).stdout_has("extra  ");
    let neither = stage.run(["verify", "s3://bucket/none", "s3://bucket/none-too"]);
    neither.code(1).stderr_has("nothing on either side").stdout_is("");
    let raw = Stage::with_keys(&["odd*/", "odd*"]);
    raw.sandbox.write("file", "odd*/");
    raw.run(["verify", "--raw", "s3://bucket/odd*/", "file"]).code(0);
    nothing_was_read(&stage);
}

#[test]
fn wildcards_and_filters_choose_on_both_sides() {
    let stage = both(&["x1", "x2", "y1", "d/x3"]);
    stage.sandbox.write("tree/p/x-extra", "x");
    stage.sandbox.write("tree/p/y-extra", "y");
    for (args, names) in [
        (["s3://bucket/p/x*", "tree/p"].as_slice(), ["x-extra", "x1", "x2"].as_slice()),
        (&["s3://bucket/p/*x?", "tree/p"], &["d/x3", "x1", "x2"]),
        (&["s3://bucket/p/", "tree/p", "--include", "y*"], &["y-extra", "y1"]),
        (&["tree/p", "s3://bucket/p/", "--exclude", "*extra"], &["d/x3", "x1", "x2", "y1"]),
    ] {
        let output = verify(&stage, args);
        let found: Vec<_> = results(&output).into_keys().collect();
        assert_eq!(found, names, "{output}");
        output.code(i32::from(names.iter().any(|name| name.ends_with("extra"))));
    }
}

#[cfg(unix)]
#[test]
fn symlinks_are_compared_or_left_out() {
    let stage = both(&["a", "link"]);
    let link = stage.sandbox.path("tree/p/link");
    std::fs::rename(&link, stage.sandbox.path("elsewhere")).expect("renamed");
    std::os::unix::fs::symlink(stage.sandbox.path("elsewhere"), &link).expect("a link");
    for args in [["tree/p", "s3://bucket/p/"], ["s3://bucket/p/", "tree/p"]] {
        assert_eq!(results(verify(&stage, &args).code(0)).len(), 2);
    }
    let output = verify(&stage, &["tree/p", "s3://bucket/p/", "--no-follow-symlinks"]);
    assert_eq!(differing(output.code(1)), [("link".to_owned(), "extra".to_owned())]);
}

#[test]
fn rows_are_compared_either_way() {
    let stage = both(&["a", "b", "gone"]);
    stage.sandbox.write("tree/p/b", "B");
    std::fs::remove_file(stage.sandbox.path("tree/p/gone")).expect("removed");
    let down: String =
        ["a", "b", "gone"].map(|name| format!("s3://bucket/p/{name},tree/p/{name}\n")).concat();
    let up: String =
        ["a", "b", "gone"].map(|name| format!("tree/p/{name},s3://bucket/p/{name}\n")).concat();
    stage.sandbox.write("down.csv", format!("source,destination\n{down}"));
    stage.sandbox.write("up.csv", format!("source,destination\n{up}"));
    stage.sandbox.write("keys.txt", "a\nb\ngone\n");
    for (args, gone) in [
        (["--manifest", "down.csv"].as_slice(), "missing"),
        (&["--manifest", "up.csv"], "extra"),
        (&["--manifest", "keys.txt", "s3://bucket/p/", "tree/p"], "missing"),
        (&["--manifest", "keys.txt", "tree/p", "s3://bucket/p/"], "extra"),
    ] {
        let output = verify(&stage, args);
        output.code(1);
        let lines = output.json_lines();
        let compared = lines.iter().filter(|line| line["event"] == "compared");
        let mut found: Vec<_> = compared
            .map(|line| (line["line"].as_u64().is_some(), line["result"].to_string()))
            .collect();
        found.sort();
        let gone = (true, format!("\"{gone}\""));
        let mut wanted = vec![(true, "\"content\"".into()), gone, (true, "\"same\"".into())];
        wanted.sort();
        assert_eq!(found, wanted, "{output}");
    }
    nothing_was_read(&stage);
}

#[test]
fn rows_of_two_objects_are_compared() {
    let stage = both(&["a", "b"]);
    stage.testbed.put_object(BUCKET, "q/a", "a");
    stage.testbed.put_object(BUCKET, "q/b", "B");
    let rows = "source,destination,size\ns3://bucket/p/a,s3://bucket/q/,1\n\
                s3://bucket/p/b,s3://bucket/q/b,1\ns3://bucket/p/a,s3://bucket/q/a,1\n\
                s3://bucket/p/a,tree/p/a,1\nb,tree/p/b,1\n";
    stage.sandbox.write("rows.csv", rows);
    let output = verify(&stage, &["--manifest", "rows.csv"]);
    output.code(1).stderr_has("(line 6)").stderr_has("neither side is an S3 URI");
    stage.sandbox.write("keys.txt", "a\n");
    let unsaid = verify(&stage, &["--manifest", "keys.txt"]);
    unsaid.code(1).stderr_has("give both bases");
    let lines = output.json_lines();
    let told = lines.iter().filter(|line| line["event"] == "compared");
    let told = told.map(|line| format!("{} {}", line["line"], line["result"]));
    let told: std::collections::BTreeSet<_> = told.collect();
    let wanted = ["2 \"same\"", "3 \"content\"", "5 \"same\""].map(str::to_owned);
    assert_eq!(told, wanted.into(), "{output}");
    output.stderr_has("1 row stood twice");
    nothing_was_read(&stage);
}

#[test]
fn what_a_manifest_says_of_its_objects_must_hold() {
    let stage = both(&["k"]);
    let wrong = format!("sha256:{}", "00".repeat(32));
    let rows = [
        r#"{"key":"k","path":"k","size":1}"#.to_owned(),
        r#"{"key":"k","path":"k","size":2}"#.to_owned(),
        r#"{"key":"k","path":"k","etag":"wrong"}"#.to_owned(),
        format!(r#"{{"key":"k","path":"k","checksum":"{wrong}"}}"#),
    ];
    for (row, code) in rows.iter().zip([0, 1, 1, 1]) {
        let output = stage.feed(
            row.clone(),
            ["verify", "--manifest", "-", "--manifest-format", "jsonl", "s3://bucket/p/", "tree/p"],
        );
        output.code(code);
        if code == 1 {
            output.stderr_has("the manifest says");
        }
    }
}
