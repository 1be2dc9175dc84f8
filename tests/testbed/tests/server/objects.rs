//! Objects and listings.

use testbed::{Algorithm, ObjectChecksum, Operation, PutOptions, Testbed};

use crate::client::{Client, encode};

const HOSTILE: [&str; 14] = [
    "..",
    ".",
    "../x",
    "a//b",
    "/abs",
    "/",
    "//",
    "x",
    "x/y",
    "x/",
    "a\nb\u{1}\t",
    "ünï \u{10FFFF}",
    "a b+c%41",
    "~*'()!&<>\"\\",
];

fn start() -> (Testbed, Client) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    (testbed, client)
}

#[test]
fn hostile_keys_are_stored_read_and_listed_as_they_are() {
    let (testbed, client) = start();
    for key in HOSTILE {
        let path = format!("/bucket/{}", encode(key));
        assert_eq!(client.put(&path, &[], key.as_bytes()).status, 200, "{key:?}");
        assert_eq!(client.get(&path, &[]).body, key.as_bytes(), "{key:?}");
        let object = testbed.object("bucket", key).expect("the object just put");
        assert_eq!(object.bytes(), key);
    }
    let mut sorted = HOSTILE.map(str::to_owned);
    sorted.sort();
    assert_eq!(testbed.keys("bucket"), sorted);

    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/bucket?{token}encoding-type=url&list-type=2&max-keys=3");
        let page = client.get(&path, &[]);
        listed.extend(page.elements("Key"));
        match page.element("NextContinuationToken") {
            Some(next) => token = format!("continuation-token={}&", encode(&next)),
            None => break,
        }
    }
    assert_eq!(listed.len(), HOSTILE.len());
    assert!(listed.contains(&"a%0Ab%01%09".to_owned()), "{listed:?}");
    assert!(listed.contains(&"a+b%2Bc%2541".to_owned()), "{listed:?}");
}

#[test]
fn keys_are_grouped_at_the_delimiter() {
    let (testbed, client) = start();
    for key in ["a/1", "a/2", "b", "c/d/e"] {
        testbed.put_object("bucket", key, "");
    }
    let page = client.get("/bucket?delimiter=%2F&list-type=2", &[]);
    assert_eq!(page.elements("Key"), ["b"]);
    assert_eq!(page.elements("Prefix"), ["", "a/", "c/"]);
    assert_eq!(
        client.get("/bucket?list-type=2&prefix=a%2F&start-after=a%2F1", &[]).elements("Key"),
        ["a/2"]
    );
}

#[test]
fn ranges_and_conditions_answer_as_s3_does() {
    let (testbed, client) = start();
    let etag = testbed.put_object("bucket", "k", "0123456789");
    for (range, body, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let reply =
            client.get("/bucket/k", &[("range", range), ("x-amz-checksum-mode", "ENABLED")]);
        assert_eq!((reply.status, reply.text().as_str()), (206, body));
        assert_eq!(reply.header("content-range"), Some(content_range));
        assert_eq!(reply.header("x-amz-checksum-crc64nvme"), None);
    }
    let beyond = client.get("/bucket/k", &[("range", "bytes=10-")]);
    beyond.assert_error(416, "InvalidRange");
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));

    let etag = format!("\"{etag}\"");
    assert_eq!(client.get("/bucket/k", &[("if-match", &etag)]).status, 200);
    assert_eq!(client.get("/bucket/k", &[("if-none-match", &etag)]).status, 304);
    client.get("/bucket/k", &[("if-match", "\"x\"")]).assert_error(412, "PreconditionFailed");
    client.put("/bucket/k", &[("if-none-match", "*")], b"").assert_error(412, "PreconditionFailed");
    client.get("/bucket/none", &[]).assert_error(404, "NoSuchKey");
    client.get("/nowhere/k", &[]).assert_error(404, "NoSuchBucket");
    let head = client.send("HEAD", "/bucket/k", &[], b"").expect("a reply");
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
}

