//! `haul rm`: what was meant goes, nothing else does, and nothing is called gone that the store did
//! not say is gone.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation};

use crate::stage::{BUCKET, Stage};

mod versions;

/// What is removed, by what the lines of `--json` say.
fn removed(output: &crate::harness::Output) -> Vec<String> {
    let lines = output.json_lines();
    let removed = lines.iter().filter(|line| line["event"] == "removed");
    let mut names: Vec<_> =
        removed.map(|line| line["source"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn one_object_goes_and_its_neighbours_stay() {
    let stage = Stage::with_keys(&["k", "k2", "k/below", "other"]);
    stage.run(["rm", "s3://bucket/k"]).code(0).stderr_has("1 object removed in");
    assert_eq!(stage.keys(), ["k/below", "k2", "other"]);
    assert_eq!(stage.testbed.count(Operation::DeleteObjects), 0, "one object is one request");
    let output = stage.run(["rm", "s3://bucket/k2", "s3://bucket/other", "--json"]);
    assert_eq!(removed(output.code(0)), ["s3://bucket/k2", "s3://bucket/other"]);
    let summary = output.json_lines().pop().expect("a summary");
    assert_eq!((&summary["removed"], &summary["objects"]), (&2.into(), &0.into()));
    assert_eq!(stage.keys(), ["k/below"]);
}

#[test]
fn quiet_says_nothing_of_what_went() {
    let stage = Stage::with_keys(&["k", "p/a", "p/b"]);
    for words in [&["rm", "--quiet", "s3://bucket/k"][..], &["rm", "-q", "-r", "s3://bucket/p/"]] {
        let output = stage.run(words);
        output.code(0).stdout_is("");
        assert_eq!(output.stderr, "");
    }
    assert!(stage.keys().is_empty());
    stage.run(["rm", "--quiet", "s3://bucket/k"]).code(1).stdout_is("").stderr_has("s3://bucket/k");
}

#[test]
fn what_is_not_there_is_an_error_and_the_others_go() {
    let stage = Stage::with_keys(&["a", "dir/x", "z"]);
    let output = stage.run(["rm", "s3://bucket/missing"]);
    output.code(1).stderr_has("could not look at s3://bucket/missing").stderr_has("haul ls");
    let output = stage.run(["rm", "s3://bucket/dir"]);
    output.code(1).stderr_has("s3://bucket/dir/ is a prefix").stderr_has("-r");
    stage.run(["rm", "s3://bucket/dir*x"]).code(0);
    stage.run(["rm", "s3://bucket/q*"]).code(1).stderr_has("no object matches");
    stage.run(["rm", "-r", "s3://bucket/none/"]).code(1).stderr_has("nothing is below");
    stage.run(["rm", "-r", "s3://bucket/none"]).code(1);
    let output = stage.run(["rm", "s3://bucket/a", "s3://bucket/missing", "s3://bucket/z"]);
    output.code(1).stderr_has("2 objects removed").stderr_has("1 failed");
    assert!(stage.keys().is_empty());
    stage.run(["rm", "-r", "s3://nothing-here/p/"]).code(1).stderr_has("NoSuchBucket");
}

#[test]
fn a_prefix_ends_at_its_slash_and_needs_r() {
    let keys = ["dir", "dir-2", "dir.txt", "dir/", "dir/a", "dir/b/c", "dir0", "dir2/x"];
    for name in ["s3://bucket/dir", "s3://bucket/dir/"] {
        let stage = Stage::with_keys(&keys);
        let itself = !name.ends_with('/');
        if !itself {
            stage.run(["rm", name]).code(2).stderr_has("is a prefix").stderr_has("-r");
            assert_eq!(stage.keys(), keys);
        }
        stage.run(["rm", "-r", name]).code(0);
        let left = ["dir", "dir-2", "dir.txt", "dir0", "dir2/x"];
        assert_eq!(stage.keys(), if itself { &left[1..] } else { &left[..] }, "{name}");
    }
}

#[test]
fn wildcards_take_what_matches_and_raw_keys_are_taken_as_they_are() {
    let keys = ["a*b", "a/b", "a1b", "aXXb", "dir/", "dir/x", "p?", "pq"];
    let stage = Stage::with_keys(&keys);
    stage.run(["rm", "--raw", "s3://bucket/a*b", "s3://bucket/p?", "s3://bucket/dir/"]).code(0);
    assert_eq!(stage.keys(), ["a/b", "a1b", "aXXb", "dir/x", "pq"]);
    stage.run(["rm", "s3://bucket/a?b"]).code(0);
    assert_eq!(stage.keys(), ["aXXb", "dir/x", "pq"]);
    stage.run(["rm", "s3://bucket/a*", "s3://bucket/*/x"]).code(0);
    assert_eq!(stage.keys(), ["pq"]);
    let stage = Stage::with_keys(&["d*/x", "dd/x"]);
    stage.run(["rm", "-r", "--raw", "s3://bucket/d*/"]).code(0);
    assert_eq!(stage.keys(), ["dd/x"]);
}

#[test]
fn filters_leave_what_they_leave() {
    let stage = Stage::with_keys(&["p/a.txt", "p/keep/b.txt", "p/c.bin"]);
    let args = ["rm", "-r", "s3://bucket/p/", "--include", "*.txt", "--exclude", "keep/**"];
    stage.run(args).code(0);
    assert_eq!(stage.keys(), ["p/c.bin", "p/keep/b.txt"]);
    let nothing = stage.run(["rm", "-r", "s3://bucket/p/", "--include", "*.none"]);
    nothing.code(0).stderr_has("nothing to do");
    assert_eq!(stage.keys().len(), 2);
}

#[test]
fn a_whole_bucket_needs_a_yes_and_starts_nothing_without() {
    let stage = Stage::with_keys(&["a", "b/c"]);
    for name in ["s3://bucket", "s3://bucket/", "s3://bucket/*", "s3://bucket/?*"] {
        let output = stage.run(["rm", "-r", name, "--exclude", "b/**"]);
        output.code(2).stderr_has("remove everything in s3://bucket").stderr_has("--yes");
    }
    let from_environment = stage.haul().env("HAUL_YES", "true").args(["rm", "-r", "s3://bucket"]);
    from_environment.run().code(2);
    assert_eq!(stage.testbed.requests().len(), 0, "something was started");
    assert_eq!(stage.keys().len(), 2);
    stage.run(["rm", "-r", "s3://bucket", "--yes", "--exclude", "b/**"]).code(0);
    assert_eq!(stage.keys(), ["b/c"]);
    stage.run(["rm", "s3://bucket/*", "--yes"]).code(0).stderr_has("1 object removed");
    assert!(stage.keys().is_empty());
    stage.run(["rm", "-r", "s3://bucket", "--yes"]).code(0).stderr_has("nothing to do");
}

/// A yes is to what was named in the question, and to nothing else.
#[test]
fn each_whole_bucket_is_named_in_the_question() {
    let stage = Stage::with_keys(&["a"]);
    for args in [
        ["s3://bucket", "s3://other"].as_slice(),
        &["s3://bucket/p/", "s3://bucket/*", "s3://other/", "s3://bucket"],
    ] {
        let output = stage.run(["rm", "-r"].iter().chain(args));
        output.code(2).stderr_has("remove everything in s3://bucket and s3://other\n");
    }
    let three = ["rm", "-r", "s3://bucket", "s3://b2", "s3://b3", "--all-versions"];
    let question = "everything in s3://bucket, s3://b2 and s3://b3, all versions included";
    stage.run(three).code(2).stderr_has(question);
    assert_eq!(stage.testbed.requests().len(), 0, "something was started");
}

#[test]
fn a_dry_run_tells_and_removes_nothing() {
    let stage = Stage::with_keys(&["p/a", "p/b", "q"]);
    let output = stage.run(["rm", "-r", "s3://bucket", "--dry-run", "--exclude", "q"]);
    output.code(0).stdout_is("remove  s3://bucket/p/a  3 B\nremove  s3://bucket/p/b  3 B\n");
    output.stderr_has("2 objects");
    stage.run(["rm", "s3://bucket/missing", "--dry-run"]).code(1);
    let output = stage.run(["rm", "s3://bucket/q", "--dry-run", "--json"]);
    assert_eq!(output.code(0).json_lines()[0]["action"], "remove");
    assert_eq!(stage.keys().len(), 3);
    let deletions = [Operation::DeleteObject, Operation::DeleteObjects];
    assert!(deletions.iter().all(|operation| stage.testbed.count(*operation) == 0));
}

#[test]
fn wrong_usage_removes_nothing() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("file", "kept");
    let wrong: [&[&str]; 8] = [
        &["rm"],
        &["rm", "file"],
        &["rm", "-r", "."],
        &["rm", "-"],
        &["rm", "s3://bucket/a", "file"],
        &["rm", "https://bucket/a"],
        &["rm", "s3:/bucket/a"],
        &["rm", "s3://bucket/a*", "--version-id", "x"],
    ];
    for args in wrong {
        stage.run(args).code(2);
    }
    stage.run(["rm", "file"]).stderr_has("local path");
    assert_eq!(stage.testbed.requests().len(), 0);
    assert_eq!(stage.keys(), ["a"]);
    assert!(stage.sandbox.path("file").exists());
}

#[test]
fn thousands_go_in_batches_while_the_listing_goes_on() {
    let stage = Stage::new();
    stage.testbed.put_synthetic_keys(BUCKET, "p/", 4500, 3);
    stage.testbed.put_object(BUCKET, "p", "stays");
    let output = stage.run(["rm", "-r", "s3://bucket/p/"]);
    output.code(0).stderr_has("4500 objects removed");
    assert_eq!(stage.keys(), ["p"]);
    assert_eq!(stage.testbed.count(Operation::DeleteObjects), 5);
    assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
}

/// Behind a 200: one that may go the next time, one that may not, one that the store hides.
#[test]
fn what_the_store_refuses_in_a_reply_is_told_key_by_key() {
    let stage = Stage::with_keys(&["p/a", "p/b", "p/c", "p/d", "p/e"]);
    let slow = FaultKind::refuse_keys("SlowDown", &["p/a"]);
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, slow).times(2));
    let denied = FaultKind::refuse_keys("AccessDenied", &["p/b", "p/d"]);
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, denied).always());
    let hidden = FaultKind::hide_keys(&["p/c"]);
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, hidden).times(1));
    let output = stage.run(["rm", "-r", "s3://bucket/p/", "--json"]);
    let gone = ["s3://bucket/p/a", "s3://bucket/p/c", "s3://bucket/p/e"];
    assert_eq!(removed(output.code(1)), gone);
    assert_eq!(stage.keys(), ["p/b", "p/d"]);
    for key in ["p/b", "p/d"] {
        output.stderr_has(&format!("error: could not remove s3://bucket/{key}"));
    }
    output.stderr_has("AccessDenied").stderr_has("3 objects removed").stderr_has("2 failed");
    assert_eq!(stage.testbed.count(Operation::DeleteObjects), 3);
}

