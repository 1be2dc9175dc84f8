//! ListObjectVersions.

use std::cmp::Ordering;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};

use super::classify::sdk_error;
use super::list::decode;
use super::read::system_time;
use super::store::S3Store;
use crate::domain::location::{Key, ONLY_VERSION};
use crate::domain::object::{ETag, ListedObject, ListedVersion, VersionKind};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Depth, Result, VersionPage, VersionsRequest};

const VERSIONS: &str = "ListObjectVersions";

pub(super) async fn page(store: &S3Store, request: &VersionsRequest) -> Result<VersionPage> {
    let (key, version) = request.after.clone().unzip();
    let reply = store
        .client(&request.bucket)
        .list_object_versions()
        .bucket(request.bucket.as_str())
        .prefix(&request.prefix)
        .set_delimiter((request.depth == Depth::OneLevel).then(|| "/".to_owned()))
        .set_key_marker(key)
        .set_version_id_marker(version.filter(|version| !version.is_empty()))
        .encoding_type(EncodingType::Url)
        .set_request_payer(store.payer.clone())
        .send()
        .await;
    match reply {
        Ok(reply) => read(&reply),
        Err(error) => Err(sdk_error(VERSIONS, &error)),
    }
}

fn read(reply: &ListObjectVersionsOutput) -> Result<VersionPage> {
    let is_encoded = reply.encoding_type() == Some(&EncodingType::Url);
    let objects = reply.versions().iter().map(|version| object(version, is_encoded));
    let markers = reply.delete_markers().iter().map(|entry| marker(entry, is_encoded));
    let versions = merge(objects.collect::<Result<_>>()?, markers.collect::<Result<_>>()?);
    let prefixes = reply.common_prefixes().iter().filter_map(|common| common.prefix());
    let prefixes = prefixes.map(|prefix| Ok(decode(prefix, is_encoded)?.into_owned()));
    let prefixes = prefixes.collect::<Result<_>>()?;
    let next = match (reply.is_truncated(), reply.next_key_marker()) {
        (Some(true), None | Some("")) => {
            return Err(malformed(
                "the listing is cut, and the reply does not say where it goes on",
            ));
        }
        (Some(true), Some(key)) => Some((
            decode(key, is_encoded)?.into_owned(),
            reply.next_version_id_marker().unwrap_or_default().to_owned(),
        )),
        _ => None,
    };
    Ok(VersionPage { versions, prefixes, next })
}

/// One list of the two that the SDK makes of it, each in the store's order: by key, the newest first.
/// Of one time, a delete marker is taken for the newer: it hides what was there.
fn merge(objects: Vec<ListedVersion>, markers: Vec<ListedVersion>) -> Vec<ListedVersion> {
    let mut merged = Vec::with_capacity(objects.len() + markers.len());
    let mut markers = markers.into_iter().peekable();
    for object in objects {
        merged
            .extend(std::iter::from_fn(|| markers.next_if(|marker| comes_first(marker, &object))));
        merged.push(object);
    }
    merged.extend(markers);
    merged
}

fn comes_first(marker: &ListedVersion, object: &ListedVersion) -> bool {
    match marker.object.key.cmp(&object.object.key) {
        Ordering::Equal if marker.is_latest != object.is_latest => marker.is_latest,
        Ordering::Equal => marker.object.last_modified >= object.object.last_modified,
        order => order.is_lt(),
    }
}

fn object(version: &ObjectVersion, is_encoded: bool) -> Result<ListedVersion> {
    let key = decode(version.key().unwrap_or_default(), is_encoded)?;
    let size = version.size().and_then(|size| u64::try_from(size).ok());
    let size = size.ok_or_else(|| malformed(&format!("`{key}` is listed without a size")))?;
    Ok(ListedVersion {
        object: ListedObject {
            size,
            key: Key::new(&key).map_err(|error| malformed(&error.to_string()))?,
            etag: version.e_tag().map(ETag::new),
            last_modified: version.last_modified().and_then(system_time),
            storage_class: version.storage_class().map(|class| class.as_str().into()),
        },
        version: version.version_id().unwrap_or(ONLY_VERSION).into(),
        kind: VersionKind::Object,
        is_latest: version.is_latest() == Some(true),
    })
}

fn marker(entry: &DeleteMarkerEntry, is_encoded: bool) -> Result<ListedVersion> {
    let key = decode(entry.key().unwrap_or_default(), is_encoded)?;
    Ok(ListedVersion {
        object: ListedObject {
            size: 0,
            key: Key::new(&key).map_err(|error| malformed(&error.to_string()))?,
            etag: None,
            last_modified: entry.last_modified().and_then(system_time),
            storage_class: None,
        },
        version: entry.version_id().unwrap_or(ONLY_VERSION).into(),
        kind: VersionKind::DeleteMarker,
        is_latest: entry.is_latest() == Some(true),
    })
}

fn malformed(message: &str) -> StoreError {
    StoreError::new(VERSIONS, Kind::Malformed).with_message(message)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn version(text: &str, kind: VersionKind) -> ListedVersion {
        let (key, rest) = text.split_at(1);
        let seconds = rest.trim_end_matches('!').parse().expect("a number");
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        ListedVersion {
            object: ListedObject {
                key: Key::new(key).expect("a key"),
                size: 0,
                etag: None,
                last_modified: Some(since),
                storage_class: None,
            },
            version: text.into(),
            kind,
            is_latest: rest.ends_with('!'),
        }
    }

    #[test]
    fn objects_and_delete_markers_are_one_list_by_key_and_the_newest_first() {
        let list = |texts: &[&str], kind| texts.iter().map(|text| version(text, kind)).collect();
        let objects = list(&["a2", "a1", "b9!", "b5", "b5", "d1!"], VersionKind::Object);
        let markers = list(&["a3!", "b9", "b5", "c7!", "e1!"], VersionKind::DeleteMarker);
        let merged = merge(objects, markers);
        let is_marker = |kind| if kind == VersionKind::DeleteMarker { " x" } else { "" };
        let texts = merged.iter().map(|it| format!("{}{}", it.version, is_marker(it.kind)));
        let wanted =
            ["a3! x", "a2", "a1", "b9!", "b9 x", "b5 x", "b5", "b5", "c7! x", "d1!", "e1! x"];
        assert_eq!(texts.collect::<Vec<_>>(), wanted);
    }
}
