//! ListObjectVersions.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};

use super::classify::sdk_error;
use super::list::decode;
use super::read::system_time;
use super::store::S3Store;
use crate::domain::location::{Key, ONLY_VERSION};
use crate::domain::object::{ETag, ListedObject};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    ListedVersion, Result, VersionKind, VersionPage, VersionsRequest,
};

const VERSIONS: &str = "ListObjectVersions";

pub(super) async fn page(store: &S3Store, request: &VersionsRequest) -> Result<VersionPage> {
    let (key, version) = request.after.clone().unzip();
    let reply = store
        .client(&request.bucket)
        .list_object_versions()
        .bucket(request.bucket.as_str())
        .prefix(&request.prefix)
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
    let versions = objects.chain(markers).collect::<Result<Vec<_>>>()?;
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
    Ok(VersionPage { versions, next })
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
