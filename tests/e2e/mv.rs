//! `haul mv`: what lands where, and that the source is gone then, and only then. What keeps a source
//! is in `guards`, what a run that was cut off leaves in `unfinished` and `kills`.

mod guards;
mod kills;
mod unfinished;

use testbed::{Operation, Testbed};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

#[test]
fn objects_are_moved_to_files() {
    let stage = Stage::with_keys(&["p/a", "p/b/c", "q", "stays"]);
    stage.testbed.put_object(BUCKET, "p/folder/", "");
    let output = stage.run(["mv", "s3://bucket/p/", "s3://bucket/q", "out/"]);
    output.code(0).stderr_has("3 verified end to end");
    assert_eq!(stage.files("out"), ["a", "b/c", "q"]);
    assert!(stage.sandbox.path("out/folder").is_dir());
    assert_eq!(stage.keys(), ["stays"]);
    stage.run(["mv", "s3://bucket/stays", "name"]).code(0);
    assert_eq!((stage.text("name"), stage.keys().len()), ("stays".to_owned(), 0));
}

#[test]
fn files_are_moved_to_objects_and_their_folders_stay() {
    let stage = Stage::new();
    stage.sandbox.write("d/a", "a");
    stage.sandbox.write("d/b/c", "c");
    stage.sandbox.fill("large", 12 * MIB);
    stage.run(["mv", "d", "s3://bucket/p/"]).code(0).stderr_has("2 verified end to end");
    assert_eq!(stage.keys(), ["p/a", "p/b/c"]);
    assert!(stage.files("d").is_empty() && stage.sandbox.path("d/b").is_dir());
    stage.run(["mv", "large", "s3://bucket/", "--part-size", "5MiB"]).code(0);
    assert!(stage.object("large").bytes() == content("large", 12 * MIB));
    assert!(!stage.sandbox.path("large").exists());
}

#[test]
fn objects_are_moved_to_objects() {
    let stage = Stage::with_keys(&["p/a", "p/b/c", "q"]);
    stage.testbed.put_object(BUCKET, "p/", "");
    stage.testbed.put_object(BUCKET, "p/large", content("large", 12 * MIB));
    let mv = ["mv", "s3://bucket/p/", "s3://bucket/to/p/", "--copy-parts-above", "5MiB"];
    stage.run([&mv[..], &["--part-size", "5MiB"]].concat()).code(0);
    assert_eq!(stage.keys(), ["q", "to/p/", "to/p/a", "to/p/b/c", "to/p/large"]);
    assert_eq!(stage.object_text("to/p/b/c"), "p/b/c");
    assert!(stage.object("to/p/large").bytes() == content("large", 12 * MIB));
    stage.run(["mv", "s3://bucket/q", "s3://bucket/new-name"]).code(0);
    assert_eq!(stage.object_text("new-name"), "q");
    assert!(stage.testbed.object(BUCKET, "q").is_none());
    assert_eq!(stage.testbed.count(Operation::GetObject), 0, "bytes passed here");
}

#[test]
fn objects_are_moved_between_servers() {
    let stage = Stage::with_keys(&["p/a"]);
    stage.testbed.put_object(BUCKET, "p/large", content("large", 12 * MIB));
    let to = Testbed::spawn();
    to.create_bucket(BUCKET);
    let command = stage.haul().envs(to.env()).args(["mv", "s3://bucket/p/", "s3://bucket/p/"]);
    let endpoint = stage.testbed.endpoint();
    command.args(["--source-endpoint-url", &endpoint, "--part-size", "5MiB"]).run().code(0);
    assert_eq!(to.keys(BUCKET), ["p/a", "p/large"]);
    assert!(to.object(BUCKET, "p/large").expect("there").bytes() == content("large", 12 * MIB));
    assert!(stage.keys().is_empty());
}

