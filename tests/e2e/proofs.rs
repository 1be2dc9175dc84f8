//! What a transfer is verified by, and `--verify`: checksums of wholes, of parts, and none. What
//! was compared is said, and what can't be compared is never called verified.

use testbed::{
    Algorithm, Fault, FaultKind, ObjectChecksum, Operation, PutOptions, StoredObject, Testbed,
    WrongRange,
};

use crate::harness::{Output, content};
use crate::stage::{BUCKET, Stage};

const SIZE: u64 = 1_000_000;
/// Parts of the stored object, which are none of a download's.
const STORED_PART: u64 = 300_000;
const OLD: &str = "what was there before";
const COMPOSITES: [Algorithm; 4] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Sha1, Algorithm::Sha256];

#[test]
fn a_composite_checksum_is_verified_by_the_checksums_of_the_parts() {
    for algorithm in COMPOSITES {
        let stage = composite(algorithm);
        let output = download(&stage, &["--verify", "require"]);
        output.code(0).stderr_has("1 verified by their parts");
        let name = format!("{}-parts", algorithm.name().to_lowercase());
        let done = event(&output, "done");
        assert_eq!(done["verified"], name, "{output}");
        let summary = event(&output, "summary");
        assert_eq!((&summary["verified"], &summary["verified_by_parts"]), (&0.into(), &1.into()));
        assert!(stage.sandbox.read("out/object") == content("object", SIZE), "bytes differ");
        assert_eq!(stage.testbed.count(Operation::GetObjectAttributes), 1);
    }
}

/// Every page of a long list of parts counts.
#[test]
fn the_parts_of_a_composite_are_listed_to_their_end() {
    for size in [1000, 1001, 2500].map(|parts| parts * 100) {
        let stage = Stage::new();
        let options =
            PutOptions::new().checksum(ObjectChecksum::Composite(Algorithm::Crc32)).part_size(100);
        stage.testbed.put_object_with(BUCKET, "p/object", content("object", size), &options);
        let output = download(&stage, &["--verify", "require"]);
        output.code(0).stderr_has("1 verified by their parts");
        let pages = size.div_ceil(100_000);
        assert_eq!(stage.testbed.count(Operation::GetObjectAttributes) as u64, pages, "{output}");
    }
}

#[test]
fn a_flipped_bit_is_found_by_the_checksums_of_the_parts() {
    for algorithm in COMPOSITES {
        for (often, code) in [(1, 0), (u64::MAX, 1)] {
            let stage = composite(algorithm);
            let flip = Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 77 });
            let flip = stage.testbed.fault(flip.range_start(400_000).times(often));
            let output = download(&stage, &["--part-size", "400000"]);
            assert!(stage.testbed.hits(flip) > 0, "the fault never happened");
            output.code(code);
            if code == 0 {
                output.stderr_has("1 verified by their parts");
                assert!(stage.sandbox.read("out/object") == content("object", SIZE));
            } else {
                output.stderr_has("in part 2").stderr_has("--verify off");
                assert_eq!(stage.text("out/object"), OLD, "{output}");
            }
            stage.sandbox.no_leftovers("");
        }
    }
}

/// The parts are refused, unknown, another object's, or do not add up: then they prove nothing,
/// and are no reason to fail.
#[test]
fn parts_that_are_not_told_leave_length_and_etag() {
    for kind in untold() {
        let stage = composite(Algorithm::Crc32c);
        let fault = Fault::new(Operation::GetObjectAttributes, kind.clone()).always();
        let fault = stage.testbed.fault(fault);
        let output = download(&stage, &["--max-attempts", "2"]);
        output.code(0).stderr_has("1 by length and ETag only").stderr_lacks("verified");
        assert!(stage.testbed.hits(fault) > 0, "the fault never happened");
        assert!(stage.sandbox.read("out/object") == content("object", SIZE));
        assert_eq!(event(&output, "done")["verified"], "length", "{kind:?}");

        stage.sandbox.write("out/object", OLD);
        let output = download(&stage, &["--verify", "require", "--max-attempts", "2"]);
        output.code(1).stderr_has("no checksum that the bytes could be compared with");
        assert_eq!(stage.text("out/object"), OLD, "{output}");
        stage.sandbox.no_leftovers("");
    }
}

fn untold() -> Vec<FaultKind> {
    let attributes = |etag: &str, parts: &str| {
        FaultKind::xml(format!(
            "<GetObjectAttributesResponse><ETag>{etag}</ETag><ObjectParts>{parts}</ObjectParts>\
             </GetObjectAttributesResponse>"
        ))
    };
    let part = |number: u32, size: u64| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size>\
             <ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>"
        )
    };
    let etag = composite(Algorithm::Crc32c).object("p/object").etag;
    let headers = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
    vec![
        FaultKind::access_denied(),
        FaultKind::status(501, "NotImplemented"),
        FaultKind::internal_error(),
        FaultKind::HtmlBody,
        FaultKind::Reply { status: 200, headers, body: "no XML".into() },
        attributes("another", &part(1, SIZE)),
        attributes(&etag, &part(1, SIZE)),
        attributes(&etag, &part(1, SIZE - 1)),
        attributes(&etag, &(part(2, 10) + &part(1, SIZE - 10))),
        attributes(&etag, "<IsTruncated>true</IsTruncated>"),
        attributes(&etag, ""),
    ]
}

