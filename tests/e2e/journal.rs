//! `--journal`: what is written down, what a second run leaves out because of it and what it does
//! again, and every way in which a journal can be the wrong one. Kills are in `kills`, feeding
//! failures back in `feedback`, the journal as a file among others in `own`. It must never look at
//! the order of lines, which is that of ends.

mod feedback;
mod kills;
mod own;
mod refusals;

use std::collections::BTreeMap;

use serde_json::Value;
use testbed::{Fault, FaultKind, Operation};

use crate::stage::{BUCKET, Stage};

const KEYS: [&str; 3] = ["p/a", "p/b/c", "p/d"];

/// The lines of a journal behind its first, by their sources.
pub(crate) fn entries(stage: &Stage, journal: &str) -> BTreeMap<String, Value> {
    let text = stage.text(journal);
    let lines = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.map(|line| (line["source"].as_str().expect("a source").to_owned(), line)).collect()
}

/// Requests for objects' bytes so far.
pub(crate) fn reads(stage: &Stage) -> usize {
    stage.testbed.count(Operation::GetObject)
}

#[test]
fn a_line_for_each_job_says_what_became_of_it() {
    let stage = Stage::with_keys(&KEYS);
    let refuse = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(refuse.key("p/d").always());
    stage.run(["download", "--journal", "run.journal", "s3://bucket/p/", "out"]).code(1);
    let text = stage.text("run.journal");
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["haul_journal"], 1);
    assert_eq!(first["verb"], "download");
    assert_eq!(first["sources"], serde_json::json!(["s3://bucket/p/"]));
    assert_eq!(first["endpoint"], stage.testbed.endpoint());
    assert_eq!(first["folder"], stage.sandbox.path("out").to_string_lossy().as_ref());
    let entries = entries(&stage, "run.journal");
    assert_eq!(entries.len(), 3, "{text}");
    let done = &entries["s3://bucket/p/b/c"];
    let object = stage.object("p/b/c");
    assert_eq!(done["outcome"], "done");
    assert_eq!(done["destination"], "b/c");
    assert_eq!(done["size"], 5);
    assert_eq!(done["etag"], object.etag.trim_matches('"'));
    assert_eq!(done["verified"], "crc64nvme");
    assert!(done["checksum"].as_str().is_some_and(|sum| sum.starts_with("crc64nvme:")), "{done}");
    assert!(done["mtime"].is_string() && done["time"].is_string() && done["seconds"].is_number());
    assert_eq!(done["attempts"], 1);
    let failed = &entries["s3://bucket/p/d"];
    assert_eq!((&failed["outcome"], &failed["may_pass"]), (&"failed".into(), &false.into()));
    assert_eq!(failed["cause"], "access denied");
    assert!(failed["message"].as_str().is_some_and(|text| text.contains("p/d")), "{failed}");
}

#[test]
fn uploads_are_written_down_too_small_and_large() {
    let stage = Stage::new();
    stage.sandbox.write("d/small", "small");
    stage.sandbox.fill("d/large", 20 << 20);
    stage.run(["upload", "--journal", "run.journal", "d", "s3://bucket/"]).code(0);
    let entries = entries(&stage, "run.journal");
    for name in ["small", "large"] {
        let path = stage.sandbox.path(format!("d/{name}"));
        let entry = &entries[path.to_string_lossy().as_ref()];
        let object = stage.object(name);
        assert_eq!(entry["destination"], format!("s3://bucket/{name}"));
        assert_eq!(entry["etag"], object.etag.trim_matches('"'), "{entry}");
        assert_eq!(entry["size"], path.metadata().expect("there").len());
        assert_eq!(entry["verified"], "crc64nvme");
        assert!(entry["mtime"].is_string() && entry["checksum"].is_string(), "{entry}");
    }
}

#[test]
fn the_same_command_leaves_out_what_is_done_and_does_the_rest() {
    let stage = Stage::with_keys(&KEYS);
    let refuse = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(refuse.key("p/b/c").always());
    let command = ["download", "--journal", "run.journal", "s3://bucket/p/", "out"];
    stage.run(command).code(1);
    stage.testbed.clear_faults();
    stage.testbed.put_object(BUCKET, "p/0new", "new");
    stage.testbed.clear_requests();
    let output = stage.run(command);
    output.code(0).stderr_has("2 objects").stderr_has("2 done before").stderr_lacks("skipped");
    assert_eq!(reads(&stage), 2, "{output}");
    assert_eq!(stage.testbed.count(Operation::HeadObject), 0, "the listing said enough");
    assert_eq!(stage.files("out"), ["0new", "a", "b/c", "d"]);
    let output =
        stage.run(["download", "--json", "--journal", "run.journal", "s3://bucket/p/", "out"]);
    let lines = output.code(0).json_lines();
    let summary = lines.last().expect("a summary");
    assert_eq!((&summary["done_before"], &summary["objects"]), (&4.into(), &0.into()), "{output}");
    assert!(lines.iter().any(|line| line["reason"] == "done_before"), "{output}");
    assert_eq!(reads(&stage), 2, "{output}");
    assert_eq!(stage.text("run.journal").lines().count(), 1 + 3 + 2, "skips add no lines");
}

