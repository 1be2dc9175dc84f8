//! Which checksum of an object the store keeps: the usual one, the one that was asked for, or that of
//! the source of a copy.

use testbed::{Algorithm, ChecksumType, Fault, FaultKind, ObjectChecksum, Operation, PutOptions};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;
const KINDS: [(&str, Algorithm); 3] = [
    ("crc64nvme", Algorithm::Crc64Nvme),
    ("crc32c", Algorithm::Crc32c),
    ("CRC32", Algorithm::Crc32),
];

/// The object has such a checksum of all its bytes.
#[track_caller]
fn has(stage: &Stage, key: &str, algorithm: Algorithm) {
    let object = stage.object(key);
    let checksum = object.checksum.as_ref().expect("a checksum");
    assert_eq!(
        (checksum.algorithm, checksum.checksum_type),
        (algorithm, ChecksumType::FullObject),
        "{key}"
    );
}

#[test]
fn what_was_asked_for_is_kept_and_compared_by_every_kind_of_upload() {
    for (name, algorithm) in KINDS {
        let stage = Stage::new();
        stage.sandbox.fill("d/small", 10);
        stage.sandbox.fill("d/large", 12 * MIB);
        let kind = ["--checksum-algorithm", name];
        let upload = ["upload", "--verify", "require", "d", "s3://bucket/d/"];
        stage.haul().args(upload).args(kind).run().code(0).stderr_has("2 verified end to end");
        for (size, key) in [(10, "short"), (12 * MIB, "long")] {
            let destination = format!("s3://bucket/{key}");
            let command = stage.haul().stdin(content(key, size)).args(["upload", "-"]);
            command.arg(&destination).args(kind).run().code(0).stderr_has("1 verified end to end");
        }
        for key in ["d/small", "d/large", "short", "long"] {
            has(&stage, key, algorithm);
        }
        let down = ["download", "--verify", "require", "s3://bucket/d/", "out"];
        stage.run(down).code(0).stderr_has("2 verified end to end");
        let sync = ["sync", "--compare", "checksum", "d", "s3://bucket/d/"];
        stage.run(sync).code(0).stderr_has("2 skipped");
    }
    let stage = Stage::new();
    stage.sandbox.fill("f", 10);
    let unknown = ["upload", "f", "s3://bucket/", "--checksum-algorithm", "md5"];
    stage.run(unknown).code(2).stderr_has("crc64nvme, crc32c, crc32");
}

/// What the store says that it has is compared by each kind, and by no other one.
#[test]
fn a_part_that_the_store_has_otherwise_is_sent_again() {
    for (name, value, is_sent_again) in [
        ("crc64nvme", "AAAAAAAAAAA=", true),
        ("crc32c", "AAAAAA==", true),
        ("crc32", "AAAAAA==", true),
        ("crc32", "not base64", false),
    ] {
        let stage = Stage::new();
        stage.sandbox.fill("f", 12 * MIB);
        let header = format!("x-amz-checksum-{name}");
        let wrong = FaultKind::SetHeader { name: header, value: value.to_owned() };
        stage.testbed.fault(Fault::new(Operation::UploadPart, wrong).part(2));
        let upload = ["upload", "f", "s3://bucket/", "--checksum-algorithm", name];
        stage.run(upload).code(0).stderr_has("1 verified end to end");
        let sent = stage.testbed.count(Operation::UploadPart);
        assert_eq!(sent, if is_sent_again { 4 } else { 3 }, "{name} {value}");
    }
}

/// Parts with another checksum would be refused by the store.
#[test]
fn parts_of_an_earlier_run_with_another_checksum_are_sent_anew() {
    let stage = Stage::new();
    stage.sandbox.fill("f", 20 * MIB);
    let refuse = Fault::new(Operation::UploadPart, FaultKind::access_denied()).part(3);
    stage.testbed.fault(refuse.always());
    let upload = ["upload", "f", "s3://bucket/"];
    let kind = ["--checksum-algorithm", "crc32"];
    stage.haul().args(upload).args(kind).run().code(1);
    stage.testbed.clear_faults();
    stage.run(upload).code(0).stderr_has("1 verified end to end");
    has(&stage, "f", Algorithm::Crc64Nvme);
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

#[test]
fn copies_keep_the_kind_of_their_source_or_get_what_was_asked_for() {
    for (name, algorithm) in KINDS {
        let stage = Stage::new();
        let options = PutOptions::new().checksum(ObjectChecksum::FullObject(algorithm));
        stage.testbed.put_object_with(BUCKET, "k", content("k", 12 * MIB), &options);
        let parts = ["--copy-parts-above", "5MiB", "--part-size", "5MiB"];
        let cp = ["cp", "s3://bucket/k", "s3://bucket/copy", "--verify", "require"];
        stage.haul().args(cp).args(parts).run().code(0).stderr_has("1 verified end to end");
        has(&stage, "copy", algorithm);
        let kind = ["--checksum-algorithm", name];
        for more in [&[][..], &parts] {
            stage.testbed.put_object(BUCKET, "usual", content("k", 12 * MIB));
            let cp = ["cp", "s3://bucket/usual", "s3://bucket/typed"];
            stage.haul().args(cp).args(kind).args(more).run().code(0);
            has(&stage, "typed", algorithm);
            assert!(stage.object("typed").bytes() == stage.object("usual").bytes());
        }
        // Onto itself: for the checksum alone.
        let cp = ["cp", "s3://bucket/usual", "s3://bucket/usual", "--overwrite", "always"];
        stage.haul().args(cp).args(kind).run().code(0);
        has(&stage, "usual", algorithm);
        // Through memory, from another server.
        let other = Stage::new();
        let from = stage.testbed.endpoint();
        let cp = ["cp", "s3://bucket/k", "s3://bucket/far", "--source-endpoint-url", &from];
        other.run(cp).code(0).stderr_has("1 verified end to end");
        has(&other, "far", algorithm);
    }
}
