//! What is written to the two streams: data, messages, and nothing that a terminal, a closed pipe,
//! a full disk or a program that reads JSON would stumble over. It must never test what a screen
//! looks like; that is for the snapshots of `ui`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;
use testbed::{Fault, FaultKind, Operation};

use crate::harness::{Output, content, haul};
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

#[test]
fn a_listing_into_a_pipe_that_closes_is_a_success() {
    let stage = Stage::new();
    for number in 0..3000 {
        stage.testbed.put_object(BUCKET, &format!("{number:04}-{}", "long".repeat(50)), "");
    }
    for args in [["ls", "s3://bucket/"].as_slice(), &["ls", "-r", "--json", "s3://bucket"]] {
        let (ended, said) = read_one_line(&stage, args);
        assert_eq!((ended, said.as_str()), (Some(0), ""), "{args:?}");
    }
    let (ended, _) = read_one_line(&stage, &["download", "--dry-run", "s3://bucket/", "out"]);
    assert_eq!(ended, Some(0), "a plan is a listing, too");
}

#[test]
fn bytes_of_an_object_that_nobody_takes_end_silently() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "f", content("f", 30 * MIB));
    let mut command = command(&stage, &["download", "s3://bucket/f", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut start = [0; 100];
    child.stdout.take().expect("piped").read_exact(&mut start).expect("bytes come");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let stage = Stage::with_keys(&["a", "b"]);
    for args in [
        ["ls", "s3://bucket/"].as_slice(),
        &["ls", "--json", "s3://bucket/"],
        &["ls"],
        &["download", "s3://bucket/a", "-"],
        &["download", "s3://bucket/a", "/dev/full"],
        &["download", "--json", "s3://bucket/", "out"],
        &["download", "--dry-run", "s3://bucket/", "out"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let output = stage.haul().args(args).stdout_to(full).run();
        output.code(1).stderr_has("error: ").stderr_has("No space left");
    }
    assert_eq!(stage.files("out"), ["a", "b"], "the transfer itself went on");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stderr_changes_nothing() {
    let stage = Stage::with_keys(&["a"]);
    for (args, code) in [
        (["download", "s3://bucket/a", "out/"], 0),
        (["download", "s3://bucket/no-such", "out/"], 1),
        (["download", "--no-such-flag", "out/"], 2),
    ] {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut command = command(&stage, &args);
        let ended = command.stderr(full).stdout(Stdio::null()).status().expect("it runs");
        assert_eq!(ended.code(), Some(code), "{args:?}");
    }
    assert_eq!(stage.text("out/a"), "a");
}

#[test]
fn without_a_terminal_no_stream_has_an_escape() {
    let stage = with_one_of_everything();
    for environment in [
        [].as_slice(),
        &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
        &[("TERM", "dumb")],
        &[("NO_COLOR", "1")],
    ] {
        for args in [
            ["download", "s3://bucket/", "out/", "-v"].as_slice(),
            &["download", "s3://bucket/", "out/", "-vv"],
            &["download", "s3://bucket/", "out/", "--progress", "bar"],
            &["download", "s3://bucket/", "out/", "--progress", "plain"],
            &["ls", "s3://bucket/"],
            &["--help"],
            &["download", "--help"],
            &["download", "--no-such-flag"],
        ] {
            stage.haul().envs(environment.iter().copied()).args(args).run().no_escapes();
        }
    }
    let coloured = stage.run(["download", "s3://bucket/no-such", "out/", "--color", "always"]);
    assert!(coloured.code(1).stderr.contains('\u{1b}'), "{coloured}");
    let never = stage.haul().env("CLICOLOR_FORCE", "1");
    never.args(["download", "s3://bucket/no-such", "x", "--color", "never"]).run().no_escapes();
}

#[test]
fn every_line_of_json_is_an_object_and_the_summary_is_last() {
    let stage = with_one_of_everything();
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::internal_error()).key("p/a"));
    let output = stage.run(["download", "--json", "s3://bucket/", "out/"]);
    let lines = output.code(1).json_lines();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    for wanted in ["start", "retry", "done", "failed", "summary"] {
        assert!(events.contains(&wanted), "no {wanted}\n{output}");
    }
    let summary = lines.last().expect("a summary");
    assert_eq!(events.iter().filter(|event| **event == "summary").count(), 1, "{output}");
    assert_eq!(summary["event"], "summary", "{output}");
    assert_eq!(summary["success"], false);
    assert_eq!(summary["objects"], 3, "{output}");
    assert_eq!(summary["failed"], 1, "{output}");
    assert_eq!(summary["retries"], 1, "{output}");
    let of = |event: &'static str| lines.iter().filter(move |line| line["event"] == event);
    assert_eq!(of("done").count(), 3, "{output}");
    let destinations: Vec<_> = of("done").map(|line| line["destination"].clone()).collect();
    assert!(destinations.contains(&Value::from("out/p/a")), "{output}");
    let failed = of("failed").next().expect("one failed");
    assert_eq!(failed["source"], "s3://bucket/../bad", "{output}");
    assert_eq!(failed["may_pass"], false, "{output}");
}

#[test]
fn quiet_says_nothing_but_errors() {
    let stage = with_one_of_everything();
    let loud = ["download", "s3://bucket/p/", "out/"];
    let output = stage.haul().args(loud).arg("--quiet").run();
    output.code(0).stdout_is("");
    assert_eq!(output.stderr, "", "{output}");
    stage.sandbox.write("f", "f");
    let output = stage.run(["upload", "-q", "f", "s3://bucket/q/"]);
    assert_eq!(output.code(0).stderr, "", "{output}");
    let output = stage.run(["download", "-q", "s3://bucket/", "out/"]);
    output.code(1).stderr_has("error: ").stderr_has("../bad");
}

#[test]
fn verbose_tells_retries_and_skips() {
    let stage = with_one_of_everything();
    for (flag, says) in [(None, false), (Some("-v"), true), (Some("-vv"), true)] {
        let fault = Fault::new(Operation::GetObject, FaultKind::slow_down()).key("p/a");
        stage.testbed.fault(fault);
        let output = stage.haul().args(["download", "s3://bucket/p/", "out/"]).args(flag).run();
        let told = output.code(0).stderr.contains("retry: s3://bucket/p/a");
        assert_eq!(told, says, "{output}");
        output.stderr_has("1 retry");
        stage.testbed.clear_faults();
    }
    let output = stage.run(["download", "-v", "--no-clobber", "s3://bucket/p/", "out/"]);
    output.code(0).stderr_has("skip: s3://bucket/p/a");
}

#[test]
fn the_end_of_a_run_sums_it_up() {
    let stage = with_one_of_everything();
    let output = stage.run(["download", "s3://bucket/p/", "out/"]);
    output.code(0).stderr_has("2 objects").stderr_has("2 verified end to end").stdout_is("");
    let output = stage.run(["download", "s3://bucket/", "out/"]);
    output.code(1).stderr_has("1 failed").stderr_has("s3://bucket/../bad");
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::internal_error()).always());
    let args = ["download", "--max-attempts", "2", "s3://bucket/p/", "it's out/"];
    let output = stage.run(args);
    output
        .code(1)
        .stderr_has("next: haul download --max-attempts 2 s3://bucket/p/ 'it'\\''s out/'");
}

