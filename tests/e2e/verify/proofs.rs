//! By what two sides are compared: every kind of stored checksum, cut alike or not, and what is
//! said where none of them can tell.

use testbed::{Algorithm, Fault, FaultKind, ObjectChecksum, Operation, PutOptions, Testbed};

use super::differences::{KINDS, options};
use super::{nothing_was_read, results, summary};
use crate::harness::{Output, content};
use crate::stage::{BUCKET, Stage};

const SIZE: u64 = 10_000;

fn by(output: &Output) -> String {
    let lines = output.json_lines();
    let line = lines.iter().find(|line| line["event"] == "compared");
    let by = &line.unwrap_or_else(|| panic!("nothing was compared\n{output}"))["by"];
    by.as_str().unwrap_or("nothing").to_owned()
}

fn algorithm(kind: ObjectChecksum) -> String {
    match kind {
        ObjectChecksum::None => "nothing".to_owned(),
        ObjectChecksum::FullObject(algorithm) => algorithm.name().to_lowercase(),
        ObjectChecksum::Composite(algorithm) => {
            format!("{}-parts", algorithm.name().to_lowercase())
        }
    }
}

#[test]
fn a_file_is_compared_by_whatever_checksum_the_object_has() {
    for kind in KINDS {
        let stage = Stage::new();
        let bytes = content("object", SIZE);
        stage.testbed.put_object_with(BUCKET, "object", bytes.clone(), &options(kind, 3000));
        stage.sandbox.write("file", &bytes);
        for args in [["s3://bucket/object", "file"], ["file", "s3://bucket/object"]] {
            let output = stage.haul().args(["verify", "--json"]).args(args).run();
            assert_eq!(by(output.code(0)), algorithm(kind), "{output}");
        }
        let asked = stage.testbed.count(Operation::GetObjectAttributes);
        let is_composite = matches!(kind, ObjectChecksum::Composite(_));
        assert_eq!(asked, if is_composite { 2 } else { 0 }, "{kind:?}");
        nothing_was_read(&stage);
    }
}

/// Equal bytes, and bytes of which one differs: what each pair of kinds can tell.
#[test]
fn two_objects_are_compared_by_what_both_have() {
    for one in KINDS {
        for other in KINDS {
            for parts in [3000, 4000] {
                let stage = Stage::new();
                let mut bytes = content("object", SIZE);
                let put = |key: &str, bytes: &[u8], kind, parts| {
                    let options = options(kind, parts).etag(format!("opaque-{key}"));
                    stage.testbed.put_object_with(BUCKET, key, bytes.to_vec(), &options);
                };
                put("a/p/equal", &bytes, one, 3000);
                put("b/p/equal", &bytes, other, parts);
                put("a/p/other", &bytes, one, 3000);
                bytes[4321] ^= 4;
                put("b/p/other", &bytes, other, parts);
                let output = stage.run(["verify", "--json", "s3://bucket/a/", "s3://bucket/b/"]);
                output.code(1);
                let results = results(&output);
                let wanted = if can_tell(one, other, parts == 3000) {
                    ["same", "content"]
                } else {
                    ["not_comparable", "not_comparable"]
                };
                assert_eq!([&results["equal"], &results["other"]], wanted, "{output}");
                nothing_was_read(&stage);
            }
        }
    }
}

fn can_tell(one: ObjectChecksum, other: ObjectChecksum, is_cut_alike: bool) -> bool {
    use ObjectChecksum::{Composite, FullObject};
    let is_crc = |algorithm| !matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256);
    match (one, other) {
        (FullObject(one), FullObject(other)) => one == other,
        (Composite(one), Composite(other)) => one == other && (is_crc(one) || is_cut_alike),
        // CRCs of parts make that of the whole.
        (FullObject(one), Composite(other)) | (Composite(one), FullObject(other)) => {
            one == other && is_crc(one)
        }
        _ => false,
    }
}

/// Equal ones say all, so that no other request is needed.
#[test]
fn equal_composites_are_the_same_though_no_parts_are_told() {
    let stage = Stage::new();
    let denied = Fault::new(Operation::GetObjectAttributes, FaultKind::access_denied()).always();
    stage.testbed.fault(denied);
    let bytes = content("object", SIZE);
    let sha = options(ObjectChecksum::Composite(Algorithm::Sha256), 3000);
    for key in ["a", "b"] {
        stage.testbed.put_object_with(BUCKET, key, bytes.clone(), &sha);
    }
    let output = stage.run(["verify", "--json", "s3://bucket/a", "s3://bucket/b"]);
    assert_eq!(by(output.code(0)), "sha256-parts", "{output}");
    assert_eq!(stage.testbed.count(Operation::GetObjectAttributes), 0);
    // A file can't be cut without them.
    stage.sandbox.write("file", bytes);
    let output = stage.run(["verify", "s3://bucket/a", "file"]);
    output.code(1).stdout_has("not comparable  s3://bucket/a -> file  ").stdout_has("sha256:");
    output.stderr_has("1 not comparable");
    nothing_was_read(&stage);
}

