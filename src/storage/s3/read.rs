//! GetObject and HeadObject.

use std::borrow::Cow;
use std::future;
use std::pin::Pin;
use std::time::SystemTime;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat as Format};
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body::{Body as HttpBody, Frame};
use hyper::Response;
use hyper::body::Incoming;

use super::classify::{body_error, sdk_error};
use super::details::details;
use super::direct::{Draft, Replay, Sent, checksum_header, header};
use super::store::{S3Store, TOLD, told_checksums, with_customer_key, with_replay};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::composite::Composite;
use crate::domain::location::ObjectName;
use crate::domain::object::{ETag, ObjectDetails, ObjectFacts, StoredChecksum};
use crate::domain::preserved::{MODE, MTIME, Preserved};
use crate::domain::range::{ByteRange, ContentRange};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{GetReply, Read, Result};
use std::collections::HashMap;

pub(super) const GET: &str = "GetObject";
pub(super) const HEAD: &str = "HeadObject";

pub(super) async fn get(store: &S3Store, object: &ObjectName, what: &Read) -> Result<GetReply> {
    let draft = Draft::get(object, what, store.extras());
    let sent = store.send(GET, &object.bucket, draft, None).await?;
    let told = match &sent {
        Some(Sent { reply: Ok(reply), .. }) => told(reply, what.range),
        _ => None,
    };
    match (sent, told) {
        (Some(Sent { reply: Ok(reply), .. }), Some(told)) => {
            let (facts, range) = told?;
            let takes_ranges = takes_ranges(header(&reply, "accept-ranges").ok().flatten());
            Ok(GetReply { facts, range, takes_ranges, body: frames(reply.into_body()) })
        }
        (sent, _) => get_by_sdk(store, object, what, sent.map(Sent::replay)).await,
    }
}

/// What the head of a usual reply says. `None` where it is for the SDK to read.
fn told(
    reply: &Response<Incoming>,
    asked: Option<ByteRange>,
) -> Option<Result<(ObjectFacts, Option<ByteRange>)>> {
    let header = |name| header(reply, name).ok();
    let length: u64 = header("content-length")??.parse().ok()?;
    let content_range = match (reply.status().as_u16(), header("content-range")?) {
        (206, Some(text)) => Some(Cow::Borrowed(text)),
        (200, None) => content_range_of_all(length).map(Cow::Owned),
        _ => return None,
    };
    let last_modified = match header("last-modified")? {
        Some(text) => Some(DateTime::from_str(text, Format::HttpDate).ok()?),
        None => None,
    };
    let kind = header("x-amz-checksum-type")?.map(ChecksumType::from);
    let mut values = [(Algorithm::Crc64Nvme, None); 5];
    for (value, algorithm) in values.iter_mut().zip(TOLD) {
        *value = (algorithm, header(checksum_header(algorithm))?);
    }
    let [etag, version] = [header("etag")?, header("x-amz-version-id")?];
    let [mtime, mode] = [header("x-amz-meta-mtime"), header("x-amz-meta-mode")];
    let preserved = Preserved::of_metadata(mtime.flatten(), mode.flatten());
    Some(sent_range(Some(length), content_range.as_deref(), asked).map(|(range, size)| {
        let facts = ObjectFacts {
            size,
            etag: etag.map(ETag::new),
            version: version.map(Into::into),
            last_modified: last_modified.as_ref().and_then(system_time),
            checksum: choose_checksum(of_all(&values, range, size), kind.as_ref()),
            preserved,
        };
        (facts, range)
    }))
}

pub(super) async fn get_by_sdk(
    store: &S3Store,
    object: &ObjectName,
    what: &Read,
    came: Option<Replay>,
) -> Result<GetReply> {
    let request = store
        .client(&object.bucket)
        .get_object()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_version_id(object.version.as_deref().map(str::to_owned))
        .set_range(what.range.map(|range| range.to_string()))
        .set_if_match(what.if_match.as_ref().map(|etag| etag.as_str().to_owned()))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    // As a plain header: asked for as a setting, the SDK would compute and compare the checksum a
    // second time, and take what some servers send for a fault of the connection.
    let request = request.customize().mutate_request(|request| {
        request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
    });
    let request = with_replay!(request, came);
    let reply = request.send().await.map_err(|error| with_class(sdk_error(GET, &error), &error))?;
    let length = reply.content_length().and_then(|length| u64::try_from(length).ok());
    let (range, size) = sent_range(length, reply.content_range(), what.range)?;
    let values = told_checksums!(reply);
    let facts = ObjectFacts {
        size,
        etag: reply.e_tag().map(ETag::new),
        version: reply.version_id().map(Into::into),
        last_modified: reply.last_modified().and_then(system_time),
        checksum: choose_checksum(of_all(&values, range, size), reply.checksum_type()),
        preserved: preserved(reply.metadata()),
    };
    let takes_ranges = takes_ranges(reply.accept_ranges());
    Ok(GetReply { facts, range, takes_ranges, body: frames(reply.body.into_inner()) })
}