/// A store that never says so has removed nothing, as far as anybody knows.
#[test]
fn silence_is_no_removal() {
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let hidden = Fault::new(Operation::DeleteObjects, FaultKind::hide_keys(&["p/a"]));
    stage.testbed.fault(hidden.always());
    let output = stage.run(["rm", "-r", "s3://bucket/p/", "--max-attempts", "2", "--json"]);
    assert_eq!(removed(output.code(1)), ["s3://bucket/p/b"]);
    output.stderr_has("does not say what became of it");
    let page = FaultKind::Reply { status: 200, headers: Vec::new(), body: "<html></html>".into() };
    stage.testbed.put_object(BUCKET, "k", "k");
    stage.testbed.fault(Fault::new(Operation::DeleteObject, page).always());
    let output = stage.run(["rm", "s3://bucket/k", "--max-attempts", "2", "--json"]);
    assert!(removed(output.code(1)).is_empty());
    assert_eq!(stage.keys(), ["k"]);
}

#[test]
fn whole_requests_that_fail_are_sent_again_or_fail_for_each() {
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let trouble = Fault::new(Operation::DeleteObjects, FaultKind::internal_error());
    stage.testbed.fault(trouble.times(1));
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, FaultKind::LostReply).nth(2));
    stage.run(["rm", "-r", "s3://bucket/p/"]).code(0).stderr_has("2 objects removed");
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let denied = Fault::new(Operation::DeleteObjects, FaultKind::access_denied());
    stage.testbed.fault(denied.always());
    let output = stage.run(["rm", "-r", "s3://bucket/p/"]);
    output.code(1).stderr_has("2 failed").stderr_has("p/a").stderr_has("p/b");
    output.stderr_lacks("removed in");
    assert_eq!(stage.keys().len(), 2);
}

