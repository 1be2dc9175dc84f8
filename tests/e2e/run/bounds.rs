//! What all lines share: how many requests, when to give up, how to stop.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation};

use super::{script, summary};
use crate::stage::Stage;

const LINES: usize = 300;

fn many(stage: &Stage) -> String {
    let lines = (0..LINES).map(|number| {
        stage.testbed.put_object("bucket", &format!("k{number:03}"), "bytes");
        format!("cp s3://bucket/k{number:03} out/\n")
    });
    lines.collect()
}

#[test]
fn lines_share_one_limit_of_requests() {
    let stage = Stage::new();
    let lines = many(&stage);
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(1..=u64::MAX));
    stage.sandbox.write("commands", lines);
    let running = stage.haul().args(["run", "commands", "--concurrency", "8"]).spawn();
    // Whoever is not held back has come by then.
    for passed in 0..100 {
        gate.wait_for(8 + passed);
        gate.let_one_pass();
    }
    gate.open();
    running.wait().code(0);
    assert_eq!(stage.testbed.totals().max_in_flight, 8);
    assert_eq!(stage.files("out").len(), LINES);
}

#[test]
fn an_interrupt_ends_all_lines_and_leaves_whole_files() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let stage = Stage::new();
        let lines = many(&stage);
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        stage.testbed.fault(held.occurrence(21..=u64::MAX));
        stage.sandbox.write("commands", lines);
        let running = stage.haul().args(["run", "commands", "--concurrency", "8"]).spawn();
        gate.wait_for(8);
        running.signal(signal);
        let limit = std::time::Duration::from_secs(5);
        running.wait_within(limit).code(code).stderr_has("20 of ");
        assert_eq!(stage.files("out").len(), 20);
        assert!(stage.testbed.count(Operation::GetObject) <= 28);
    }
}

#[test]
fn standard_input_that_says_nothing_holds_up_no_interrupt() {
    let stage = Stage::with_keys(&["a"]);
    let (mut command, _home) = stage.haul().args(["run", "-"]).into_parts();
    command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, b"cp s3://bucket/a out/\n").expect("it reads");
    while stage.testbed.count(Operation::GetObject) == 0 {
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(input);
}

#[test]
fn fail_fast_and_max_errors_count_all_lines() {
    let stage = Stage::new();
    let lines = "cp s3://bucket/missing out/\n".repeat(400);
    let output = script(&stage, &lines, &["--max-errors", "5", "--concurrency", "1", "--json"]);
    let failed = summary(output.code(1))["failed"].as_u64().expect("a number");
    assert!((5..50).contains(&failed), "{failed} failed");
    let output = script(&stage, &lines, &["--fail-fast", "--concurrency", "1", "--json"]);
    let failed = summary(output.code(1))["failed"].as_u64().expect("a number");
    assert!((1..20).contains(&failed), "{failed} failed");
    let bad = "nonsense\n".repeat(400);
    let output = script(&stage, &bad, &["--max-errors", "5", "--json"]);
    assert_eq!(summary(output.code(1))["failed"], 5);
}

#[test]
fn a_bucket_that_is_missing_for_one_line_ends_no_other() {
    let stage = Stage::new();
    let lines = format!("cp s3://no-such-bucket/k out/\n{}", many(&stage));
    let output = script(&stage, &lines, &["--concurrency", "1"]);
    output.code(1).stderr_has("(line 1)").stderr_has("300 objects").stderr_has("1 failed");
    assert_eq!(stage.files("out").len(), LINES);
}

#[test]
fn a_store_that_is_of_no_use_to_one_line_ends_no_other() {
    let dead = "http://127.0.0.1:9";
    for line in [
        format!("cp s3://bucket/k out/ --endpoint-url {dead}"),
        format!("cp s3://bucket/p/ own/ --endpoint-url {dead}"),
        format!("cp s3://bucket/k s3://bucket/own --source-endpoint-url {dead}"),
        format!("sync s3://bucket/p/ own/ --endpoint-url {dead}"),
        "cp s3://bucket/k own/ --profile none".to_owned(),
        "cp s3://bucket/p/ own/ --profile unknown".to_owned(),
    ] {
        let stage = Stage::new();
        let lines = format!("{line}\n{}", many(&stage));
        stage.sandbox.write("commands", &lines);
        let profile = "[unknown]\naws_access_key_id = AKIDUNKNOWN\naws_secret_access_key = x\n";
        stage.sandbox.write("profiles", profile);
        let haul = stage.haul().env("AWS_SHARED_CREDENTIALS_FILE", "profiles");
        let output =
            haul.args(["run", "commands", "--concurrency", "1", "--max-attempts", "1"]).run();
        output.code(1).stderr_has("(line 1)").stderr_has("1 failed");
        assert_eq!(stage.files("out").len(), LINES, "{line}: {output}");
    }
}

