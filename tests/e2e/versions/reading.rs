//! `--version-id` where something is read: its bytes and attributes come, or an error does.

use testbed::{Fault, FaultKind, Operation, PutOptions, Testbed};

use super::{ids, stage};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;
const IN_PARTS: [&str; 4] = ["--copy-parts-above", "5MiB", "--part-size", "5MiB"];

#[test]
fn a_version_is_taken_whichever_way_it_goes() {
    let bytes = content("old", 12 * MIB + 1);
    let (stage, [old, _]) = stage(bytes.clone());
    for verb in ["cp", "download"] {
        let typed = [verb, "--version-id", &old, "s3://bucket/k"];
        let [file, out, parts] = ["file", "out/", "parts"].map(|name| format!("{verb}/{name}"));
        for more in [&[file.as_str()][..], &[&out], &[&parts, "--part-size", "5MiB"]] {
            stage.run([&typed[..], more].concat()).code(0).stderr_has("1 verified end to end");
        }
        let files = stage.files(verb);
        assert_eq!(files, ["file", "out/k", "parts"]);
        for name in files {
            assert!(stage.sandbox.read(format!("{verb}/{name}")) == bytes, "{verb} {name}");
        }
        assert!(stage.run([&typed[..], &["-"]].concat()).code(0).stdout == bytes, "{verb}");
    }
    let copy = |more: &[&str]| {
        let copy = [&["cp", "--version-id", &old, "s3://bucket/k"], more].concat();
        stage.run(copy).code(0).stderr_has("1 verified end to end");
    };
    copy(&["s3://bucket/whole"]);
    copy(&[&["s3://bucket/parts"][..], &IN_PARTS].concat());
    for key in ["whole", "parts"] {
        assert!(stage.object(key).bytes() == bytes, "{key}");
    }
    assert_eq!(stage.testbed.count(Operation::CopyObject), 1);
    assert_eq!(stage.testbed.count(Operation::UploadPartCopy), 3);
    assert_eq!((stage.object_text("k"), ids(&stage, "k").len()), ("new".to_owned(), 2));
}

#[test]
fn a_version_goes_to_another_server_with_all_that_belongs_to_it() {
    let (stage, _) = stage("old");
    let bytes = content("typed", 6 * MIB);
    let mut options = PutOptions::new();
    options.attributes.content_type = Some("a/b".to_owned());
    options.attributes.tags = [("of".to_owned(), "this version".to_owned())].into();
    stage.testbed.put_object_with(BUCKET, "k", bytes.clone(), &options);
    stage.testbed.put_object(BUCKET, "k", "newest");
    let version = ids(&stage, "k").remove(1);
    let to = Testbed::spawn();
    to.create_bucket(BUCKET);
    let endpoint = stage.testbed.endpoint();
    let copy = stage.haul().envs(to.env()).args(["cp", "--source-endpoint-url", &endpoint]);
    let copy = copy.args(["--version-id", &version, "s3://bucket/k", "s3://bucket/k"]);
    copy.args(["--part-size", "5MiB"]).run().code(0).stderr_has("1 verified end to end");
    let there = to.object(BUCKET, "k").expect("it is there");
    assert!(there.bytes() == bytes);
    assert_eq!(*there.attributes, options.attributes);
    // Here, too.
    let here = ["cp", "--version-id", &version, "s3://bucket/k", "s3://bucket/here"];
    stage.run([&here[..], &IN_PARTS].concat()).code(0);
    assert_eq!(*stage.object("here").attributes, options.attributes);
}

#[test]
fn an_old_version_becomes_the_newest() {
    let (stage, [old, _]) = stage("old");
    stage.run(["cp", "s3://bucket/k", "s3://bucket/k"]).code(2);
    stage.run(["cp", "--version-id", &old, "s3://bucket/k", "s3://bucket/k"]).code(0);
    assert_eq!((stage.object_text("k"), ids(&stage, "k").len()), ("old".to_owned(), 3));
}

#[test]
fn a_version_is_compared() {
    let (stage, [old, new]) = stage("old");
    stage.sandbox.write("file", "old");
    stage.testbed.put_object(BUCKET, "copy", "old");
    for destination in ["file", "s3://bucket/copy"] {
        let verify =
            |id: &str| stage.run(["verify", "s3://bucket/k", destination, "--version-id", id]);
        verify(&old).code(0);
        verify(&new).code(1).stdout_has("content");
        let output = verify("none");
        output.code(1).stdout_is("").stderr_has("s3://bucket/k (version none)");
        output.stderr_has("no such version");
    }
}

