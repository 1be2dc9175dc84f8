//! Rows as people and programs write them, good and bad: each bad one is told by its line, and
//! the good ones beside it are done.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

#[test]
fn a_spreadsheets_csv_is_read() {
    let keys = ["#first", "a \"quoted\" name", "two\nlines", " spaces ", "comma,comma", "ü/日本"];
    let stage = Stage::with_keys(&keys);
    let quoted = keys.map(|key| format!("\"s3://bucket/{}\"\r\n", key.replace('"', "\"\"")));
    stage.sandbox.write("rows.csv", format!("\u{feff}Source\r\n{}", quoted.concat()));
    stage.run(["download", "--manifest", "rows.csv", "out"]).code(0);
    let mut wanted = keys.map(str::to_owned);
    wanted.sort();
    assert_eq!(stage.files("out"), wanted);
    stage.run(["download", "--manifest", "rows.csv", "s3://bucket/", "below"]).code(0);
    stage.sandbox.same("out", "below");
}

#[test]
fn plain_lines_are_taken_verbatim() {
    let keys = ["#first", "\"quoted\"", "a,b;c\td", "back\\slash?", "per%20cent", "plus+plus"];
    let stage = Stage::with_keys(&keys[..3]);
    for key in &keys[4..] {
        stage.testbed.put_object(BUCKET, key, (*key).to_owned());
    }
    let good = [&keys[..3], &keys[4..]].concat();
    stage.sandbox.write("list.keys", good.join("\r\n"));
    stage.run(["download", "--manifest", "list.keys", "s3://bucket/", "out"]).code(0);
    assert_eq!(stage.files("out").len(), good.len());
    for key in good {
        assert_eq!(stage.text(&format!("out/{key}")), key);
    }
}

#[test]
fn bad_rows_are_told_by_their_lines_and_the_good_ones_are_done() {
    let stage = Stage::with_keys(&["a", "b", "two\nlines", "c"]);
    let rows: &[&[u8]] = &[
        b"source,destination,size\n",
        b"s3://bucket/a,a,1\n",
        b",nothing,\n",
        b"\"s3://bucket/two\nlines\",two,9\n",
        b"s3://bucket/b,bad-size,12k\n",
        b"s3://bucket/\xff\xfe,bad-text,\n",
        b"not-a-uri,no-bucket,\n",
        b"s3://b@d/x,bad-bucket,\n",
        b"s3://bucket/,no-key,\n",
        b"s3://bucket/b,../leads-out,\n",
        b"s3://bucket/missing,missing,\n",
        b"s3://bucket/b,too-many,1,cells,here\n",
        b"s3://bucket/b,too-few\n",
        b"s3://bucket/c,c,\n",
    ];
    stage.sandbox.write("rows.csv", rows.concat());
    let output = stage.run(["download", "--json", "--manifest", "rows.csv", "out"]);
    output.code(1);
    assert_eq!(stage.files("out"), ["a", "c", "two"], "{output}");
    // The quoted newline is a line of its own.
    let bad = [3, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    assert_eq!(failed_lines(&output), bad, "{output}");
    for line in bad {
        output.stderr_has(&format!("(line {line})"));
    }
    output.stderr_has("source is not UTF-8").stderr_has("\\xff\\xfe");
    output.no_escapes();
}

#[test]
fn bad_rows_of_other_formats_are_told_too() {
    for (name, content, lines) in [
        (
            "a.jsonl",
            "{\"source\": \"s3://bucket/a\"}\n{\"source\":\nnull\n[]\n{}\n",
            [2, 3, 4, 5].as_slice(),
        ),
        ("a.tsv", "source\tsize\ns3://bucket/a\t1\ns3://bucket/b\tx\n", &[3]),
        ("a.keys", "s3://bucket/a\nno-bucket\n\n\ns3://x@y/z\n", &[2, 5]),
        ("a.keys0", "s3://bucket/a\0no-bucket\0s3://x@y/z\0", &[2, 3]),
    ] {
        let stage = Stage::with_keys(&["a", "b"]);
        stage.sandbox.write(name, content);
        let output = stage.run(["download", "--json", "--manifest", name, "out"]);
        output.code(1);
        assert_eq!(stage.files("out"), ["a"], "{name}\n{output}");
        assert_eq!(failed_lines(&output), lines, "{name}\n{output}");
    }
}

#[test]
fn a_quote_that_is_never_closed_ends_the_manifest() {
    let stage = Stage::with_keys(&["a", "b"]);
    let rows = "source,destination\ns3://bucket/a,a\n\"s3://bucket/b,b\ns3://bucket/a,c\n";
    stage.sandbox.write("rows.csv", rows);
    let output = stage.run(["download", "--manifest", "rows.csv", "out"]);
    output.code(1).stderr_has("line 3").stderr_has("never closed");
    assert_eq!(stage.files("out"), ["a"], "{output}");
}

#[test]
fn a_manifest_that_is_cut_off_is_told() {
    let stage = Stage::with_keys(&["a"]);
    // More than one block of either packing, so that the first rows come through.
    let rows: String = "s3://bucket/a\n".repeat(100_000);
    for packing in [".gz", ".zst"] {
        let packed = super::pack(rows.as_bytes(), packing);
        let name = format!("list.keys{packing}");
        stage.sandbox.write(&name, &packed[..packed.len() - 4]);
        let output = stage.run(["download", "--manifest", &name, "out"]);
        output.code(1).stderr_has("error: ").stderr_has("cut off");
    }
}

#[test]
fn two_rows_with_one_destination_do_the_first() {
    let stage = Stage::with_keys(&["a", "b", "c", "d"]);
    let rows = "source,destination\ns3://bucket/a,same\ns3://bucket/b,same\ns3://bucket/c,./same\n\
        s3://bucket/a,x\ns3://bucket/b,x/y\ns3://bucket/c,f/g\ns3://bucket/d,f\n";
    stage.sandbox.write("rows.csv", rows);
    let output = stage.run(["download", "--json", "--manifest", "rows.csv", "out"]);
    output.code(1);
    assert_eq!(failed_lines(&output), [3, 4, 6, 8], "{output}");
    assert_eq!(stage.files("out"), ["f/g", "same", "x"], "{output}");
    assert_eq!(stage.text("out/same"), "a");
    stage.sandbox.write("one", "1");
    stage.sandbox.write("two", "2");
    stage.sandbox.write("up.csv", "source,destination\none,k\ntwo,k\none,k/l\n");
    let output = stage.run(["upload", "--json", "--manifest", "up.csv", "s3://bucket/up/"]);
    output.code(1);
    assert_eq!(failed_lines(&output), [3], "keys are no paths: k/l is fine\n{output}");
    assert_eq!(stage.object_text("up/k"), "1");
}

#[test]
fn identical_rows_are_done_once() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage
        .sandbox
        .write("list.keys", "s3://bucket/a\ns3://bucket/b\ns3://bucket/a\ns3://bucket/a\n");
    let output = stage.run(["download", "--manifest", "list.keys", "out"]);
    output.code(0).stderr_has("2 objects").stderr_has("once");
    assert_eq!(stage.testbed.count(testbed::Operation::GetObject), 2, "{output}");
}

