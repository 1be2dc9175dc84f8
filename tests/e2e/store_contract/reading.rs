//! What a store promises to those who read: each check is one promise that the engine leans on.

use std::time::{Duration, SystemTime};

use haul::domain::location::{Bucket, Key, ObjectName};
use haul::domain::object::{ETag, StoredChecksum, VersionKind};
use haul::domain::range::ByteRange;
use haul::storage::error::Kind;
use haul::storage::object_store::{Depth, ListPage, ListRequest, Read, VersionsRequest};

use super::{Can, Contract, body, bytes_of, kind};
use crate::harness::content;

pub(super) async fn get_head_and_list_tell_the_same(contract: &Contract) {
    let bytes = content("facts", 100_000);
    let written = contract.put("facts", bytes.clone()).await;
    let head = contract.store.head(&contract.name("facts")).await.expect("it is there");
    let get = contract.store.get(&contract.name("facts"), &Read::default()).await;
    let get = get.expect("it is there");
    assert_eq!(get.facts.size, 100_000);
    assert_eq!(get.range, ByteRange::new(0, 100_000));
    assert_eq!(get.facts.etag, written.etag);
    assert!(written.etag.is_some(), "without a tag no version can be pinned");
    assert_eq!((head.size, &head.etag), (get.facts.size, &get.facts.etag));
    let age = head.last_modified.expect("a time").elapsed().unwrap_or_default();
    assert!(age < Duration::from_hours(1), "modified {age:?} ago");
    assert_eq!(head.last_modified, get.facts.last_modified);
    let sent = body(bytes.clone()).checksum;
    if contract.can.keeps_checksums == Can::Yes {
        assert_eq!(head.checksum, StoredChecksum::FullObject(sent.clone()));
        assert_eq!(get.facts.checksum, head.checksum);
        assert_eq!(written.checksum, Some(sent));
    } else {
        // To know none is no harm; to tell a wrong one would fail every download.
        assert!(head.checksum.full_object().is_none_or(|told| *told == sent));
    }
    assert!(bytes_of(get).await == bytes, "other bytes came");
    let listed = list_all(contract, "facts", Depth::Everything).await;
    assert_eq!(listed.objects.len(), 1);
    let listed = &listed.objects[0];
    assert_eq!(listed.key, contract.name("facts").key);
    assert_eq!((listed.size, &listed.etag), (head.size, &head.etag));
    let seconds = |time: Option<SystemTime>| {
        let since = time.expect("a time").duration_since(SystemTime::UNIX_EPOCH);
        since.expect("after 1970").as_secs()
    };
    let (listed, told) = (seconds(listed.last_modified), seconds(head.last_modified));
    assert!(listed.abs_diff(told) <= 1, "listed {listed}, told {told}");
}

pub(super) async fn an_empty_object_has_no_range(contract: &Contract) {
    contract.put("empty", "").await;
    let reply = contract.store.get(&contract.name("empty"), &Read::default()).await;
    let reply = reply.expect("it is there");
    assert_eq!((reply.facts.size, reply.range), (0, None));
    assert!(bytes_of(reply).await.is_empty());
    let read = Read { range: ByteRange::new(0, 10), if_match: None };
    match contract.store.get(&contract.name("empty"), &read).await {
        Ok(reply) => assert_eq!((reply.facts.size, reply.range), (0, None)),
        Err(error) => assert!(matches!(error.kind, Kind::OutOfRange { .. }), "{error}"),
    }
}

pub(super) async fn ranges_are_exact(contract: &Contract) {
    let bytes = content("ranges", 200_000);
    contract.put("ranges", bytes.clone()).await;
    for (start, length, sent) in [
        (0, 1, 1),
        (0, 1000, 1000),
        (0, 200_000, 200_000),
        (0, 500_000, 200_000),
        (70_000, 65_536, 65_536),
        (199_999, 1, 1),
        (199_999, 1000, 1),
    ] {
        let read = Read { range: ByteRange::new(start, length), if_match: None };
        let reply = contract.store.get(&contract.name("ranges"), &read).await;
        let reply = reply.unwrap_or_else(|error| panic!("{length} from {start}: {error}"));
        assert_eq!(reply.facts.size, 200_000, "the size is that of the whole object");
        assert_eq!(reply.range, ByteRange::new(start, sent), "{length} from {start}");
        let wanted = &bytes[offset(start)..offset(start + sent)];
        assert!(bytes_of(reply).await == wanted, "other bytes: {length} from {start}");
    }
    for start in [200_000, 300_000] {
        let read = Read { range: ByteRange::new(start, 10), if_match: None };
        let found = kind(contract.store.get(&contract.name("ranges"), &read).await);
        let Kind::OutOfRange { size } = found else { panic!("from {start}: {found:?}") };
        assert!(size.is_none_or(|size| size == 200_000), "from {start}: {size:?}");
    }
}