#[test]
fn keys_that_xml_would_change_go_and_their_neighbours_stay() {
    let odd = ["p/a\rb", "p/c ", "p/d\u{1}"];
    let neighbours = ["p0", "q/a\nb", "q/c"];
    let stage = Stage::with_keys(&[odd.as_slice(), &["p/<&>", "p/é"], &neighbours].concat());
    stage.run(["rm", "-r", "s3://bucket/p/"]).code(0).stderr_has("5 objects removed");
    assert_eq!(stage.keys(), neighbours);
    assert_eq!(stage.testbed.count(Operation::DeleteObject), odd.len());
}

/// A store, or something in between, that lists what nobody asked for.
#[test]
fn a_key_from_outside_of_the_prefix_is_never_removed() {
    let stage = Stage::with_keys(&["p/a", "precious"]);
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated>\
                <Contents><Key>p/a</Key><Size>3</Size></Contents>\
                <Contents><Key>precious</Key><Size>3</Size></Contents></ListBucketResult>";
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::xml(page)).always());
    let output = stage.run(["rm", "-r", "s3://bucket/p/"]);
    output.code(1).stderr_has("which is not below it");
    assert!(stage.keys().contains(&"precious".to_owned()));
}

#[test]
fn a_listing_that_is_unordered_or_repeats_itself_removes_what_is_in_it_alone() {
    let stage = Stage::with_keys(&["p/a", "p/b", "p/c", "q"]);
    let entry = |key| format!("<Contents><Key>{key}</Key><Size>3</Size></Contents>");
    let entries: String = ["p/c", "p/a", "p/a", "p/b", "p/c"].map(entry).concat();
    let page =
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>");
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::xml(page)).always());
    stage.run(["rm", "-r", "s3://bucket/p/"]).code(0);
    assert_eq!(stage.keys(), ["q"]);
}