#[test]
fn a_key_of_one_line_encrypts_nothing_of_another() {
    let stage = Stage::new();
    for (name, key) in [("one.key", [1_u8; 32]), ("two.key", [2_u8; 32])] {
        stage.sandbox.write(name, key);
    }
    stage.sandbox.write("f", "bytes");
    let lines = "\
upload f s3://bucket/one --sse-c-key-file one.key
upload f s3://bucket/two --sse-c-key-file two.key
upload f s3://bucket/none
upload f s3://bucket/again --sse-c-key-file one.key
";
    script(&stage, lines, &[]).code(0);
    let key = |name: &str| {
        let encryption = stage.object(name).attributes.encryption.clone();
        encryption.get("x-amz-server-side-encryption-customer-key-md5").cloned()
    };
    assert!(key("one").is_some() && key("two").is_some());
    assert_ne!(key("one"), key("two"));
    assert_eq!(key("one"), key("again"));
    assert_eq!(key("none"), None);
}

#[test]
fn credentials_that_end_are_told_once() {
    let stage = Stage::new();
    let lines = many(&stage);
    let expired = FaultKind::expired_token();
    stage.testbed.fault(Fault::new(Operation::GetObject, expired).occurrence(1..=u64::MAX));
    let output = script(&stage, &lines, &["--concurrency", "4", "--json"]);
    let lines = output.code(1).json_lines();
    let failed = lines.iter().filter(|line| line["event"] == "failed").count();
    assert_eq!(failed, 1, "{output}");
}

/// What one line may not do is no reason for the others not to be done.
#[test]
fn removals_that_are_refused_to_one_line_end_no_other() {
    let stage = Stage::new();
    stage.sandbox.write("tree/a", "a");
    for number in 0..10_500 {
        stage.testbed.put_object("bucket", &format!("p/old/{number:05}"), "x");
    }
    let denied = FaultKind::access_denied();
    let refused = stage.testbed.fault(Fault::new(Operation::DeleteObjects, denied).always());
    // They are under way when the removals are refused, and many are still to come.
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(1..=u64::MAX));
    let sync = "sync tree/ s3://bucket/p/ --delete --max-delete 100%\n";
    stage.sandbox.write("commands", format!("{sync}{}", many(&stage)));
    let mut running =
        stage.haul().args(["run", "commands", "--json", "--concurrency", "8"]).spawn();
    // Of two requests: one of them is done with by then.
    running.until_stdout_has("p/old/00000");
    running.until_stdout_has("p/old/07999");
    gate.open();
    let output = running.wait();
    let lines = output.code(1).json_lines();
    assert!(stage.testbed.hits(refused) > 0);
    assert_eq!(stage.files("out").len(), LINES, "{output}");
    let failed: Vec<_> = lines.iter().filter(|line| line["event"] == "failed").collect();
    assert!((1000..10_000).contains(&failed.len()), "it went on: {} failed", failed.len());
    assert!(failed.iter().all(|failed| failed["line"] == 1), "{output}");
    let summary = summary(&output);
    assert_eq!(summary["failed"], failed.len());
    assert_eq!(summary["stopped"], 10_500 - failed.len());
    assert_eq!(summary["objects"], LINES + 1);
}

/// `--max-errors` is about all lines: two of them with one refused removal each are enough.
#[test]
fn removals_that_fail_count_with_the_failures_of_other_lines() {
    let stage = Stage::new();
    for (folder, name) in [("one", "x"), ("two", "y")] {
        for kept in ["a", "b"] {
            stage.sandbox.write(format!("{folder}/{kept}"), kept);
            stage.testbed.put_object("bucket", &format!("{folder}/{kept}"), kept);
        }
        stage.testbed.put_object("bucket", &format!("{folder}/{name}"), "x");
    }
    stage.testbed.fault(Fault::new(Operation::DeleteObject, FaultKind::access_denied()).always());
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, FaultKind::access_denied()).always());
    let lines = "sync one/ s3://bucket/one/ --delete\nsync two/ s3://bucket/two/ --delete\n";
    for (most, is_enough) in [("1", true), ("2", true), ("3", false)] {
        let output = script(&stage, lines, &["--max-errors", most, "--json"]);
        let end = summary(output.code(1))["end"].clone();
        assert_eq!(end == "gave_up", is_enough, "{most}: {output}");
    }
}

/// A line that can't be done is told, though the run is ending for another one.
#[test]
fn what_fails_while_the_run_ends_is_told() {
    let stage = Stage::new();
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(1..=u64::MAX));
    let lines = "cp --manifest s3://bucket/no-rows.csv out/\n".repeat(2) + "nonsense\n";
    stage.sandbox.write("commands", lines);
    let mut running = stage.haul().args(["run", "commands", "--max-errors", "1", "--json"]).spawn();
    gate.wait_for(2);
    running.until_stdout_has("not a command");
    gate.open();
    let output = running.wait();
    let lines = output.code(1).json_lines();
    let failed = lines.iter().filter(|line| line["event"] == "failed");
    let mut numbers: Vec<_> = failed.map(|line| line["line"].as_u64().expect("a line")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3], "{output}");
    let summary = summary(&output);
    assert_eq!((&summary["failed"], &summary["stopped"]), (&3.into(), &0.into()), "{output}");
}