#[test]
fn an_empty_manifest_is_a_success_that_says_so() {
    for (name, content) in [
        ("a.csv", ""),
        ("a.csv", "\u{feff}"),
        ("a.csv", "source,destination\n"),
        ("a.csv", "source,destination\r\n\r\n\r\n"),
        ("a.tsv", "source\n"),
        ("a.jsonl", ""),
        ("a.jsonl", "\n\n"),
        ("a.keys", "\n"),
        ("a.keys0", "\0"),
    ] {
        let stage = Stage::new();
        stage.sandbox.write(name, content);
        stage.run(["download", "--manifest", name, "out"]).code(0).stderr_has("nothing to do");
        stage
            .run(["upload", "--manifest", name, "s3://bucket/"])
            .code(0)
            .stderr_has("nothing to do");
        assert!(!stage.sandbox.path("out").exists());
        assert_eq!(stage.testbed.totals().requests, 0);
    }
    let stage = Stage::new();
    let args = ["download", "--manifest", "-", "--manifest-format", "csv", "out"];
    stage.feed("", args).code(0).stderr_has("nothing to do");
    stage.feed("", ["download", "--manifest", "-", "out"]).code(0);
}

/// Some systems tell a process's peak of memory only while it lives: so it is asked while standard
/// input is still open, when everything but the end was read.
#[cfg(target_os = "linux")]
#[test]
fn a_line_of_a_hundred_mebibytes_costs_no_such_memory() {
    const LONG: usize = 100 << 20;
    const MOST: u64 = 80 << 10;
    for (format, before) in [("keys", ""), ("csv", "source\n"), ("jsonl", "{\"source\":\"")] {
        let stage = Stage::with_keys(&["a"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
        command.args(["download", "--manifest", "-", "--manifest-format", format, "out"]);
        command.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("haul starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(before.as_bytes()).expect("haul reads");
        let block = vec![b'x'; 1 << 20];
        for _ in 0..LONG / block.len() {
            stdin.write_all(&block).expect("haul reads");
        }
        let good =
            if format == "jsonl" { r#"{"source":"s3://bucket/a"}"# } else { "s3://bucket/a" };
        write!(stdin, "\n{good}\n").expect("haul reads");
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        drop(stdin);
        let ended = child.wait_with_output().expect("haul ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{format}: {said}");
        assert!(said.contains("longer than"), "{format}: {said}");
        assert_eq!(stage.files("out"), ["a"], "{format}: the good row was not done\n{said}");
        let peak = peak_memory(&status.expect("haul is still there"));
        assert!(peak < MOST, "{format}: {peak} KiB of memory for one line");
    }
}

#[cfg(target_os = "linux")]
pub(super) fn peak_memory(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[track_caller]
fn failed_lines(output: &Output) -> Vec<u64> {
    let failed = output.json_lines().into_iter().filter(|line| line["event"] == "failed");
    let mut lines: Vec<_> = failed.filter_map(|line| line["line"].as_u64()).collect();
    lines.sort_unstable();
    lines
}