#[test]
fn what_is_no_version_or_a_delete_marker_is_said_and_makes_nothing() {
    let (stage, _) = stage("old");
    stage.run(["rm", "s3://bucket/k"]).code(0);
    let marker = ids(&stage, "k").remove(0);
    stage.sandbox.write("there", "kept");
    let missing = ["there is no such version", "NoSuchVersion"];
    let unreadable = ["a delete marker, which has no bytes"; 2];
    for (id, why) in [("none", missing), (marker.as_str(), unreadable)] {
        let commands: [&[&str]; 8] = [
            &["cp", "s3://bucket/k", "file"],
            &["download", "s3://bucket/k", "there"],
            &["cp", "s3://bucket/k", "-"],
            &["cp", "s3://bucket/k", "s3://bucket/copy"],
            &["mv", "s3://bucket/k", "s3://bucket/copy"],
            &["verify", "s3://bucket/k", "there"],
            &["cat", "s3://bucket/k"],
            &["stat", "s3://bucket/k"],
        ];
        for command in commands {
            let output = stage.run([command, &["--version-id", id]].concat());
            output.code(1).stdout_is("").stderr_has(&format!("s3://bucket/k (version {id})"));
            assert!(why.iter().any(|why| output.stderr.contains(why)), "{output}");
        }
    }
    assert_eq!((stage.files(""), stage.keys()), (vec!["there".to_owned()], vec!["k2".to_owned()]));
    assert_eq!((stage.text("there"), ids(&stage, "k").len()), ("kept".to_owned(), 3));
}

#[test]
fn wrong_usage_sends_nothing() {
    let stage = Stage::with_keys(&["k", "k2", "p/x"]);
    stage.sandbox.write("f", "f");
    stage.sandbox.write("keys.txt", "k\n");
    let wrong: [&[&str]; 14] = [
        &["s3://bucket/p/", "out/"],
        &["s3://bucket/", "s3://bucket2/"],
        &["s3://bucket/k*", "out/"],
        &["s3://bucket/k*", "s3://bucket2/"],
        &["s3://bucket/k", "s3://bucket/k2", "out/"],
        &["s3://bucket/k", "s3://bucket/k2", "s3://bucket2/"],
        &["f", "s3://bucket/"],
        &["-", "s3://bucket/k"],
        &["--manifest", "keys.txt", "s3://bucket/", "out/"],
        &["--manifest", "keys.txt", "s3://bucket/", "s3://bucket2/"],
        &["--manifest", "keys.txt", "s3://bucket/"],
        &["s3://bucket/k"],
        &["f", "g"],
        &["s3://bucket/k", "s3://bucket2"],
    ];
    for (at, paths) in wrong.iter().enumerate() {
        // The last one is wrong by its ID.
        let id = if at + 1 == wrong.len() { "" } else { "id" };
        for verb in ["cp", "mv"] {
            let output = stage.run([&[verb, "--version-id", id], *paths].concat());
            output.code(2).stdout_is("").stderr_has("error: ");
        }
    }
    let wrong: [&[&str]; 8] = [
        &["download", "s3://bucket/p/", "out/"],
        &["download", "s3://bucket/k", "s3://bucket/k2", "out/"],
        &["download", "--manifest", "keys.txt", "s3://bucket/"],
        &["verify", "s3://bucket/k*", "out/"],
        &["verify", "f", "s3://bucket/k"],
        &["verify", "--manifest", "keys.txt", "s3://bucket/"],
        &["upload", "f", "s3://bucket/"],
        &["sync", "s3://bucket/", "out/"],
    ];
    for command in wrong {
        stage.run([command, &["--version-id", "id"]].concat()).code(2);
    }
    for verb in ["cat", "stat", "presign", "rm", "restore"] {
        stage.run([verb, "s3://bucket/k", "--version-id", ""]).code(2);
        stage.run([verb, "s3://bucket/k", "s3://bucket/k2", "--version-id", "id"]).code(2);
    }
    assert!(stage.testbed.requests().is_empty());
    // Nor is it said by anything but the command itself.
    let environment = stage.haul().env("HAUL_VERSION_ID", "id");
    environment.args(["cp", "s3://bucket/k", "file"]).run().code(0);
    assert_eq!(stage.text("file"), "k");
}

/// What stands in a key means nothing where one version of it is meant.
#[test]
fn keys_are_literal_where_they_are_raw() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for bytes in ["old", "new"] {
        stage.testbed.put_object(BUCKET, "a*?", bytes);
    }
    let old = ids(&stage, "a*?").remove(1);
    let with = ["s3://bucket/a*?", "--version-id", &old];
    for (verb, more) in
        [("cp", &["file"][..]), ("download", &["file"]), ("verify", &["file"]), ("cat", &[])]
    {
        let typed = [&[verb], &with[..1], more, &with[1..]].concat();
        stage.run(typed.clone()).code(2).stderr_has("--raw takes a key literally");
        stage.run([&typed[..], &["--raw"]].concat()).code(0);
    }
    assert_eq!(stage.text("file"), "old");
    stage.run([&["stat"], &with[..]].concat()).code(0).stdout_has(&old);
    stage.run([&["presign"], &with[..]].concat()).code(0).stdout_has(&format!("versionId={old}"));
}

