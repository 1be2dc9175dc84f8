//! Listings that lie: pages that come round again, keys that come twice or in no order, and XML
//! that is made to hurt whoever reads it.

use std::time::Duration;

use testbed::{Fault, FaultKind, Operation};

use super::scene::{BUCKET, Scene};
use crate::harness::{Output, for_each, haul};

/// A page with these keys, of which each has one byte, and maybe a token for the next.
fn page(keys: &[&str], next: Option<&str>) -> FaultKind {
    let entry = |key: &&str| {
        format!(
            "<Contents><Key>{key}</Key><Size>1</Size>\
             <LastModified>2024-05-06T07:08:09.000Z</LastModified></Contents>"
        )
    };
    let keys = keys.iter().map(entry).collect::<Vec<_>>().concat();
    let next = next.map(|token| format!("<NextContinuationToken>{token}</NextContinuationToken>"));
    FaultKind::xml(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult><IsTruncated>{}</IsTruncated>{}{keys}</ListBucketResult>",
        next.is_some(),
        next.unwrap_or_default()
    ))
}

fn list(scene: &Scene, kind: FaultKind) -> Fault {
    scene.sandbox.folder("out");
    Fault::new(Operation::ListObjectsV2, kind)
}

fn download(scene: &Scene) -> Output {
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
    let haul = haul.arg(scene.sandbox.path("out/")).args(["--max-attempts", "2"]);
    haul.limit(Duration::from_mins(1)).run()
}

fn ls(scene: &Scene) -> Output {
    let haul = haul().on(&scene.testbed).args(["ls", "-r", "s3://bucket/p/"]);
    haul.limit(Duration::from_mins(1)).run()
}

fn verify(scene: &Scene) -> Output {
    let haul = haul().on(&scene.testbed).args(["verify", "s3://bucket/p/"]);
    haul.arg(scene.sandbox.path("out/")).limit(Duration::from_mins(1)).run()
}

/// The same token for ever, or several in turn.
#[test]
fn pages_that_come_round_again_end_the_listing() {
    for_each(&[1, 2, 3, 7], |&cycle: &u64| {
        let scene = Scene::new();
        scene.testbed.put_object(BUCKET, "p/a", "a");
        for number in 0..1000_u64 {
            let token = format!("token-{}", number % cycle);
            let fault = list(&scene, page(&["p/a"], Some(&token)));
            scene.testbed.fault(fault.nth(number + 1));
        }
        let output = download(&scene);
        output.code(1).stderr_has("could not list s3://bucket/p/").stderr_has("repeats");
        assert!(scene.testbed.count(Operation::ListObjectsV2) < 40, "{output}");
        assert_eq!(scene.sandbox.read("out/a"), b"a", "what was listed is done");
        scene.sandbox.no_leftovers("");
        let before = scene.testbed.count(Operation::ListObjectsV2);
        ls(&scene).code(1).stderr_has("repeats");
        assert!(scene.testbed.count(Operation::ListObjectsV2) < before + 40);
        let before = scene.testbed.count(Operation::ListObjectsV2);
        let output = verify(&scene);
        output.code(1).stderr_has("repeats").stderr_has("was not looked for");
        assert!(scene.testbed.count(Operation::ListObjectsV2) < before + 40, "{output}");
    });
}

#[test]
fn a_page_that_says_there_is_more_and_not_where_is_not_taken_for_all() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, "p/a", "a");
    let FaultKind::Reply { status, headers, body } = page(&["p/a"], None) else { panic!("XML") };
    let body = String::from_utf8(body.to_vec()).expect("text").replace("false", "true");
    let cut = FaultKind::Reply { status, headers, body: body.into() };
    scene.testbed.fault(list(&scene, cut).always());
    download(&scene).code(1).stderr_has("does not say where it goes on");
}

