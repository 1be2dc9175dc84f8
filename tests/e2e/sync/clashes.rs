//! A file at the destination where the source has a folder, and a folder where it has a file: with
//! `--delete` what is in the way goes first, if all of it is extra.

use testbed::{Fault, FaultKind, Operation};

use super::{down, with_objects};
use crate::stage::Stage;

/// Two names of the source that can't come, and extras: three in their way, and one that is not.
fn scene() -> Stage {
    let stage = with_objects(["file", "folder/deep/k", "same"]);
    for name in ["file/a", "file/b/c", "folder", "other"] {
        stage.sandbox.write(format!("tree/{name}"), "before");
    }
    stage.sandbox.write("tree/same", "same");
    stage
}

const BEFORE: [&str; 5] = ["file/a", "file/b/c", "folder", "other", "same"];
const AFTER: [&str; 3] = ["file", "folder/deep/k", "same"];
const ALL: [&str; 3] = ["--delete", "--max-delete", "100%"];

#[test]
fn what_is_in_the_way_goes_and_what_it_was_in_the_way_of_comes() {
    let stage = scene();
    let output = down(&stage, ["--delete", "--max-delete", "4", "--json"]);
    let summary = output.code(0).json_lines().pop().expect("a summary");
    assert_eq!((&summary["objects"], &summary["removed"]), (&2.into(), &4.into()), "{output}");
    assert_eq!(stage.files("tree"), AFTER);
    assert_eq!(
        (stage.text("tree/file"), stage.text("tree/folder/deep/k")),
        (stage.object_text("p/file"), stage.object_text("p/folder/deep/k"),)
    );
    let again = down(&stage, ALL);
    again.code(0).stderr_has("3 skipped");
    // A folder's marker needs a folder, too.
    let stage = with_objects(["k/"]);
    stage.testbed.put_object(crate::stage::BUCKET, "p/k/", "");
    stage.sandbox.write("tree/k", "before");
    down(&stage, ALL).code(0);
    assert!(stage.sandbox.path("tree/k").is_dir());
}

#[test]
fn a_dry_run_tells_what_would_go_and_what_would_come() {
    let stage = scene();
    let output = down(&stage, ["--delete", "--max-delete", "100%", "--dry-run", "--json"]);
    let summary = output.code(0).json_lines().pop().expect("a summary");
    let planned = (&summary["planned_objects"], &summary["planned_removals"]);
    assert_eq!(planned, (&2.into(), &4.into()), "{output}");
    assert_eq!(stage.files("tree"), BEFORE);
}

#[test]
fn without_delete_each_is_an_error_of_its_own() {
    let stage = scene();
    let output = down(&stage, []);
    output.code(1).stderr_has("a directory is in the way").stderr_has("a directory is needed");
    assert_eq!(stage.files("tree"), BEFORE);
}

/// Each is a reason for which what is in the way may not go; then nothing else goes, either.
#[test]
fn what_may_not_go_keeps_everything() {
    // What the patterns or the bounds leave out is no extra, alone or beside others in a folder.
    for more in [
        &["--exclude", "folder"][..],
        &["--exclude", "file/b/**"],
        &["--min-size", "7"],
        &["--max-delete", "3"],
        &["--max-delete", "50%"],
    ] {
        let stage = scene();
        let mut args = ALL.to_vec();
        if more[0] == "--max-delete" {
            args.truncate(1);
        }
        args.extend(more);
        let output = stage.run([&["sync", "s3://bucket/p/", "tree"], args.as_slice()].concat());
        output.code(1);
        assert_eq!(stage.files("tree"), BEFORE, "{output}");
        let is_too_much = more[0] == "--max-delete";
        let said = if is_too_much { "could not write 2 names" } else { "nothing was removed" };
        output.stderr_has(said);
    }
    // Another transfer that fails, and a source that is itself at odds.
    let stage = scene();
    stage.testbed.put_object(crate::stage::BUCKET, "p/new", "new");
    let denied = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(denied.key("p/new").always());
    down(&stage, ALL).code(1).stderr_has("nothing was removed");
    assert_eq!(stage.files("tree"), BEFORE);
    let stage = scene();
    stage.testbed.put_object(crate::stage::BUCKET, "p/file/below", "below");
    let output = down(&stage, ALL);
    output.code(1).stderr_has("nothing was removed");
    for name in BEFORE {
        assert!(stage.sandbox.path("tree").join(name).exists(), "{name} is gone\n{output}");
    }
}

/// Neither a link nor what is behind one is in any way that could be cleared.
#[cfg(unix)]
#[test]
fn links_and_pipes_stay_where_they_are() {
    let link = |stage: &Stage, name: &str| {
        stage.sandbox.write("outside/precious", "precious");
        let (to, at) = (stage.sandbox.path("outside"), stage.sandbox.path(name));
        std::os::unix::fs::symlink(to, at).expect("a link");
    };
    for name in ["tree/file/link", "tree/link"] {
        let stage = scene();
        link(&stage, name);
        if name == "tree/link" {
            stage.testbed.put_object(crate::stage::BUCKET, "p/link/precious", "other");
        }
        let output = down(&stage, ALL);
        output.code(1).stderr_has("nothing was removed");
        assert_eq!(stage.text("outside/precious"), "precious");
        assert!(stage.sandbox.path("tree/file/a").exists(), "{output}");
    }
    // No listing names an empty folder: what is extra has gone by then, and it is told what stays.
    let stage = scene();
    stage.sandbox.folder("tree/file/empty");
    let output = down(&stage, ALL);
    output.code(1).stderr_has("a directory is in the way");
    assert_eq!(stage.files("tree"), ["folder/deep/k", "same"]);
}

#[test]
fn what_fails_behind_a_removal_is_an_error_and_comes_with_the_next_run() {
    let stage = scene();
    let denied = Fault::new(Operation::GetObject, FaultKind::access_denied());
    stage.testbed.fault(denied.key("p/file").always());
    let output = down(&stage, ALL);
    output.code(1).stderr_has("4 removed");
    assert_eq!(stage.files("tree"), ["folder/deep/k", "same"]);
    stage.testbed.clear_faults();
    down(&stage, ALL).code(0);
    assert_eq!(stage.files("tree"), AFTER);
}
