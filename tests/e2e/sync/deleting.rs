//! `--delete`: only what the source has not, only at the end, and never on incomplete knowledge.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use super::{changes, down, objects, removals, up, with_files, with_objects};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Four files, of which two are at the destination with two others.
fn scene() -> Stage {
    let stage = with_files(["a", "b", "c", "d"]);
    for name in ["a", "b", "x", "y/z"] {
        stage.testbed.put_object(BUCKET, &format!("p/{name}"), name);
    }
    stage.testbed.put_object(BUCKET, "q", "not below");
    stage
}

/// Nothing of the scene's destination is gone, and it is said.
#[track_caller]
fn kept(stage: &Stage, output: &Output, code: i32) {
    output.code(code);
    for name in ["a", "b", "x", "y/z"] {
        assert!(objects(stage).contains(&name.to_owned()), "{name} is gone\n{output}");
    }
    assert_eq!(removals(stage), 0, "{output}");
}

#[test]
fn extras_go_and_nothing_else() {
    let stage = scene();
    let output = up(&stage, ["--delete", "-v"]);
    output.code(0).stderr_has("2 objects, ").stderr_has("2 skipped").stderr_has("2 removed");
    output.stderr_has("removed: s3://bucket/p/x (1 B)");
    assert_eq!(objects(&stage), ["a", "b", "c", "d"]);
    assert!(stage.keys().contains(&"q".to_owned()));
    assert_eq!(stage.testbed.count(Operation::DeleteObjects), 1);
    let last = stage.testbed.requests().pop().expect("requests");
    assert_eq!(last.operation, Operation::DeleteObjects, "after all transfers");
    // The same the other way, with folders that become empty.
    let stage = with_objects(["a", "d/kept"]);
    for name in ["a", "d/extra", "e/f/extra", "odd\\name"] {
        stage.sandbox.write(format!("tree/{name}"), name);
    }
    stage.sandbox.folder("tree/was/empty");
    let output = down(&stage, ["--delete", "--json", "--max-delete", "2"]);
    let lines = output.code(0).json_lines();
    let removed = lines.iter().filter(|line| line["event"] == "pruned");
    let removed: Vec<_> = removed.map(|line| line["destination"].clone()).collect();
    assert_eq!(removed, ["tree/d/extra", "tree/e/f/extra"], "{output}");
    assert_eq!(lines.last().expect("a summary")["removed"], 2);
    assert_eq!(stage.files("tree"), ["a", "d/kept", "odd\\name".replace('\\', "/").as_str()]);
    assert!(
        !stage.sandbox.path("tree/e").exists() && stage.sandbox.path("tree/was/empty").exists()
    );
}

#[test]
fn without_delete_nothing_goes() {
    let stage = scene();
    up(&stage, []).code(0);
    assert_eq!(objects(&stage), ["a", "b", "c", "d", "x", "y/z"]);
}

#[test]
fn too_much_is_refused_as_a_whole() {
    for (most, is_allowed) in
        [("50%", true), ("49%", false), ("2", true), ("1", false), ("0%", false), ("100%", true)]
    {
        let stage = scene();
        let output = up(&stage, ["--delete", "--max-delete", most]);
        if is_allowed {
            output.code(0).stderr_has("2 removed");
        } else {
            kept(&stage, &output, 1);
            output.stderr_has("could not remove 2 of 4 names").stderr_has("--max-delete 50%");
            output.stderr_lacks("to remove: \n");
            // What was missing has come all the same.
            assert_eq!(objects(&stage).len(), 6);
        }
    }
}

/// A disk that is not mounted is an empty folder.
#[test]
fn an_empty_source_does_not_empty_the_destination() {
    let stage = scene();
    stage.sandbox.remove("tree");
    let missing = up(&stage, ["--delete", "--max-delete", "100%"]);
    kept(&stage, &missing, 1);
    missing.stderr_has("there is nothing at `tree/`");
    stage.sandbox.folder("tree");
    let empty = up(&stage, ["--delete"]);
    kept(&stage, &empty, 1);
    empty.stderr_has("could not remove 4 of 4 names");
    up(&stage, ["--delete", "--max-delete", "100%"]).code(0).stderr_has("4 objects removed");
    assert_eq!(objects(&stage), [""; 0]);
    // A prefix with nothing below it is mistyped, and a bucket that is not there is no empty one.
    let stage = with_files(["a", "b"]);
    for source in ["s3://bucket/none/", "s3://bucket/none*", "s3://no-bucket/", "s3://no-bucket/p/"]
    {
        let output = stage.run(["sync", source, "tree", "--delete", "--max-delete", "100%"]);
        output.code(1).stderr_has("error: ").stderr_has("nothing was removed");
        assert_eq!(stage.files("tree"), ["a", "b"], "{output}");
    }
    // An empty bucket may be meant, if all is allowed to go.
    let args = ["sync", "s3://bucket", "tree", "--delete"];
    stage.run(args).code(1).stderr_has("could not remove 2 of 2 names");
    stage
        .run(args.into_iter().chain(["--max-delete", "2"]))
        .code(0)
        .stderr_has("2 objects removed");
    assert_eq!(stage.files("tree"), [""; 0]);
}

