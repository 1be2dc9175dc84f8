//! What the store is asked of the parts that a source was uploaded in: once, and only where what it
//! says can be held against the copy.

use testbed::{Algorithm, Fault, FaultKind, ObjectChecksum, Operation, PutOptions, Testbed};

use super::{IN_PARTS, MIB};
use crate::harness::{Output, content};
use crate::stage::{BUCKET, Stage};

const SIZE: u64 = 12 * MIB;
const OFF: [&str; 2] = ["--verify", "off"];

/// An object of several parts, with nothing but a checksum of theirs.
fn stage(algorithm: Algorithm) -> Stage {
    let stage = Stage::on(Testbed::spawn());
    let options =
        PutOptions::new().checksum(ObjectChecksum::Composite(algorithm)).part_size(5 * MIB);
    stage.testbed.put_object_with(BUCKET, "k", content("k", SIZE), &options);
    stage
}

/// A row that says what all bytes of the object come to.
fn row(stage: &Stage, algorithm: Algorithm) {
    let options = PutOptions::new().checksum(ObjectChecksum::FullObject(algorithm));
    stage.testbed.put_object_with(BUCKET, "whole", content("k", SIZE), &options);
    let sum = stage.object("whole").checksum.expect("a checksum").value;
    let name = algorithm.name().to_lowercase();
    let rows =
        format!("source,destination,checksum\ns3://bucket/k,s3://bucket/copy,{name}:{sum}\n");
    stage.sandbox.write("rows.csv", rows);
}

#[test]
fn the_parts_of_a_source_are_asked_for_once_and_only_where_they_tell() {
    let (typed, rows) = (["s3://bucket/k", "s3://bucket/copy"], ["--manifest", "rows.csv"]);
    let (crc32, crc64, sha256) = (Algorithm::Crc32, Algorithm::Crc64Nvme, Algorithm::Sha256);
    let (whole, off, proven) = ([].as_slice(), OFF.as_slice(), "1 verified end to end");
    let off_in_parts = [&IN_PARTS[..], &OFF].concat();
    let (in_parts, off_in_parts) = (IN_PARTS.as_slice(), off_in_parts.as_slice());
    for (algorithm, what, more, asked, said) in [
        (crc32, typed, whole, 1, proven),
        (crc32, rows, whole, 1, proven),
        (crc32, typed, off, 0, "1 by length"),
        (crc32, rows, off, 1, "1 by length"),
        // Of hashes of parts comes none of the whole.
        (sha256, typed, whole, 0, "1 by length"),
        (crc64, typed, in_parts, 1, proven),
        (crc64, rows, in_parts, 1, proven),
        (crc64, typed, off_in_parts, 0, "1 by length"),
        (crc64, rows, off_in_parts, 1, "1 by length"),
        // The copy's parts have the kind of checksum that the source's have.
        (crc32, typed, in_parts, 1, proven),
        (crc32, typed, off_in_parts, 0, "1 by length"),
        // Or another.
        (sha256, typed, in_parts, 0, "1 by length"),
    ] {
        let stage = stage(algorithm);
        row(&stage, algorithm);
        let output = stage.haul().arg("cp").args(what).args(more).run();
        output.code(0).stderr_has(said);
        let times = stage.testbed.count(Operation::GetObjectAttributes);
        assert_eq!(times, asked, "{algorithm:?} {what:?} {more:?}");
        assert!(stage.object("copy").bytes() == stage.object("k").bytes());
    }
}

/// The reply to one part says that other bytes were copied.
fn copy_of_other_bytes(stage: &Stage, more: &[&str]) -> Output {
    let other = "<?xml version=\"1.0\"?><CopyPartResult><ETag>\"x\"</ETag>\
        <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></CopyPartResult>";
    let fault = Fault::new(Operation::UploadPartCopy, FaultKind::xml(other));
    stage.testbed.fault(fault.part(2).always());
    let cp = stage.haul().args(["cp", "s3://bucket/k", "s3://bucket/copy"]).args(IN_PARTS);
    cp.args(more).run()
}

#[test]
fn what_the_parts_of_a_source_say_comes_before_its_copy() {
    let stage = stage(Algorithm::Crc64Nvme);
    copy_of_other_bytes(&stage, &[]).code(1).stderr_has("the copy has crc64nvme:");
    assert_eq!(stage.testbed.count(Operation::CompleteMultipartUpload), 0);
    assert!(stage.testbed.open_uploads(BUCKET).is_empty());
}

/// Without a tag, nothing else says that all parts are of one version.
#[test]
fn a_source_without_a_tag_is_compared_whatever_is_typed() {
    let stage = stage(Algorithm::Crc64Nvme);
    let name = "etag".to_owned();
    stage
        .testbed
        .fault(Fault::new(Operation::HeadObject, FaultKind::RemoveHeader { name }).always());
    copy_of_other_bytes(&stage, &OFF).code(1).stderr_has("the copy has crc64nvme:");
    assert_eq!(stage.testbed.count(Operation::CompleteMultipartUpload), 0);
    stage.testbed.clear_faults();
    copy_of_other_bytes(&stage, &OFF).code(1).stderr_lacks("the copy has");
}
