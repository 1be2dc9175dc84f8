//! Trees up and down: what is missing or different comes, and the second run moves nothing.

use std::time::{Duration, SystemTime};

use testbed::{Operation, PutOptions, Testbed};

use super::comparing::touch;
use super::{NAMES, changes, down, file_names, objects, up, with_files, with_objects};
use crate::stage::{BUCKET, Stage};

#[test]
fn a_second_run_moves_nothing_whatever_the_order_of_names() {
    for page in [1, 2, 3, 1000] {
        let testbed = Testbed::builder().page_size(page).spawn().expect("a free port");
        let stage = Stage::on(testbed);
        for name in file_names() {
            let file = stage.sandbox.write(format!("tree/{name}"), name);
            // What is as young as its object is looked at.
            touch(&file, SystemTime::now() - Duration::from_hours(1));
        }
        stage.testbed.put_object(BUCKET, "p.neighbour", "x");
        stage.testbed.put_object(BUCKET, "p/a.b", "another");
        up(&stage, []).code(0).stderr_has("8 objects, ");
        assert_eq!(objects(&stage), file_names().collect::<Vec<_>>());
        for name in file_names() {
            assert_eq!(stage.object_text(&format!("p/{name}")), name);
        }
        let before = changes(&stage);
        let again = up(&stage, []);
        again.code(0).stderr_has("0 objects, ").stderr_has("8 skipped");
        let deleting = up(&stage, ["--delete"]);
        deleting.code(0).stderr_lacks("removed").stderr_lacks("note:");
        assert_eq!(changes(&stage), before, "{again}");
        assert_eq!(stage.testbed.count(Operation::HeadObject), 0, "{again}");
        // And the other way, into another folder.
        let out = stage.run(["sync", "s3://bucket/p", "out"]);
        out.code(0).stderr_has("8 objects, ");
        stage.sandbox.same("tree", "out");
        let before = changes(&stage);
        stage.run(["sync", "s3://bucket/p/", "out/", "--delete"]).code(0).stderr_has("8 skipped");
        assert_eq!(changes(&stage), before);
    }
}

#[test]
fn only_what_differs_is_moved() {
    let stage = with_files(file_names());
    up(&stage, []).code(0);
    stage.sandbox.write("tree/a0", "of another length");
    stage.sandbox.write("tree/new", "new");
    stage.testbed.clear_requests();
    up(&stage, []).code(0).stderr_has("2 objects, ").stderr_has("7 skipped");
    let put: Vec<_> = stage.testbed.requests_of(Operation::PutObject);
    let mut put: Vec<_> = put.iter().filter_map(|request| request.key.clone()).collect();
    put.sort();
    assert_eq!(put, ["p/a0", "p/new"]);
    assert_eq!(stage.object_text("p/a0"), "of another length");
}

#[test]
fn a_key_that_is_a_file_beside_a_folder_is_refused_and_the_others_come() {
    let stage = with_objects(NAMES);
    let output = down(&stage, ["--delete"]);
    output.code(1).stderr_has("nothing was removed");
    let files = stage.files("tree");
    assert!(files.contains(&"c/d".to_owned()) && files.contains(&"c d/ü".to_owned()), "{output}");
}

#[test]
fn folder_markers_become_folders_once() {
    let stage = with_objects(["d/f"]);
    for marker in ["p/", "p/d/", "p/empty/", "p/empty/deep/"] {
        stage.testbed.put_object(BUCKET, marker, "");
    }
    down(&stage, []).code(0);
    assert!(stage.sandbox.path("tree/empty/deep").is_dir());
    let again = down(&stage, ["--json", "--delete"]);
    let summary = again.code(0).json_lines().pop().expect("a summary");
    assert_eq!((&summary["objects"], &summary["skipped"]), (&0.into(), &4.into()), "{again}");
    // Folders that a marker stands for stay, and others that become empty go.
    stage.testbed.delete_object(BUCKET, "p/d/f");
    stage.sandbox.write("tree/other/x/y", "gone soon");
    let output = down(&stage, ["--delete", "--max-delete", "100%"]);
    output.code(0).stderr_has("2 objects removed");
    assert!(stage.sandbox.path("tree/d").is_dir() && !stage.sandbox.path("tree/other").exists());
    assert!(stage.sandbox.path("tree/empty/deep").is_dir());
    // A folder of the source is what a marker at the destination stands for.
    let markers = objects(&stage);
    up(&stage, ["--delete"]).code(0);
    assert_eq!(objects(&stage), markers);
    std::fs::remove_dir_all(stage.sandbox.path("tree/empty")).expect("removed");
    up(&stage, ["--delete", "--max-delete", "100%"]).code(0).stderr_has("2 objects removed");
    assert_eq!(objects(&stage), ["", "d/"]);
}

