//! What can't work: a server that is gone, wrong credentials, names of nothing, wrong usage. Each
//! ends soon, with one clear line and what to do about it; wrong usage starts nothing at all.

use std::time::Duration;

use testbed::{Operation, Testbed};

use crate::harness::{Output, Sandbox, content, haul};
use crate::stage::Stage;

/// A mistake is told at once. Generous, for a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(30);
/// A server that starts up is waited for, which takes some twenty seconds where there is none.
const WAITED_FOR: Duration = Duration::from_mins(1);

#[test]
fn a_server_that_is_gone_is_one_line_with_a_hint() {
    let (environment, endpoint) = gone();
    let sandbox = Sandbox::new();
    let file = sandbox.write("file", "bytes");
    let run = |words: [&str; 3]| {
        let haul = haul().envs(environment.clone()).limit(WAITED_FOR);
        haul.current_dir(sandbox.path("")).args(words).spawn()
    };
    let all = [
        ["download", "s3://bucket/key", "out"],
        ["download", "s3://bucket/p/", "out/"],
        ["download", "s3://bucket/p/*", "out/"],
        ["upload", file.to_str().expect("UTF-8"), "s3://bucket/"],
        ["ls", "s3://bucket/", "-r"],
    ];
    for mut running in all.map(run) {
        // Long before the end: who typed the address wrong needs not wait for it.
        running.until_stderr_has("cannot connect");
        let output = running.wait();
        assert_one_error_within(&output, "--endpoint-url", WAITED_FOR);
        output.stderr_has(&endpoint).stderr_has("cannot connect");
    }
    assert_eq!(sandbox.tree("").len(), 1, "something was written");
}

#[test]
fn a_server_that_is_gone_ends_a_run_of_many_with_one_line() {
    let (environment, _) = gone();
    let sandbox = Sandbox::new();
    for number in 0..500 {
        sandbox.write(format!("files/{number}"), "bytes");
    }
    let haul = haul().envs(environment).limit(WAITED_FOR).current_dir(sandbox.path(""));
    let output = haul.args(["upload", "files", "s3://bucket/"]).run();
    output.code(1).stderr_has("stopped early");
    assert!(error_lines(&output).len() < 5, "the same again and again\n{output}");
}

/// The environment, and the endpoint, of a server that was.
fn gone() -> (Vec<(String, String)>, String) {
    let testbed = Testbed::spawn();
    (testbed.env(), testbed.endpoint())
}

#[test]
fn wrong_credentials_are_one_line_with_a_hint() {
    for (variable, value) in
        [("AWS_SECRET_ACCESS_KEY", "not-the-secret"), ("AWS_ACCESS_KEY_ID", "NOT-THE-KEY")]
    {
        let stage = Stage::with_keys(&["a", "b", "c"]);
        stage.sandbox.write("files/x", "x");
        for words in [
            ["download", "s3://bucket/a", "out/"],
            ["download", "s3://bucket/", "out/"],
            ["upload", "files", "s3://bucket/up/"],
            ["ls", "s3://bucket/", "-r"],
        ] {
            let output = stage.haul().env(variable, value).limit(SOON).args(words).run();
            assert_one_error(&output, "--profile");
            output.stderr_lacks("not-the-secret");
        }
        assert!(stage.files("out").is_empty());
        assert_eq!(stage.keys(), ["a", "b", "c"]);
    }
}

#[test]
fn no_credentials_at_all_are_one_line_with_a_hint() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("file", "bytes");
    for words in [
        ["download", "s3://bucket/a", "out/"],
        ["download", "s3://bucket/", "out/"],
        ["upload", "file", "s3://bucket/"],
        ["ls", "s3://bucket/", "-r"],
    ] {
        let command = haul().current_dir(stage.sandbox.path("")).limit(SOON).args(words);
        let output = command.env("AWS_ENDPOINT_URL", stage.testbed.endpoint()).run();
        assert_one_error(&output, "--no-sign-request");
        output.stderr_has("credentials");
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent without credentials");
}

#[test]
fn an_object_that_may_not_be_read_is_told_with_what_is_missing() {
    let stage = Stage::with_keys(&["a"]);
    let fault = testbed::Fault::new(Operation::GetObject, testbed::FaultKind::access_denied());
    stage.testbed.fault(fault.always());
    let output = stage.run(["download", "s3://bucket/a", "out"]);
    assert_one_error(&output, "permission");
    output.stderr_has("s3://bucket/a").stderr_has("AccessDenied");
}

