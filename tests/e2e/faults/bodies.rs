//! Bodies of objects that break at any byte, end without an end, or look like something else.

use testbed::{
    Attributes, Break, Disruption, Fault, FaultKind, Operation, Place, Proxy, PutOptions, Rule,
};

use super::scene::{BUCKET, OLD, Scene};
use crate::harness::{content, for_each, haul};

const PART: u64 = 1 << 20;
const SIZE: u64 = 3 * PART + 77;

/// At each sixteenth of the body, and at both of its ends.
#[test]
fn a_body_that_breaks_anywhere_is_gone_on_with_from_there() {
    let places: Vec<_> = (0..=16).map(|step| PART * step / 16).chain([1, PART - 1]).collect();
    let cases: Vec<_> = [Break::Reset, Break::Close]
        .into_iter()
        .flat_map(|how| places.iter().map(move |at| (how, *at)))
        .collect();
    for_each(&cases, |&(how, at)| {
        let scene = Scene::new();
        let bytes = scene.object("object", SIZE);
        let proxy = Proxy::before(&scene.testbed, 3);
        let cut = Disruption::Reply(how, Place::Body(at));
        // The second part's, so that the break is in a reply of a full part.
        let rule = proxy.rule(Rule::new(cut).range("bytes=1048576-2097151"));
        let haul = haul().on(&proxy).args(["download", "s3://bucket/p/object"]);
        let haul = haul.arg(scene.sandbox.path("object")).args(["--part-size", "1MiB"]);
        haul.run().code(0).stderr_has("1 verified end to end");
        assert_eq!(proxy.hits(rule), 1);
        assert!(scene.sandbox.read("object") == bytes, "bytes differ");
        scene.sandbox.no_leftovers("");
        let ranges: Vec<_> = scene.testbed.requests_of(Operation::GetObject);
        let asked: u64 = ranges.iter().filter_map(|get| length(get.range.as_deref()?)).sum();
        // What came before the break, of whatever was cut in whole frames, is not asked for again.
        assert!(asked <= SIZE + PART, "{asked} bytes were asked for");
        let again = ranges.iter().filter(|get| get.range_start() > Some(PART));
        let again = again.filter(|get| get.range_start() < Some(2 * PART));
        assert_eq!(again.count(), usize::from((1..PART).contains(&at)), "at {at}");
    });
}

/// `bytes=a-b`
fn length(range: &str) -> Option<u64> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    Some(last.min(SIZE - 1) + 1 - first)
}

/// Every byte is there, and only the end of the body is not: nothing is left to ask for.
#[test]
fn a_body_of_which_only_the_end_is_lost_is_done() {
    for how in [Break::Reset, Break::Close, Break::Stall] {
        let scene = Scene::new();
        let bytes = scene.object("object", PART);
        let proxy = Proxy::before(&scene.testbed, 3);
        let name = "content-length".to_owned();
        // In chunks, where the last one is what says that this was all.
        scene.testbed.fault(Fault::new(Operation::GetObject, FaultKind::RemoveHeader { name }));
        let end = Disruption::Reply(how, Place::LastChunk);
        let rule = proxy.rule(Rule::new(end).method("GET").target("p/object"));
        let haul = haul().on(&proxy).args(["download", "s3://bucket/p/object"]);
        let haul = haul.arg(scene.sandbox.path("object")).args(["--timeout", "1", "--json"]);
        let output = haul.run();
        assert_eq!(proxy.hits(rule), 1);
        let is_retry = |line: &serde_json::Value| line["event"] == "retry";
        let broken = output.code(0).json_lines().into_iter().filter(is_retry).count();
        assert_eq!(broken, 1, "the end was not lost\n{output}");
        assert!(scene.sandbox.read("object") == bytes, "bytes differ");
        assert_eq!(scene.testbed.count(Operation::GetObject), 1, "it was asked for once more");
    }
}

/// Under an object's own name, an error document is its bytes.
#[test]
fn an_object_that_looks_like_an_error_is_an_object() {
    let error = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <Error><Code>InternalError</Code><Message>Try again.</Message></Error>";
    let large = error.repeat(30_000);
    for text in [error, "<Error><Code>SlowDown</Code></Error>", &large] {
        let scene = Scene::new();
        scene.testbed.put_object(BUCKET, "p/object", text.to_owned());
        for source in ["s3://bucket/p/object", "s3://bucket/p/"] {
            let haul = haul().on(&scene.testbed).args(["download", source]);
            haul.arg(scene.sandbox.path("out/")).args(["--part-size", "1MiB"]).run().code(0);
            assert!(scene.sandbox.read("out/object") == text.as_bytes(), "bytes differ");
        }
        let stdout = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object", "-"]);
        stdout.run().code(0).stdout_is(text);
    }
}

/// The bytes are the object, whatever they are said to be: nothing is unpacked on the way.
#[test]
fn an_encoded_object_arrives_as_it_is_stored() {
    // What gzip makes of nothing, and something that only claims to be packed.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (encoding, bytes) in [("gzip", packed.to_vec()), ("br", content("br", 2_000_000))] {
        let scene = Scene::new();
        let attributes =
            Attributes { content_encoding: Some(encoding.to_owned()), ..Attributes::default() };
        let options = PutOptions { attributes, ..PutOptions::default() };
        scene.testbed.put_object_with(BUCKET, "p/object", bytes.clone(), &options);
        let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
        let haul = haul.arg(scene.sandbox.path("out/")).args(["--part-size", "1MiB"]);
        haul.run().code(0).stderr_has("1 verified end to end");
        assert!(scene.sandbox.read("out/object") == bytes, "bytes differ");
    }
}

/// A proxy that unpacks sends another length than the listing and a look at the object tell.
#[test]
fn an_object_that_somebody_unpacked_on_the_way_is_refused() {
    let scene = Scene::new();
    scene.object("object", 1000);
    let etag = scene.testbed.object(BUCKET, "p/object").expect("it is there").etag.clone();
    for headers in [vec![("etag".to_owned(), etag)], Vec::new()] {
        scene.sandbox.write("out/object", OLD);
        let unpacked =
            FaultKind::Reply { status: 200, headers, body: content("unpacked", 5000).into() };
        let fault = scene.testbed.fault(Fault::new(Operation::GetObject, unpacked).always());
        let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
        let output = haul.arg(scene.sandbox.path("out")).args(["--max-attempts", "3"]).run();
        output.code(1).stderr_has("s3://bucket/p/object");
        scene.fired(fault);
        assert!(scene.sandbox.read("out/object") == OLD, "{output}");
        scene.sandbox.no_leftovers("");
        scene.testbed.clear_faults();
    }
}