#[test]
fn what_is_not_as_it_was_is_done_again() {
    for (what, spoil) in [
        (
            "the file is gone",
            (|stage| std::fs::remove_file(stage.sandbox.path("out/a")).expect("gone"))
                as fn(&Stage),
        ),
        ("the file has other bytes", |stage| {
            stage.sandbox.write("out/a", "XYZ");
        }),
        ("the file was only touched", |stage| {
            let file = std::fs::File::options().write(true).open(stage.sandbox.path("out/a"));
            let now = std::time::SystemTime::now();
            file.and_then(|file| file.set_modified(now)).expect("touched");
        }),
        ("the object has other bytes of the same length", |stage| {
            stage.testbed.put_object(BUCKET, "p/a", "XYZ");
        }),
    ] {
        for manifest in [false, true] {
            let stage = Stage::with_keys(&KEYS);
            stage.sandbox.write("m.keys", "a\nb/c\nd\n");
            let mut command = vec!["download", "--journal", "run.journal", "s3://bucket/p/", "out"];
            if manifest {
                command.extend(["--manifest", "m.keys"]);
            }
            stage.run(&command).code(0);
            spoil(&stage);
            stage.testbed.clear_requests();
            let output = stage.run(&command);
            output.code(0).stderr_has("1 object,").stderr_has("2 done before");
            assert_eq!(reads(&stage), 1, "{what}: {output}");
            assert_eq!(stage.text("out/a"), stage.object_text("p/a"), "{what}");
            stage.run(&command).code(0).stderr_has("3 done before");
        }
    }
}

/// What was compared by its length alone is nothing that `require` would let pass.
#[test]
fn what_was_not_proven_is_done_again_where_a_proof_is_required() {
    let stage = Stage::with_keys(&KEYS);
    let command = ["download", "--journal", "run.journal", "s3://bucket/p/", "out", "--verify"];
    let run = |verify: &str| stage.haul().args(command).arg(verify).run();
    run("off").code(0).stderr_has("3 by length and ETag only");
    run("auto").code(0).stderr_has("3 done before");
    run("require").code(0).stderr_has("3 verified end to end").stderr_lacks("before");
    run("require").code(0).stderr_has("3 done before");
}

#[test]
fn an_upload_is_done_again_when_either_side_has_changed() {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.sandbox.write(format!("d/{name}"), name);
    }
    let command = ["upload", "--journal", "run.journal", "d", "s3://bucket/"];
    stage.run(command).code(0);
    stage.testbed.clear_requests();
    let output = stage.run(command);
    output.code(0).stderr_has("3 done before");
    assert_eq!(stage.testbed.count(Operation::PutObject), 0, "{output}");
    assert_eq!(stage.testbed.count(Operation::HeadObject), 3, "one look for each");
    stage.sandbox.write("d/a", "A");
    stage.testbed.put_object(BUCKET, "b", "B");
    stage.testbed.delete_object(BUCKET, "c");
    let output = stage.run(command);
    output.code(0).stderr_has("3 objects").stderr_lacks("before");
    assert_eq!(["a", "b", "c"].map(|key| stage.object_text(key)), ["A", "b", "c"]);
    let output = stage.run([
        "upload",
        "--journal",
        "run.journal",
        "d",
        "s3://bucket/",
        "--content-type",
        "x/y",
    ]);
    output.code(0).stderr_lacks("before");
    assert_eq!(stage.object("a").attributes.content_type.as_deref(), Some("x/y"));
}

#[test]
fn a_manifest_that_tells_the_tag_does_not_prove_that_the_object_still_has_it() {
    let stage = Stage::new();
    let etag = stage.testbed.put_object(BUCKET, "a", "abc");
    stage.testbed.put_object(BUCKET, "b", "def");
    let rows = format!("source,size,etag\ns3://bucket/a,3,{etag}\ns3://bucket/b,3,\n");
    stage.sandbox.write("m.csv", rows);
    let command = ["download", "--journal", "run.journal", "--manifest", "m.csv", "out"];
    stage.run(command).code(0);
    stage.testbed.clear_requests();
    stage.run(command).code(0).stderr_has("2 done before");
    assert_eq!(stage.testbed.count(Operation::HeadObject), 2, "one look for each");
    stage.testbed.put_object(BUCKET, "a", "xyz");
    stage.run(command).code(1).stderr_has("1 done before").stderr_has("the manifest says");
}

/// Within a tick of its clock a file may be written to twice. Its bytes tell then.
#[test]
fn a_file_that_was_new_when_it_was_uploaded_is_not_known_by_its_time_alone() {
    let stage = Stage::new();
    // As new as can be, however long the test takes.
    let time = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
    let write = |name: &str, text: &str| {
        let path = stage.sandbox.write(name, text);
        let file = std::fs::File::options().write(true).open(path);
        file.and_then(|file| file.set_modified(time)).expect("touched");
    };
    write("d/a", "abc");
    write("d/b", "def");
    let command = ["upload", "--journal", "run.journal", "d", "s3://bucket/"];
    stage.run(command).code(0);
    stage.run(command).code(0).stderr_has("2 done before");
    write("d/a", "xyz");
    stage.run(command).code(0).stderr_has("1 object,").stderr_has("1 done before");
    assert_eq!(stage.object_text("a"), "xyz");
}