#[test]
fn a_page_that_fails_on_either_side_keeps_everything() {
    for page in 1..=4 {
        let testbed = Testbed::builder().page_size(1).spawn().expect("a free port");
        let stage = Stage::on(testbed);
        for name in ["a", "b", "x", "y/z"] {
            stage.testbed.put_object(BUCKET, &format!("p/{name}"), name);
        }
        stage.sandbox.write("tree/a", "a");
        stage.sandbox.write("tree/extra", "x");
        let fault = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
        stage.testbed.fault(fault.occurrence(page..=u64::MAX));
        let all = ["--delete", "--max-delete", "100%"];
        let output = up(&stage, all);
        kept(&stage, &output, 1);
        output.stderr_has("could not list").stderr_has("nothing was removed");
        stage.testbed.clear_faults();
        let fault = Fault::new(Operation::ListObjectsV2, FaultKind::access_denied());
        stage.testbed.fault(fault.occurrence(page..=u64::MAX));
        let output = down(&stage, all);
        output.code(1).stderr_has("nothing was removed");
        assert!(stage.sandbox.path("tree/extra").exists(), "{output}");
    }
}

#[test]
fn a_transfer_that_fails_keeps_everything() {
    let stage = scene();
    let fault = Fault::new(Operation::PutObject, FaultKind::access_denied()).key("p/c");
    stage.testbed.fault(fault.always());
    let output = up(&stage, ["--delete"]);
    kept(&stage, &output, 1);
    output.stderr_has("nothing was removed at the destination");
    let stage = with_objects(["a", "b"]);
    stage.sandbox.write("tree/extra", "x");
    let fault = Fault::new(Operation::GetObject, FaultKind::access_denied()).key("p/b");
    stage.testbed.fault(fault.always());
    down(&stage, ["--delete", "--max-delete", "100%"]).code(1);
    assert_eq!(stage.files("tree"), ["a", "extra"]);
}

#[test]
fn a_failure_that_is_to_end_the_run_ends_it_and_keeps_everything() {
    let stage = scene();
    let gate = Gate::new();
    let denied = Fault::new(Operation::PutObject, FaultKind::access_denied()).key("p/c");
    stage.testbed.fault(denied.always());
    let held = Fault::new(Operation::PutObject, FaultKind::Gate(gate)).key("p/d");
    stage.testbed.fault(held.always());
    let output = up(&stage, ["--delete", "--fail-fast"]);
    kept(&stage, &output, 1);
    output.stderr_has("stopped early").stderr_has("1 failed");
}

#[test]
fn an_interrupt_keeps_everything() {
    let stage = scene();
    let gate = Gate::new();
    let held = Fault::new(Operation::PutObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(1..=u64::MAX));
    let haul = stage.haul().args(["sync", "tree/", "s3://bucket/p/", "--delete"]);
    let running = haul.spawn();
    gate.wait_for(1);
    running.signal(Signal::INT);
    let output = running.wait();
    kept(&stage, &output, 130);
}

/// What is not gone by then stays, and is counted.
#[test]
fn an_interrupt_in_the_middle_of_removals_ends_them() {
    let stage = with_files(["a"]);
    stage.testbed.put_object(BUCKET, "p/a", "a");
    for number in 0..2500 {
        stage.testbed.put_object(BUCKET, &format!("p/old/{number}"), "x");
    }
    let gate = Gate::new();
    let held = Fault::new(Operation::DeleteObjects, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.occurrence(2..=u64::MAX));
    let sync = ["sync", "tree/", "s3://bucket/p/", "--delete", "--max-delete", "100%"];
    let running = stage.haul().args(sync).spawn();
    gate.wait_for(2);
    running.signal(Signal::INT);
    let output = running.wait();
    output.code(130).stderr_has("interrupted: ");
    let left = objects(&stage);
    assert!(left.contains(&"a".to_owned()) && left.len() > 1000, "{output}");
}

