//! Replies that no store should send: statuses that make no sense, heads and bodies of any size,
//! bytes that are no HTTP, and errors that take their time to pass.

use std::time::Duration;

use testbed::{Bytes, Disruption, Fault, FaultKind, Operation, Proxy, Rule};

use super::scene::{BUCKET, OLD, Scene};
use crate::harness::{Output, for_each, haul};

/// What a client may take of a reply that would not end: what it reads before it hangs up, and
/// what the system holds for it on the way.
const BOUND: u64 = 24 << 20;

/// Downloads an object through the proxy, onto an old file.
fn download(scene: &Scene, proxy: &Proxy, attempts: &str) -> Output {
    scene.sandbox.write("out/object", OLD);
    let haul = haul().on(proxy).args(["download", "s3://bucket/p/object"]);
    let haul = haul.arg(scene.sandbox.path("out")).args(["--part-size", "1MiB"]);
    haul.args(["--timeout", "5", "--max-attempts", attempts]).run()
}

fn behind(seed: u64) -> (Scene, Proxy) {
    let scene = Scene::new();
    let proxy = Proxy::before(&scene.testbed, seed);
    (scene, proxy)
}

fn answer(head: &str) -> Disruption {
    Disruption::Answer(Bytes::from(head.to_owned()))
}