/// Directory buckets list in no order, and some servers list a key on two pages.
#[test]
fn keys_in_no_order_and_keys_that_come_twice_are_each_done_once() {
    let scene = Scene::new();
    for key in ["p/a", "p/b", "p/c", "p/d"] {
        scene.testbed.put_object(BUCKET, key, key.replace("p/", ""));
    }
    scene.testbed.fault(list(&scene, page(&["p/d", "p/a", "p/d"], Some("more"))));
    scene.testbed.fault(list(&scene, page(&["p/c", "p/a", "p/b"], None)).nth(2));
    let output = download(&scene);
    output.code(0).stderr_has("4 objects");
    for name in ["a", "b", "c", "d"] {
        assert_eq!(scene.sandbox.read(format!("out/{name}")), name.as_bytes(), "{output}");
        let key = format!("p/{name}");
        let gets = scene.testbed.requests_of(Operation::GetObject);
        let gets = gets.iter().filter(|get| get.key.as_deref() == Some(&*key)).count();
        assert_eq!(gets, 1, "{key}");
    }
}

/// Entities that grow, elements without end, characters that XML forbids: never taken for a name
/// that the store does not have, and never more memory than a page may take.
#[test]
fn xml_that_is_made_to_hurt_is_refused() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\">\
                <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;\">]>\
                <ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/&c;</Key>\
                <Size>1</Size></Contents></ListBucketResult>";
    let file = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
                <ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/&f;</Key>\
                <Size>1</Size></Contents></ListBucketResult>";
    let deep = format!("<ListBucketResult>{}", "<a>".repeat(10_000));
    let endless = format!("<ListBucketResult><Prefix>{}", "x".repeat(20 << 20));
    for_each(&[bomb, file, &deep, &endless], |xml| {
        let scene = Scene::new();
        scene.testbed.fault(list(&scene, FaultKind::xml((*xml).to_owned())).always());
        download(&scene).code(1).stderr_has("could not list s3://bucket/p/");
        assert!(scene.sandbox.tree("out").is_empty());
    });
}

/// Cut in good order, at every element: the length fits, and what came looks like all there is.
#[test]
fn a_page_that_is_cut_off_is_not_taken_for_all() {
    let FaultKind::Reply { body, .. } = page(&["p/a", "p/b", "p/c"], None) else { panic!("XML") };
    let whole = String::from_utf8(body.to_vec()).expect("text");
    let cuts: Vec<_> = whole.match_indices('<').skip(1).map(|(at, _)| at).collect();
    assert!(cuts.len() > 20);
    for_each(&cuts, |&cut| {
        let scene = Scene::new();
        scene.testbed.put_object(BUCKET, "p/a", "a");
        let page = FaultKind::xml(whole[..cut].to_owned());
        scene.testbed.fault(list(&scene, page).always());
        download(&scene).code(1).stderr_has("could not list s3://bucket/p/");
        assert!(scene.sandbox.tree("out").is_empty());
    });
}

/// Deep, but well-formed: elements that nobody knows are passed over.
#[test]
fn elements_that_nobody_knows_are_passed_over_however_deep() {
    let scene = Scene::new();
    scene.testbed.put_object(BUCKET, "p/a", "a");
    let FaultKind::Reply { status, headers, body } = page(&["p/a"], None) else { panic!("XML") };
    let deep = format!("{}{}</ListBucketResult>", "<x>".repeat(10_000), "</x>".repeat(10_000));
    let body =
        String::from_utf8(body.to_vec()).expect("text").replace("</ListBucketResult>", &deep);
    let fault = FaultKind::Reply { status, headers, body: body.into() };
    scene.testbed.fault(list(&scene, fault).always());
    download(&scene).code(0);
    assert_eq!(scene.sandbox.read("out/a"), b"a");
}

/// What was listed before is done; what was not is never taken for nothing.
#[test]
fn a_page_that_can_not_be_had_ends_the_plan_and_not_what_was_planned() {
    let scene = Scene::new();
    for key in ["p/a", "p/b", "p/c"] {
        scene.testbed.put_object(BUCKET, key, key.replace("p/", ""));
    }
    scene.testbed.fault(list(&scene, page(&["p/a"], Some("1"))));
    scene.testbed.fault(list(&scene, page(&["p/b"], Some("2"))).nth(2));
    scene.testbed.fault(list(&scene, FaultKind::internal_error()).occurrence(3..=u64::MAX));
    let output = download(&scene);
    output.code(1).stderr_has("could not list s3://bucket/p/").stderr_has("500 InternalError");
    let names: Vec<_> = scene.sandbox.tree("out").into_keys().collect();
    assert_eq!(names, ["a", "b"], "{output}");
}