#[test]
fn a_name_that_can_not_be_here_keeps_everything() {
    for key in ["p/../up", "p//absolute", "p/full/"] {
        let stage = with_objects(["a"]);
        stage.testbed.put_object(BUCKET, key, "bytes");
        stage.sandbox.write("tree/extra", "x");
        let all = ["--delete", "--max-delete", "100%"];
        let output = down(&stage, all);
        output.code(1).stderr_has("nothing was removed");
        assert_eq!(stage.files("tree"), ["a", "extra"], "{output}");
        // What is left out needs no name.
        let output = down(&stage, all.into_iter().chain(["--exclude", "{../*,/*,full/}"]));
        output.code(0).stderr_has("1 object removed");
    }
}

#[test]
fn filters_keep_what_they_leave_out() {
    let stage = scene();
    up(&stage, ["--delete", "--exclude", "x", "--exclude", "c"]).code(0).stderr_has("1 removed");
    assert_eq!(objects(&stage), ["a", "b", "d", "x"]);
    let stage = scene();
    up(&stage, ["--delete", "--include", "[abx]", "--max-delete", "1"]).code(0);
    assert_eq!(objects(&stage), ["a", "b", "y/z"]);
    // The source has it, whatever a filter says of it there.
    let stage = scene();
    stage.sandbox.write("tree/x", "very large");
    let all = ["--delete", "--max-delete", "100%", "--max-size", "5"];
    up(&stage, all).code(0);
    assert_eq!(objects(&stage), ["a", "b", "c", "d", "x"]);
}

/// Extras are looked for in a place that somebody else may write to.
#[cfg(unix)]
#[test]
fn no_link_below_the_destination_is_followed_or_removed() {
    use std::os::unix::fs::symlink;
    let stage = with_objects(["a"]);
    stage.sandbox.write("outside/d/precious", "precious");
    stage.sandbox.write("tree/extra", "x");
    symlink(stage.sandbox.path("outside/d"), stage.sandbox.path("tree/d")).expect("a link");
    symlink(stage.sandbox.path("outside/d/precious"), stage.sandbox.path("tree/l"))
        .expect("a link");
    down(&stage, ["--delete", "--max-delete", "100%"]).code(0).stderr_has("1 removed");
    assert_eq!(stage.text("outside/d/precious"), "precious");
    assert!(stage.sandbox.path("tree/l").is_symlink() && stage.sandbox.path("tree/d").is_symlink());
    // A folder of the destination that becomes a link after it was listed.
    let stage = with_objects(["a", "d/b"]);
    stage.sandbox.write("outside/extra", "precious");
    stage.sandbox.write("tree/d/extra", "precious");
    let (tree, outside) = (stage.sandbox.path("tree"), stage.sandbox.path("outside"));
    let swap = FaultKind::callback(move |_| {
        std::fs::rename(tree.join("d"), tree.join("moved")).expect("moved");
        symlink(&outside, tree.join("d")).expect("a link");
    });
    stage.testbed.fault(Fault::new(Operation::GetObject, swap).key("p/a"));
    let output = down(&stage, ["--delete", "--concurrency", "1", "--max-delete", "100%"]);
    output.code(1);
    assert_eq!(stage.text("outside/extra"), "precious", "{output}");
    assert!(stage.sandbox.path("tree/moved/extra").exists());
}

#[test]
fn what_changes_meanwhile_stays() {
    // A file of the destination is written to after it was listed.
    let stage = with_objects(["a"]);
    let extra = stage.sandbox.write("tree/extra", "x");
    stage.sandbox.write("tree/other", "x");
    let write = FaultKind::callback(move |_| std::fs::write(&extra, "work").expect("written"));
    stage.testbed.fault(Fault::new(Operation::GetObject, write));
    let output = down(&stage, ["--delete", "--max-delete", "100%"]);
    output.code(1).stderr_has("extra").stderr_has("1 removed");
    assert_eq!(stage.files("tree"), ["a", "extra"]);
    // A file of the source comes after the source was listed.
    let stage = scene();
    let come = stage.sandbox.path("tree/x");
    let write = FaultKind::callback(move |_| std::fs::write(&come, "new").expect("written"));
    stage.testbed.fault(Fault::new(Operation::PutObject, write).once());
    up(&stage, ["--delete"]).code(0).stderr_has("1 removed");
    assert_eq!(objects(&stage), ["a", "b", "c", "d", "x"]);
}