/// Of an archived object, the class that keeps it from being read.
fn with_class(failed: StoreError, error: &SdkError<GetObjectError, HttpResponse>) -> StoreError {
    let Some(GetObjectError::InvalidObjectState(state)) = error.as_service_error() else {
        return failed;
    };
    let Some(class) = state.storage_class() else { return failed };
    let class = state.access_tier().map_or(class.as_str(), |tier| tier.as_str());
    let message = failed.message.as_deref().unwrap_or("it is archived");
    let message = format!("{message}: {class}");
    failed.with_message(message)
}

fn takes_ranges(accepted: Option<&str>) -> bool {
    accepted == Some("bytes")
}

/// A whole object's checksum on a 206 is right for the whole only.
fn of_all<'a>(
    values: &'a [(Algorithm, Option<&'a str>)],
    range: Option<ByteRange>,
    size: u64,
) -> &'a [(Algorithm, Option<&'a str>)] {
    if range.is_none_or(|range| range.length() == size) { values } else { &[] }
}

/// Which bytes follow, and how many the object has.
///
/// A store that knows no ranges answers with the whole object (200). That is taken where the range
/// starts at 0: the caller is told how far the bytes go. Elsewhere they would be written to the
/// wrong place.
fn sent_range(
    length: Option<u64>,
    content_range: Option<&str>,
    asked: Option<ByteRange>,
) -> Result<(Option<ByteRange>, u64)> {
    let malformed =
        |message: String| Err(StoreError::new(GET, Kind::Malformed).with_message(message));
    let Some(text) = content_range else {
        return match (length, asked) {
            (None, _) => malformed("the reply has no length".to_owned()),
            // Nothing follows, so nothing can be written to the wrong place.
            (Some(0), _) => Ok((None, 0)),
            // A 206 that does not say what it sends: see `StatusInRange` for a 200.
            (Some(_), Some(asked)) => {
                malformed(format!("asked for {asked}, got a reply without Content-Range"))
            }
            (Some(size), None) => Ok((ByteRange::new(0, size), size)),
        };
    };
    let Some(content) = ContentRange::parse(text) else {
        return malformed(format!("`{text}` is no Content-Range"));
    };
    if let Some(length) = length.filter(|length| *length != content.range.length()) {
        return malformed(format!("Content-Range is `{text}`, but {length} bytes follow"));
    }
    let is_asked = match asked {
        None => content.range.start() == 0 && content.range.end() == content.total,
        // Less than asked for is right only at the end of the object.
        Some(asked) => {
            let is_all = asked.start() == 0 && content.range.end() == content.total;
            content.range.start() == asked.start()
                && (is_all || content.range.end() == asked.end().min(content.total))
        }
    };
    if is_asked {
        Ok((Some(content.range), content.total))
    } else {
        let asked = asked.map_or_else(|| "the whole object".to_owned(), |range| range.to_string());
        malformed(format!("asked for {asked}, got `{text}`"))
    }
}

/// Tells a 200 from a 206, which the SDK's output does not: a store that answers a range with the
/// whole object gets the Content-Range of the whole object.
#[derive(Debug)]
pub(super) struct StatusInRange;

impl Intercept for StatusInRange {
    fn name(&self) -> &'static str {
        "StatusInRange"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let status = context.response().status();
        let headers = context.response_mut().headers_mut();
        if status.as_u16() != 200 {
            // A success without content, or another that no read may have: it has no object.
            if status.is_success() && status.as_u16() != 206 {
                headers.remove("content-length");
                headers.remove("content-range");
            }
            return Ok(());
        }
        let length: Option<u64> = headers.get("content-length").and_then(|text| text.parse().ok());
        if let Some(all) = length.and_then(content_range_of_all)
            && headers.get("content-range").is_none()
        {
            headers.insert("content-range", all);
        }
        Ok(())
    }
}

/// As a 206 would say it; `None` of an object without bytes.
fn content_range_of_all(length: u64) -> Option<String> {
    (length > 0).then(|| format!("bytes 0-{}/{length}", length - 1))
}

pub(super) async fn head(store: &S3Store, object: &ObjectName) -> Result<ObjectFacts> {
    head_facts(&ask_head(store, object).await?)
}

/// As `head`, with all that there is to be told.
pub(super) async fn stat(store: &S3Store, object: &ObjectName) -> Result<ObjectDetails> {
    let reply = ask_head(store, object).await?;
    Ok(details(&reply, head_facts(&reply)?))
}