/// Once it is a retry, for ever it is an error: never a file, and never the old one gone.
#[test]
fn replies_that_make_no_sense_are_asked_for_again_and_never_believed() {
    let no_http = Bytes::from_static(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 SSH-2.0");
    let nonsense = [
        answer("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n"),
        answer("HTTP/1.1 204 No Content\r\n\r\n"),
        answer("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\netag: \"x\"\r\n\r\n"),
        answer("HTTP/1.1 200 OK\r\netag: \"x\"\r\n\r\n"),
        answer("HTTP/1.1 206 Partial Content\r\netag: \"x\"\r\ncontent-length: 3\r\n\r\nabc"),
        answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"),
        answer("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        answer("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n"),
        answer("HTTP/9.9 200 OK\r\n\r\n"),
        answer("HTTP/1.1 400 Bad Request\r\ncontent-length: 25\r\n\r\n<?xml vershon=\"1.0\"?><Err"),
        answer("HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\n<?xml"),
        answer("HTTP/1.1 200 OK\r\nno header\r\n\r\n"),
        answer(""),
        Disruption::Answer(no_http),
        Disruption::HeaderBomb { headers: 1, length: 1 << 20 },
        Disruption::HeaderBomb { headers: 10_000, length: 10 },
        Disruption::HeaderBomb { headers: u64::MAX, length: 1000 },
        Disruption::OversizedError { status: 500, bytes: 200 << 20 },
    ];
    for_each(&nonsense, |nonsense| {
        let (scene, proxy) = behind(1);
        let bytes = scene.object("object", 2 << 20);
        let rule = proxy.rule(Rule::new(nonsense.clone()).method("GET"));
        download(&scene, &proxy, "3").code(0).stderr_has("1 verified end to end");
        assert_eq!(proxy.hits(rule), 1);
        assert!(scene.sandbox.read("out/object") == bytes, "bytes differ");

        proxy.rule(Rule::new(nonsense.clone()).method("GET").always());
        let output = download(&scene, &proxy, "2");
        output.code(1).stderr_has("could not read s3://bucket/p/object");
        assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
        assert!(scene.sandbox.read("out/object") == OLD, "{output}");
        scene.sandbox.no_leftovers("");
        let taken = proxy.answered_bytes();
        assert!(taken < 3 * BOUND, "{taken} bytes were taken in");
    });
}

/// These are an answer, though not the one that was asked for.
#[test]
fn redirects_and_refusals_without_words_are_final() {
    for status in [300, 303, 400, 405, 418] {
        let (scene, proxy) = behind(1);
        scene.object("object", 100);
        let reply = format!(
            "HTTP/1.1 {status} No\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
        );
        let rule = proxy.rule(Rule::new(answer(&reply)).method("GET").always());
        let output = download(&scene, &proxy, "3");
        output.code(1).stderr_has(&status.to_string()).stderr_has("s3://bucket/p/object");
        assert_eq!(proxy.hits(rule), 1, "there is no point in another try\n{output}");
        assert!(scene.sandbox.read("out/object") == OLD, "{output}");
    }
}

#[test]
fn a_few_interim_replies_are_passed_over_and_a_flood_is_not_waited_out() {
    let (scene, proxy) = behind(1);
    let bytes = scene.object("object", 2 << 20);
    proxy.rule(Rule::new(Disruption::Interim(100)).method("GET"));
    download(&scene, &proxy, "1").code(0);
    assert!(scene.sandbox.read("out/object") == bytes);
    proxy.rule(Rule::new(Disruption::Interim(u64::MAX)).method("GET").always());
    let output = download(&scene, &proxy, "1");
    output.code(1).stderr_has("s3://bucket/p/object");
    assert!(output.took < Duration::from_secs(20), "{output}");
    assert!(scene.sandbox.read("out/object") == OLD);
}

/// For uploads and listings, too: what is read into memory is bounded.
#[test]
fn an_error_that_does_not_end_is_not_taken_in() {
    let (scene, proxy) = behind(1);
    let file = scene.sandbox.fill("object", 20_000);
    for (method, is_listing) in [("PUT", false), ("GET", true)] {
        let before = proxy.answered_bytes();
        let bomb = Disruption::OversizedError { status: 503, bytes: 200 << 20 };
        let rule = proxy.rule(Rule::new(bomb).method(method).always());
        let haul = haul().on(&proxy);
        let haul = if is_listing {
            haul.args(["download", "s3://bucket/p/"]).arg(scene.sandbox.path("out/"))
        } else {
            haul.arg("upload").arg(&file).arg("s3://bucket/p/")
        };
        let output = haul.args(["--max-attempts", "2"]).run();
        output.code(1).stderr_has("503 the reply is longer than 65536 bytes");
        assert_eq!(proxy.hits(rule), 2);
        let taken = proxy.answered_bytes() - before;
        assert!(taken < 2 * BOUND, "{taken} bytes were taken in");
    }
}

/// More than twice as often as most tools try, and then it works.
#[test]
fn errors_that_pass_are_outlasted() {
    for kind in [FaultKind::internal_error(), FaultKind::HtmlBody, FaultKind::request_timeout()] {
        let scene = Scene::new();
        let bytes = scene.object("object", 3000);
        let fault = Fault::new(Operation::GetObject, kind).times(7);
        let fault = scene.testbed.fault(fault);
        let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
        haul.arg(scene.sandbox.path("object")).run().code(0);
        assert_eq!(scene.testbed.hits(fault), 7);
        assert!(scene.sandbox.read("object") == bytes);
    }
}

/// What a proxy says in HTML is shown in short, and nothing of it reaches a terminal raw.
#[test]
fn a_page_of_a_proxy_is_quoted_and_escaped() {
    let scene = Scene::new();
    scene.object("object", 3000);
    let page = format!("<html>\u{1b}[31mno way\u{7}{}</html>", " word".repeat(200));
    let reply = FaultKind::Reply { status: 502, headers: Vec::new(), body: page.into() };
    scene.testbed.fault(Fault::new(Operation::GetObject, reply).always());
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
    let output = haul.arg(scene.sandbox.path("out")).args(["--max-attempts", "2"]).run();
    output.code(1).stderr_has("502").stderr_has("no way").no_escapes();
    let words = output.stderr.matches(" word").count();
    assert!((10..50).contains(&words), "{output}");
}

/// A server that ignores `If-Match` and has less of the object than it had.
#[test]
fn an_object_that_shrank_under_its_ranges_starts_again() {
    let scene = Scene::new();
    let bytes = scene.object("object", 3 << 20);
    let gone = FaultKind::status(416, "InvalidRange");
    let fault = scene.testbed.fault(Fault::new(Operation::GetObject, gone).nth(3));
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
    let haul = haul.arg(scene.sandbox.path("object")).args(["--part-size", "1MiB"]);
    haul.run().code(0).stderr_has("1 verified end to end");
    scene.fired(fault);
    assert!(scene.sandbox.read("object") == bytes, "an error is no part of an object");
    scene.sandbox.no_leftovers("");
}

#[test]
fn an_archived_object_is_named_with_what_to_do() {
    let scene = Scene::new();
    for name in ["a", "b", "c"] {
        scene.object(name, 2000);
    }
    let archived = FaultKind::status(403, "InvalidObjectState");
    let fault = Fault::new(Operation::GetObject, archived).key("p/b").always();
    let fault = scene.testbed.fault(fault);
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
    let output = haul.arg(scene.sandbox.path("out/")).run();
    output.code(1).stderr_has("s3://bucket/p/b").stderr_has("archived").stderr_has("restore");
    assert_eq!(scene.testbed.hits(fault), 1, "there is no point in another try");
    let names: Vec<_> = scene.sandbox.tree("out").into_keys().collect();
    assert_eq!(names, ["a", "c"]);
}

/// Planning keeps parts within S3's limits; a store with stricter ones says so in its own words.
#[test]
fn limits_of_another_store_are_told_and_nothing_is_left() {
    for code in ["EntityTooSmall", "EntityTooLarge", "InvalidPart"] {
        let scene = Scene::new();
        scene.testbed.put_object(BUCKET, "p/object", OLD);
        let refused = FaultKind::status(400, code);
        let fault = Fault::new(Operation::CompleteMultipartUpload, refused).always();
        let fault = scene.testbed.fault(fault);
        let file = scene.sandbox.fill("object", 11 << 20);
        let haul = haul().on(&scene.testbed).arg("upload").arg(file).arg("s3://bucket/p/");
        let output = haul.args(["--part-size", "5MiB"]).run();
        output.code(1).stderr_has(code).stderr_has("s3://bucket/p/object");
        assert_eq!(scene.testbed.hits(fault), 1, "there is no point in another try");
        assert_eq!(scene.testbed.object(BUCKET, "p/object").expect("it is there").bytes(), OLD);
        scene.no_open_uploads();
    }
}
