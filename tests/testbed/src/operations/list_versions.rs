//! Listing all versions of objects, delete markers included.

use s3s::S3Response;
use s3s::dto::{
    DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion,
    ObjectVersionStorageClass, Timestamp,
};

use super::buckets::owner;
use super::conditions::etag;
use super::list::Encoding;
use super::{Answer, Backend};
use crate::store::Version;

const MAX_LISTED: i32 = 1000;

pub(super) fn versions(
    backend: &Backend,
    input: ListObjectVersionsInput,
) -> Answer<ListObjectVersionsOutput> {
    let encoding = Encoding::of(input.encoding_type.as_ref());
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut all: Vec<(String, Version, bool)> = backend.store.with(&input.bucket, |bucket| {
        let mut last = String::new();
        let versions = bucket.all_versions().into_iter().map(|(key, version)| {
            let is_latest = std::mem::replace(&mut last, key.to_owned()) != key;
            (key.to_owned(), version, is_latest)
        });
        versions.filter(|(key, ..)| key.starts_with(&prefix)).collect()
    })?;
    if let Some(marker) = input.key_marker.as_ref().filter(|marker| !marker.is_empty()) {
        let is_last = |(key, version, _): &(String, Version, bool)| {
            key == marker && Some(&version.id) == input.version_id_marker.as_ref()
        };
        // Without a version the marker's own key is passed over too.
        let at = all.iter().position(is_last).map(|at| at + 1);
        let at = at.unwrap_or_else(|| all.partition_point(|(key, ..)| key <= marker));
        all.drain(..at);
    }
    let limit = usize::try_from(input.max_keys.unwrap_or(MAX_LISTED).min(MAX_LISTED)).unwrap_or(0);
    let limit = limit.min(backend.settings.page_size);
    let is_truncated = all.len() > limit;
    all.truncate(limit);
    let last = all.last().filter(|_| is_truncated);
    let next_key_marker = last.map(|(key, ..)| encoding.apply(key.clone()));
    let next_version_id_marker = last.map(|(_, version, _)| version.id.clone());
    let (mut versions, mut delete_markers) = (Vec::new(), Vec::new());
    for (key, version, is_latest) in all {
        let (key, last_modified) = (encoding.apply(key), Timestamp::from(version.since));
        match version.object {
            Some(object) => versions.push(ObjectVersion {
                key: Some(key),
                version_id: Some(version.id),
                is_latest: Some(is_latest),
                last_modified: Some(last_modified),
                e_tag: Some(etag(&object)),
                size: i64::try_from(object.len()).ok(),
                storage_class: Some(ObjectVersionStorageClass::from(
                    object.attributes.storage_class.clone().unwrap_or("STANDARD".to_owned()),
                )),
                ..Default::default()
            }),
            None => delete_markers.push(DeleteMarkerEntry {
                key: Some(key),
                version_id: Some(version.id),
                is_latest: Some(is_latest),
                last_modified: Some(last_modified),
                owner: Some(owner()),
            }),
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(prefix)),
        key_marker: input.key_marker.map(|marker| encoding.apply(marker)),
        version_id_marker: input.version_id_marker,
        next_key_marker,
        next_version_id_marker,
        is_truncated: Some(is_truncated),
        encoding_type: input.encoding_type,
        versions: Some(versions),
        delete_markers: Some(delete_markers),
        ..Default::default()
    }))
}
