//! What a store promises to those who write: all or nothing, and never other bytes than promised.

use bytes::Bytes;
use haul::domain::attributes::Attributes;
use haul::domain::checksum::{Checksum, Crc};
use haul::domain::composite::StoredPart;
use haul::domain::location::{Bucket, Key, ObjectName};
use haul::domain::object::StoredChecksum;
use haul::storage::error::Kind;
use haul::storage::object_store::{Assembled, AssembledPart, Body, Upload, WriteIf};

use super::{Can, Contract, body, kind};
use crate::harness::content;

/// The smallest that S3 takes for a part that is not the last.
const PART: u64 = 5 << 20;

pub(super) async fn the_last_write_wins(contract: &Contract) {
    let first = contract.put("k", "first").await;
    let second = contract.put("k", "the second").await;
    assert_ne!(first.etag, second.etag);
    assert_eq!(contract.read("k").await, "the second");
}

pub(super) async fn other_bytes_than_promised_are_refused(contract: &Contract) {
    if contract.can.compares_checksums == Can::No {
        return;
    }
    let wrong = || Body::new("sent".into(), body("promised").checksum);
    let found = kind(contract.try_put("k", wrong(), WriteIf::Always).await);
    assert_eq!(found, Kind::Corrupted);
    assert!(contract.is_missing("k").await);
    let upload = create(contract, "k").await;
    assert_eq!(kind(contract.store.put_part(&upload, 1, wrong()).await), Kind::Corrupted);
    contract.store.abort_upload(&upload).await.expect("it is there");
}

pub(super) async fn a_conditional_write_leaves_what_is_there(contract: &Contract) {
    let put = contract.try_put("k", body("first"), WriteIf::Absent).await;
    put.expect("nothing is there");
    assert_eq!(kind(contract.try_put("k", body("second"), WriteIf::Absent).await), Kind::Exists);
    assert_eq!(contract.read("k").await, "first");
}

pub(super) async fn parts_become_one_object(contract: &Contract) {
    let bodies = [content("one", PART), content("two", PART), content("three", 7)].map(body);
    let upload = create(contract, "k").await;
    let mut parts = Vec::new();
    // In any order: the numbers count.
    for number in [3, 1, 2] {
        let body = bodies[number - 1].clone();
        parts.push((number, send(contract, &upload, number, body).await));
    }
    assert!(contract.is_missing("k").await, "an object before its upload is complete");
    parts.sort_by_key(|(number, _)| *number);
    let parts = parts.into_iter().map(|(_, part)| part).collect();
    let assembled = assembled(&bodies, parts);
    let written = contract.store.complete_upload(&upload, &assembled).await.expect("all is there");
    let whole = bodies.iter().flat_map(|body| body.bytes.clone()).collect::<Bytes>();
    let head = contract.store.head(&contract.name("k")).await.expect("it is there");
    assert_eq!(head.size, whole.len() as u64);
    assert_eq!(head.etag, written.etag);
    assert!(contract.read("k").await == whole, "other bytes");
    if contract.can.keeps_checksums == Can::Yes {
        assert_eq!(head.checksum, StoredChecksum::FullObject(whole_of(&assembled)));
    } else {
        let told = head.checksum.full_object();
        assert!(told.is_none_or(|told| *told == whole_of(&assembled)), "{told:?}");
    }
    if contract.can.forgets_completed_uploads == Can::Yes {
        let again = contract.store.complete_upload(&upload, &assembled).await;
        assert_eq!(kind(again), Kind::MissingUpload);
    }
}

/// Each with its size and checksum; a store that does not know them must say so, or tell none.
pub(super) async fn parts_are_told(contract: &Contract) {
    let upload = create(contract, "k").await;
    let bodies = [body(content("one", PART)), body("end")];
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(&bodies) {
        parts.push(send(contract, &upload, number, body.clone()).await);
    }
    let completed = contract.store.complete_upload(&upload, &assembled(&bodies, parts)).await;
    completed.expect("all is there");
    let told = contract.store.object_parts(&upload.object, 0).await;
    if contract.can.tells_parts == Can::No {
        // To tell none is no harm; wrong ones would fail every download.
        let parts = told.map(|page| page.parts).unwrap_or_default();
        assert!(parts.iter().all(|part| part.checksum.is_none()), "{parts:?}");
        return;
    }
    let page = told.expect("it is known");
    let stored = |body: &Body| StoredPart {
        size: body.bytes.len() as u64,
        checksum: Some(body.checksum.clone()),
    };
    assert_eq!(page.parts, [stored(&bodies[0]), stored(&bodies[1])]);
    assert_eq!(page.next, None);
    let behind = contract.store.object_parts(&upload.object, 1).await.expect("it is known");
    assert_eq!(behind.parts, [stored(&bodies[1])]);
    let missing = contract.store.object_parts(&contract.name("missing"), 0).await;
    assert_eq!(kind(missing), Kind::MissingKey);
}

pub(super) async fn a_part_sent_again_replaces_the_first(contract: &Contract) {
    let upload = create(contract, "k").await;
    send(contract, &upload, 1, body("first")).await;
    let second = body("the second");
    let part = send(contract, &upload, 1, second.clone()).await;
    let assembled = assembled(&[second], vec![part]);
    contract.store.complete_upload(&upload, &assembled).await.expect("all is there");
    assert_eq!(contract.read("k").await, "the second");
}