#[test]
fn rows_are_moved_each_its_own_way() {
    let stage = Stage::with_keys(&["a", "b", "c"]);
    stage.sandbox.write("f", "f");
    let rows = "source,destination\n\
        s3://bucket/a,down\n\
        f,s3://bucket/up\n\
        s3://bucket/b,s3://bucket/across\n\
        s3://bucket/c,s3://bucket/c\n\
        s3://bucket/b,s3://bucket/elsewhere\n";
    stage.sandbox.write("rows.csv", rows);
    let output = stage.run(["mv", "--manifest", "rows.csv"]);
    output.code(1).stderr_has("(line 5)").stderr_has("is where it is to go already");
    output.stderr_has("(line 6)").stderr_has("moves it elsewhere");
    assert_eq!(stage.keys(), ["across", "c", "up"]);
    assert_eq!(stage.files(""), ["down", "rows.csv"]);
}

#[test]
fn a_dry_run_moves_nothing() {
    let stage = Stage::with_keys(&["p/a"]);
    stage.sandbox.write("f", "f");
    for arguments in
        [["s3://bucket/p/", "s3://bucket/q/"], ["s3://bucket/p/", "out/"], ["f", "s3://bucket/"]]
    {
        let dry = [&["mv", "--dry-run"], &arguments[..]].concat();
        stage.run(dry).code(0).stdout_has("move  ");
    }
    assert_eq!((stage.keys(), stage.files("")), (vec!["p/a".to_owned()], vec!["f".to_owned()]));
}

#[test]
fn what_would_lose_its_only_place_is_refused_before_anything_starts() {
    let stage = Stage::with_keys(&["k", "p/x"]);
    stage.sandbox.write("f", "f");
    for arguments in [
        ["s3://bucket/k", "s3://bucket/k"],
        ["s3://bucket/k", "s3://bucket/"],
        ["s3://bucket/k", "s3://bucket"],
        ["s3://bucket/p/x", "s3://bucket/p/"],
        ["s3://bucket/p/", "s3://bucket/p/"],
        ["s3://bucket/p/*", "s3://bucket/p/"],
        ["s3://bucket/", "s3://bucket/"],
        ["s3://bucket/", "s3://bucket/below/"],
        ["f", "f"],
        ["f", "./f"],
        ["s3://bucket/k", "-"],
        ["-", "s3://bucket/k"],
    ] {
        stage.run([&["mv", "--storage-class", "STANDARD_IA"], &arguments[..]].concat()).code(2);
    }
    assert_eq!((stage.object_text("k"), stage.object_text("p/x")), ("k".into(), "p/x".into()));
    assert_eq!(stage.text("f"), "f");
    assert!(stage.testbed.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_is_no_other_file() {
    let stage = Stage::new();
    let file = stage.sandbox.write("f", "f");
    std::os::unix::fs::symlink(&file, stage.sandbox.path("link")).expect("a link");
    stage.run(["mv", "f", "link"]).code(2);
    stage.run(["mv", "link", "f"]).code(2);
    assert_eq!(stage.text("f"), "f");
    // A link that is named is moved as what it points to, and only the link goes.
    stage.run(["mv", "link", "s3://bucket/"]).code(0);
    assert_eq!((stage.object_text("link"), stage.text("f")), ("f".into(), "f".into()));
    assert!(!stage.sandbox.path("link").exists());
}

#[cfg(unix)]
#[test]
fn links_below_a_folder_are_left_where_they_are() {
    let stage = Stage::new();
    stage.sandbox.write("elsewhere/precious", "precious");
    stage.sandbox.write("d/a", "a");
    let link = |name: &str, to: &str| {
        std::os::unix::fs::symlink(stage.sandbox.path(to), stage.sandbox.path(name))
            .expect("a link");
    };
    link("d/folder", "elsewhere");
    link("d/file", "elsewhere/precious");
    stage.run(["mv", "d/", "s3://bucket/p/"]).code(0);
    assert_eq!(stage.keys(), ["p/a"]);
    assert_eq!(stage.text("elsewhere/precious"), "precious");
    assert!(stage.sandbox.path("d/folder").exists() && stage.sandbox.path("d/file").exists());
}