/// A server that does not know the request takes it for a GET, and sends the object.
#[test]
fn an_object_in_place_of_its_parts_is_not_read() {
    let stage = composite(Algorithm::Crc32c);
    let object = FaultKind::Reply {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/octet-stream".to_owned())],
        body: vec![7; 8 << 20].into(),
    };
    stage.testbed.fault(Fault::new(Operation::GetObjectAttributes, object).always());
    // Whoever reads it waits for its end.
    let stall = FaultKind::Stall { after_bytes: 1000 };
    stage.testbed.fault(Fault::new(Operation::GetObjectAttributes, stall).always());
    let output = download(&stage, &["--timeout", "60"]);
    output.code(0).stderr_has("1 by length and ETag only");
    assert!(output.took.as_secs() < 30, "it was read\n{output}");
    let asked = stage.testbed.count(Operation::GetObjectAttributes);
    assert_eq!(asked, 1, "it will not know the request the next time either");
}

#[test]
fn the_summary_says_how_many_were_verified_by_what() {
    let stage = composite(Algorithm::Sha256);
    stage.testbed.put_object(BUCKET, "p/whole", "bytes");
    put_plain(&stage, "p/plain");
    let output = download(&stage, &[]);
    output.code(0).stderr_has(
        "1 verified end to end, 1 verified by their parts, 1 by length and ETag only\n",
    );
    let summary = event(&output, "summary");
    assert_eq!(summary["verified"], 1);
    assert_eq!((&summary["verified_by_parts"], &summary["length_only"]), (&1.into(), &1.into()));
}

#[test]
fn folders_are_nothing_to_verify() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/folder/", "");
    stage.testbed.put_object(BUCKET, "p/folder/file", "bytes");
    let output = download(&stage, &["--verify", "require"]);
    output.code(0).stderr_has("1 verified end to end").stderr_lacks("only");
}

#[test]
fn an_object_without_a_checksum_fails_where_one_is_required() {
    for size in [100, 3 << 20] {
        let stage = Stage::new();
        let plain = PutOptions::new().checksum(ObjectChecksum::None);
        stage.testbed.put_object_with(BUCKET, "p/object", content("object", size), &plain);
        stage.testbed.put_object(BUCKET, "p/other", content("other", size));
        stage.sandbox.write("out/object", OLD);
        let output = download(&stage, &["--verify", "require", "--part-size", "1MiB"]);
        output.code(1).stderr_has("s3://bucket/p/object").stderr_has("--verify auto");
        output.stderr_has("1 verified end to end, 1 failed");
        assert_eq!(stage.text("out/object"), OLD, "it has its name\n{output}");
        assert!(stage.sandbox.read("out/other") == content("other", size));
        stage.sandbox.no_leftovers("");
        download(&stage, &["--part-size", "1MiB"]).code(0);
        assert!(stage.sandbox.read("out/object") == content("object", size));
    }
}

/// The head of the object can't be read, so that nobody knows of its checksum.
#[test]
fn a_checksum_that_is_not_told_fails_where_one_is_required() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/object", content("object", 3 << 20));
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::access_denied()).always());
    let output = download(&stage, &["--verify", "require", "--part-size", "1MiB"]);
    output.code(1).stderr_has("no checksum that the bytes could be compared with");
    assert!(stage.files("out").is_empty(), "{output}");
}

/// A store whose checksums are wrong: its objects fail, unless one knows better.
#[test]
fn a_wrong_checksum_of_right_bytes_fails_and_the_way_out_is_named() {
    for size in [3000, 3 << 20] {
        let stage = Stage::new();
        stage.testbed.put_object(BUCKET, "p/object", content("object", size));
        stage.sandbox.write("out/object", OLD);
        let wrong = || FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        stage.testbed.fault(Fault::new(Operation::HeadObject, wrong()).always());
        stage.testbed.fault(Fault::new(Operation::GetObject, wrong()).always());
        let output = download(&stage, &["--part-size", "1MiB"]);
        output.code(1).stderr_has("crc64nvme:AAAAAAAAAAA=").stderr_has("--verify off");
        assert_eq!(stage.text("out/object"), OLD, "{output}");
        stage.sandbox.no_leftovers("");
        let output = download(&stage, &["--part-size", "1MiB", "--verify", "off"]);
        output.code(0).stderr_has("1 by length and ETag only");
        assert!(stage.sandbox.read("out/object") == content("object", size));
    }
}