#[test]
fn every_way_to_name_jobs_has_a_journal() {
    for args in [
        ["download", "s3://bucket/p/a", "name"].as_slice(),
        &["download", "s3://bucket/p/a", "folder/"],
        &["download", "s3://bucket/p/*", "s3://bucket/q", "out/"],
        &["download", "s3://bucket/p/", "flat", "--flatten"],
        &["cp", "s3://bucket/p/", "out"],
        &["cp", "d", "s3://bucket/up/"],
        &["upload", "d/f", "s3://bucket/up"],
        &["cp", "--manifest", "both.csv"],
        &["upload", "--manifest", "up.keys", "d", "s3://bucket/up/"],
        &["download", "--manifest", "s3://bucket/lists/m.keys", "out"],
    ] {
        let stage = Stage::with_keys(&["p/a", "p/b/c", "q", "p/folder/"]);
        stage.testbed.put_object(BUCKET, "p/folder/", "");
        stage.testbed.put_object(BUCKET, "lists/m.keys", "s3://bucket/q\ns3://bucket/p/a\n");
        stage.sandbox.write("d/f", "f");
        stage.sandbox.write("up.keys", "f\n");
        stage
            .sandbox
            .write("both.csv", "source,destination\ns3://bucket/q,down\nd/f,s3://bucket/up\n");
        let command = || stage.haul().args(args).args(["--journal", "run.journal"]);
        command().run().code(0).stderr_lacks("before");
        let output = command().run();
        output.code(0).stderr_has("0 objects").stderr_has("done before");
    }
}

#[test]
fn a_manifest_on_standard_input_goes_on_too() {
    let stage = Stage::with_keys(&KEYS);
    let rows = "a\nb/c\nd\n";
    let command = [
        "download",
        "--manifest",
        "-",
        "--manifest-format",
        "keys",
        "s3://bucket/p/",
        "out",
        "--journal",
        "j",
    ];
    let refuse = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(refuse.key("p/d").always());
    stage.feed(rows, command).code(1);
    stage.testbed.clear_faults();
    stage.feed(rows, command).code(0).stderr_has("1 object,").stderr_has("2 done before");
    stage.feed("a\nd\n", command).code(2).stderr_has("another manifest").stderr_has("line 2");
}

#[test]
fn a_bad_row_may_be_mended_and_a_row_may_be_added() {
    let stage = Stage::with_keys(&KEYS);
    stage.sandbox.write("m.csv", "source,size\ns3://bucket/p/a,x\ns3://bucket/p/b/c,5\n");
    let command = ["download", "--journal", "run.journal", "--manifest", "m.csv", "out"];
    stage.run(command).code(1).stderr_has("(line 2)");
    let mended = "source,size\ns3://bucket/p/a,3\ns3://bucket/p/b/c,5\ns3://bucket/p/d,3\n";
    stage.sandbox.write("m.csv", mended);
    stage.run(command).code(0).stderr_has("2 objects").stderr_has("1 done before");
}

#[test]
fn a_journal_that_can_not_be_written_ends_the_run_and_is_told() {
    let stage = Stage::new();
    for number in 0..300 {
        stage.testbed.put_object(BUCKET, &format!("{number:03}"), "x");
    }
    // What the journal of the first run needs, and a little more.
    let limited = |blocks: &str| {
        let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_haul")]);
        command.args(["download", "--journal", "run.journal", "s3://bucket/", "out"]);
        command.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
        command.output().expect("it runs")
    };
    let ended = limited("16");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("could not write to the journal `run.journal`"), "{said}");
    // The torn line is cut off, and what was written counts.
    let output = stage.run(["download", "--journal", "run.journal", "s3://bucket/", "out"]);
    output.code(0).stderr_has("done before");
    assert_eq!(stage.files("out").len(), 300);
}

#[test]
fn nobody_else_can_read_it_and_it_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::with_keys(&KEYS);
    stage
        .testbed
        .fault(Fault::new(Operation::GetObject, FaultKind::access_denied()).key("p/a").always());
    stage.sandbox.write("key", "sentinel-customer-key-32-bytes!!");
    let secrets: Vec<_> = stage
        .testbed
        .env()
        .into_iter()
        .filter(|(name, _)| name.contains("KEY"))
        .map(|(_, value)| value)
        .chain(["sentinel-customer".to_owned()])
        .collect();
    let command = stage.haul().args(["download", "-vv", "--journal", "j", "s3://bucket/p/", "out"]);
    command.args(["--sse-c-key-file", "key"]).run();
    let text = stage.text("j");
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} is in the journal:\n{text}");
    }
    let mode = stage.sandbox.path("j").metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