#[test]
fn a_removal_that_fails_is_told_and_the_others_go_on() {
    let stage = scene();
    let refused = FaultKind::refuse_keys("AccessDenied", &["p/x"]);
    stage.testbed.fault(Fault::new(Operation::DeleteObjects, refused).always());
    let output = up(&stage, ["--delete"]);
    output.code(1).stderr_has("could not remove s3://bucket/p/x").stderr_has("1 removed");
    assert_eq!(objects(&stage), ["a", "b", "c", "d", "x"]);
}

/// Odd keys can't go in XML, and more than a thousand not in one request.
#[test]
fn very_many_and_odd_names_go() {
    let stage = with_files(["a"]);
    for number in 0..2500 {
        stage.testbed.put_object(BUCKET, &format!("p/old/{number}"), "x");
    }
    for odd in ["new\nline", "..", "a//b", " blank ", "%41", "a/"] {
        stage.testbed.put_object(BUCKET, &format!("p/{odd}"), "x");
    }
    let output = up(&stage, ["--delete", "--max-delete", "100%"]);
    output.code(0).stderr_has("2506 removed");
    assert_eq!(objects(&stage), ["a"]);
    let before = changes(&stage);
    up(&stage, ["--delete"]).code(0);
    assert_eq!(changes(&stage), before);
}

/// A listing in no order is sorted here; names are never taken for missing because of it.
#[test]
fn a_listing_in_no_order_is_noticed() {
    let stage = with_files(["a", "b", "c", "d"]);
    let entry = |key: &str| {
        format!(
            "<Contents><Key>{key}</Key><Size>1</Size>\
             <LastModified>2099-05-06T07:08:09.000Z</LastModified></Contents>"
        )
    };
    let keys: String = ["p/d", "p/a", "p/x", "p/b", "p/c"].map(entry).concat();
    let page = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>"
    );
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::xml(page)).always());
    let output = up(&stage, ["--delete", "--dry-run"]);
    output.code(0).stdout_is("remove  s3://bucket/p/x  1 B\n").stderr_has("4 skipped");
    output.stderr_has("do not come in order");
}

/// A second address of the server makes one bucket no other: what it has below both prefixes is
/// extra to nothing.
#[test]
fn what_is_the_source_by_another_name_stays() {
    for (source, destination) in [("p/sub/", "p/"), ("p/sub/", ""), ("p/", "p/sub/")] {
        let stage = Stage::new();
        for key in ["p/sub/a", "p/sub/b", "p/sub/c/d"] {
            stage.testbed.put_object(BUCKET, key, key);
        }
        let [source, destination] = [source, destination].map(|key| format!("s3://bucket/{key}"));
        let sync = |endpoint: String, dry: &[&str]| {
            let paths = ["sync", &source, &destination, "--delete", "--max-delete", "100%"];
            let from = ["--source-endpoint-url", &endpoint];
            stage.haul().args(paths).args(from).args(dry).run()
        };
        let port = stage.testbed.port();
        sync(format!("http://127.0.0.1:{port}/"), &[]).code(2).stderr_has("are not apart");
        for dry in [&["--dry-run"][..], &[]] {
            let output = sync(format!("http://localhost:{port}"), dry);
            output.code(1).stderr_has("nothing was removed").stderr_has("one bucket by two names");
            assert!(!output.stdout_text().contains("remove  "), "{output}");
            assert_eq!(stage.testbed.count(Operation::DeleteObjects), 0, "{output}");
        }
        for key in ["p/sub/a", "p/sub/b", "p/sub/c/d"] {
            assert_eq!(stage.object_text(key), key);
        }
    }
}

/// A mirror has the source's keys where the source has them, and may have too many.
#[test]
fn what_another_bucket_has_by_the_same_key_goes() {
    let stage = Stage::new();
    stage.testbed.create_bucket("mirror");
    stage.testbed.put_object(BUCKET, "p/sub/a", "a");
    for key in ["p/sub/a", "p/sub/b", "p/x"] {
        stage.testbed.put_object("mirror", key, "another");
    }
    let sync = ["sync", "s3://bucket/p/sub/", "s3://mirror/p/", "--delete"];
    stage.run(sync.into_iter().chain(["--max-delete", "3"])).code(0).stderr_has("3 removed");
    assert_eq!(stage.testbed.keys("mirror"), ["p/a"]);
}