#[test]
fn no_output_ever_has_the_secret() {
    const SECRET: &str = "SENTINEL+secret/0123456789abcdef";
    const TOKEN: &str = "SENTINEL-session-token";
    let stage = with_one_of_everything();
    stage.testbed.add_credentials("AKIDSENTINEL", SECRET);
    stage.sandbox.write("key", b"SENTINEL-customer-key-0123456789");
    stage.sandbox.fill("large", 20 * MIB);
    for args in [
        ["download", "-vv", "s3://bucket/p/", "out/"].as_slice(),
        &["download", "-vv", "--json", "s3://bucket/", "out/"],
        &["download", "-vv", "s3://bucket/no-such", "out/"],
        &["download", "-vv", "s3://no-such-bucket/", "out/"],
        &["upload", "-vv", "large", "s3://bucket/up/"],
        &["upload", "-vv", "large", "s3://bucket/up/", "--sse-c-key-file", "key"],
        &["download", "-vv", "s3://bucket/up/large", "out/", "--sse-c-key-file", "key"],
        &["ls", "-vv", "s3://bucket/"],
        &["ls", "-vv", "s3://bucket/no-such"],
        &[
            "download",
            "-vv",
            "s3://bucket/a",
            "out/",
            "--endpoint-url",
            "http://127.0.0.1:1",
            "--max-attempts",
            "2",
        ],
    ] {
        for token in [None, Some(TOKEN)] {
            let command = stage.haul().env("AWS_ACCESS_KEY_ID", "AKIDSENTINEL");
            let command = command.env("AWS_SECRET_ACCESS_KEY", SECRET).env("RUST_LOG", "trace");
            let command = command.envs(token.map(|token| ("AWS_SESSION_TOKEN", token)));
            assert_no_secret(&command.args(args).run());
        }
    }
    let wrong = stage.haul().env("AWS_SECRET_ACCESS_KEY", SECRET);
    let output = wrong.args(["download", "-vv", "s3://bucket/p/", "out/"]).run();
    assert_no_secret(output.code(1));
}

#[track_caller]
fn assert_no_secret(output: &Output) {
    // Encoded in any way, a part of it would still be there.
    let text = [output.stderr.clone(), String::from_utf8_lossy(&output.stdout).into()].concat();
    assert!(!text.contains("SENTINEL-") && !text.contains("SENTINEL+"), "a secret\n{output}");
    assert!(!text.contains("0123456789abcdef"), "a part of a secret\n{output}");
    assert!(!text.contains("U0VOVElORUwt"), "a secret in base64\n{output}");
}

