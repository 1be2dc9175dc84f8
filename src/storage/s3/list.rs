//! ListObjectsV2 and ListBuckets.

use std::borrow::Cow;
use std::sync::Arc;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;

use super::classify::sdk_error;
use super::list_reply::{self, Reply};
use super::quick_list::QuickList;
use super::read::system_time;
use super::store::S3Store;
use crate::domain::location::Key;
use crate::domain::object::{ETag, ListedObject};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Depth, ListPage, ListRequest, ListedBucket, Result};

const LIST: &str = "ListObjectsV2";

pub(super) async fn page(store: &S3Store, request: &ListRequest) -> Result<ListPage> {
    let quick = QuickList::new(read_quickly);
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
        .customize()
        .interceptor(quick.clone())
        .send()
        .await;
    match reply {
        Ok(reply) => quick.take().unwrap_or_else(|| read_page(&reply)),
        Err(error) => Err(sdk_error(LIST, &error)),
    }
}

/// `None` for a reply that is not usual.
fn read_quickly(body: &[u8]) -> Option<Result<ListPage>> {
    list_reply::read(body).map(quick_page)
}

fn quick_page(reply: Reply<'_>) -> Result<ListPage> {
    let is_encoded = reply.encoding.as_deref() == Some(EncodingType::Url.as_str());
    let next = next_page(reply.is_truncated, reply.next.as_deref())?;
    let mut objects = Vec::with_capacity(reply.entries.len());
    // Most objects have the class of the one before.
    let mut class: Option<Arc<str>> = None;
    for entry in reply.entries {
        if class.as_deref() != entry.storage_class.as_deref() {
            class = entry.storage_class.as_deref().map(Arc::from);
        }
        let key = decode(&entry.key, is_encoded)?;
        objects.push(ListedObject {
            key: Key::new(&key).map_err(|error| malformed(error.to_string()))?,
            size: entry.size,
            etag: entry.etag.as_deref().map(ETag::new),
            last_modified: entry.last_modified.as_ref().and_then(system_time),
            storage_class: class.clone(),
        });
    }
    let prefixes = reply.prefixes.iter().map(|prefix| decode(prefix, is_encoded));
    let prefixes = prefixes.map(|prefix| prefix.map(Cow::into_owned)).collect::<Result<_>>()?;
    Ok(ListPage { objects, prefixes, next })
}

/// Where the next page begins, if there is one.
fn next_page(is_truncated: Option<bool>, token: Option<&str>) -> Result<Option<String>> {
    match (is_truncated, token) {
        (Some(true), None | Some("")) => {
            Err(malformed("the listing is cut, and the reply does not say where it goes on"))
        }
        // A token alone says that there is more, too: silence is no end.
        (Some(true) | None, Some(token)) if !token.is_empty() => Ok(Some(token.to_owned())),
        _ => Ok(None),
    }
}

fn malformed(message: impl Into<String>) -> StoreError {
    StoreError::new(LIST, Kind::Malformed).with_message(message)
}

fn read_page(reply: &ListObjectsV2Output) -> Result<ListPage> {
    let is_encoded = reply.encoding_type() == Some(&EncodingType::Url);
    let next = next_page(reply.is_truncated(), reply.next_continuation_token())?;
    let mut page = ListPage { next, ..ListPage::default() };
    for object in reply.contents() {
        page.objects.push(listed(object, is_encoded)?);
    }
    for prefix in reply.common_prefixes().iter().filter_map(|common| common.prefix()) {
        page.prefixes.push(decode(prefix, is_encoded)?.into_owned());
    }
    Ok(page)
}

fn listed(object: &Object, is_encoded: bool) -> Result<ListedObject> {
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
pub(super) fn decode(text: &str, is_encoded: bool) -> Result<Cow<'_, str>> {
    if !is_encoded || !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = if text.contains('+') { text.replace('+', " ").into() } else { Cow::from(text) };
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(Cow::Owned(decoded.into_owned())),
        Err(_) => Err(malformed(format!("`{text}` is not UTF-8"))),
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

    use aws_sdk_s3::types::EncodingType;

    use super::{QuickList, decode, read_page, read_quickly};
    use crate::domain::location::Bucket;
    use crate::storage::s3::{Options, Signing, connect};

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

    #[tokio::test]
    async fn a_page_is_read_as_the_sdk_reads_it() {
        let testbed = testbed::Testbed::builder().anonymous().spawn().expect("a testbed");
        testbed.create_bucket("bucket");
        let odd =
            ["a b", "a+b", "%41", "é/日", "\u{1}\n", "<&\"'>", "p/q", "p/r", "\u{1F600}", "x//"];
        for (size, key) in odd.iter().enumerate() {
            testbed.put_object("bucket", key, vec![0; size]);
        }
        let class = testbed::PutOptions::new().storage_class("GLACIER").part_size(5);
        testbed.put_object_with("bucket", "cold", "0123456789", &class);
        let options = Options {
            endpoint_url: Some(testbed.endpoint()),
            region: Some("us-east-1".to_owned()),
            signing: Signing::Anonymous,
            ..Options::default()
        };
        let store = connect(&options).await.expect("a store");
        let client = store.client(&Bucket::new("bucket").expect("a name"));
        for delimiter in [None, Some("/".to_owned())] {
            for limit in [None, Some(3)] {
                let request = client.list_objects_v2().bucket("bucket").set_max_keys(limit);
                let request = request.set_delimiter(delimiter.clone());
                let request = request.encoding_type(EncodingType::Url);
                let quick = QuickList::new(read_quickly);
                let sending = request.clone().customize().interceptor(quick.clone()).send();
                let output = sending.await.expect("a reply");
                assert!(output.contents().is_empty(), "the SDK had nothing to read");
                let page = quick.take().expect("nothing is unusual").expect("a page");
                assert_eq!(page.next.is_some(), limit.is_some());
                assert!(!page.objects.is_empty());
                let output = request.send().await.expect("a reply");
                assert_eq!(page, read_page(&output).expect("a page"));
            }
        }
    }
}
