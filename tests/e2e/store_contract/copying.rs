//! What a store promises to those who copy on it: the bytes, and what goes with them, of the version
//! that was meant, or nothing.

use std::sync::Arc;

use bytes::Bytes;
use haul::domain::attributes::Attributes;
use haul::domain::object::ETag;
use haul::domain::range::ByteRange;
use haul::storage::error::Kind;
use haul::storage::object_store::{
    Assembled, AssembledPart, CopyObject, CopySource, Directive, Result, Upload, Write, WriteIf,
    Written,
};

use super::{Can, Contract, body, kind};
use crate::harness::content;

const PART: u64 = 5 << 20;

pub(super) async fn a_copy_is_like_its_source(contract: &Contract) {
    let source = seed(contract, "source").await;
    let how = copy_of(contract, "source");
    let copied = copy(contract, "copy", &how).await.expect("it is there");
    assert_eq!(contract.read("copy").await, "source");
    let told = contract.store.describe(&contract.name("copy")).await.expect("it is there");
    assert_eq!(told.facts.etag, copied.etag);
    let kept = told.attributes.expect("all are told");
    assert_eq!(kept.content_type.as_deref(), Some("a/b"));
    assert_eq!(kept.cache_control.as_deref(), Some("no-cache"));
    assert_eq!(kept.metadata, source.metadata);
    let tags = contract.store.tags(&contract.name("copy")).await.expect("they may be read");
    assert_eq!(tags, source.tags);
}

pub(super) async fn a_copy_has_what_it_is_told(contract: &Contract) {
    seed(contract, "source").await;
    let attributes = Attributes {
        content_type: Some("c/d".to_owned()),
        metadata: vec![("other".to_owned(), "2".to_owned())],
        tags: vec![("another".to_owned(), "3".to_owned())],
        ..Attributes::default()
    };
    let how = CopyObject {
        attributes: Arc::new(attributes.clone()),
        headers: Directive::Replace,
        tags: Directive::Replace,
        ..copy_of(contract, "source")
    };
    copy(contract, "copy", &how).await.expect("it is there");
    let told = contract.store.describe(&contract.name("copy")).await.expect("it is there");
    let told = told.attributes.expect("all are told");
    assert_eq!((told.content_type, told.cache_control), (attributes.content_type, None));
    assert_eq!(told.metadata, attributes.metadata);
    let tags = contract.store.tags(&contract.name("copy")).await.expect("they may be read");
    assert_eq!(tags, attributes.tags);
}

pub(super) async fn a_pinned_copy_notices_another_version(contract: &Contract) {
    let first = contract.put("source", "first").await.etag.expect("a tag");
    contract.put("source", "second").await;
    let how = pinned(copy_of(contract, "source"), &first);
    let copied = copy(contract, "copy", &how).await;
    if contract.can.pins_copies == Can::No {
        return;
    }
    assert_eq!(kind(copied), Kind::Changed);
    assert!(contract.is_missing("copy").await);
    let missing = CopySource { object: contract.name("none"), if_match: None };
    let how = CopyObject { source: missing, ..copy_of(contract, "source") };
    assert_eq!(kind(copy(contract, "copy", &how).await), Kind::MissingKey);
}

pub(super) async fn a_conditional_copy_leaves_what_is_there(contract: &Contract) {
    contract.put("source", "source").await;
    contract.put("copy", "old").await;
    let how = CopyObject { condition: WriteIf::Absent, ..copy_of(contract, "source") };
    let copied = copy(contract, "copy", &how).await;
    if contract.can.copies_on_condition == Can::No {
        return;
    }
    assert_eq!(kind(copied), Kind::Changed);
    assert_eq!(contract.read("copy").await, "old");
    copy(contract, "free", &how).await.expect("nothing is there");
}

pub(super) async fn ranges_become_parts(contract: &Contract) {
    let bytes = Bytes::from(content("source", PART + 7));
    let etag = contract.put("source", bytes.clone()).await.etag;
    let object = contract.name("copy");
    let id = contract.store.create_upload(&object, &Attributes::default()).await;
    let upload = Upload { object, id: id.expect("the bucket is there") };
    let from = CopySource { object: contract.name("source"), if_match: etag };
    let mut parts = Vec::new();
    for (number, start, length) in [(1, 0, PART), (2, PART, 7)] {
        let range = ByteRange::new(start, length).expect("a range");
        let part = contract.store.copy_part(&upload, number, &from, range).await;
        let part = part.expect("it can be copied");
        let wanted = body(bytes.slice(at(start)..at(start + length))).checksum;
        assert!(part.checksum.as_ref().is_none_or(|told| *told == wanted), "{part:?}");
        parts.push(AssembledPart { etag: part.etag, checksum: part.checksum });
    }
    let (size, condition) = (PART + 7, WriteIf::Always);
    let assembled = Assembled { parts, size, checksum: None, condition };
    contract.store.complete_upload(&upload, &assembled).await.expect("all is there");
    assert!(contract.read("copy").await == bytes);
}

pub(super) async fn a_pinned_part_notices_another_version(contract: &Contract) {
    let first = contract.put("source", content("one", PART)).await.etag.expect("a tag");
    contract.put("source", content("two", PART)).await;
    let object = contract.name("copy");
    let id = contract.store.create_upload(&object, &Attributes::default()).await;
    let upload = Upload { object, id: id.expect("the bucket is there") };
    let from = CopySource { object: contract.name("source"), if_match: Some(first) };
    let range = ByteRange::new(0, PART).expect("a range");
    let copied = contract.store.copy_part(&upload, 1, &from, range).await;
    if contract.can.pins_copies == Can::Yes {
        assert_eq!(kind(copied), Kind::Changed);
    }
    contract.store.abort_upload(&upload).await.expect("it is there");
}

/// An object whose bytes are its key, with all that goes with it.
async fn seed(contract: &Contract, key: &str) -> Attributes {
    let attributes = Attributes {
        content_type: Some("a/b".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        metadata: vec![("name".to_owned(), "1".to_owned())],
        tags: vec![("tag".to_owned(), "x y".to_owned())],
        ..Attributes::default()
    };
    let write = Write { attributes: Arc::new(attributes.clone()), condition: WriteIf::Always };
    let put = contract.store.put(&contract.name(key), body(key.to_owned()), &write).await;
    put.expect("it can be put");
    attributes
}

fn copy_of(contract: &Contract, key: &str) -> CopyObject {
    CopyObject {
        source: CopySource { object: contract.name(key), if_match: None },
        attributes: Arc::default(),
        headers: Directive::Keep,
        tags: Directive::Keep,
        condition: WriteIf::Always,
    }
}

fn pinned(how: CopyObject, etag: &ETag) -> CopyObject {
    let source = CopySource { if_match: Some(etag.clone()), ..how.source };
    CopyObject { source, ..how }
}

async fn copy(contract: &Contract, key: &str, how: &CopyObject) -> Result<Written> {
    contract.store.copy(&contract.name(key), how).await
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).expect("it fits")
}