#[test]
fn a_wildcard_chooses_what_is_synced_and_what_is_extra() {
    let stage = with_objects(["x1", "x2", "y1"]);
    for name in ["x-old", "y-old", "z"] {
        stage.sandbox.write(format!("tree/{name}"), name);
    }
    let args = ["sync", "s3://bucket/p/x*", "tree", "--delete", "--max-delete", "100%"];
    stage.run(args).code(0).stderr_has("2 objects").stderr_has("1 removed");
    assert_eq!(stage.files("tree"), ["x1", "x2", "y-old", "z"]);
}

#[test]
fn attributes_go_with_what_is_uploaded() {
    let stage = with_files(["a.json"]);
    up(&stage, ["--cache-control", "max-age=60", "--sign-payload"]).code(0);
    let attributes = stage.object("p/a.json").attributes;
    assert_eq!(attributes.cache_control.as_deref(), Some("max-age=60"));
    assert_eq!(attributes.content_type.as_deref(), Some("application/json"));
}

#[test]
fn sizes_and_times_choose_on_both_sides_and_make_no_extras() {
    let old = SystemTime::now() - Duration::from_hours(10 * 24);
    let stage = with_files(["small", "large"]);
    stage.sandbox.write("tree/large", "x".repeat(5000));
    stage.testbed.put_object_with(BUCKET, "p/large", "old", &PutOptions::new().last_modified(old));
    stage.testbed.put_object(BUCKET, "p/extra-small", "x");
    stage.testbed.put_object(BUCKET, "p/extra-large", "x".repeat(5000));
    let all = ["--delete", "--max-delete", "100%"];
    up(&stage, all.into_iter().chain(["--max-size", "1000"])).code(0).stderr_has("1 removed");
    assert_eq!(objects(&stage), ["extra-large", "large", "small"]);
    assert_eq!(stage.object_text("p/large"), "old", "it is left out, and not extra");
    up(&stage, all.into_iter().chain(["--older-than", "1h"])).code(0).stderr_has("nothing to do");
    assert_eq!(objects(&stage), ["extra-large", "large", "small"]);
    up(&stage, all.into_iter().chain(["--newer-than", "1d"])).code(0).stderr_has("1 removed");
    assert_eq!(objects(&stage), ["large", "small"]);
    assert_eq!(stage.object("p/large").len(), 5000);
}

#[test]
fn what_it_would_do_is_shown_and_not_done() {
    let stage = with_files(["a", "b/c"]);
    for name in ["a", "old/1", "old/2"] {
        stage.testbed.put_object(BUCKET, &format!("p/{name}"), "a");
    }
    let output = up(&stage, ["--delete", "--dry-run", "--max-delete", "2"]);
    output.code(0).stdout_is(
        "upload  tree/b/c -> s3://bucket/p/b/c  3 B\nremove  s3://bucket/p/old/1  1 B\n\
         remove  s3://bucket/p/old/2  1 B\n",
    );
    output.stderr_has("dry run: 1 object, 3 B, 2 to remove, nothing was moved, 1 skipped");
    // What would be refused is shown, too, and said.
    let output = up(&stage, ["--delete", "--dry-run", "--json"]);
    output.code(1).stderr_has("--max-delete allows 50%");
    let summary = output.json_lines().pop().expect("a summary");
    assert_eq!(summary["planned_removals"], 2, "{output}");
    assert_eq!((changes(&stage), objects(&stage).len()), (0, 3));
    let down = down(&stage, ["--delete", "--dry-run", "--max-delete", "100%"]);
    down.code(0)
        .stdout_has("remove  tree/b/c  3 B")
        .stdout_has("s3://bucket/p/old/1 -> tree/old/1");
    assert_eq!(stage.files("tree"), ["a", "b/c"]);
}

/// A file that is on its way, of this program or another run of it, is nobody's business.
#[test]
fn partial_files_are_neither_uploaded_nor_removed() {
    let part = ".haul-0123456789abcdef.part";
    let stage = with_files(["a"]);
    stage.sandbox.write(format!("tree/d/{part}"), "partial");
    stage.testbed.put_object(BUCKET, &format!("p/{part}"), "x");
    up(&stage, ["--delete"]).code(0).stderr_has("1 object, ");
    assert_eq!(objects(&stage), [part, "a"]);
    stage.testbed.delete_object(BUCKET, &format!("p/{part}"));
    down(&stage, ["--delete"]).code(0).stderr_lacks("removed");
    assert!(stage.sandbox.path(format!("tree/d/{part}")).exists());
}
