//! Failures come back: started once more at the end of the run, and fed back from a journal by
//! another one. Each job counts once, and every event says the truth.

use serde_json::{Value, json};
use testbed::{Fault, FaultKind, Operation};

use super::{KEYS, entries, reads};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

fn events<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == name).collect()
}

#[track_caller]
fn summary(output: &Output) -> Value {
    output.json_lines().pop().expect("a summary")
}

const QUICK: [&str; 4] = ["download", "--json", "--max-attempts", "2"];

#[test]
fn what_may_pass_is_started_once_more_after_everything_else() {
    let stage = Stage::with_keys(&KEYS);
    let trouble = Fault::new(Operation::GetObject, FaultKind::internal_error());
    stage.testbed.fault(trouble.key("p/a").times(2));
    let output = stage.haul().args(QUICK).args(["--journal", "j", "s3://bucket/p/", "out"]).run();
    let lines = output.code(0).json_lines();
    let [later] = events(&lines, "postponed").try_into().expect("one");
    assert_eq!(later["source"], "s3://bucket/p/a");
    assert_eq!(later["cause"], "the store or the network failed");
    assert!(events(&lines, "failed").is_empty(), "{output}");
    assert_eq!(events(&lines, "start").len(), 4, "{output}");
    let done = events(&lines, "done");
    assert_eq!(done.len(), 3, "{output}");
    assert_eq!(done[2]["source"], "s3://bucket/p/a", "after everything else");
    let summary = summary(&output);
    assert_eq!((&summary["objects"], &summary["failed"]), (&3.into(), &0.into()), "{output}");
    let entries = entries(&stage, "j");
    assert_eq!(entries.len(), 3);
    assert_eq!(entries["s3://bucket/p/a"]["attempts"], 2, "those of the first start count");
    assert_eq!(stage.text("j").lines().count(), 4, "only the last line of each");
    assert_eq!(stage.files("out"), ["a", "b/c", "d"]);
    retries_are_counted(&output, 1);
}

#[test]
fn a_second_failure_is_final_and_counted_once() {
    let stage = Stage::with_keys(&KEYS);
    let trouble = Fault::new(Operation::GetObject, FaultKind::slow_down());
    stage.testbed.fault(trouble.key("p/a").always());
    let output = stage.haul().args(QUICK).args(["--journal", "j", "s3://bucket/p/", "out"]).run();
    let lines = output.code(1).json_lines();
    assert_eq!(events(&lines, "postponed").len(), 1, "{output}");
    assert_eq!(events(&lines, "failed").len(), 1, "{output}");
    let summary = summary(&output);
    assert_eq!((&summary["objects"], &summary["failed"]), (&2.into(), &1.into()), "{output}");
    let asked = stage.testbed.requests_of(Operation::GetObject);
    assert_eq!(asked.iter().filter(|it| it.key.as_deref() == Some("p/a")).count(), 4, "{output}");
    let entries = entries(&stage, "j");
    assert_eq!((entries.len(), stage.text("j").lines().count()), (3, 4));
    assert_eq!(entries["s3://bucket/p/a"]["may_pass"], true);
    assert_eq!(entries["s3://bucket/p/a"]["attempts"], 3);
    retries_are_counted(&output, 2);
}

/// The trouble is over where others were compared, or were there already, as well.
#[test]
fn what_may_pass_is_started_again_where_others_were_compared_or_left_out() {
    for (args, operation) in [
        (["verify", "--json"].as_slice(), Operation::HeadObject),
        (&["download", "--json", "--overwrite", "never"], Operation::GetObject),
    ] {
        let stage = Stage::with_keys(&KEYS);
        stage.run(["download", "s3://bucket/p/", "out"]).code(0);
        if operation == Operation::GetObject {
            std::fs::remove_file(stage.sandbox.path("out/a")).expect("it was there");
        }
        let trouble = Fault::new(operation, FaultKind::internal_error());
        stage.testbed.fault(trouble.key("p/a").times(2));
        let quick = ["--max-attempts", "2", "s3://bucket/p/", "out"];
        let output = stage.haul().args(args).args(quick).run();
        let lines = output.code(0).json_lines();
        assert_eq!(events(&lines, "postponed").len(), 1, "{output}");
        assert!(events(&lines, "failed").is_empty(), "{output}");
        retries_are_counted(&output, 1);
    }
}

