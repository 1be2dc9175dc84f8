//! Buckets that are elsewhere: found where the store says so, and never followed to where it
//! does not matter what a reply says.

use std::fmt::Write as _;
use std::net::TcpListener;

use testbed::{Bytes, Fault, FaultKind, Operation, Testbed};

use crate::stage::{BUCKET, Stage};

/// Two regions at one address: what tells them apart is what requests are signed for.
fn far_away() -> Stage {
    let stage = Stage::new();
    stage.testbed.create_bucket_in("far", "eu-west-1");
    for number in 0..100 {
        stage.testbed.put_object("far", &format!("p/{number}"), format!("object {number}"));
    }
    stage
}

#[test]
fn a_bucket_in_another_region_is_found_once() {
    let stage = far_away();
    stage.sandbox.write("up/file", "bytes");
    for words in [
        &["download", "s3://far/p/7", "out/"][..],
        &["download", "s3://far/p/", "out/"],
        &["upload", "up", "s3://far/up/"],
        &["upload", "up", "s3://far/up/", "--overwrite", "never"],
        &["ls", "s3://far/", "-r"],
    ] {
        stage.testbed.clear_requests();
        let output = stage.run(words);
        output.code(0);
        let elsewhere = moved(&stage.testbed);
        assert!((1..=2).contains(&elsewhere), "{elsewhere} requests went astray\n{output}");
        if words[0] != "ls" {
            assert_eq!(output.stderr.matches("far is in eu-west-1").count(), 1, "{output}");
        }
    }
    assert_eq!(stage.files("out").len(), 100);
}

#[test]
fn a_region_of_the_source_is_that_of_what_is_read_alone() {
    let stage = far_away();
    let run = |words: &[&str]| {
        stage.testbed.clear_requests();
        stage.run(words).code(0);
        moved(&stage.testbed)
    };
    assert_eq!(run(&["cp", "s3://far/p/7", "s3://bucket/a", "--source-region", "eu-west-1"]), 0);
    assert_eq!(run(&["mv", "s3://far/p/", "s3://bucket/b/", "--source-region", "eu-west-1"]), 0);
    let (to, from) = (["--region", "eu-west-1"], ["--source-region", "us-east-1"]);
    let back = ["cp", "s3://bucket/b/", "s3://far/back/"];
    assert_eq!(run(&[&back[..], &to, &from].concat()), 0);
    assert_ne!(run(&["cp", "s3://far/back/", "s3://bucket/c/"]), 0, "it is found without");
    assert_eq!(stage.object_text("a"), "object 7");
    let keys = stage.testbed.keys("far");
    assert_eq!(
        (keys.len(), keys.iter().filter(|key| key.starts_with("back/")).count()),
        (100, 100)
    );
    assert_eq!(stage.keys().len(), 201);
}

#[test]
fn a_manifest_of_many_regions_finds_each() {
    let stage = far_away();
    stage.testbed.create_bucket_in("farther", "ap-southeast-2");
    let mut rows = String::from("source\n");
    for number in 0..100 {
        stage.testbed.put_object("farther", &format!("q/{number}"), "bytes");
        stage.testbed.put_object(BUCKET, &format!("r/{number}"), "bytes");
        for place in ["far/p", "farther/q", "bucket/r"] {
            writeln!(rows, "s3://{place}/{number}").expect("a string takes all");
        }
    }
    stage.sandbox.write("rows.csv", rows);
    let output = stage.run(["download", "--manifest", "rows.csv", "out/", "--concurrency", "16"]);
    output.code(0);
    assert_eq!(stage.files("out").len(), 300);
    for found in ["far is in eu-west-1", "farther is in ap-southeast-2"] {
        assert_eq!(output.stderr.matches(found).count(), 1, "{output}");
    }
    let elsewhere = moved(&stage.testbed);
    assert!(elsewhere <= 16, "{elsewhere} requests went astray\n{output}");
}

