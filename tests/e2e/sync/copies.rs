//! From S3 to S3: by the store itself, or from one server to another.

use testbed::{Operation, Testbed};

use super::{NAMES, removals};
use crate::stage::{BUCKET, Stage};

fn below(testbed: &Testbed, bucket: &str, prefix: &str) -> Vec<String> {
    let keys = testbed.keys(bucket);
    keys.iter().filter_map(|key| key.strip_prefix(prefix)).map(str::to_owned).collect()
}

#[test]
fn two_prefixes_become_alike_and_a_second_run_copies_nothing() {
    for page in [1, 3, 1000] {
        let testbed = Testbed::builder().page_size(page).spawn().expect("a free port");
        let stage = Stage::on(testbed);
        stage.testbed.create_bucket("other");
        // Keys that no files could be are objects all the same.
        for name in NAMES.into_iter().chain(["a//b", "..", "d/", "/abs"]) {
            stage.testbed.put_object(BUCKET, &format!("p/{name}"), name);
        }
        for (bucket, uri) in [(BUCKET, "s3://bucket/q/"), ("other", "s3://other")] {
            let prefix = if bucket == BUCKET { "q/" } else { "" };
            stage.testbed.put_object(bucket, &format!("{prefix}a.b"), "another length");
            stage.testbed.put_object(bucket, &format!("{prefix}extra"), "x");
            stage.testbed.clear_requests();
            let output = stage.run(["sync", "s3://bucket/p/", uri, "--delete"]);
            output.code(0).stderr_has("13 objects, ").stderr_has("1 removed");
            let names = below(&stage.testbed, BUCKET, "p/");
            assert_eq!(below(&stage.testbed, bucket, prefix), names, "{output}");
            for name in &names {
                let copied = stage.testbed.object(bucket, &format!("{prefix}{name}"));
                assert_eq!(copied.expect("copied").bytes(), name.as_bytes());
            }
            assert_eq!(stage.testbed.count(Operation::GetObject), 0);
            stage.testbed.clear_requests();
            stage.run(["sync", "s3://bucket/p/", uri, "--delete"]).code(0).stderr_has("13 skipped");
            let asked = stage.testbed.requests();
            let mut asked = asked.iter().map(|request| request.operation);
            assert!(asked.all(|asked| asked == Operation::ListObjectsV2), "{page}");
        }
    }
}

/// Each side is listed, compared and written to where it is.
#[test]
fn a_sync_between_two_servers_takes_neither_for_the_other() {
    let (from, to) = (Stage::new(), Stage::new());
    for name in ["a", "b/c", "only-there"] {
        from.testbed.put_object(BUCKET, &format!("p/{name}"), name);
    }
    for name in ["a", "only-here"] {
        to.testbed.put_object(BUCKET, &format!("p/{name}"), name);
    }
    let endpoint = from.testbed.endpoint();
    let sync = |more: &[&str]| {
        let args = ["sync", "--source-endpoint-url", &endpoint, "s3://bucket/p/", "s3://bucket/p/"];
        to.haul().args(args).args(more).run()
    };
    sync(&["--delete", "--dry-run"]).code(0).stdout_has("remove  s3://bucket/p/only-here");
    sync(&["--delete"]).code(0).stderr_has("2 objects, ").stderr_has("1 removed");
    assert_eq!(to.keys(), ["p/a", "p/b/c", "p/only-there"]);
    assert_eq!(from.keys(), to.keys());
    assert_eq!((removals(&from), from.testbed.count(Operation::PutObject)), (0, 0));
    sync(&["--delete"]).code(0).stderr_has("3 skipped");
    // Content that differs is seen, and seen on the right side.
    to.testbed.put_object(BUCKET, "p/a", "A");
    sync(&["--compare", "checksum"]).code(0).stderr_has("1 object, ").stderr_has("2 skipped");
    assert_eq!(to.object_text("p/a"), "a");
    assert_eq!(from.object_text("p/a"), "a");
}

#[test]
fn a_side_that_is_part_of_the_other_is_refused() {
    let stage = Stage::with_keys(&["p/a", "p/q/b"]);
    for (source, destination) in [
        ("s3://bucket/p/", "s3://bucket/p/q/"),
        ("s3://bucket/p/q", "s3://bucket/p"),
        ("s3://bucket/p/", "s3://bucket/p/"),
        ("s3://bucket", "s3://bucket/p/"),
        ("s3://bucket/p/", "s3://bucket"),
        ("s3://bucket/p/x*", "s3://bucket/p/q/"),
    ] {
        let output = stage.run(["sync", source, destination, "--delete"]);
        output.code(2).stderr_has("are not apart");
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
    stage.run(["sync", "s3://bucket/p/", "s3://bucket/p2/"]).code(0).stderr_has("2 objects");
    assert_eq!(stage.keys(), ["p/a", "p/q/b", "p2/a", "p2/q/b"]);
}