/// Under a terminal of its own, from util-linux's `script`.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_bars_appear_and_names_stay_harmless() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/\u{1b}[31mred\u{7}", content("red", 40 * MIB));
    stage.testbed.put_object(BUCKET, "p/../bad\u{1b}[32mgreen", "x");
    let slow = FaultKind::SlowBody { bytes_per_second: 2 << 20 };
    stage.testbed.fault(Fault::new(Operation::GetObject, slow).always());
    let line = format!("{} download s3://bucket/p/ out/", env!("CARGO_BIN_EXE_haul"));
    let Some(screen) = on_a_terminal(&stage, &line, "xterm") else { return };
    assert!(screen.contains("\u{1b}["), "no bars were drawn: {screen:?}");
    assert!(screen.contains('%'), "no progress was shown: {screen:?}");
    assert!(screen.contains("\\u{1b}[31mred\\u{7}"), "the name is not escaped: {screen:?}");
    assert!(!screen.contains("\u{1b}[31mred"), "a name spoke to the terminal: {screen:?}");
    assert!(!screen.contains("\u{1b}[32mgreen"), "a name spoke to the terminal: {screen:?}");
    assert!(!screen.contains('\u{7}'), "a name rang the bell: {screen:?}");
    let Some(screen) = on_a_terminal(&stage, &line, "dumb") else { return };
    assert!(!screen.contains('\u{1b}'), "a dumb terminal got an escape: {screen:?}");
    let plain = format!("NO_COLOR=1 {line} 2>&1 | cat");
    let Some(screen) = on_a_terminal(&stage, &plain, "xterm") else { return };
    assert!(!screen.contains('\u{1b}'), "a pipe got an escape: {screen:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_color_on_a_terminal_leaves_bars_without_colours() {
    let stage = Stage::with_keys(&["a"]);
    let line = format!("{} download s3://bucket/no-such x", env!("CARGO_BIN_EXE_haul"));
    let coloured = |screen: &str| {
        assert!(screen.contains("error"), "{screen:?}");
        let is_there = |colour: usize| {
            screen.contains(&format!("\u{1b}[{colour}")) || screen.contains(&format!(";{colour}m"))
        };
        (30..38).any(is_there)
    };
    for (line, is_coloured) in [
        (line.clone(), true),
        (format!("NO_COLOR=1 {line}"), false),
        (format!("{line} --color never"), false),
    ] {
        let Some(screen) = on_a_terminal(&stage, &line, "xterm") else { return };
        assert_eq!(coloured(&screen), is_coloured, "{line}: {screen:?}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = format!("haul {}\n", env!("CARGO_PKG_VERSION"));
    haul().arg("--version").run().code(0).stdout_is(&version);
}

/// What a terminal got to see; None, said loudly, where there is no `script`.
#[cfg(target_os = "linux")]
fn on_a_terminal(stage: &Stage, line: &str, term: &str) -> Option<String> {
    let mut script = Command::new("script");
    script.args(["-qec", line, "/dev/null"]).env_remove("NO_COLOR").env("TERM", term);
    script.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
    match script.stdin(Stdio::null()).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            let text = format!("NOT TESTED: there is no `script` (util-linux) here: {error}\n");
            // The harness captures what macros print; a test that did not run must be seen.
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).ok();
            None
        }
    }
}

/// Exit code and stderr of a command whose reader leaves after one line.
fn read_one_line(stage: &Stage, args: &[&str]) -> (Option<i32>, String) {
    let mut command = command(stage, args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    reader.read_line(&mut line).expect("a line comes");
    assert!(!line.is_empty(), "there was no line");
    drop(reader);
    let ended = child.wait_with_output().expect("it ends");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn command(stage: &Stage, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(args).envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
    command.stdin(Stdio::null());
    command
}

/// Two objects below a prefix, one beside it, and one that can't be downloaded.
fn with_one_of_everything() -> Stage {
    Stage::with_keys(&["p/a", "p/b", "c", "../bad"])
}

#[test]
fn a_run_that_cannot_start_ends_with_a_summary_too() {
    let stage = Stage::with_keys(&["k"]);
    for command in [
        ["verify", "s3://bucket/", "nowhere/"],
        ["verify", "nowhere/", "s3://bucket/"],
        ["sync", "nowhere/", "s3://bucket/"],
    ] {
        let output = stage.haul().args(command).arg("--json").run();
        let lines = output.code(1).json_lines();
        let events: Vec<_> = lines.iter().map(|line| line["event"].as_str()).collect();
        assert_eq!(events, [Some("failed"), Some("summary")], "{output}");
        assert_eq!(lines[1]["failed"], 1);
        stage.run(command).code(1).stderr_has("there is nothing at").stdout_is("");
    }
}