#[test]
fn a_missing_bucket_is_one_line_that_names_it() {
    let stage = Stage::new();
    stage.sandbox.write("large", content("large", 20 << 20));
    for number in 0..50 {
        stage.sandbox.write(format!("files/{number}"), "bytes");
    }
    for words in [
        ["download", "s3://no-such-bucket/key", "out"],
        ["download", "s3://no-such-bucket/", "out"],
        ["download", "s3://no-such-bucket/p/*", "out"],
        ["upload", "large", "s3://no-such-bucket/key"],
        ["upload", "files", "s3://no-such-bucket/"],
        ["ls", "s3://no-such-bucket/", "-r"],
        ["ls", "s3://no-such-bucket/key", "-r"],
    ] {
        let output = stage.haul().limit(SOON).args(words).run();
        assert_one_error(&output, "check the bucket's name");
        output.stderr_has("no-such-bucket");
    }
}

#[test]
fn a_missing_key_is_one_line_that_names_it() {
    let stage = Stage::with_keys(&["there"]);
    for source in ["s3://bucket/not-there", "s3://bucket/there/below"] {
        for destination in ["out/", "out", "-"] {
            let output = stage.haul().limit(SOON).args(["download", source, destination]).run();
            assert_one_error(&output, "");
            output.stderr_has(source).stdout_is("");
        }
        let output = stage.haul().limit(SOON).args(["ls", source]).run();
        assert_one_error(&output, "haul ls s3://bucket/");
        output.stderr_has(source);
    }
    assert!(stage.files("").is_empty(), "something was written");
}

#[test]
fn a_key_that_is_missing_hints_at_how_to_find_the_right_one() {
    let stage = Stage::with_keys(&["there"]);
    let output = stage.run(["download", "s3://bucket/not-there", "out"]);
    assert_one_error(&output, "haul ls");
}

#[test]
fn what_matches_nothing_is_one_line_with_a_hint() {
    let stage = Stage::with_keys(&["there"]);
    for (source, hint) in
        [("s3://bucket/no/such/", "haul ls s3://bucket/"), ("s3://bucket/no-such-*", "--raw")]
    {
        let output = stage.run(["download", source, "out/"]);
        assert_one_error(&output, hint);
        output.stderr_has(source);
    }
    assert!(!stage.sandbox.path("out").exists(), "a folder was made for nothing");
    let empty = Stage::new();
    empty.run(["download", "s3://bucket/", "out/"]).code(0).stderr_has("nothing");
}

#[test]
fn a_prefix_without_its_slash_is_told_so() {
    let stage = Stage::with_keys(&["folder/a", "folder/b"]);
    let output = stage.run(["download", "s3://bucket/folder", "out/"]);
    output.code(1).stderr_has("s3://bucket/folder/").stderr_has("slash");
    assert_eq!(error_lines(&output).len(), 1, "{output}");
    assert!(stage.files("out").is_empty());
}

#[test]
fn a_missing_local_file_is_one_line_that_names_it() {
    let stage = Stage::new();
    let output = stage.run(["upload", "no-such-file", "s3://bucket/"]);
    assert_one_error(&output, "");
    output.stderr_has("no-such-file");
    stage.sandbox.write("there", "there");
    let output = stage.run(["upload", "no-such-file", "there", "s3://bucket/"]);
    output.code(1).stderr_has("no-such-file");
    assert_eq!(stage.keys(), ["there"], "the others must go on");
}

