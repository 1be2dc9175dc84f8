//! Listing all versions of objects, delete markers included.

use s3s::S3Response;
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput,
    ObjectVersion, ObjectVersionStorageClass, Timestamp,
};

use super::buckets::owner;
use super::conditions::etag;
use super::list::Encoding;
use super::{Answer, Backend};
use crate::store::{Bucket, ONLY_VERSION, Version};

const MAX_LISTED: i32 = 1000;

pub(super) fn versions(
    backend: &Backend,
    input: ListObjectVersionsInput,
) -> Answer<ListObjectVersionsOutput> {
    let encoding = Encoding::of(input.encoding_type.as_ref());
    let mut entries = backend.store.with(&input.bucket, |bucket| entries(bucket, &input))?;
    let limit = usize::try_from(input.max_keys.unwrap_or(MAX_LISTED).min(MAX_LISTED)).unwrap_or(0);
    let limit = limit.min(backend.settings.page_size);
    let is_truncated = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| is_truncated);
    let next_key_marker = last.map(|entry| encoding.apply(entry.name().to_owned()));
    let next_version_id_marker = last.and_then(Entry::version_id);
    let mut common_prefixes = Vec::new();
    let (mut versions, mut delete_markers) = (Vec::new(), Vec::new());
    for entry in entries {
        let (key, version, is_latest) = match entry {
            Entry::Version(key, version, is_latest) => (key, version, is_latest),
            Entry::CommonPrefix(prefix) => {
                let prefix = Some(encoding.apply(prefix));
                common_prefixes.push(CommonPrefix { prefix });
                continue;
            }
        };
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
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        common_prefixes: Some(common_prefixes),
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

/// A line of the listing.
enum Entry {
    /// With its key, and whether the key has it now.
    Version(String, Version, bool),
    CommonPrefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Version(key, ..) => key,
            Self::CommonPrefix(prefix) => prefix,
        }
    }

    fn version_id(&self) -> Option<String> {
        match self {
            Self::Version(_, version, _) => Some(version.id.clone()),
            Self::CommonPrefix(_) => None,
        }
    }
}

/// All that is behind the markers, whatever has gone meanwhile.
fn entries(bucket: &Bucket, input: &ListObjectVersionsInput) -> Vec<Entry> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let marker = input.key_marker.as_deref().unwrap_or_default();
    let (mut entries, mut last_key): (Vec<Entry>, String) = Default::default();
    for (key, version) in bucket.all_versions() {
        let is_latest = std::mem::replace(&mut last_key, key.to_owned()) != key;
        let Some(below) = key.strip_prefix(prefix) else { continue };
        let folder = delimiter.and_then(|delimiter| {
            Some(&key[..prefix.len() + below.find(delimiter)? + delimiter.len()])
        });
        if let Some(folder) = folder {
            let is_listed = entries.last().is_some_and(|entry| entry.name() == folder);
            if folder > marker && !is_listed {
                entries.push(Entry::CommonPrefix(folder.to_owned()));
            }
            continue;
        }
        // Ids grow, and `null` is the oldest. Without one the marker's own key is passed over.
        let after = input.version_id_marker.as_deref();
        let is_older = || match (after, version.id.as_str()) {
            (None | Some(ONLY_VERSION), _) => false,
            (Some(_), ONLY_VERSION) => true,
            (Some(after), id) => id < after,
        };
        if key > marker || key == marker && is_older() {
            entries.push(Entry::Version(key.to_owned(), version, is_latest));
        }
    }
    entries
}
