//! ListObjectsV2 and ListBuckets.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;

use super::classify::sdk_error;
use super::read::system_time;
use super::store::S3Store;
use crate::domain::location::Key;
use crate::domain::object::{ETag, ListedObject};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Depth, ListPage, ListRequest, ListedBucket, Result};

const LIST: &str = "ListObjectsV2";

pub(super) async fn page(store: &S3Store, request: &ListRequest) -> Result<ListPage> {
    let reply = store
        .client(&request.bucket)
        .list_objects_v2()
        .bucket(request.bucket.as_str())
        .prefix(&request.prefix)
        .set_delimiter((request.depth == Depth::OneLevel).then(|| "/".to_owned()))
        .set_start_after(request.after.clone())
        .set_continuation_token(request.token.clone())
        .set_max_keys(request.limit)
        // XML can't hold every key: control characters only come through encoded.
        .encoding_type(EncodingType::Url)
        .set_request_payer(store.payer.clone())
        .send()
        .await;
    match reply {
        Ok(reply) => read_page(&reply),
        Err(error) => Err(sdk_error(LIST, &error)),
    }
}

fn read_page(reply: &ListObjectsV2Output) -> Result<ListPage> {
    let malformed =
        |message: &str| Err(StoreError::new(LIST, Kind::Malformed).with_message(message));
    let is_encoded = reply.encoding_type() == Some(&EncodingType::Url);
    let next = match (reply.is_truncated(), reply.next_continuation_token()) {
        (Some(true), None | Some("")) => {
            return malformed("the listing is cut, and the reply does not say where it goes on");
        }
        // A token alone says that there is more, too: silence is no end.
        (Some(true) | None, Some(token)) if !token.is_empty() => Some(token.to_owned()),
        _ => None,
    };
    let mut page = ListPage { next, ..ListPage::default() };
    for object in reply.contents() {
        page.objects.push(listed(object, is_encoded)?);
    }
    for prefix in reply.common_prefixes().iter().filter_map(|common| common.prefix()) {
        page.prefixes.push(decode(prefix, is_encoded)?);
    }
    Ok(page)
}

fn listed(object: &Object, is_encoded: bool) -> Result<ListedObject> {
    let malformed = |message: String| StoreError::new(LIST, Kind::Malformed).with_message(message);
    let key = decode(object.key().unwrap_or_default(), is_encoded)?;
    let size = object.size().and_then(|size| u64::try_from(size).ok());
    Ok(ListedObject {
        size: size.ok_or_else(|| malformed(format!("`{key}` is listed without a size")))?,
        key: Key::new(&key).map_err(|error| malformed(error.to_string()))?,
        etag: object.e_tag().map(ETag::new),
        last_modified: object.last_modified().and_then(system_time),
        storage_class: object.storage_class().map(|class| class.as_str().into()),
    })
}

/// Takes S3's URL encoding off, where the reply says that it is on: a space is a `+` there.
pub(super) fn decode(text: &str, is_encoded: bool) -> Result<String> {
    if !is_encoded {
        return Ok(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => {
            Err(StoreError::new(LIST, Kind::Malformed)
                .with_message(format!("`{text}` is not UTF-8")))
        }
    }
}

pub(super) async fn buckets(store: &S3Store) -> Result<Vec<ListedBucket>> {
    let mut found = Vec::new();
    let mut pages = store.first_client().list_buckets().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| sdk_error("ListBuckets", &error))?;
        found.extend(page.buckets().iter().map(|bucket| ListedBucket {
            name: bucket.name().unwrap_or_default().to_owned(),
            created: bucket.creation_date().and_then(system_time),
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

    use super::{decode, read_page};

    #[test]
    fn a_listing_ends_only_where_it_says_so_or_gives_no_token() {
        let next = |is_truncated, token: Option<&str>| {
            let reply = ListObjectsV2Output::builder()
                .set_is_truncated(is_truncated)
                .set_next_continuation_token(token.map(str::to_owned));
            read_page(&reply.build()).map(|page| page.next)
        };
        let more = Some("more".to_owned());
        assert_eq!(next(Some(true), Some("more")).expect("a page"), more);
        assert_eq!(next(None, Some("more")).expect("a page"), more);
        assert_eq!(next(Some(false), Some("more")).expect("a page"), None);
        for token in [None, Some("")] {
            assert_eq!(next(None, token).expect("a page"), None);
            assert!(next(Some(true), token).is_err(), "it would begin again, or end too early");
        }
    }

    #[test]
    fn keys_are_decoded_only_where_the_reply_says_so() {
        assert_eq!(decode("a+b%2Bc%0A", true).expect("UTF-8"), "a b+c\n");
        assert_eq!(decode("a+b%2B", false).expect("UTF-8"), "a+b%2B");
        assert!(decode("%ff", true).is_err());
    }
}
