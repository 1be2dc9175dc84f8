//! A manifest as a whole: one that can't be had, is no text, comes slowly or is very long; and
//! cells that another program would take for something else. It must never be about one bad row.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::{Fault, FaultKind, Gate, Operation};

use crate::stage::{BUCKET, Stage};

#[test]
fn one_that_can_not_be_opened_is_wrong_usage_and_moves_nothing() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.folder("folder.csv");
    for name in ["no-such.csv", "folder.csv", "no/such.csv"] {
        let output = stage.run(["download", "--manifest", name, "out"]);
        output.code(2).stderr_has("error: could not open the manifest").stderr_has(name);
    }
    let output = stage.run(["download", "--manifest", "what.is.this", "out"]);
    output.code(2).stderr_has("--manifest-format");
    assert_eq!(stage.testbed.totals().requests, 0);
    assert!(!stage.sandbox.path("out").exists());
}

#[test]
fn utf_16_is_refused_with_or_without_its_mark() {
    let stage = Stage::with_keys(&["a"]);
    let text = "source\ns3://bucket/a\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in
        [[b"\xff\xfe", &little[..]].concat(), [b"\xfe\xff", &big[..]].concat(), little, big]
    {
        for name in ["m.csv", "m.jsonl", "m.keys"] {
            stage.sandbox.write(name, &bytes);
            let output = stage.run(["download", "--manifest", name, "out"]);
            output.code(2).stderr_has("UTF-16").stderr_has("save it as UTF-8");
        }
    }
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn standard_input_can_not_be_the_manifest_and_the_data() {
    let stage = Stage::new();
    let args = ["upload", "--manifest", "-", "--manifest-format", "keys", "-", "s3://bucket/"];
    stage.feed("a\n", args).code(2).stderr_has("`-` can't be a base");
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn the_first_object_moves_while_the_rest_is_unread() {
    let stage = Stage::with_keys(&["first", "second"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args([
        "download",
        "--manifest",
        "-",
        "--manifest-format",
        "keys",
        "s3://bucket/",
        "out",
    ]);
    command.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("haul starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"first\nsecond").expect("haul reads");
    let since = Instant::now();
    while !stage.sandbox.path("out/first").exists() {
        assert!(since.elapsed() < Duration::from_mins(1), "the first row was not done");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!stage.sandbox.path("out/second").exists(), "its line has no end yet");
    drop(stdin);
    let ended = child.wait_with_output().expect("haul ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(stage.files("out"), ["first", "second"]);
}

/// Asked while standard input is still open, as beside: when all rows but the last were planned.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_rows() {
    const ROWS: usize = 300_000;
    const MOST: u64 = 100 << 10;
    let stage = Stage::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(["download", "--dry-run", "--max-memory", "64MiB", "--manifest", "-"]);
    command.args(["--manifest-format", "keys", "s3://bucket/a-prefix/", "out"]);
    command.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
    let plan = std::fs::File::create(stage.sandbox.path("plan")).expect("writable");
    command.stdin(Stdio::piped()).stdout(plan).stderr(Stdio::piped());
    let mut child = command.spawn().expect("haul starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let long = "a-folder-with-a-long-name/".repeat(3);
    for block in 0..100 {
        let row = |row: usize| format!("{long}{row:09}\n");
        let rows: String = (block * ROWS / 100..(block + 1) * ROWS / 100).map(row).collect();
        stdin.write_all(rows.as_bytes()).expect("haul reads");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    drop(stdin);
    let ended = child.wait_with_output().expect("haul ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(stage.text("plan").lines().count(), ROWS);
    let peak = super::rows::peak_memory(&status.expect("haul is still there"));
    assert!(peak < MOST, "{peak} KiB of memory for {ROWS} rows");
}

/// Rows have no order: one that needs what another makes fails, and never takes half of it.
#[test]
fn a_row_does_not_wait_for_another() {
    let stage = Stage::with_keys(&["k"]);
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone())));
    stage.sandbox.write("m.csv", "source,destination\ns3://bucket/k,f\nf,s3://bucket/copy\n");
    let mut running = stage.haul().args(["cp", "--json", "--manifest", "m.csv"]).spawn();
    gate.wait_for(1);
    running.until_stdout_has("\"event\":\"failed\"");
    gate.open();
    let output = running.wait();
    output.code(1).stderr_has("(line 3)").stderr_has("No such file");
    assert_eq!(stage.text("f"), "k");
    assert_eq!(stage.keys(), ["k"]);
}

#[test]
fn cells_are_never_commands_options_or_formulas() {
    let keys = [
        "$(touch planted)",
        "; touch planted",
        "`touch planted`",
        "-rf",
        "--help",
        "=cmd|' /C calc'!A0",
        "+1+1",
        "@SUM(1)",
        "\tTAB first",
        "~",
        "%s%n",
    ];
    let stage = Stage::with_keys(&keys);
    let rows = keys.map(|key| format!("{}\n", serde_json::json!({"bucket": BUCKET, "key": key})));
    stage.sandbox.write("m.jsonl", rows.concat());
    let mut wanted = keys.map(str::to_owned);
    wanted.sort();
    let output =
        stage.run(["download", "--json", "--journal", "j", "--manifest", "m.jsonl", "out"]);
    output.code(0).no_escapes();
    assert_eq!(stage.files("out"), wanted);
    let names = |lines: Vec<serde_json::Value>| {
        let names = lines.iter().filter_map(|line| line["destination"].as_str());
        names.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let told = names(output.json_lines());
    assert!(keys.iter().all(|key| told.contains(&format!("out/{key}"))), "{told:?}");
    let journal = stage.text("j");
    let lines = journal.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let written = names(lines.collect());
    assert!(keys.iter().all(|key| written.contains(*key)), "{written:?}");
    stage.sandbox.remove("out");
    std::fs::rename(stage.sandbox.path("m.jsonl"), stage.sandbox.path("-m.jsonl"))
        .expect("renamed");
    stage.run(["download", "--manifest", "./-m.jsonl", "out"]).code(0);
    let up = keys.map(|key| format!("{}\n", serde_json::json!({"path": key})));
    stage.sandbox.write("up.jsonl", up.concat());
    stage.run(["upload", "--manifest", "up.jsonl", "out", "s3://bucket/up/"]).code(0);
    assert!(keys.iter().all(|key| stage.keys().contains(&format!("up/{key}"))));
    assert!(!stage.sandbox.path("planted").exists());
}
