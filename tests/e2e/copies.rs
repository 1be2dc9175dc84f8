//! `haul cp` from S3 to S3: names, attributes, what is refused, what a second run leaves out. Faults
//! are in `faults`, two servers in `relays`, sums of parts in `sums`. No byte may pass here where the
//! server can copy.

mod faults;
mod relays;
mod sums;

use std::time::{Duration, SystemTime};

use testbed::{Attributes, Operation, PutOptions};

use crate::harness::content;
use crate::journal::entries;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;
/// Larger objects are copied in parts.
const IN_PARTS: [&str; 4] = ["--copy-parts-above", "5MiB", "--part-size", "5MiB"];

/// Keys, and what is in their objects.
type Texts<'a> = &'a [(&'a str, &'a str)];

fn texts(stage: &Stage, prefix: &str) -> Vec<(String, String)> {
    let keys = stage.keys().into_iter().filter(|key| key.starts_with(prefix));
    keys.map(|key| (key.clone(), stage.object_text(&key))).collect()
}

fn pairs(wanted: Texts<'_>) -> Vec<(String, String)> {
    wanted.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn copies_land_as_downloads_and_uploads_do() {
    let stage = Stage::with_keys(&["a", "p/b", "p/q/c", "p/q/d", "odd//../e f%20"]);
    let cases: [(&[&str], Texts<'_>); 7] = [
        (&["s3://bucket/a", "s3://bucket/to/x"], &[("to/x", "a")]),
        (&["s3://bucket/p/b", "s3://bucket/to/"], &[("to/b", "p/b")]),
        (
            &["s3://bucket/p/", "s3://bucket/to/"],
            &[("to/b", "p/b"), ("to/q/c", "p/q/c"), ("to/q/d", "p/q/d")],
        ),
        (&["s3://bucket/p/*/?", "s3://bucket/to/"], &[("to/q/c", "p/q/c"), ("to/q/d", "p/q/d")]),
        (
            &["s3://bucket/p/", "s3://bucket/a", "s3://bucket/to/", "--exclude", "q/*"],
            &[("to/a", "a"), ("to/b", "p/b")],
        ),
        (
            &["s3://bucket/p/", "s3://bucket/to/", "--flatten"],
            &[("to/b", "p/b"), ("to/c", "p/q/c"), ("to/d", "p/q/d")],
        ),
        (&["s3://bucket/odd/", "s3://bucket/to/"], &[("to//../e f%20", "odd//../e f%20")]),
    ];
    for (arguments, wanted) in cases {
        stage.run([&["cp"], arguments].concat()).code(0).stderr_has("verified end to end");
        assert_eq!(texts(&stage, "to/"), pairs(wanted), "{arguments:?}");
        for (key, _) in wanted {
            stage.testbed.delete_object(BUCKET, key);
        }
    }
    assert_eq!(stage.testbed.count(Operation::GetObject), 0, "bytes passed here");
    stage.testbed.create_bucket("other");
    stage.run(["cp", "s3://bucket/p/", "s3://other"]).code(0);
    assert_eq!(stage.testbed.keys("other"), ["b", "q/c", "q/d"]);
    stage.run(["verify", "s3://bucket/p/", "s3://other/"]).code(0);
    stage.run(["cp", "s3://bucket/p/", "s3://bucket/one"]).code(2).stderr_has("many objects");
    stage.run(["cp", "s3://bucket/none", "s3://bucket/x"]).code(1).stderr_has("s3://bucket/none");
    stage.run(["cp", "s3://bucket/p", "s3://bucket/x"]).code(1).stderr_has("is a prefix");
}

fn full() -> Attributes {
    Attributes {
        content_type: Some("text/x-test".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        expires: Some("Thu, 31 Jan 2030 00:00:00 GMT".to_owned()),
        metadata: [("colour".to_owned(), "blue".to_owned())].into(),
        tags: [("team".to_owned(), "a&b".to_owned())].into(),
        ..Attributes::default()
    }
}

fn put(stage: &Stage, key: &str, size: u64) {
    let options = PutOptions { attributes: full(), ..PutOptions::default() };
    stage.testbed.put_object_with(BUCKET, key, content(key, size), &options);
}

#[test]
fn attributes_are_kept_and_each_given_one_replaces_its_own_whole_or_in_parts() {
    let stage = Stage::new();
    put(&stage, "from/small", 10);
    put(&stage, "from/large", 12 * MIB);
    for (name, kept) in [("small", Operation::CopyObject), ("large", Operation::UploadPartCopy)] {
        let cp = |key: &str, more: &[&str]| {
            let (source, copy) = (format!("s3://bucket/from/{name}"), format!("s3://bucket/{key}"));
            let command = stage.haul().args(["cp", &source, &copy]).args(IN_PARTS);
            command.args(more).run().code(0).stderr_has("1 verified end to end");
            let object = stage.object(key);
            assert!(object.bytes() == stage.object(&format!("from/{name}")).bytes(), "{key}");
            (*object.attributes).clone()
        };
        assert_eq!(cp("kept", &[]), full(), "{name}");
        assert!(stage.testbed.count(kept) > 0);
        let found = cp("typed", &["--content-type", "a/b"]);
        let wanted = Attributes { content_type: Some("a/b".to_owned()), ..full() };
        assert_eq!(found, wanted, "{name}: nothing else is replaced");
        let found = cp("tagged", &["--tag", "x=y", "--storage-class", "STANDARD_IA"]);
        assert_eq!(found.tags, [("x".to_owned(), "y".to_owned())].into(), "{name}");
        assert_eq!((found.metadata, found.content_type), (full().metadata, full().content_type));
        assert_eq!(found.storage_class.as_deref(), Some("STANDARD_IA"));
        let found = cp("told", &["--metadata", "shape=round", "--acl", "private"]);
        assert_eq!(found.metadata, [("shape".to_owned(), "round".to_owned())].into(), "{name}");
        assert_eq!((found.tags, found.content_encoding), (full().tags, full().content_encoding));
        assert!(!found.acl.is_empty());
    }
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

#[test]
fn an_object_is_not_copied_onto_itself_unless_something_changes() {
    let stage = Stage::with_keys(&["p/x", "p/y"]);
    put(&stage, "k", 10);
    for arguments in [
        ["s3://bucket/k", "s3://bucket/k"],
        ["s3://bucket/k", "s3://bucket/"],
        ["s3://bucket/p/", "s3://bucket/p/"],
        ["s3://bucket/p/*", "s3://bucket/p/"],
    ] {
        let output = stage.run([&["cp"], &arguments[..]].concat());
        output.code(2).stderr_has("is where it is to go already").stderr_has("hint:");
    }
    assert_eq!(stage.testbed.count(Operation::CopyObject), 0);
    let change = ["cp", "s3://bucket/k", "s3://bucket/k", "--storage-class", "GLACIER_IR"];
    stage.run(change).code(0);
    let wanted = Attributes { storage_class: Some("GLACIER_IR".to_owned()), ..full() };
    assert_eq!(*stage.object("k").attributes, wanted);
    stage.run(["cp", "s3://bucket/k", "s3://bucket/k", "--tag", "a=b"]).code(0);
    let tags = [("a".to_owned(), "b".to_owned())].into();
    assert_eq!(*stage.object("k").attributes, Attributes { tags, ..wanted }, "its class stays");
    stage.run(["cp", "s3://bucket/p/", "s3://bucket/p/", "--cache-control", "no-store"]).code(0);
    assert_eq!(stage.object("p/x").attributes.cache_control.as_deref(), Some("no-store"));
    assert_eq!(stage.object_text("p/x"), "p/x");
}

#[test]
fn what_is_read_is_not_written() {
    let stage = Stage::with_keys(&["p/x", "p/p/x", "p/p/p/x"]);
    // `p/p/x` would land on `p/x`, which has to go to `x`.
    let output = stage.run(["cp", "s3://bucket/p/", "s3://bucket/"]);
    output.code(1).stderr_has("it is a source of this command");
    assert_eq!(stage.object_text("x"), "p/x");
    assert_eq!(
        (stage.object_text("p/x"), stage.object_text("p/p/x")),
        ("p/x".into(), "p/p/x".into())
    );
    let output = stage.run(["cp", "s3://bucket/", "s3://bucket/backup/"]);
    output.code(2).stderr_has("would be copied again");
    stage.run(["cp", "s3://bucket/", "s3://bucket/backup/", "--exclude", "backup/*"]).code(0);
    assert_eq!(stage.object_text("backup/p/p/x"), "p/p/x");
    assert_eq!(stage.keys().len(), 8);
}

#[test]
fn overwrite_modes_hold_and_the_server_is_asked_to_keep_what_is_there() {
    let stage = Stage::with_keys(&["a", "b"]);
    let never = ["cp", "--no-clobber", "s3://bucket/a", "s3://bucket/b"];
    stage.run(never).code(0).stderr_has("1 skipped");
    assert_eq!(stage.object_text("b"), "b");
    let older = SystemTime::now() - Duration::from_hours(1);
    stage.testbed.put_object_with(BUCKET, "a", "a", &PutOptions::new().last_modified(older));
    let if_newer = ["cp", "--overwrite", "newer", "s3://bucket/a", "s3://bucket/b"];
    stage.run(if_newer).code(0).stderr_has("1 skipped");
    stage.run(["cp", "--no-clobber", "s3://bucket/a", "s3://bucket/c"]).code(0);
    let sent = stage.testbed.requests_of(Operation::CopyObject);
    let header = |name: &str| sent[0].headers.iter().find(|(found, _)| found == name).cloned();
    assert_eq!(header("if-none-match").map(|(_, value)| value).as_deref(), Some("*"));
    assert!(header("x-amz-copy-source-if-match").is_some(), "it is pinned");
    // It appears between the look and the copy.
    let appears = testbed::FaultKind::replace_object("mine");
    stage.testbed.fault(testbed::Fault::new(Operation::CopyObject, appears));
    stage
        .run(["cp", "--no-clobber", "s3://bucket/a", "s3://bucket/d"])
        .code(0)
        .stderr_has("skipped");
    assert_eq!(stage.object_text("d"), "mine");
}

#[test]
fn a_dry_run_says_copy_and_makes_none() {
    let stage = Stage::with_keys(&["p/a", "p/b"]);
    let dry = ["cp", "--dry-run", "s3://bucket/p/", "s3://bucket/q/"];
    stage.run(dry).code(0).stdout_has("copy  s3://bucket/p/a -> s3://bucket/q/a");
    let lines = stage.run([&dry[..], &["--json"]].concat()).code(0).json_lines();
    assert_eq!(lines[0]["action"], "copy");
    assert_eq!(stage.keys(), ["p/a", "p/b"]);
}

#[test]
fn a_journal_leaves_out_what_is_done_and_still_true() {
    let stage = Stage::with_keys(&["p/a", "p/b", "p/c"]);
    let run = || {
        let before = stage.testbed.count(Operation::CopyObject);
        let arguments = ["cp", "--journal", "j", "s3://bucket/p/", "s3://bucket/q/"];
        stage.run(arguments).code(0);
        stage.testbed.count(Operation::CopyObject) - before
    };
    assert_eq!(run(), 3);
    let entry = &entries(&stage, "j")["s3://bucket/p/a"];
    assert_eq!((&entry["outcome"], &entry["verified"]), (&"done".into(), &"crc64nvme".into()));
    assert_eq!(entry["source_etag"], stage.object("p/a").etag.as_str());
    assert_eq!(run(), 0);
    stage.testbed.put_object(BUCKET, "p/a", "another");
    stage.testbed.delete_object(BUCKET, "q/b");
    stage.testbed.put_object(BUCKET, "q/c", "changed");
    assert_eq!(run(), 3);
    assert_eq!(stage.object_text("q/a"), "another");
    assert_eq!((stage.object_text("q/b"), stage.object_text("q/c")), ("p/b".into(), "p/c".into()));
    let other = stage.run(["mv", "--journal", "j", "s3://bucket/p/", "s3://bucket/q/"]);
    other.code(2).stderr_has("of another command");
}

#[test]
fn rows_go_from_object_to_object() {
    let stage = Stage::with_keys(&["a", "b", "c", "p/x"]);
    let rows = "source,destination,content_type\n\
        s3://bucket/a,s3://bucket/to/a,x/y\n\
        s3://bucket/b,s3://bucket/to/,\n\
        s3://bucket/b,s3://bucket/b,\n\
        s3://bucket/c,file,\n\
        s3://bucket/to/a,s3://bucket/elsewhere,\n\
        s3://bucket/p/x,s3://bucket/a,\n";
    stage.sandbox.write("rows.csv", rows);
    let cp = ["cp", "--manifest", "rows.csv", "out"];
    stage.run(cp).code(2).stderr_has("(line 6)").stderr_has("another row writes to it");
    assert_eq!(stage.keys(), ["a", "b", "c", "p/x"]);
    let chained = "s3://bucket/to/a,s3://bucket/elsewhere,\n";
    stage.sandbox.write("rows.csv", rows.replace(chained, ""));
    let output = stage.run(cp);
    output.code(1).stderr_has("(line 4)").stderr_has("is where it is to go already");
    output.stderr_has("(line 6)").stderr_has("another job writes there, or reads from there");
    assert_eq!(stage.text("out/file"), "c");
    assert_eq!(
        texts(&stage, ""),
        pairs(&[("a", "a"), ("b", "b"), ("c", "c"), ("p/x", "p/x"), ("to/a", "a"), ("to/b", "b"),])
    );
    assert_eq!(stage.object("to/a").attributes.content_type.as_deref(), Some("x/y"));
    // Keys below one prefix, to below another.
    stage.sandbox.write("keys.txt", "x\n");
    let keys = ["cp", "--manifest", "keys.txt", "--manifest-format", "keys"];
    stage.run([&keys[..], &["s3://bucket/p/", "s3://bucket/new/"]].concat()).code(0);
    assert_eq!(stage.object_text("new/x"), "p/x");
}

#[test]
fn what_a_row_says_of_the_source_must_hold() {
    let stage = Stage::with_keys(&["a"]);
    let etag = stage.object("a").etag;
    for (columns, values, is_right) in [
        ("size", "1".to_owned(), true),
        ("size", "2".to_owned(), false),
        ("etag", etag, true),
        ("etag", "0123".to_owned(), false),
        ("checksum", "crc64nvme:AAAAAAAAAAA=".to_owned(), false),
        ("checksum", "sha1:2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned(), false),
    ] {
        let rows = format!("source,destination,{columns}\ns3://bucket/a,s3://bucket/b,{values}\n");
        stage.sandbox.write("rows.csv", rows);
        let output = stage.run(["cp", "--manifest", "rows.csv"]);
        output.code(i32::from(!is_right));
        assert_eq!(stage.testbed.object(BUCKET, "b").is_some(), is_right, "{columns} {values}");
        stage.testbed.delete_object(BUCKET, "b");
    }
}

#[test]
fn options_of_a_source_are_for_copies_alone() {
    let stage = Stage::with_keys(&["a"]);
    stage.sandbox.write("f", "f");
    for arguments in [["s3://bucket/a", "."], ["f", "s3://bucket/"]] {
        let more = ["--source-endpoint-url", "http://127.0.0.1:1"];
        let output = stage.run([&["cp"], &arguments[..], &more].concat());
        output.code(2).stderr_has("are for copies from S3 to S3");
    }
    for more in [["--copy-parts-above", "6GiB"], ["--expected-size", "5"]] {
        stage.run([&["cp", "s3://bucket/a", "s3://bucket/b"], &more[..]].concat()).code(2);
    }
    assert_eq!(stage.keys(), ["a"]);
}