#[test]
fn a_region_is_believed_in_all_the_places_where_s3_names_it() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>no</Message>\
                     <Region>eu-west-1</Region></Error>";
    let header = vec![("x-amz-bucket-region".to_owned(), "eu-west-1".to_owned())];
    for (operation, status, headers, body) in [
        (Operation::ListObjectsV2, 400, Vec::new(), malformed),
        (
            Operation::ListObjectsV2,
            301,
            header.clone(),
            "<Error><Code>PermanentRedirect</Code></Error>",
        ),
        (Operation::HeadObject, 400, header.clone(), ""),
        (Operation::HeadObject, 301, header, ""),
    ] {
        let stage = Stage::with_keys(&["a"]);
        stage.sandbox.write("b", "b");
        let body = Bytes::from_static(body.as_bytes());
        let fault = Fault::new(operation, FaultKind::Reply { status, headers, body });
        let fault = stage.testbed.fault(fault);
        let output = if operation == Operation::HeadObject {
            stage.run(["upload", "b", "s3://bucket/b", "--overwrite", "never"])
        } else {
            stage.run(["download", "s3://bucket/", "out/"])
        };
        output.code(0).stderr_has("bucket is in eu-west-1");
        assert_eq!(stage.testbed.hits(fault), 1);
        let requests = stage.testbed.requests();
        let signed = |request: &testbed::Request| {
            let text = request.header("authorization").unwrap_or_default();
            text.contains("/eu-west-1/s3/")
        };
        assert!(!signed(&requests[0]) && requests[1..].iter().all(signed), "{output}");
    }
}

#[test]
fn a_hostile_region_is_not_believed() {
    for region in ["evil.example#", "a/b", "x@y", "EU", ""] {
        let stage = Stage::with_keys(&["a"]);
        let headers = vec![("x-amz-bucket-region".to_owned(), region.to_owned())];
        let reply = FaultKind::Reply { status: 301, headers, body: Bytes::new() };
        stage.testbed.fault(Fault::any(reply).always());
        let output = stage.run(["download", "s3://bucket/a", "out"]);
        output.code(1).stderr_has("in another region").stderr_has("--region").no_escapes();
        output.stderr_lacks("would save");
        assert_eq!(stage.testbed.totals().requests, 1, "it was asked again\n{output}");
    }
}

#[test]
fn a_store_that_sends_from_region_to_region_is_not_followed() {
    let stage = Stage::with_keys(&["a"]);
    for (nth, region) in [(1, "eu-west-1"), (2, "eu-west-2"), (3, "us-east-1")] {
        let headers = vec![("x-amz-bucket-region".to_owned(), region.to_owned())];
        let reply = FaultKind::Reply { status: 301, headers, body: Bytes::new() };
        stage.testbed.fault(Fault::any(reply).nth(nth));
    }
    let output = stage.run(["download", "s3://bucket/a", "out"]);
    output.code(1).stderr_has("eu-west-2").stderr_has(&stage.testbed.endpoint());
    assert_eq!(stage.testbed.totals().requests, 2, "{output}");
}

#[test]
fn a_redirect_without_a_region_says_what_is_wrong() {
    let stage = Stage::with_keys(&["a"]);
    let reply = FaultKind::Reply { status: 301, headers: Vec::new(), body: Bytes::new() };
    stage.testbed.fault(Fault::any(reply).always());
    let output = stage.run(["download", "s3://bucket/a", "out"]);
    output.code(1).stderr_has("in another region").stderr_has(&stage.testbed.endpoint());
    assert_eq!(stage.testbed.totals().requests, 1, "it was asked again\n{output}");
}

#[test]
fn a_redirect_to_a_stranger_is_refused_and_nothing_is_sent_there() {
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a free port");
    stranger.set_nonblocking(true).expect("a socket");
    let host = stranger.local_addr().expect("it is bound");
    for status in [301, 302, 303, 307, 308] {
        for scheme in ["http", "https"] {
            let stage = Stage::with_keys(&["a"]);
            stage.sandbox.write("file", "bytes");
            let location =
                format!("{scheme}://name:pass@{host}/bucket/a?X-Amz-Security-Token=hush");
            let headers = vec![("location".to_owned(), location)];
            let reply = FaultKind::Reply { status, headers, body: Bytes::new() };
            stage.testbed.fault(Fault::any(reply).always());
            for words in [
                ["download", "s3://bucket/a", "out"],
                ["upload", "file", "s3://bucket/key"],
                ["ls", "s3://bucket/", "-r"],
            ] {
                let output = stage.run(words);
                output.code(1).stderr_has(&format!("`{host}`")).stderr_has("not followed");
                output.stderr_lacks("hush").stderr_lacks("pass");
            }
            assert!(stage.files("").iter().all(|name| name == "file"));
        }
    }
    assert!(stranger.accept().is_err(), "the stranger was called");
}

fn moved(testbed: &Testbed) -> usize {
    testbed.requests().iter().filter(|request| request.status == Some(301)).count()
}