pub(super) async fn a_whole_that_does_not_add_up_is_refused(contract: &Contract) {
    let upload = create(contract, "k").await;
    let bodies = [body(content("one", PART)), body("end")];
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(&bodies) {
        parts.push(send(contract, &upload, number, body.clone()).await);
    }
    let right = assembled(&bodies, parts);
    let mut wrong_tag = right.clone();
    wrong_tag.parts[1].etag = right.parts[0].etag.clone();
    let mut cases = vec![wrong_tag];
    if contract.can.compares_wholes == Can::Yes {
        let mut wrong_size = right.clone();
        wrong_size.size += 1;
        let mut wrong_checksum = right.clone();
        wrong_checksum.checksum = Some(body("something else").checksum);
        cases.extend([wrong_size, wrong_checksum]);
    }
    for wrong in cases {
        let found = kind(contract.store.complete_upload(&upload, &wrong).await);
        let is_refused = matches!(found, Kind::Refused | Kind::Corrupted | Kind::ForeignPart);
        assert!(is_refused, "{found:?}");
        assert!(contract.is_missing("k").await, "an object of the wrong parts");
    }
    // What was refused can be put right.
    contract.store.complete_upload(&upload, &right).await.expect("all is there");
    assert_eq!(contract.read("k").await.len() as u64, right.size);
}

pub(super) async fn a_conditional_upload_leaves_what_is_there(contract: &Contract) {
    let upload = create(contract, "k").await;
    let bodies = [body("second")];
    let part = send(contract, &upload, 1, bodies[0].clone()).await;
    contract.put("k", "first").await;
    if contract.can.completes_on_condition == Can::Yes {
        let mut wanted = assembled(&bodies, vec![part]);
        wanted.condition = WriteIf::Absent;
        let found = kind(contract.store.complete_upload(&upload, &wanted).await);
        assert_eq!(found, Kind::Exists);
        assert_eq!(contract.read("k").await, "first");
    }
    contract.store.abort_upload(&upload).await.expect("it is there");
}

pub(super) async fn an_aborted_upload_is_gone(contract: &Contract) {
    let upload = create(contract, "k").await;
    let part = send(contract, &upload, 1, body("bytes")).await;
    contract.store.abort_upload(&upload).await.expect("it is there");
    assert!(contract.is_missing("k").await);
    let wanted = assembled(&[body("bytes")], vec![part]);
    let found = kind(contract.store.complete_upload(&upload, &wanted).await);
    assert!(contract.is_missing("k").await, "an object of an aborted upload");
    if contract.can.forgets_aborted_uploads == Can::Yes {
        assert_eq!(found, Kind::MissingUpload);
        let part = contract.store.put_part(&upload, 2, body("late")).await;
        assert_eq!(kind(part), Kind::MissingUpload);
    }
}

pub(super) async fn an_upload_needs_its_bucket(contract: &Contract) {
    if contract.can.misses_buckets_of_uploads == Can::No {
        return;
    }
    let bucket = Bucket::new("no-such-bucket-anywhere").expect("a name");
    let elsewhere = ObjectName::new(bucket, Key::new("key").expect("a key"));
    let created = contract.store.create_upload(&elsewhere, &Attributes::default()).await;
    assert_eq!(kind(created), Kind::MissingBucket);
}

/// Whoever waits for the reply goes by it: a store that does not count looks like a dead one.
pub(super) async fn what_the_connection_takes_is_counted(contract: &Contract) {
    let sent = body(content("counted", PART));
    contract.try_put("k", sent.clone(), WriteIf::Always).await.expect("it can be put");
    assert_eq!(sent.taken.bytes(), PART);
    let again = sent.again();
    assert_eq!(again.taken.bytes(), 0);
    let upload = create(contract, "k").await;
    send(contract, &upload, 1, again.clone()).await;
    assert_eq!((again.taken.bytes(), sent.taken.bytes()), (PART, PART));
    contract.store.abort_upload(&upload).await.expect("it is there");
}

async fn create(contract: &Contract, key: &str) -> Upload {
    let object = contract.name(key);
    let id = contract.store.create_upload(&object, &Attributes::default()).await;
    Upload { id: id.expect("an upload can be started"), object }
}

async fn send(contract: &Contract, upload: &Upload, number: usize, body: Body) -> AssembledPart {
    let checksum = Some(body.checksum.clone());
    let number = u32::try_from(number).expect("a small number");
    let etag = contract.store.put_part(upload, number, body).await;
    AssembledPart { etag: etag.expect("a part can be sent"), checksum }
}

fn assembled(bodies: &[Body], parts: Vec<AssembledPart>) -> Assembled {
    let crc = Crc::Crc64Nvme;
    let size = bodies.iter().map(|body| body.bytes.len() as u64).sum();
    let whole = bodies.iter().fold(crc.empty(), |whole, body| {
        crc.fold(whole, crc.of(&body.bytes), body.bytes.len() as u64)
    });
    let condition = WriteIf::Always;
    Assembled { parts, size, checksum: Some(crc.checksum(whole)), condition }
}

fn whole_of(assembled: &Assembled) -> Checksum {
    assembled.checksum.clone().expect("all parts were seen here")
}