#[test]
fn a_listing_that_breaks_off_is_an_error() {
    let stage = Stage::new();
    stage.testbed.put_synthetic_keys(BUCKET, "p/", 1500, 3);
    let denied = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
    stage.testbed.fault(denied.occurrence(2..=u64::MAX));
    let output = stage.run(["rm", "-r", "s3://bucket/p/"]);
    output.code(1).stderr_has("could not list").stderr_has("removed");
}

#[test]
fn an_interrupt_ends_it_and_says_how_many_are_gone() {
    let stage = Stage::new();
    stage.testbed.put_synthetic_keys(BUCKET, "p/", 3000, 3);
    let gate = Gate::new();
    let held = Fault::new(Operation::DeleteObjects, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(2..=u64::MAX));
    let rm = stage.haul().args(["rm", "-r", "s3://bucket/p/", "--json"]).args(["-v"]);
    let mut running = rm.spawn();
    running.until_stderr_has("removed: ");
    gate.wait_for(2);
    running.signal(Signal::INT);
    let output = running.wait();
    output.code(130).stderr_has("1000 of 3000 objects removed").stderr_has("2000 not done");
    output.stderr_has("2000 of them may be gone");
    assert_eq!(removed(&output).len(), 1000);
    assert_eq!(stage.keys().len(), 2000);
    gate.open();
}