/// However the jobs ended, and of listings, too.
#[track_caller]
fn retries_are_counted(output: &Output, wanted: usize) {
    let lines = output.json_lines();
    let told = events(&lines, "retry").len();
    let counted = lines.last().expect("a summary")["retries"].clone();
    assert_eq!((told, counted), (wanted, wanted.into()), "{output}");
}

#[test]
fn a_listing_that_is_tried_again_counts_as_a_retry() {
    let stage = Stage::with_keys(&KEYS);
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::internal_error()));
    let output = stage.haul().args(QUICK).args(["s3://bucket/p/", "out"]).run();
    output.code(0);
    retries_are_counted(&output, 1);
}

#[test]
fn what_can_not_pass_or_must_end_at_once_is_not_started_again() {
    for (kind, args) in [
        (FaultKind::access_denied(), [].as_slice()),
        (FaultKind::internal_error(), &["--fail-fast"]),
        (FaultKind::internal_error(), &["--max-errors", "1"]),
    ] {
        let stage = Stage::with_keys(&KEYS);
        stage.testbed.fault(Fault::new(Operation::GetObject, kind).key("p/d").always());
        let output = stage.haul().args(QUICK).args(["s3://bucket/p/", "out"]).args(args).run();
        let lines = output.code(1).json_lines();
        assert!(events(&lines, "postponed").is_empty(), "{args:?}: {output}");
        assert_eq!(events(&lines, "failed").len(), 1, "{args:?}: {output}");
    }
}

#[test]
fn where_nothing_was_done_meanwhile_nothing_is_started_again() {
    let stage = Stage::with_keys(&["a"]);
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::internal_error()).always());
    let output = stage.haul().args(QUICK).args(["s3://bucket/a", "out/"]).run();
    output.code(1).stderr_has("error: ");
    assert_eq!(reads(&stage), 2, "{output}");
    assert_eq!(events(&output.json_lines(), "failed").len(), 1, "{output}");
}

#[test]
fn failures_of_a_run_are_fed_back() {
    let stage = Stage::with_keys(&KEYS);
    let trouble = || Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(trouble().key("p/a").always());
    stage.testbed.fault(trouble().key("p/b/c").always());
    let rows = "source,destination,size\ns3://bucket/p/a,one,3\ns3://bucket/p/b/c,x/two,5\ns3://bucket/p/d,three,3\n";
    stage.sandbox.write("m.csv", rows);
    stage.run(["download", "--journal", "run.journal", "--manifest", "m.csv", "out"]).code(1);
    stage.testbed.clear_faults();
    stage.testbed.clear_requests();
    // Somewhere else: the journal itself knows where the files belong.
    let elsewhere = stage.sandbox.folder("elsewhere");
    let again = stage.haul().current_dir(elsewhere);
    let output = again.args(["download", "--manifest", "../run.journal", "--only", "failed"]).run();
    output.code(0).stderr_has("2 objects");
    assert_eq!(reads(&stage), 2, "{output}");
    assert_eq!(stage.files("out"), ["one", "three", "x/two"]);
    let command = ["download", "--manifest", "run.journal", "--only", "failed", "other"];
    stage.run(command).code(0);
    assert_eq!(stage.files("other"), ["one", "x/two"]);
    stage.run(["cp", "--manifest", "run.journal", "all"]).code(0);
    assert_eq!(stage.files("all"), ["one", "three", "x/two"]);
    // With the first command gone on, none is left that failed.
    stage.run(["download", "--journal", "run.journal", "--manifest", "m.csv", "out"]).code(0);
    stage.run(command).code(0).stderr_has("nothing to do");
}