#[test]
fn without_verification_no_checksum_is_asked_for() {
    let stage = composite(Algorithm::Crc32);
    stage.testbed.put_object(BUCKET, "p/large", content("large", 3 << 20));
    let asked = |stage: &Stage| {
        let of = |operation| stage.testbed.count(operation);
        (of(Operation::HeadObject), of(Operation::GetObjectAttributes))
    };
    download(&stage, &["--part-size", "1MiB", "--verify", "off"])
        .code(0)
        .stderr_has("2 by length and ETag only");
    assert_eq!(asked(&stage), (0, 0));
    download(&stage, &["--part-size", "1MiB"]).code(0).stderr_lacks("only");
    assert_eq!(asked(&stage), (1, 1));
}

/// The first reply says that the object ends with it: the size must be known from two replies.
#[test]
fn without_verification_the_length_is_checked_all_the_same() {
    for destination in ["out/", "-"] {
        let stage = Stage::new();
        let bytes = content("object", 3 << 20);
        stage.testbed.put_object(BUCKET, "object", bytes.clone());
        let lie = FaultKind::WrongContentRange(WrongRange::Total(1 << 20));
        stage.testbed.fault(Fault::new(Operation::GetObject, lie).always());
        let args = ["download", "s3://bucket/object", destination, "--verify", "off"];
        let output = stage.haul().args(args).args(["--part-size", "1MiB"]).run();
        output.code(1).stderr_has("s3://bucket/object");
        assert!(stage.files("out").is_empty(), "{output}");
    }
}

/// Nothing else would tell the parts of two versions apart.
#[test]
fn without_an_etag_the_checksum_is_compared_whatever_was_asked_for() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/object", content("object", 3 << 20));
    stage.testbed.fault(Fault::new(Operation::GetObject, FaultKind::MissingETag).always());
    let flip = Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 7 });
    stage.testbed.fault(flip.range_start(1 << 20).always());
    let args = ["--part-size", "1MiB", "--verify", "off"];
    download(&stage, &args).code(1).stderr_has("crc64nvme:");
    assert!(stage.files("out").is_empty());
}

#[test]
fn what_a_manifest_says_holds_whatever_was_asked_for() {
    let stage = Stage::with_keys(&["k"]);
    put_plain(&stage, "plain");
    let rows = "key,path,checksum\nk,k,crc64nvme:AAAAAAAAAAA=\nplain,plain,sha256:00\n";
    let zeros = format!("sha256:{}", "00".repeat(32));
    stage.sandbox.write("wrong.csv", rows.replace("sha256:00", &zeros));
    let wrong = ["download", "--manifest", "wrong.csv", "s3://bucket/", "out", "--verify", "off"];
    stage.run(wrong).code(1).stderr_has("2 failed");
    assert!(stage.files("out").is_empty());
    // A checksum that the manifest gives is one, where the store has none.
    let right = sha256("plain bytes");
    stage.sandbox.write("right.csv", format!("key,path,checksum\nplain,plain,{right}\n"));
    let require = ["download", "--manifest", "right.csv", "s3://bucket/", "out"];
    let output = stage.haul().args(require).args(["--verify", "require"]).run();
    output.code(0).stderr_has("1 verified end to end");
}

#[test]
fn standard_output_is_verified_by_every_kind_of_checksum() {
    let whole = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Crc32, Algorithm::Crc64Nvme];
    let whole = whole.map(|algorithm| (ObjectChecksum::FullObject(algorithm), "end to end"));
    let parts =
        COMPOSITES.map(|algorithm| (ObjectChecksum::Composite(algorithm), "by their parts"));
    for (checksum, said) in whole.into_iter().chain(parts) {
        for size in [0, 100, 3 << 20] {
            let stage = Stage::new();
            let options = PutOptions::new().checksum(checksum).part_size(700_000);
            let bytes = content("object", size);
            stage.testbed.put_object_with(BUCKET, "object", bytes.clone(), &options);
            // The smallest number of requests must do, too.
            let out = ["download", "s3://bucket/object", "-", "--verify", "require"];
            let out = stage.haul().args(out).args(["--part-size", "1MiB", "--concurrency", "1"]);
            let output = out.run();
            output.code(0).stderr_has(&format!("1 verified {said}")).stdout_is(&bytes);
        }
        let stage = Stage::new();
        let options = PutOptions::new().checksum(checksum).part_size(700_000);
        stage.testbed.put_object_with(BUCKET, "object", content("object", 3 << 20), &options);
        let flip = Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 7 });
        stage.testbed.fault(flip.range_start(2 << 20));
        let output = stage.run(["download", "s3://bucket/object", "-", "--part-size", "1MiB"]);
        output.code(1).stderr_has("the downloaded bytes have ");
    }
}