#[test]
fn a_range_carries_the_checksum_of_the_whole_only_where_asked_to() {
    let testbed = Testbed::builder().checksum_on_range().spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    testbed.put_object("bucket", "k", "123456789");
    let reply = Client::new(&testbed).get("/bucket/k", &[("range", "bytes=0-1")]);
    assert_eq!(reply.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
}

#[test]
fn checksums_of_a_put_are_verified_and_kept() {
    let (testbed, client) = start();
    let good = [("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")];
    assert_eq!(client.put("/bucket/k", &good, b"123456789").status, 200);
    client.put("/bucket/k", &good, b"123456780").assert_error(400, "BadDigest");
    let md5 = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    client.put("/bucket/k", &md5, b"not empty").assert_error(400, "BadDigest");
    let object = testbed.object("bucket", "k").expect("the first put");
    assert_eq!(object.bytes(), "123456789");
    assert_eq!(object.etag, "25f9e794323b453885f5181f1b624d0b");
    let reply = client.get("/bucket/k", &[("x-amz-checksum-mode", "ENABLED")]);
    assert_eq!(reply.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
    assert_eq!(reply.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
}

#[test]
fn attributes_come_back_as_they_were_sent() {
    let (testbed, client) = start();
    let sent = [
        ("cache-control", "no-store"),
        ("content-disposition", "attachment"),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-type", "text/x"),
        ("expires", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("x-amz-meta-a", "1"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let mut all = sent.to_vec();
    all.extend([("x-amz-acl", "private"), ("x-amz-tagging", "t=1%202&u")]);
    assert_eq!(client.put("/bucket/k", &all, b"").status, 200);
    let reply = client.get("/bucket/k", &[]);
    for (name, value) in sent {
        assert_eq!(reply.header(name), Some(value));
    }
    assert_eq!(reply.header("x-amz-tagging-count"), Some("2"));
    let object = testbed.object("bucket", "k").expect("the object just put");
    assert_eq!(object.attributes.tags["t"], "1 2");
    assert_eq!(object.attributes.acl["x-amz-acl"], "private");
}

#[test]
fn objects_put_directly_look_as_told() {
    let (testbed, client) = start();
    let in_parts = PutOptions::new()
        .checksum(ObjectChecksum::Composite(Algorithm::Sha256))
        .part_size(4)
        .metadata("a", "b");
    let etag = testbed.put_object_with("bucket", "parts", "0123456789", &in_parts);
    assert!(etag.ends_with("-3"));
    let reply = client.get("/bucket/parts", &[("x-amz-checksum-mode", "ENABLED")]);
    assert_eq!(reply.header("x-amz-checksum-type"), Some("COMPOSITE"));
    assert!(reply.header("x-amz-checksum-sha256").is_some_and(|value| value.ends_with("-3")));
    assert_eq!(client.get("/bucket/parts?partNumber=3", &[]).text(), "89");
    let attributes = [("x-amz-object-attributes", "ObjectParts,ObjectSize")];
    let reply = client.get("/bucket/parts?attributes", &attributes);
    assert_eq!(reply.elements("Size"), ["4", "4", "2"]);

    let archived = PutOptions::new().storage_class("GLACIER");
    testbed.put_object_with("bucket", "cold", "x", &archived);
    client.get("/bucket/cold", &[]).assert_error(403, "InvalidObjectState");

    testbed.put_synthetic("bucket", "big", 20_000_001, 7);
    let big = testbed.object("bucket", "big").expect("the object just put");
    let crc = Algorithm::Crc64Nvme.digest(&big.bytes());
    let value = big.checksum.as_ref().map(|checksum| checksum.value.clone());
    assert_eq!(big.len(), 20_000_001);
    assert_eq!(value.map(|v| v.len()), Some(12));
    assert_eq!(crc.len(), 8);
}

#[test]
fn many_are_deleted_and_copied_at_once() {
    let (testbed, client) = start();
    for key in ["..", "a//b", "c"] {
        testbed.put_object("bucket", key, key);
    }
    let source = [("x-amz-copy-source", "bucket/..")];
    assert_eq!(client.put("/bucket/copy", &source, b"").status, 200);
    assert_eq!(testbed.object("bucket", "copy").expect("the copy").bytes(), "..");
    let delete = "<Delete><Object><Key>..</Key></Object><Object><Key>a//b</Key></Object></Delete>";
    client.post("/bucket?delete", &[], delete).assert_error(400, "InvalidRequest");
    let checksum = [("x-amz-checksum-crc32", "AAAAAA==")];
    let reply = client.post("/bucket?delete", &checksum, delete);
    assert_eq!(reply.elements("Key"), ["..", "a//b"]);
    assert_eq!(testbed.keys("bucket"), ["c", "copy"]);
    assert_eq!(testbed.count(Operation::DeleteObjects), 2);
}

#[test]
fn wrong_credentials_and_regions_are_refused() {
    let (testbed, mut client) = start();
    testbed.create_bucket_in("elsewhere", "eu-west-1");
    let moved = client.get("/elsewhere?list-type=2", &[]);
    moved.assert_error(301, "PermanentRedirect");
    assert_eq!(moved.header("x-amz-bucket-region"), Some("eu-west-1"));
    client.secret = "WRONG".to_owned();
    client.get("/bucket/k", &[]).assert_error(403, "SignatureDoesNotMatch");
    client.access_key = "OTHER".to_owned();
    client.get("/bucket/k", &[]).assert_error(403, "InvalidAccessKeyId");
    testbed.add_credentials("OTHER", "WRONG");
    client.get("/bucket/k", &[]).assert_error(404, "NoSuchKey");
}

#[test]
fn chunked_uploads_are_verified_against_their_trailer() {
    let (testbed, client) = start();
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
    ];
    let body = |sum: &str| {
        format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc64nvme:{sum}\r\n\r\n").into_bytes()
    };
    let wrong = client.put("/bucket/k", &headers, &body("AAAAAAAAAAA="));
    wrong.assert_error(400, "BadDigest");
    let right = client.put("/bucket/k", &headers, &body("rosUhgp5mIg="));
    assert_eq!(right.status, 200);
    let object = testbed.object("bucket", "k").expect("the object just put");
    assert_eq!(object.bytes(), "123456789");
    assert_eq!(object.attributes.content_encoding, None);

    let digest = "0".repeat(64);
    let signed = client.put("/bucket/k", &[("x-amz-content-sha256", &digest)], b"x");
    signed.assert_error(400, "XAmzContentSHA256Mismatch");
}
