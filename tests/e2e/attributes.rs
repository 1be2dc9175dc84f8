//! What an object has besides its bytes: each attribute is stored by a single PUT, by a multipart
//! upload and by a stream alike. A flag that one of them drops would go unseen for months.

use std::collections::BTreeMap;

use testbed::{Attributes, Operation};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const MIB: u64 = 1 << 20;

const EVERYTHING: [&str; 34] = [
    "--content-type",
    "text/x-test; charset=utf-8",
    "--content-encoding",
    "gzip",
    "--content-disposition",
    "attachment; filename=\"a b.txt\"",
    "--content-language",
    "en-GB",
    "--cache-control",
    "max-age=60, public",
    "--expires",
    "2030-01-31T00:00:00Z",
    "--metadata",
    "colour=blue=green",
    "--metadata",
    "shape=round",
    "--metadata",
    "empty=",
    "--tag",
    "team=a&b=c",
    "--tag",
    "Umlaut ä=+ %",
    "--storage-class",
    "STANDARD_IA",
    "--acl",
    "bucket-owner-full-control",
    "--sse",
    "aws:kms",
    "--sse-kms-key-id",
    "arn:aws:kms:us-east-1:1:key/x",
    "--website-redirect",
    "/other/key",
    "--overwrite",
    "always",
];

#[test]
fn every_attribute_is_stored_by_every_kind_of_upload() {
    let stage = Stage::new();
    stage.sandbox.fill("small", 10);
    stage.sandbox.fill("large", 20 * MIB);
    let upload = |source: &str, key: &str, input: Vec<u8>| {
        let command = stage.haul().stdin(input).args(["upload", source]);
        command.arg(format!("s3://bucket/{key}")).args(EVERYTHING).run().code(0);
    };
    upload("small", "single", Vec::new());
    upload("large", "multipart", Vec::new());
    upload("-", "short-stream", content("stream", 10));
    upload("-", "long-stream", content("stream", 20 * MIB));
    for key in ["single", "multipart", "short-stream", "long-stream"] {
        let object = stage.object(key);
        assert_eq!(object.parts.is_empty(), object.len() == 10, "{key}");
        assert_everything(&object.attributes, key);
    }
}

#[track_caller]
fn assert_everything(found: &Attributes, key: &str) {
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(found.content_type, text("text/x-test; charset=utf-8"), "{key}");
    assert_eq!(found.content_encoding, text("gzip"), "{key}");
    assert_eq!(found.content_disposition, text("attachment; filename=\"a b.txt\""), "{key}");
    assert_eq!(found.content_language, text("en-GB"), "{key}");
    assert_eq!(found.cache_control, text("max-age=60, public"), "{key}");
    assert_eq!(found.expires, text("Thu, 31 Jan 2030 00:00:00 GMT"), "{key}");
    assert_eq!(found.storage_class, text("STANDARD_IA"), "{key}");
    assert_eq!(found.website_redirect, text("/other/key"), "{key}");
    let metadata = [("colour", "blue=green"), ("empty", ""), ("shape", "round")];
    assert_eq!(found.metadata, map(&metadata), "{key}");
    assert_eq!(found.tags, map(&[("Umlaut ä", "+ %"), ("team", "a&b=c")]), "{key}");
    assert_eq!(found.acl, map(&[("x-amz-acl", "bucket-owner-full-control")]), "{key}");
    let encryption = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-east-1:1:key/x"),
    ];
    assert_eq!(found.encryption, map(&encryption), "{key}");
}

#[test]
fn nothing_is_stored_that_was_not_asked_for() {
    let stage = Stage::new();
    for (name, size) in [("small.bin", 10), ("large.bin", 20 * MIB)] {
        stage.sandbox.fill(name, size);
        stage.run(["upload", name, "s3://bucket/"]).code(0);
        let content_type = Some("application/octet-stream".to_owned());
        let wanted = Attributes { content_type, ..Attributes::default() };
        assert_eq!(*stage.object(name).attributes, wanted, "{name}");
    }
}

#[test]
fn the_content_type_is_guessed_from_the_key() {
    let stage = Stage::new();
    let files = [
        ("a.html", "text/html"),
        ("b.json", "application/json"),
        ("c.PNG", "image/png"),
        ("d.tar.gz", "application/gzip"),
        ("e.unheard-of", "application/octet-stream"),
        ("noname", "application/octet-stream"),
    ];
    for (file, _) in files {
        stage.sandbox.write(format!("d/{file}"), "x");
    }
    stage.run(["upload", "d", "s3://bucket/"]).code(0);
    for (file, content_type) in files {
        let found = stage.object(file).attributes.content_type.clone();
        assert_eq!(found.as_deref(), Some(content_type), "{file}");
    }
    stage.run(["upload", "d/noname", "s3://bucket/page.css"]).code(0);
    let found = stage.object("page.css").attributes.content_type.clone();
    assert_eq!(found.as_deref(), Some("text/css"));
}

#[test]
fn a_key_of_ones_own_goes_with_every_request_for_the_bytes() {
    let stage = Stage::new();
    stage.sandbox.write("raw.key", [7_u8; 32]);
    stage.sandbox.write("base64.key", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
    for (key_file, size) in [("raw.key", 10), ("base64.key", 20 * MIB)] {
        stage.sandbox.fill("f", size);
        let with_key = ["--sse-c-key-file", key_file];
        stage.haul().args(["upload", "f", "s3://bucket/f"]).args(with_key).run().code(0);
        stage.haul().args(["download", "s3://bucket/f", "back"]).args(with_key).run().code(0);
        assert!(stage.sandbox.read("back") == stage.sandbox.read("f"), "{size} bytes differ");
        let encryption = stage.object("f").attributes.encryption.clone();
        let algorithm = encryption.get("x-amz-server-side-encryption-customer-algorithm");
        assert_eq!(algorithm.map(String::as_str), Some("AES256"), "{size} bytes");
        stage.run(["download", "s3://bucket/f", "without"]).code(1);
        assert!(!stage.sandbox.path("without").exists());
    }
}

#[test]
fn requests_that_someone_else_would_pay_for_say_so() {
    let stage = Stage::new();
    stage.sandbox.fill("d/small", 10);
    stage.sandbox.fill("d/large", 20 * MIB);
    stage.run(["upload", "--request-payer", "d", "s3://bucket/"]).code(0);
    stage.run(["download", "--request-payer", "s3://bucket/", "out"]).code(0);
    for request in stage.testbed.requests() {
        let payer = request.header("x-amz-request-payer");
        assert_eq!(payer, Some("requester"), "{} {}", request.method, request.path);
    }
}

#[test]
fn bodies_are_signed_where_told_and_checked_in_any_case() {
    for (flag, is_signed) in [(None, false), (Some("--sign-payload"), true)] {
        let stage = Stage::new();
        stage.sandbox.fill("d/small", 10);
        stage.sandbox.fill("d/large", 20 * MIB);
        stage.haul().args(["upload", "d", "s3://bucket/"]).args(flag).run().code(0);
        let bodies = [Operation::PutObject, Operation::UploadPart].into_iter();
        for request in bodies.flat_map(|operation| stage.testbed.requests_of(operation)) {
            let digest = request.header("x-amz-content-sha256").expect("every request has it");
            assert_eq!(digest != "UNSIGNED-PAYLOAD", is_signed, "{}", request.path);
            assert!(request.header("x-amz-checksum-crc64nvme").is_some(), "{}", request.path);
            assert!(request.header("x-amz-trailer").is_none(), "{}", request.path);
        }
        assert!(stage.testbed.open_uploads(BUCKET).is_empty());
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
