//! `haul cp`: the same as `download` or `upload`, whichever way the arguments go. It must never
//! do less than they do. From S3 to S3 is in `copies`.

use crate::stage::Stage;

#[test]
fn from_s3_it_is_a_download() {
    let stage = Stage::with_keys(&["p/a", "p/b/c", "q"]);
    stage.run(["cp", "s3://bucket/p/", "out"]).code(0);
    assert_eq!(stage.files("out"), ["a", "b/c"]);
    stage.run(["cp", "s3://bucket/q", "name"]).code(0);
    assert_eq!(stage.text("name"), "q");
    stage.run(["cp", "s3://bucket/p/*", "s3://bucket/q", "many/", "--exclude", "a"]).code(0);
    assert_eq!(stage.files("many"), ["b/c", "q"]);
    stage.run(["cp", "s3://bucket/q", "-"]).code(0).stdout_is("q");
    stage.run(["cp", "--no-clobber", "s3://bucket/p/a", "name"]).code(0);
    assert_eq!(stage.text("name"), "q");
}

#[test]
fn to_s3_it_is_an_upload() {
    let stage = Stage::new();
    stage.sandbox.write("d/a", "a");
    stage.sandbox.write("d/b/c", "c");
    stage.run(["cp", "d", "s3://bucket/p/"]).code(0);
    stage.run(["cp", "d/a", "s3://bucket/name", "--content-type", "x/y"]).code(0);
    stage.feed("stream", ["cp", "-", "s3://bucket/stream", "--expected-size", "6"]).code(0);
    assert_eq!(stage.keys(), ["name", "p/a", "p/b/c", "stream"]);
    assert_eq!(stage.object("name").attributes.content_type.as_deref(), Some("x/y"));
    assert_eq!(stage.object_text("stream"), "stream");
}

#[test]
fn rows_of_one_manifest_go_both_ways() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("f", "f");
    let rows = "source,destination\ns3://bucket/a,down\nf,s3://bucket/up\n\
        s3://bucket/a,s3://bucket/across\n";
    stage.sandbox.write("rows.csv", rows);
    stage.run(["cp", "--manifest", "rows.csv"]).code(0);
    assert_eq!(stage.text("down"), "a");
    assert_eq!(stage.object_text("up"), "f");
    assert_eq!(stage.object_text("across"), "a");
}

#[test]
fn a_dry_run_writes_nothing() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("f", "f");
    stage.run(["cp", "--dry-run", "s3://bucket/a", "out/"]).code(0).stdout_has("out/a");
    stage.run(["cp", "--dry-run", "f", "s3://bucket/"]).code(0).stdout_has("s3://bucket/f");
    assert_eq!((stage.files(""), stage.keys()), (vec!["f".to_owned()], vec!["a".to_owned()]));
}
