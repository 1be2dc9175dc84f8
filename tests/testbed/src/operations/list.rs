//! Listing objects, both versions of the operation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    ChecksumAlgorithmList, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, Timestamp,
};
use s3s::{S3Response, S3Result, s3_error};

use super::buckets::owner;
use super::checksums::{algorithm_dto, type_of};
use super::conditions::etag;
use super::{Answer, Backend};
use crate::store::{Entry, ListRequest, StoredObject};
use crate::url::encode_key;

/// What S3 lists at most at once.
const MAX_KEYS: i32 = 1000;

pub(super) fn v2(backend: &Backend, input: ListObjectsV2Input) -> Answer<ListObjectsV2Output> {
    let encoding = Encoding::of(input.encoding_type.as_ref());
    let after = match &input.continuation_token {
        Some(token) => Some(decode_token(token)?),
        None => input.start_after.clone(),
    };
    let listing = list(
        backend,
        &input.bucket,
        Asked {
            prefix: input.prefix.clone(),
            delimiter: input.delimiter.clone(),
            after,
            max_keys: input.max_keys,
            with_owner: input.fetch_owner.unwrap_or(false),
            encoding,
        },
    )?;
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        start_after: input.start_after.map(|after| encoding.apply(after)),
        max_keys: Some(listing.max_keys),
        key_count: i32::try_from(listing.contents.len() + listing.common_prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next.map(|next| encode_token(&next)),
        contents: Some(listing.contents),
        common_prefixes: Some(listing.common_prefixes),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

pub(super) fn v1(backend: &Backend, input: ListObjectsInput) -> Answer<ListObjectsOutput> {
    let encoding = Encoding::of(input.encoding_type.as_ref());
    let listing = list(
        backend,
        &input.bucket,
        Asked {
            prefix: input.prefix.clone(),
            delimiter: input.delimiter.clone(),
            after: input.marker.clone().filter(|marker| !marker.is_empty()),
            max_keys: input.max_keys,
            with_owner: true,
            encoding,
        },
    )?;
    // S3 sends the next marker only with a delimiter; without one it is the last key.
    let next_marker = listing.next.clone().filter(|_| input.delimiter.is_some());
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        marker: Some(encoding.apply(input.marker.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        max_keys: Some(listing.max_keys),
        is_truncated: Some(listing.next.is_some()),
        next_marker: next_marker.map(|marker| encoding.apply(marker)),
        contents: Some(listing.contents),
        common_prefixes: Some(listing.common_prefixes),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

/// How names are written into the XML.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    pub(super) fn of(asked: Option<&EncodingType>) -> Self {
        match asked {
            Some(encoding) if encoding.as_str() == EncodingType::URL => Self::Url,
            _ => Self::Plain,
        }
    }

    pub(super) fn apply(self, name: String) -> String {
        match self {
            Self::Plain => name,
            Self::Url => encode_key(&name),
        }
    }
}

struct Asked {
    prefix: Option<String>,
    delimiter: Option<String>,
    after: Option<String>,
    max_keys: Option<i32>,
    with_owner: bool,
    encoding: Encoding,
}

struct Listing {
    contents: Vec<Object>,
    common_prefixes: Vec<CommonPrefix>,
    max_keys: i32,
    next: Option<String>,
}

fn list(backend: &Backend, bucket: &str, asked: Asked) -> S3Result<Listing> {
    let max_keys = asked.max_keys.unwrap_or(MAX_KEYS);
    let limit = usize::try_from(max_keys.min(MAX_KEYS))
        .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    let request = ListRequest {
        prefix: asked.prefix.unwrap_or_default(),
        delimiter: asked.delimiter.unwrap_or_default(),
        after: asked.after,
        limit: limit.min(backend.settings.page_size),
    };
    let page = backend.store.with(bucket, |bucket| bucket.list(&request))?;
    let mut listing =
        Listing { contents: Vec::new(), common_prefixes: Vec::new(), max_keys, next: page.next };
    for entry in page.entries {
        match entry {
            Entry::Object(key, object) => {
                let mut listed = describe(asked.encoding.apply(key), &object);
                listed.owner = asked.with_owner.then(owner);
                listing.contents.push(listed);
            }
            Entry::CommonPrefix(prefix) => {
                let prefix = Some(asked.encoding.apply(prefix));
                listing.common_prefixes.push(CommonPrefix { prefix });
            }
        }
    }
    Ok(listing)
}

fn describe(key: String, object: &StoredObject) -> Object {
    let class = object.attributes.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
    let algorithms: Option<ChecksumAlgorithmList> =
        object.checksum.as_ref().map(|checksum| vec![algorithm_dto(checksum.algorithm)]);
    Object {
        checksum_algorithm: algorithms,
        checksum_type: type_of(object.checksum.as_ref()),
        e_tag: Some(etag(object)),
        key: Some(key),
        last_modified: Some(Timestamp::from(object.last_modified)),
        size: i64::try_from(object.len()).ok(),
        storage_class: Some(ObjectStorageClass::from(class)),
        ..Default::default()
    }
}

/// Opaque to clients, so that none can rely on what is inside.
fn encode_token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

fn decode_token(token: &str) -> S3Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}