#[test]
fn wrong_usage_starts_nothing() {
    let stage = Stage::with_keys(&["a", "b"]);
    stage.sandbox.write("file", "bytes");
    stage.sandbox.write("other", "bytes");
    stage.sandbox.write("rows.unknown", "s3://bucket/a\n");
    let usages: &[&[&str]] = &[
        &["download"],
        &["download", "s3://bucket/a"],
        &["download", "file", "out"],
        &["download", "s3://bucket/a", "s3://bucket/b"],
        &["download", "s3://bucket/a", "s3://bucket/b", "file"],
        &["download", "s3://bucket/", "file"],
        &["download", "s3://bucket/", "-"],
        &["download", "s3://bucket/*", "-"],
        &["download", "s3://bucket/a", "s3://bucket/b", "-"],
        &["download", "s3://bucket/a", "-", "--json"],
        &["download", "s3://bucket/a", "out", "--no-such-flag"],
        &["download", "s3://bucket/a", "out", "--part-size", "1"],
        &["download", "s3://bucket/a", "out", "--part-size", "8Quux"],
        &["download", "s3://bucket/a", "out", "--max-memory", "1"],
        &["download", "s3://bucket/a", "out", "--concurrency", "0"],
        &["download", "s3://bucket/a", "out", "--max-attempts", "0"],
        &["download", "s3://bucket/a", "out", "--quiet", "-v"],
        &["download", "s3://bucket/a", "out", "--include", "[a"],
        &["download", "s3://bucket/a", "out", "--no-clobber", "--overwrite", "newer"],
        &["download", "s3://bucket/a", "out", "--endpoint-url", "not-a-url"],
        &["download", "s3://bucket/a", "out", "--region", "evil.example#"],
        &["download", "s3://b@d/a", "out"],
        &["download", "https://bucket/a", "out"],
        &["download", "s3://bucket/a", "out", "--manifest-format", "csv"],
        &["download", "--manifest", "rows.unknown", "out", "--flatten"],
        &["download", "--manifest", "no-such.csv", "out"],
        &["download", "--manifest", ".", "out", "--manifest-format", "csv"],
        &["download", "--manifest", "rows.unknown", "out"],
        &["upload"],
        &["upload", "file"],
        &["upload", "file", "other"],
        &["upload", "s3://bucket/a", "s3://bucket/c"],
        &["upload", "file", "other", "s3://bucket/key"],
        &["upload", ".", "s3://bucket/key"],
        &["upload", "-", "s3://bucket/p/"],
        &["upload", "-", "file", "s3://bucket/p/"],
        &["upload", "file", "s3://bucket/", "--part-size", "1MiB"],
        &["upload", "file", "s3://bucket/", "--expected-size", "5"],
        &["upload", "file", "s3://bucket/", "--metadata", "no-value"],
        &["upload", "file", "s3://bucket/", "--metadata", "a=1", "--metadata", "A=2"],
        &["upload", "file", "s3://bucket/", "--sse", "rot13"],
        &["upload", "file", "s3://bucket/", "--sse-c-key-file", "file"],
        &["upload", "file", "s3://bucket/", "--expires", "tomorrow"],
        &["upload", "--manifest", "no-such.jsonl", "s3://bucket/"],
        &["cp"],
        &["cp", "file"],
        &["cp", "file", "other"],
        &["ls", "file"],
        &["ls", "s3://b@d/"],
        &["frobnicate"],
        &[],
    ];
    for usage in usages {
        let output = stage.haul().limit(SOON).args(*usage).run();
        output.code(2).no_escapes().stdout_is("");
        assert!(!output.stderr.trim().is_empty(), "nothing was said\n{output}");
        if !usage.is_empty() {
            output.stderr_has("error: ");
        }
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
    assert_eq!(stage.files(""), ["file", "other", "rows.unknown"]);
    assert_eq!(stage.text("file"), "bytes");
}

#[test]
fn what_was_mistyped_is_told_with_what_would_be_right() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("file", "bytes");
    for (usage, said) in [
        (["upload", "file", "s3://bucket/", "--max-errors", "0"], "1 or more"),
        (["upload", "file", "s3://bucket/", "--expires", "tomorrow"], "like 2030-01-31T00:00:00Z"),
        (["upload", "file", "s3://bucket/", "--journal", "-"], "`-` can't be a journal"),
        (["upload", "file", "s3://bucket/", "--journal", "s3://bucket/j"], "which is a local file"),
    ] {
        stage.run(usage).code(2).stderr_has("error: ").stderr_has(said).stderr_lacks("panicked");
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
    assert_eq!(stage.files(""), ["file"]);
}

#[test]
fn a_manifest_that_can_not_be_read_is_wrong_usage() {
    let stage = Stage::with_keys(&["a"]);
    for (name, content, said) in [
        ("no-column.csv", "destination,size\nx,1\n", "destination"),
        ("semicolons.csv", "source;destination\ns3://bucket/a;a\n", ";"),
        ("plain.csv.gz", "source\ns3://bucket/a\n", "gz"),
        ("plain.csv.zst", "source\ns3://bucket/a\n", "zst"),
    ] {
        stage.sandbox.write(name, content);
        let output = stage.run(["download", "--manifest", name, "out/"]);
        output.code(2).stderr_has("error: ").stderr_has(said);
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
    assert!(!stage.sandbox.path("out").exists());
}

/// One line says what is wrong, and another, where there is a hint, what to do.
#[track_caller]
fn assert_one_error(output: &Output, hint: &str) {
    assert_one_error_within(output, hint, SOON);
}

#[track_caller]
fn assert_one_error_within(output: &Output, hint: &str, limit: Duration) {
    output.code(1).stderr_has("error: ").no_escapes();
    assert_eq!(error_lines(output).len(), 1, "not one line\n{output}");
    if !hint.is_empty() {
        let hinted =
            output.stderr.lines().any(|line| line.contains("hint: ") && line.contains(hint));
        assert!(hinted, "no hint says {hint:?}\n{output}");
    }
    assert!(output.took < limit, "too slow\n{output}");
}

fn error_lines(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| line.starts_with("error: ")).collect()
}

/// `/dev/null` in their place would take the bytes, or make an empty object.
#[cfg(target_os = "linux")]
#[test]
fn streams_that_are_closed_are_wrong_usage_where_they_are_used() {
    let stage = Stage::with_keys(&["k"]);
    let shell = |script: &'static str, args: &[&str]| {
        stage.haul().under(["sh", "-c", script, "sh"]).args(args).run()
    };
    let (to, from) = (["download", "s3://bucket/k", "-"], ["upload", "-", "s3://bucket/k"]);
    let list = ["download", "--manifest", "-", "out"];
    shell("exec \"$@\" >&-", &to).code(2).stderr_has("standard output is closed");
    shell("exec \"$@\" <&-", &from).code(2).stderr_has("standard input is closed");
    shell("exec \"$@\" <&-", &list).code(2).stderr_has("standard input is closed");
    assert_eq!(stage.testbed.totals().requests, 0);
    shell("exec \"$@\" >/dev/null", &to).code(0);
    shell("exec \"$@\" <&- >&-", &["download", "s3://bucket/k", "out"]).code(0);
    shell("exec \"$@\" </dev/null", &from).code(0);
    assert_eq!(stage.object_text("k"), "", "nothing that was asked for is nothing");
}

