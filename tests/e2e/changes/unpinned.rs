//! Where a reply tells less than it should, or lies, and an `ETag` alone settles nothing: the size
//! and the checksum that other requests tell must do.

use testbed::{Fault, FaultKind, ObjectChecksum, Operation, PutOptions, Testbed, WrongRange};

use crate::harness::{Output, Sandbox, content, haul};

const PART: u64 = 1 << 20;
const SIZE: u64 = 4 * PART;
const OLD: &[u8] = b"what was there before";

/// The first reply says that the object ends with it: no other part is ever asked for.
#[test]
fn a_size_that_would_cut_the_object_off_is_not_believed() {
    let lie = || FaultKind::WrongContentRange(WrongRange::Total(PART));
    let (testbed, sandbox) = scene();
    testbed.fault(Fault::new(Operation::GetObject, lie()));
    download(&testbed, &sandbox, "s3://bucket/p/object").code(0).stderr_has("1 verified");
    assert!(sandbox.read("out/object") == content("object", SIZE));
    let (testbed, sandbox) = scene();
    testbed.fault(Fault::new(Operation::GetObject, lie()).always());
    let output = download(&testbed, &sandbox, "s3://bucket/p/object");
    output.code(1).stderr_has("s3://bucket/p/object");
    assert!(sandbox.read("out/object") == OLD, "the old file is gone\n{output}");
}

/// A chunked body without `Content-Length` that ends in good order, before its range does.
#[test]
fn a_body_that_ends_early_without_a_length_is_gone_on_with() {
    let short = FaultKind::ShortConsistent { length: 100 };
    without_a_length(&short, "the body ended at 300 of");
}

/// More than the range holds, and no `Content-Length` that says so before: those bytes are the next
/// part's place.
#[test]
fn a_body_that_goes_on_beyond_its_range_without_a_length_is_asked_for_again() {
    let gets =
        without_a_length(&FaultKind::ExtraBytes { count: 10 }, "more than 1048576 bytes came");
    assert_eq!(gets, 5, "four parts, one of them twice");
}

/// The third body is wrong, and has no `Content-Length`: once, and from there on, which `says` why.
/// How many requests it took where it was once.
#[track_caller]
fn without_a_length(wrong: &FaultKind, says: &str) -> usize {
    let mut gets = 0;
    for code in [1, 0] {
        let (testbed, sandbox) = scene();
        let name = "content-length".to_owned();
        for kind in [wrong.clone(), FaultKind::RemoveHeader { name }] {
            let fault = Fault::new(Operation::GetObject, kind);
            testbed.fault(if code == 0 { fault.nth(3) } else { fault.occurrence(3..=u64::MAX) });
        }
        let output = download(&testbed, &sandbox, "s3://bucket/p/object");
        output.code(code);
        let wanted = if code == 0 { content("object", SIZE) } else { OLD.to_vec() };
        assert!(sandbox.read("out/object") == wanted, "{output}");
        assert!(code == 0 || output.stderr.contains(says), "{output}");
        sandbox.no_leftovers("");
        gets = testbed.count(Operation::GetObject);
    }
    gets
}

/// Neither a range nor a checksum: only the listing and a second look know better.
#[test]
fn a_short_whole_object_without_a_checksum_is_not_believed() {
    for (fault, code) in [(short(), 0), (short().always(), 1)] {
        let (testbed, sandbox) = scene();
        let plain = PutOptions::new().checksum(ObjectChecksum::None);
        testbed.put_object_with("bucket", "p/object", content("small", 1000), &plain);
        testbed.fault(fault);
        let output = download(&testbed, &sandbox, "s3://bucket/p/");
        output.code(code);
        let wanted = if code == 0 { content("small", 1000) } else { OLD.to_vec() };
        assert!(sandbox.read("out/object") == wanted, "{output}");
    }
}

fn short() -> Fault {
    Fault::new(Operation::GetObject, FaultKind::ShortConsistent { length: 400 })
}

/// No checksum would tell of the mixture: only the `ETag` of every reply does.
#[test]
fn without_a_checksum_the_etag_of_every_reply_tells_versions_apart() {
    let changed = || Fault::new(Operation::GetObject, FaultKind::ChangedETag);
    for (fault, code) in [(changed().nth(3), 0), (changed().occurrence(3..=u64::MAX), 1)] {
        let (testbed, sandbox) = scene();
        let plain = PutOptions::new().checksum(ObjectChecksum::None);
        testbed.put_object_with("bucket", "p/object", content("object", SIZE), &plain);
        let fault = testbed.fault(fault);
        let output = download(&testbed, &sandbox, "s3://bucket/p/object");
        output.code(code);
        assert!(testbed.hits(fault) > 0);
        let wanted = if code == 0 { content("object", SIZE) } else { OLD.to_vec() };
        assert!(sandbox.read("out/object") == wanted, "{output}");
        sandbox.no_leftovers("");
    }
}

/// Some servers send no `ETag` with a GET: then nothing but the checksum can tell versions apart.
#[test]
fn without_an_etag_the_checksum_still_tells_versions_apart() {
    for (kind, retried) in [
        (FaultKind::FlipBit { at_byte: 7 }, true),
        (FaultKind::replace_object(content("second", SIZE)), true),
        (FaultKind::Delay(std::time::Duration::ZERO), false),
    ] {
        let (testbed, sandbox) = scene();
        testbed.fault(Fault::new(Operation::GetObject, FaultKind::MissingETag).always());
        let fault = testbed.fault(Fault::new(Operation::GetObject, kind).nth(3));
        let output = download(&testbed, &sandbox, "s3://bucket/p/object");
        output.code(0).stderr_has("1 verified end to end");
        assert_eq!(testbed.hits(fault), 1);
        assert_eq!(testbed.count(Operation::GetObject) > 4, retried, "{output}");
        let object = testbed.object("bucket", "p/object").expect("it is there");
        assert!(object.content.bytes() == sandbox.read("out/object"), "{output}");
        sandbox.no_leftovers("");
    }
}

/// A page of a proxy's, with `200`, in place of the object.
#[test]
fn a_page_in_place_of_an_object_is_not_taken_for_it() {
    let (testbed, sandbox) = scene();
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let page = FaultKind::Reply { status: 200, headers, body: "<html>sign in</html>".into() };
    testbed.fault(Fault::new(Operation::GetObject, page).always());
    let output = download(&testbed, &sandbox, "s3://bucket/p/object");
    output.code(1).stderr_has("s3://bucket/p/object");
    assert!(sandbox.read("out/object") == OLD, "the old file is gone\n{output}");
}

#[test]
fn standard_output_says_when_the_checksum_did_not_hold() {
    let (testbed, _sandbox) = scene();
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 7 }).nth(2));
    let stdout = haul().on(&testbed).args(["download", "s3://bucket/p/object", "-"]);
    let output = stdout.args(["--part-size", "1MiB"]).run();
    output.code(1).stderr_has("s3://bucket/p/object").stderr_has("crc64nvme:");
}

fn scene() -> (Testbed, Sandbox) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    testbed.put_object("bucket", "p/object", content("object", SIZE));
    let sandbox = Sandbox::new();
    sandbox.write("out/object", OLD);
    (testbed, sandbox)
}

fn download(testbed: &Testbed, sandbox: &Sandbox, source: &str) -> Output {
    let haul = haul().on(testbed).args(["download", source]).arg(sandbox.path("out"));
    haul.args(["--part-size", "1MiB", "--max-attempts", "3", "--no-resume"]).run()
}