pub(super) async fn a_pinned_read_notices_another_version(contract: &Contract) {
    let first = contract.put("pinned", "first").await.etag;
    let read = |etag: &Option<ETag>| Read { range: None, if_match: etag.clone() };
    let object = contract.name("pinned");
    let reply = contract.store.get(&object, &read(&first)).await.expect("still the same");
    assert_eq!(bytes_of(reply).await, "first");
    let second = contract.put("pinned", "second").await.etag;
    assert_ne!(first, second);
    assert_eq!(kind(contract.store.get(&object, &read(&first)).await), Kind::Changed);
    let ranged = Read { range: ByteRange::new(1, 2), if_match: first };
    assert_eq!(kind(contract.store.get(&object, &ranged).await), Kind::Changed);
    let reply = contract.store.get(&object, &read(&second)).await.expect("the new one");
    assert_eq!(bytes_of(reply).await, "second");
}

pub(super) async fn what_is_missing_is_told_by_its_kind(contract: &Contract) {
    let nothing = contract.name("nothing");
    assert_eq!(kind(contract.store.get(&nothing, &Read::default()).await), Kind::MissingKey);
    assert_eq!(kind(contract.store.head(&nothing).await), Kind::MissingKey);
    let page = list_all(contract, "nothing", Depth::Everything).await;
    assert_eq!(page, ListPage::default());
    let bucket = Bucket::new("no-such-bucket-anywhere").expect("a name");
    let elsewhere = ObjectName::new(bucket.clone(), Key::new("key").expect("a key"));
    let get = contract.store.get(&elsewhere, &Read::default()).await;
    assert_eq!(kind(get), Kind::MissingBucket);
    // The reply to a HEAD has no body that could tell more.
    let head = kind(contract.store.head(&elsewhere).await);
    assert!(matches!(head, Kind::MissingKey | Kind::MissingBucket), "{head:?}");
    let request = ListRequest::new(bucket, "", Depth::Everything);
    assert_eq!(kind(contract.store.list(&request).await), Kind::MissingBucket);
}

pub(super) async fn pages_make_one_listing(contract: &Contract) {
    let names: Vec<_> = (0..10).map(|number| format!("p/{number}")).collect();
    for name in &names {
        contract.put(name, "x").await;
    }
    contract.put("q", "x").await;
    let mut request = request(contract, "p/", Depth::Everything);
    request.limit = Some(3);
    let mut keys = Vec::new();
    for pages in 1.. {
        let page = contract.store.list(&request).await.expect("it can be listed");
        assert!(page.objects.len() <= 3, "more than was asked for");
        keys.extend(page.objects.iter().map(|object| object.key.clone()));
        match page.next {
            None => break,
            Some(_) if pages == 20 => panic!("a listing without an end"),
            next => request.token = next,
        }
    }
    let wanted: Vec<_> = names.iter().map(|name| contract.name(name).key).collect();
    assert_eq!(keys, wanted, "in order, each once");
    for (after, first) in [("o", 0), ("p/", 0), ("p/3", 4), ("p/3+", 4), ("p/9", 10)] {
        let after = Some(contract.name(after).key.as_str().to_owned());
        let request = ListRequest { after, ..self::request(contract, "p/", Depth::Everything) };
        let page = contract.store.list(&request).await.expect("it can be listed");
        let found: Vec<_> = page.objects.into_iter().map(|object| object.key).collect();
        assert_eq!(found, wanted[first..], "behind {:?}", request.after);
    }
}