/// Whatever an object holds, the terminal would take for commands.
#[cfg(target_os = "linux")]
#[test]
fn no_object_is_written_to_a_terminal() {
    let stage = Stage::with_keys(&["k"]);
    for (args, code) in [(["--progress", "auto"], 2), (["--dry-run", "--quiet"], 0)] {
        // Both ends live until the command has ended.
        let terminal = nix::pty::openpty(None, None).expect("a terminal");
        let haul = stage.haul().args(["download", "s3://bucket/k", "-"]).args(args);
        let output = haul.stdout_to(terminal.slave).run();
        output.code(code);
        if code != 0 {
            output.stderr_has("would go to the terminal").stderr_has("| less");
        }
        drop(terminal.master);
    }
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn a_uri_with_a_slash_too_few_is_told_as_what_it_is() {
    let stage = Stage::new();
    stage.sandbox.write("f", "f");
    for args in [
        ["download", "s3:/bucket/k", "."].as_slice(),
        &["upload", "f", "s3:/bucket/k"],
        &["cp", "f", "s3:bucket/k"],
        &["ls", "s3:/bucket/k"],
        &["clean", "s3:/bucket/k"],
    ] {
        stage.run(args).code(2).stderr_has("did you mean `s3://bucket/k`?");
    }
    stage.run(["ls", "s3:///k"]).code(2).stderr_has("`s3:///k` names no bucket");
}

#[test]
fn no_hint_says_to_remove_a_source() {
    let stage = Stage::new();
    stage.sandbox.write("f", "f");
    let output = stage.run(["upload", "f/", "s3://bucket/"]);
    output.code(1).stderr_lacks("remove").stderr_has("leave out the slash");
}

#[test]
fn who_sends_no_credentials_is_not_told_to_check_them() {
    let stage = Stage::with_keys(&["k"]);
    let output = stage.run(["download", "s3://bucket/k", "out", "--no-sign-request"]);
    output.code(1).stderr_has("this is not public").stderr_lacks("policy");
}

#[test]
fn a_listing_that_may_pass_is_worth_a_second_try() {
    let (environment, _) = gone();
    let sandbox = Sandbox::new();
    let haul = haul().envs(environment).limit(WAITED_FOR).current_dir(sandbox.path(""));
    let output = haul.args(["download", "s3://bucket/p/", "out/", "--json"]).run();
    output.code(1).stdout_has("\"may_pass\":true").stderr_has("next: haul download");
}