/// SeaweedFS answers with what there is now, whatever version is asked for.
#[test]
fn what_a_store_gives_instead_is_not_taken() {
    let (stage, [old, new]) = stage("old");
    let another = FaultKind::SetHeader { name: "x-amz-version-id".to_owned(), value: new };
    let untold = FaultKind::RemoveHeader { name: "x-amz-version-id".to_owned() };
    for kind in [another, untold] {
        for operation in [Operation::GetObject, Operation::HeadObject] {
            stage.testbed.fault(Fault::new(operation, kind.clone()).always());
        }
        for destination in ["file", "-", "s3://bucket/copy"] {
            for verb in ["cp", "mv"] {
                let command = [verb, "--version-id", &old, "s3://bucket/k", destination];
                if command[0] == "mv" && destination == "-" {
                    continue;
                }
                let output = stage.run(command);
                output.code(1).stdout_is("").stderr_has("does not tell versions of it apart");
            }
        }
        stage.testbed.clear_faults();
    }
    assert_eq!((stage.files("").len(), stage.keys()), (0, vec!["k".to_owned(), "k2".to_owned()]));
    assert_eq!(ids(&stage, "k").len(), 2);
}

/// The store says itself that it made the copy of something else.
#[test]
fn a_copy_of_another_version_is_no_success() {
    let (stage, [old, new]) = stage(content("old", 12 * MIB));
    let name = "x-amz-copy-source-version-id".to_owned();
    let another = FaultKind::SetHeader { name, value: new.clone() };
    for operation in [Operation::CopyObject, Operation::UploadPartCopy] {
        stage.testbed.fault(Fault::new(operation, another.clone()).always());
    }
    for (verb, more) in [("cp", &[][..]), ("mv", &[]), ("cp", &IN_PARTS), ("mv", &IN_PARTS)] {
        let copy = [verb, "--version-id", &old, "s3://bucket/k", "s3://bucket/copy"];
        let output = stage.run([&copy[..], more].concat());
        output.code(1).stderr_has(&format!("the store copied another version, {new}"));
    }
    assert_eq!(ids(&stage, "k"), [new, old]);
}

/// Sizes are those of the version, and not of what has the key now.
#[test]
fn bounds_judge_the_version_that_is_named() {
    let (stage, [old, new]) = stage("longer than the new one");
    for destination in ["file", "s3://bucket/copy"] {
        let copy = |verb: &str, id: &str| {
            let bounds = [verb, "--min-size", "10", "--version-id", id];
            stage.run([&bounds[..], &["s3://bucket/k", destination]].concat())
        };
        copy("cp", &new).code(0);
        copy("mv", &new).code(0);
        assert_eq!((stage.files("").len(), ids(&stage, "k").len()), (0, 2));
        assert!(stage.testbed.object(BUCKET, "copy").is_none());
        copy("cp", "none").code(1).stderr_has("no such version");
        copy("cp", &old).code(0).stderr_has("1 verified end to end");
        let arrived =
            if destination == "file" { stage.text("file") } else { stage.object_text("copy") };
        assert_eq!(arrived, "longer than the new one");
        std::fs::remove_file(stage.sandbox.path("file")).ok();
    }
}

#[test]
fn a_plan_names_the_version_and_a_journal_goes_with_it() {
    let (stage, [old, new]) = stage("old");
    for destination in ["file", "s3://bucket/copy"] {
        let plan = ["cp", "--dry-run", "--version-id", &old, "s3://bucket/k", destination];
        let source = format!("copy  s3://bucket/k (version {old}) -> ");
        let source =
            source.replace("copy", if destination == "file" { "download" } else { "copy" });
        stage.run(plan).code(0).stdout_has(&source);
        let moved = ["mv", "--dry-run", "--version-id", &old, "s3://bucket/k", destination];
        let line = format!("move  s3://bucket/k (version {old}) -> {destination}  ");
        stage.run(moved).code(0).stdout_has(&line);
        let line = stage.run([&plan[..], &["--json"]].concat()).code(0).json_lines().remove(0);
        assert_eq!(line["version_id"], old.as_str());
    }
    for (destination, journal) in [("file", "down.log"), ("s3://bucket/copy", "across.log")] {
        let copy = |id: &str| {
            let with = ["cp", "--journal", journal, "--version-id", id];
            stage.run([&with[..], &["s3://bucket/k", destination]].concat())
        };
        copy(&old).code(0).stderr_has("1 verified end to end");
        copy(&old).code(0).stderr_has("1 done before");
        copy(&new).code(2).stderr_has("journal");
    }
}

#[test]
fn a_line_of_a_file_names_a_version() {
    let (stage, [old, _]) = stage("old");
    let lines = format!("cp --version-id {old} s3://bucket/k file\nrm s3://bucket/k2\n");
    stage.sandbox.write("commands", lines);
    stage.run(["run", "commands"]).code(0);
    assert_eq!((stage.text("file"), stage.keys()), ("old".to_owned(), vec!["k".to_owned()]));
    // It is the version that is missing, and not the object.
    for destination in ["none", "s3://bucket/none"] {
        let line = ["cp", "--version-id", "none", "s3://bucket/k", destination];
        stage.sandbox.write("commands", line.join(" "));
        for output in
            [stage.run(["run", "commands", "--json"]), stage.run([&line[..], &["--json"]].concat())]
        {
            output.code(1).stdout_has("\"cause\":\"no such version\"");
        }
    }
    let gone = ["cp", "s3://bucket/gone", "none", "--json"];
    stage.run(gone).code(1).stdout_has("\"cause\":\"no such object\"");
}