#[test]
fn an_etag_proves_only_what_it_can() {
    let plain = |stage: &Stage, key: &str, bytes: &str, etag: Option<&str>| {
        let mut options = PutOptions::new().checksum(ObjectChecksum::None);
        options.etag = etag.map(str::to_owned);
        stage.testbed.put_object_with(BUCKET, key, bytes.to_owned(), &options);
    };
    let stage = Stage::new();
    stage.sandbox.write("file", "bytes");
    plain(&stage, "md5", "bytes", None);
    let output = stage.run(["verify", "--json", "file", "s3://bucket/md5"]);
    assert_eq!(by(output.code(0)), "etag", "{output}");
    assert_eq!(summary(&output)["compared"]["same_by"]["etag"], 1);
    // Another tag is no proof of other bytes: it may be no MD5.
    plain(&stage, "other", "bytex", None);
    plain(&stage, "opaque", "bytes", Some("not-a-digest"));
    plain(&stage, "opaque-too", "bytex", Some("not-a-digest"));
    plain(&stage, "parts", "bytes", Some("4b3a6218bb3e3a7303e8a171a60fcf92-1"));
    for (source, destination) in [
        ("file", "s3://bucket/other"),
        ("file", "s3://bucket/opaque"),
        ("file", "s3://bucket/parts"),
        ("s3://bucket/md5", "s3://bucket/other"),
        ("s3://bucket/md5", "s3://bucket/opaque"),
        // Equal, but nothing says that they are digests.
        ("s3://bucket/opaque", "s3://bucket/opaque-too"),
    ] {
        let output = stage.run(["verify", source, destination]);
        output.code(1).stdout_has("not comparable  ").stdout_has("no checksum");
    }
    let equal = stage.run(["verify", "s3://bucket/opaque", "s3://bucket/opaque-too"]);
    equal.stdout_has("the ETags are equal");
    plain(&stage, "copy", "bytes", None);
    let output = stage.run(["verify", "--json", "s3://bucket/md5", "s3://bucket/copy"]);
    assert_eq!(by(output.code(0)), "etag", "{output}");
    nothing_was_read(&stage);
}

#[test]
fn objects_are_read_only_where_that_is_asked_for_and_needed() {
    const PART: u64 = 64 << 10;
    let stage = Stage::on(Testbed::builder().md5_etags(false).spawn().expect("a free port"));
    let plain = PutOptions::new().checksum(ObjectChecksum::None);
    let mut bytes = content("object", 5 * PART + 7);
    stage.testbed.put_object_with(BUCKET, "p/equal", bytes.clone(), &plain);
    stage.testbed.put_object(BUCKET, "p/stored", bytes.clone());
    stage.testbed.put_object_with(BUCKET, "p/other", bytes.clone(), &plain);
    stage.sandbox.write("tree/p/equal", &bytes);
    stage.sandbox.write("tree/p/stored", &bytes);
    bytes[200_000] ^= 1;
    stage.sandbox.write("tree/p/other", &bytes);
    stage.testbed.put_object(BUCKET, "q/p/other", bytes.clone());
    stage.testbed.put_object(BUCKET, "q/p/equal", content("object", 5 * PART + 7));
    stage.testbed.put_object(BUCKET, "q/p/stored", content("object", 5 * PART + 7));

    stage.run(["verify", "s3://bucket/p/", "tree/p"]).code(1).stderr_has("2 not comparable");
    nothing_was_read(&stage);
    let wanted = [("equal", "same"), ("other", "content"), ("stored", "same")];
    let wanted = wanted.map(|(name, result)| (name.to_owned(), result.to_owned()));
    for (destination, parts) in [("tree/p", 12), ("s3://bucket/q/p/", 12)] {
        stage.testbed.clear_requests();
        let verify = ["verify", "--json", "--read", "--part-size", "64KiB"];
        let output = stage.haul().args(verify).args(["s3://bucket/p/", destination]).run();
        output.code(1);
        assert_eq!(results(&output), wanted.clone().into(), "{output}");
        assert_eq!(summary(&output)["compared"]["same_by"]["read"], 1, "{output}");
        let read = stage.testbed.requests_of(Operation::GetObject);
        assert_eq!(read.len(), parts, "{output}");
        assert!(
            read.iter().all(|read| read.key.as_deref().is_some_and(|key| key.starts_with("p/")))
        );
        assert!(read.iter().all(|read| read.key.as_deref() != Some("p/stored")));
    }
}

/// A fault on the way is no difference.
#[test]
fn reading_goes_on_after_a_broken_body() {
    let stage = Stage::on(Testbed::builder().md5_etags(false).spawn().expect("a free port"));
    let plain = PutOptions::new().checksum(ObjectChecksum::None);
    let bytes = content("object", 300_000);
    stage.testbed.put_object_with(BUCKET, "object", bytes.clone(), &plain);
    stage.sandbox.write("file", bytes);
    let broken = Fault::new(Operation::GetObject, FaultKind::ResetInBody { after_bytes: 1000 });
    let broken = stage.testbed.fault(broken.times(2));
    stage.run(["verify", "--read", "file", "s3://bucket/object"]).code(0).stderr_has("by reading");
    assert_eq!(stage.testbed.hits(broken), 2);
}