/// Nobody fears for what no removal was sent of.
#[test]
fn an_interrupt_before_the_first_removal_leaves_nothing_open() {
    for (args, waits) in [
        (["s3://bucket/a", "--dry-run"].as_slice(), Operation::HeadObject),
        (&["s3://bucket/a"], Operation::HeadObject),
        (&["-r", "s3://bucket/", "--yes"], Operation::ListObjectsV2),
    ] {
        let stage = Stage::with_keys(&["a", "b"]);
        let gate = Gate::new();
        stage.testbed.fault(Fault::new(waits, FaultKind::Gate(gate.clone())).always());
        let running = stage.haul().args(["rm"].iter().chain(args)).spawn();
        gate.wait_for(1);
        running.signal(Signal::INT);
        running.wait().code(130).stderr_has("interrupted").stderr_lacks("may be gone");
        gate.open();
    }
    let stage = Stage::with_keys(&["a"]);
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::DeleteObject, FaultKind::Gate(gate.clone())));
    let running = stage.haul().args(["rm", "s3://bucket/a"]).spawn();
    gate.wait_for(1);
    running.signal(Signal::INT);
    running.wait().code(130).stderr_has("1 of them may be gone");
    gate.open();
}

/// SeaweedFS removes the only version there is, whatever version was named.
#[test]
fn a_version_that_is_not_there_takes_no_other_with_it() {
    let stage = Stage::with_keys(&["k"]);
    stage.run(["rm", "s3://bucket/k", "--version-id", "none"]).code(1);
    let headers = [("content-length", "1"), ("etag", "\"x\"")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    // Nothing tells which version it is.
    let reply = FaultKind::Reply { status: 200, headers, body: "".into() };
    stage.testbed.fault(Fault::new(Operation::HeadObject, reply).always());
    let output = stage.run(["rm", "s3://bucket/k", "--version-id", "none"]);
    output.code(1).stderr_has("does not tell versions of it apart");
    assert_eq!(stage.keys(), ["k"]);
    assert_eq!(stage.testbed.count(Operation::DeleteObject), 0);
}

/// Under a terminal of its own, from util-linux's `script`.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_a_whole_bucket_is_asked_about() {
    let stage = Stage::with_keys(&["a", "b"]);
    let line = format!("{} rm -r s3://bucket", env!("CARGO_BIN_EXE_haul"));
    for (answer, left) in [("\n", 2), ("n\n", 2), ("what\n", 2), ("y\n", 0)] {
        let Some(screen) = answered(&stage, &line, answer) else { return };
        assert!(screen.contains("remove everything in s3://bucket? [y/N]"), "{screen:?}");
        assert_eq!(stage.keys().len(), left, "{answer:?}: {screen:?}");
    }
}

/// What a terminal got to see where this was typed; None, said loudly, where there is no `script`.
#[cfg(target_os = "linux")]
fn answered(stage: &Stage, line: &str, answer: &str) -> Option<String> {
    let mut script = Command::new("script");
    script.args(["-qec", line, "/dev/null"]).envs(stage.testbed.env());
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match script.spawn() {
        Ok(child) => child,
        Err(error) => {
            let text = format!("NOT TESTED: there is no `script` (util-linux) here: {error}\n");
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).ok();
            return None;
        }
    };
    let mut typed = child.stdin.take().expect("piped");
    typed.write_all(answer.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    drop(typed);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn who_may_not_look_may_still_remove() {
    let stage = Stage::with_keys(&["k"]);
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::access_denied()).always());
    stage.run(["rm", "s3://bucket/k", "--version-id", "null"]).code(1);
    assert_eq!(stage.keys(), ["k"]);
    stage.run(["rm", "s3://bucket/k"]).code(0);
    assert!(stage.keys().is_empty());
    stage.testbed.clear_faults();
    stage.sandbox.write("key", "0123456789abcdef0123456789abcdef");
    stage.sandbox.write("f", "bytes");
    stage.run(["upload", "f", "s3://bucket/secret", "--sse-c-key-file", "key"]).code(0);
    stage.run(["rm", "s3://bucket/secret"]).code(0);
    assert!(stage.keys().is_empty());
}