pub(super) async fn a_listing_stops_at_the_next_slash(contract: &Contract) {
    for key in ["a", "b/1", "b/2", "b/c/3", "bb", "d/e/f"] {
        contract.put(key, "x").await;
    }
    let page = list_all(contract, "", Depth::OneLevel).await;
    assert_eq!(below(contract, &page), ["a", "b/", "bb", "d/"]);
    let page = list_all(contract, "b/", Depth::OneLevel).await;
    assert_eq!(below(contract, &page), ["b/1", "b/2", "b/c/"]);
    let page = list_all(contract, "b", Depth::OneLevel).await;
    assert_eq!(below(contract, &page), ["b/", "bb"]);
    let page = list_all(contract, "", Depth::Everything).await;
    assert_eq!(below(contract, &page), ["a", "b/1", "b/2", "b/c/3", "bb", "d/e/f"]);
}

pub(super) async fn odd_keys_come_back_verbatim(contract: &Contract) {
    let mut keys = vec![
        "a b",
        "plus+plus",
        "per%20cent",
        "ü/日本",
        "amp&<>\"'",
        "hash#?query=1",
        "~tilde*star",
    ];
    if contract.can.takes_any_key == Can::Yes {
        keys.extend([
            "back\\slash",
            "dots/../up",
            "double//slash",
            "x",
            "x/y",
            "/start",
            "end/",
            "tab\tline\n",
        ]);
    }
    for key in &keys {
        contract.put(key, (*key).to_owned()).await;
    }
    let page = list_all(contract, "", Depth::Everything).await;
    let mut wanted: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    wanted.sort();
    assert_eq!(below(contract, &page), wanted);
    for key in keys {
        assert_eq!(contract.read(key).await, key);
    }
}

pub(super) async fn buckets_are_listed(contract: &Contract) {
    let buckets = contract.store.list_buckets().await.expect("they can be listed");
    assert!(buckets.iter().any(|bucket| bucket.name == contract.bucket.as_str()), "{buckets:?}");
}

fn request(contract: &Contract, prefix: &str, depth: Depth) -> ListRequest {
    let prefix = format!("{}{prefix}", contract.prefix);
    ListRequest::new(contract.bucket.clone(), prefix, depth)
}

async fn list_all(contract: &Contract, prefix: &str, depth: Depth) -> ListPage {
    let page = contract.store.list(&request(contract, prefix, depth)).await;
    let page = page.expect("it can be listed");
    assert_eq!(page.next, None, "a few objects are one page");
    page
}

/// Names of objects and prefixes below the contract's own prefix, sorted.
fn below(contract: &Contract, page: &ListPage) -> Vec<String> {
    let keys = page.objects.iter().map(|object| object.key.as_str());
    let names = keys.chain(page.prefixes.iter().map(String::as_str));
    let mut names: Vec<_> = names
        .map(|name| name.strip_prefix(&contract.prefix).expect("below what was asked").to_owned())
        .collect();
    names.sort();
    names
}

fn offset(position: u64) -> usize {
    usize::try_from(position).expect("a small number")
}

/// Of a bucket that keeps none, each object is the only version.
pub(super) async fn versions_are_listed(contract: &Contract) {
    for key in ["a", "b c", "d/e", "d/f", "g"] {
        contract.put(key, key).await;
    }
    let whole = |key: &str| format!("{}{key}", contract.prefix);
    let request = VersionsRequest::new(contract.bucket.clone(), contract.prefix.as_str());
    let one_level = VersionsRequest { depth: Depth::OneLevel, ..request.clone() };
    for (request, keys, prefixes) in [
        (request, &["a", "b c", "d/e", "d/f", "g"][..], &[][..]),
        (one_level, &["a", "b c", "g"], &["d/"]),
    ] {
        let page = contract.store.list_versions(&request).await.expect("it can be listed");
        assert_eq!(page.next, None);
        let told = page.versions.iter().map(|version| {
            assert!(version.is_latest && version.kind == VersionKind::Object, "{version:?}");
            (version.object.key.as_str().to_owned(), version.object.size)
        });
        let wanted = keys.iter().map(|key| (whole(key), key.len() as u64));
        assert_eq!(told.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        assert_eq!(page.prefixes, prefixes.iter().map(|key| whole(key)).collect::<Vec<_>>());
    }
}