#[test]
fn what_was_demanded_is_demanded_again() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "k", "12345");
    let row =
        json!({"source": "s3://bucket/k", "size": 5, "etag": "0123", "checksum": "crc32:AAAAAA=="});
    stage.sandbox.write("m.jsonl", format!("{row}\n"));
    stage.run(["download", "--journal", "run.journal", "--manifest", "m.jsonl", "out"]).code(1);
    let output = stage.run(["download", "--manifest", "run.journal", "--only", "failed"]);
    output.code(1).stderr_has("ETag");
    let entry = &entries(&stage, "run.journal")["s3://bucket/k"];
    assert_eq!(entry["want"], json!({"size": 5, "etag": "0123", "checksum": "crc32:AAAAAA=="}));
}

#[test]
fn uploads_are_fed_back_with_their_own_attributes() {
    let stage = Stage::new();
    stage.sandbox.write("d/a", "a");
    stage.sandbox.write("d/b", "b");
    let refuse = Fault::new(Operation::PutObject, FaultKind::access_denied());
    stage.testbed.fault(refuse.key("p/").always());
    let rows =
        "path,bucket,key,content_type,metadata\na,bucket,p/,x/own,colour=blue\nb,bucket,q,,\n";
    stage.sandbox.write("m.csv", rows);
    stage.run(["upload", "--journal", "run.journal", "--manifest", "m.csv", "d"]).code(1);
    stage.testbed.clear_faults();
    let output = stage.run(["upload", "--manifest", "run.journal", "--only", "failed"]);
    output.code(0).stderr_has("1 object,");
    assert_eq!(stage.keys(), ["p/", "q"]);
    let attributes = stage.object("p/").attributes;
    assert_eq!(attributes.content_type.as_deref(), Some("x/own"));
    assert_eq!(attributes.metadata["colour"], "blue");
}

/// What is bad stays told, and what is good is done. Uploads, since ten thousand syncs take long.
#[test]
fn one_bad_row_of_ten_thousand_is_in_the_list_of_failures() {
    let stage = Stage::new();
    stage.sandbox.write("f", "f");
    let row = |number| {
        let size = if number == 5000 { "x" } else { "1" };
        format!("f,{number},{size}\n")
    };
    let rows: String = (2..=10_001).map(row).collect();
    stage.sandbox.write("m.csv", format!("source,destination,size\n{rows}"));
    let command = ["upload", "--journal", "run.journal", "--manifest", "m.csv", "s3://bucket/"];
    let output = stage.run(command);
    output.code(1).stderr_has("9999 objects").stderr_has("1 failed").stderr_has("(line 5000)");
    assert_eq!(stage.keys().len(), 9999);
    let failed = stage.run(["upload", "--json", "--manifest", "run.journal", "--only", "failed"]);
    let lines = failed.code(1).json_lines();
    let [bad] = events(&lines, "failed").try_into().expect("one");
    let said = bad["message"].as_str().expect("words");
    assert!(said.contains("line 5000") && said.contains("size is not a number"), "{bad}");
    assert_eq!(stage.text("run.journal").lines().count(), 10_001);
}

#[test]
fn paths_of_a_journal_are_told_below_the_folder_that_it_names() {
    let stage = Stage::with_keys(&KEYS);
    stage.run(["download", "--journal", "j.journal", "s3://bucket/p/", "out"]).code(0);
    let folder = stage.sandbox.path("out").canonicalize().expect("a folder");
    let told = format!("{}/a", folder.display());
    let again = ["download", "--manifest", "j.journal", "--json"];
    for more in [["--dry-run"].as_slice(), &[]] {
        let lines = stage.haul().args(again).args(more).run().code(0).json_lines();
        let places: Vec<_> = lines.iter().filter_map(|line| line["destination"].as_str()).collect();
        assert!(places.contains(&told.as_str()), "{places:?}");
        assert!(places.iter().all(|place| place.starts_with('/')), "{places:?}");
    }
    let named = stage.haul().args(again).args(["s3://bucket/", "new", "--dry-run"]).run();
    named.code(0).stdout_has("\"destination\":\"new/a\"");
}
