//! PutObject, and what it shares with multipart uploads.

use aws_sdk_s3::primitives::ByteStream;
use http_body::Body as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bodies::Outgoing;
use super::classify::sdk_error;
use super::connect::{Payload, Replies};
use super::direct::{Draft, Replay, Sent, checksum_header, header};
use super::store::{
    S3Store, send_with_body, with_attributes, with_checksum, with_customer_key, with_replay,
};
use crate::domain::attributes::{Attributes, guess_content_type};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::location::ObjectName;
use crate::domain::object::ETag;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Body, Result, Write, WriteIf, Written};

const PUT: &str = "PutObject";
/// What is encoded in a query: all but the unreserved characters of RFC 3986, section 2.3.
pub(super) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) async fn put(
    store: &S3Store,
    object: &ObjectName,
    body: Body,
    how: &Write,
) -> Result<Written> {
    let draft = Draft::put(object, &body, how, store.extras());
    let sent = store.send(PUT, &object.bucket, draft, Some(&body)).await?;
    let told = sent.as_ref().and_then(|sent| told(sent, &body.checksum));
    let written = match told {
        Some(told) => told,
        None => put_by_sdk(store, object, &body, how, sent.map(Sent::replay)).await?,
    };
    check_stored(store, PUT, &body.checksum, written.checksum.as_ref())?;
    Ok(written)
}

/// What a usual reply to PutObject or UploadPart says. `None` where it is for the SDK to read.
pub(super) fn told(sent: &Sent, checksum: &Checksum) -> Option<Written> {
    let reply = sent.reply.as_ref().ok()?;
    // Nothing follows; else it might be an error.
    if reply.status().as_u16() != 200 || !reply.body().is_end_stream() {
        return None;
    }
    let stored = header(reply, checksum_header(checksum.algorithm())).ok()?;
    Some(Written {
        etag: header(reply, "etag").ok()?.map(ETag::new),
        version: header(reply, "x-amz-version-id").ok()?.map(Into::into),
        checksum: same_algorithm(checksum, |_| stored),
    })
}

pub(super) async fn put_by_sdk(
    store: &S3Store,
    object: &ObjectName,
    body: &Body,
    how: &Write,
    came: Option<Replay>,
) -> Result<Written> {
    let request = store
        .client(&object.bucket)
        .put_object()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_if_none_match(if_none_match(how.condition))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let request = with_attributes!(request, &how.attributes, object.key.file_name());
    let checksum = &body.checksum;
    let request = with_checksum!(request, checksum);
    let reply = send_with_body!(request, body, came, store);
    let reply = reply.map_err(|error| sdk_error(PUT, &error))?;
    let stored = same_algorithm(checksum, |algorithm| match algorithm {
        Algorithm::Crc64Nvme => reply.checksum_crc64_nvme(),
        Algorithm::Crc32C => reply.checksum_crc32_c(),
        Algorithm::Crc32 => reply.checksum_crc32(),
        Algorithm::Sha1 => reply.checksum_sha1(),
        Algorithm::Sha256 => reply.checksum_sha256(),
    });
    Ok(Written {
        etag: reply.e_tag().map(ETag::new),
        version: reply.version_id().map(Into::into),
        checksum: stored,
    })
}

/// Whether the store says that it has what was sent. Where not, the bytes are to be sent again.
pub(super) fn check_stored(
    store: &S3Store,
    operation: &'static str,
    sent: &Checksum,
    stored: Option<&Checksum>,
) -> Result<()> {
    match stored {
        Some(stored) if stored != sent && store.replies == Replies::Compared => {
            let message = format!("{sent} was sent, the store has {stored}");
            Err(StoreError::new(operation, Kind::Corrupted).with_message(message))
        }
        _ => Ok(()),
    }
}

/// The reply's checksum of the kind that was sent.
pub(super) fn same_algorithm<'a>(
    sent: &Checksum,
    value: impl FnOnce(Algorithm) -> Option<&'a str>,
) -> Option<Checksum> {
    Checksum::from_base64(sent.algorithm(), value(sent.algorithm())?)
}

pub(super) fn if_none_match(condition: WriteIf) -> Option<String> {
    (condition == WriteIf::Absent).then(|| "*".to_owned())
}

/// Tags as S3 wants them in a header: a query string.
pub(super) fn tagging(tags: &[(String, String)]) -> Option<String> {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let pairs = tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value)));
    (!tags.is_empty()).then(|| pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_a_query_string() {
        let tags = [("a b".to_owned(), "1&2=3".to_owned()), ("c".to_owned(), String::new())];
        assert_eq!(tagging(&tags).as_deref(), Some("a%20b=1%262%3D3&c="));
        assert_eq!(tagging(&[]), None);
    }
}