#[test]
fn an_upload_of_which_the_store_tells_no_checksum_fails_where_one_is_required() {
    for size in [100, 6 << 20] {
        let stage = Stage::new();
        for operation in [Operation::PutObject, Operation::HeadObject] {
            let name = "x-amz-checksum-crc64nvme".to_owned();
            let unsaid = FaultKind::RemoveHeader { name };
            stage.testbed.fault(Fault::new(operation, unsaid).always());
        }
        // Else the reply tells it in its body.
        let lost = Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply);
        stage.testbed.fault(lost.always());
        stage.sandbox.fill("file", size);
        let upload = ["upload", "file", "s3://bucket/key", "--part-size", "5MiB", "--verify"];
        let output = stage.haul().args(upload).arg("require").run();
        output.code(1).stderr_has("s3://bucket/key was written and is there");
        assert_eq!(stage.object("key").len(), size, "the object is there, as it says");
        assert!(stage.testbed.open_uploads(BUCKET).is_empty());
        assert_eq!(stage.testbed.count(Operation::AbortMultipartUpload), 0, "nothing is open");
        for how in ["auto", "off"] {
            let output = stage.haul().args(upload).arg(how).run();
            output.code(0).stderr_has("1 by length and ETag only");
        }
    }
}

#[test]
fn an_upload_whose_checksum_is_told_later_is_verified_by_it() {
    let stage = Stage::new();
    let name = "x-amz-checksum-crc64nvme".to_owned();
    stage.testbed.fault(Fault::new(Operation::PutObject, FaultKind::RemoveHeader { name }));
    stage.sandbox.write("file", "bytes");
    let output = stage.run(["upload", "file", "s3://bucket/key", "--verify", "require"]);
    output.code(0).stderr_has("1 verified end to end");
    assert_eq!(stage.testbed.count(Operation::HeadObject), 1);
}

#[test]
fn wrong_replies_to_an_upload_are_taken_only_where_that_was_asked_for() {
    for size in [100, 6 << 20] {
        let stage = Stage::new();
        let wrong = FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        for operation in [Operation::PutObject, Operation::UploadPart] {
            stage.testbed.fault(Fault::new(operation, wrong.clone()).always());
        }
        stage.sandbox.fill("file", size);
        let upload = ["upload", "file", "s3://bucket/key", "--part-size", "5MiB"];
        let upload = || stage.haul().args(upload).args(["--max-attempts", "2"]);
        upload().run().code(1).stderr_has("AAAAAAAAAAA=");
        upload().args(["--verify", "off"]).run().code(0).stderr_has("1 by length and ETag only");
        assert!(stage.object("key").bytes() == content("file", size));
    }
}

#[test]
fn cp_verifies_as_told_in_both_directions() {
    let stage = Stage::new();
    put_plain(&stage, "plain");
    stage.sandbox.write("file", "bytes");
    let cp = |args: [&str; 2], how: &str| {
        stage.haul().arg("cp").args(args).args(["--verify", how]).run()
    };
    cp(["s3://bucket/plain", "out"], "require").code(1);
    cp(["s3://bucket/plain", "out"], "auto").code(0);
    cp(["file", "s3://bucket/up"], "require").code(0).stderr_has("1 verified end to end");
    cp(["file", "s3://bucket/up"], "off").code(0).stderr_has("1 by length and ETag only");
    cp(["file", "s3://bucket/up"], "perhaps").code(2).stderr_has("--verify");
}

/// An object of which the store has a checksum of parts only; something is where it will land.
fn composite(algorithm: Algorithm) -> Stage {
    let stage = Stage::on(Testbed::spawn());
    let options =
        PutOptions::new().checksum(ObjectChecksum::Composite(algorithm)).part_size(STORED_PART);
    stage.testbed.put_object_with(BUCKET, "p/object", content("object", SIZE), &options);
    stage.sandbox.write("out/object", OLD);
    let stored: StoredObject = stage.object("p/object");
    assert!(stored.checksum.is_some_and(|checksum| checksum.value.ends_with("-4")));
    stage
}

fn put_plain(stage: &Stage, key: &str) {
    let plain = PutOptions::new().checksum(ObjectChecksum::None);
    stage.testbed.put_object_with(BUCKET, key, "plain bytes", &plain);
}

fn download(stage: &Stage, args: &[&str]) -> Output {
    stage.haul().args(["download", "s3://bucket/p/", "out", "--json"]).args(args).run()
}

#[track_caller]
fn event(output: &Output, name: &str) -> serde_json::Value {
    let lines = output.json_lines();
    let found = lines.into_iter().find(|line| line["event"] == name);
    found.unwrap_or_else(|| panic!("there is no {name:?}\n{output}"))
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text);
    let hex: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}