/// The whole reply to a HEAD.
pub(super) async fn ask_head(store: &S3Store, object: &ObjectName) -> Result<HeadObjectOutput> {
    let request = store
        .client(&object.bucket)
        .head_object()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .checksum_mode(ChecksumMode::Enabled)
        .set_version_id(object.version.as_deref().map(str::to_owned))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    request.send().await.map_err(|error| sdk_error(HEAD, &error))
}

pub(super) fn head_facts(reply: &HeadObjectOutput) -> Result<ObjectFacts> {
    let size = reply.content_length().and_then(|length| u64::try_from(length).ok());
    let size = size.ok_or_else(|| {
        StoreError::new(HEAD, Kind::Malformed).with_message("the reply has no length")
    })?;
    Ok(ObjectFacts {
        size,
        etag: reply.e_tag().map(ETag::new),
        version: reply.version_id().map(Into::into),
        last_modified: reply.last_modified().and_then(system_time),
        checksum: choose_checksum(&told_checksums!(reply), reply.checksum_type()),
        preserved: preserved(reply.metadata()),
    })
}

fn preserved(metadata: Option<&HashMap<String, String>>) -> Preserved {
    let value = |name| metadata?.get(name).map(String::as_str);
    Preserved::of_metadata(value(MTIME), value(MODE))
}

/// What a reply says of the object's content. CRC64NVME first: it always is of the whole object.
pub(super) fn choose_checksum(
    values: &[(Algorithm, Option<&str>)],
    kind: Option<&ChecksumType>,
) -> StoredChecksum {
    let mut found = StoredChecksum::None;
    for &(algorithm, value) in values {
        let Some(value) = value else { continue };
        // Not every server tells the type; a composite value carries its number of parts anyway.
        match Checksum::from_base64(algorithm, value) {
            Some(checksum) if kind != Some(&ChecksumType::Composite) => {
                return StoredChecksum::FullObject(checksum);
            }
            _ if found != StoredChecksum::None => {}
            _ => {
                // What is neither says nothing.
                let composite = Composite::from_base64(algorithm, value);
                found = composite.map_or(StoredChecksum::None, StoredChecksum::Composite);
            }
        }
    }
    found
}

/// The body's frames as they come from the connection, uncopied.
fn frames<B>(body: B) -> BoxStream<'static, Result<Bytes>>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    stream::unfold(body, |mut body| async move {
        loop {
            let next = future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            match next.await?.map(Frame::into_data) {
                Ok(Ok(data)) => return Some((Ok(data), body)),
                // Trailers: nothing that counts.
                Ok(Err(_)) => {}
                Err(error) => {
                    let error: BoxError = error.into();
                    return Some((Err(body_error(GET, &*error)), body));
                }
            }
        }
    })
    .boxed()
}

pub(super) fn system_time(time: &DateTime) -> Option<SystemTime> {
    SystemTime::try_from(*time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        crc32c: Option<&str>,
        sha256: Option<&str>,
        kind: Option<&ChecksumType>,
    ) -> StoredChecksum {
        let absent = |algorithm| (algorithm, None);
        let values = [
            absent(Algorithm::Crc64Nvme),
            (Algorithm::Crc32C, crc32c),
            absent(Algorithm::Crc32),
            (Algorithm::Sha256, sha256),
            absent(Algorithm::Sha1),
        ];
        choose_checksum(&values, kind)
    }

    #[test]
    fn a_checksum_of_parts_is_never_taken_for_that_of_the_whole() {
        let whole = Checksum::from_base64(Algorithm::Crc32C, "AAAAAA==").expect("a value");
        let whole = StoredChecksum::FullObject(whole);
        let composite = |text| {
            let composite = Composite::from_base64(Algorithm::Crc32C, text);
            StoredChecksum::Composite(composite.expect("a value"))
        };
        let (of_parts, of_whole) =
            (Some(&ChecksumType::Composite), Some(&ChecksumType::FullObject));
        assert_eq!(chosen(Some("AAAAAA=="), None, None), whole);
        assert_eq!(chosen(Some("AAAAAA=="), None, of_whole), whole);
        assert_eq!(chosen(Some("AAAAAA=="), None, of_parts), composite("AAAAAA=="));
        assert_eq!(chosen(Some("AAAAAA==-3"), None, None), composite("AAAAAA==-3"));
        assert_eq!(chosen(Some("AAAAAA==-3"), Some("junk"), of_parts), composite("AAAAAA==-3"));
        assert_eq!(chosen(Some("junk"), None, None), StoredChecksum::None);
        assert_eq!(chosen(None, None, of_parts), StoredChecksum::None);
    }
}
