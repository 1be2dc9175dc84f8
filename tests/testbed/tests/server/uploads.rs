//! Multipart uploads.

use std::fmt::Write as _;

use testbed::{Algorithm, Operation, Testbed};

use crate::client::{Client, Reply};

const PART: usize = 5 << 20;

struct Upload<'a> {
    client: &'a Client,
    id: String,
    etags: Vec<String>,
}

impl<'a> Upload<'a> {
    fn new(client: &'a Client, headers: &[(&str, &str)]) -> Self {
        let reply = client.post("/bucket/k?uploads", headers, "");
        let id = reply.element("UploadId").expect("an upload id");
        Self { client, id, etags: Vec::new() }
    }

    fn part(&mut self, bytes: &[u8], headers: &[(&str, &str)]) -> Reply {
        let number = self.etags.len() + 1;
        let path = format!("/bucket/k?partNumber={number}&uploadId={}", self.id);
        let reply = self.client.put(&path, headers, bytes);
        if let Some(etag) = reply.header("etag") {
            self.etags.push(etag.to_owned());
        }
        reply
    }

    fn complete(&self, numbers: &[usize], headers: &[(&str, &str)]) -> Reply {
        let mut xml = "<CompleteMultipartUpload>".to_owned();
        for number in numbers {
            let etag = &self.etags[number - 1];
            write!(xml, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
                .expect("writing to a string");
        }
        xml.push_str("</CompleteMultipartUpload>");
        self.client.post(&format!("/bucket/k?uploadId={}", self.id), headers, &xml)
    }
}

fn start() -> (Testbed, Client) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    (testbed, client)
}

#[test]
fn a_completed_upload_is_verified_against_the_crc_of_the_whole() {
    let (testbed, client) = start();
    let whole: Vec<u8> = (0..=250).cycle().take(2 * PART + 7).collect();
    let headers =
        [("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "FULL_OBJECT")];
    let mut upload = Upload::new(&client, &headers);
    for part in whole.chunks(PART) {
        assert_eq!(upload.part(part, &[]).status, 200);
    }
    assert_eq!(testbed.open_uploads("bucket")[0].parts, [1, 2, 3]);
    let wrong = [("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")];
    upload.complete(&[1, 2, 3], &wrong).assert_error(400, "BadDigest");
    let size = [("x-amz-mp-object-size", "1")];
    upload.complete(&[1, 2, 3], &size).assert_error(400, "InvalidRequest");
    upload.complete(&[2, 1], &[]).assert_error(400, "InvalidPartOrder");

    testbed.put_object("bucket", "whole", whole.clone());
    let expected = testbed.object("bucket", "whole").expect("an object").checksum.clone();
    let value = expected.expect("a checksum").value;
    let reply = upload.complete(&[1, 2, 3], &[("x-amz-checksum-crc64nvme", &value)]);
    assert_eq!((reply.status, reply.element("ChecksumCRC64NVME")), (200, Some(value)));
    let object = testbed.object("bucket", "k").expect("the object");
    assert!(object.bytes() == whole);
    assert!(object.etag.ends_with("-3"));
    upload.complete(&[1, 2, 3], &[]).assert_error(404, "NoSuchUpload");
    assert!(testbed.open_uploads("bucket").is_empty());
    assert_eq!(testbed.count(Operation::CompleteMultipartUpload), 5);
    let across = client.get("/bucket/k", &[("range", "bytes=5242878-5242881")]);
    assert_eq!(across.body, whole[PART - 2..PART + 2]);
}

#[test]
fn parts_are_held_to_the_rules() {
    let (testbed, client) = start();
    let mut upload = Upload::new(&client, &[("x-amz-checksum-algorithm", "CRC64NVME")]);
    upload
        .part(b"1", &[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")])
        .assert_error(400, "BadDigest");
    upload.part(b"1", &[("x-amz-checksum-crc32", "AAAAAA==")]).assert_error(400, "InvalidRequest");
    assert_eq!(upload.part(b"1", &[]).status, 200);
    assert_eq!(upload.part(b"2", &[]).status, 200);
    upload.complete(&[1, 2], &[]).assert_error(400, "EntityTooSmall");
    upload.etags[0] = "\"x\"".to_owned();
    upload.complete(&[1], &[]).assert_error(400, "InvalidPart");
    testbed.put_object("bucket", "k", "there already");
    upload.complete(&[2], &[("if-none-match", "*")]).assert_error(412, "PreconditionFailed");
    let abort = client.send("DELETE", &format!("/bucket/k?uploadId={}", upload.id), &[], b"");
    assert_eq!(abort.expect("a reply").status, 204);
    upload.part(b"3", &[]).assert_error(404, "NoSuchUpload");
}

#[test]
fn composite_checksums_need_every_parts_own() {
    let testbed = Testbed::builder().min_part_size(1).spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    let mut upload = Upload::new(&client, &[("x-amz-checksum-algorithm", "SHA256")]);
    upload.part(b"1", &[]);
    upload.complete(&[1], &[]).assert_error(400, "InvalidRequest");
    assert_eq!(testbed.open_uploads("bucket").len(), 1);
    assert!(Algorithm::from_name("SHA256").is_some());
}

#[test]
fn parts_are_copied_and_listed() {
    let testbed = Testbed::builder().min_part_size(1).spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    testbed.put_object("bucket", "source", "0123456789");
    let client = Client::new(&testbed);
    let mut upload = Upload::new(&client, &[]);
    let path = |number| format!("/bucket/k?partNumber={number}&uploadId={}", upload.id);
    for (number, range) in [(1, "bytes=5-9"), (2, "bytes=0-4")] {
        let source = [("x-amz-copy-source", "bucket/source"), ("x-amz-copy-source-range", range)];
        assert_eq!(client.put(&path(number), &source, b"").status, 200);
    }
    let parts = client.get(&format!("/bucket/k?uploadId={}", upload.id), &[]);
    upload.etags = parts.elements("ETag").iter().map(|etag| etag.replace("&quot;", "\"")).collect();
    assert_eq!(parts.elements("PartNumber"), ["1", "2"]);
    assert_eq!(client.get("/bucket?uploads", &[]).elements("Key"), ["k"]);
    assert_eq!(upload.complete(&[1, 2], &[]).status, 200);
    assert_eq!(testbed.object("bucket", "k").expect("the object").bytes(), "5678901234");
    assert_eq!(testbed.count(Operation::UploadPartCopy), 2);
}
