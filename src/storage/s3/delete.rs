//! DeleteObject and DeleteObjects. Nothing may count as removed but what the store itself says it
//! removed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body::Body as _;
use md5::Digest as _;

use super::classify::{error_of_one, sdk_error};
use super::store::S3Store;
use crate::domain::location::Bucket;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Removal, Removed, Result};

const ONE: &str = "DeleteObject";
const MANY: &str = "DeleteObjects";

pub(super) async fn one(store: &S3Store, bucket: &Bucket, removal: &Removal) -> Result<Removed> {
    let reply_has_content = ReplyHasContent::default();
    let reply = store
        .client(bucket)
        .delete_object()
        .bucket(bucket.as_str())
        .key(removal.key.as_str())
        .set_version_id(removal.version.as_deref().map(str::to_owned))
        .set_if_match(removal.if_match.as_ref().map(|etag| etag.as_str().to_owned()))
        .set_request_payer(store.payer.clone())
        .customize()
        .interceptor(reply_has_content.clone())
        .send()
        .await;
    match reply {
        Ok(_) if reply_has_content.0.load(Relaxed) => {
            let text = "something other than the store said yes";
            Err(StoreError::new(ONE, Kind::Malformed).with_message(text))
        }
        Ok(reply) if is_another(removal, reply.version_id()) => {
            let text = "the store says that it removed another version, or left a delete marker";
            Err(StoreError::new(ONE, Kind::Refused).with_message(text))
        }
        Ok(reply) => Ok(Removed {
            marker: reply
                .version_id()
                .filter(|_| removal.version.is_none() && reply.delete_marker() == Some(true))
                .map(Into::into),
        }),
        Err(error) => gone(removal, sdk_error(ONE, &error)),
    }
}

/// Whether what a reply is about is not the version that was to go.
fn is_another(removal: &Removal, told: Option<&str>) -> bool {
    removal.version.as_deref().zip(told).is_some_and(|(asked, told)| asked != told)
}

/// S3 says yes where nothing is there, and some servers say that instead. A bare 404 may be
/// anybody's.
fn gone(removal: &Removal, error: StoreError) -> Result<Removed> {
    let is_gone = matches!(error.code.as_deref(), Some("NoSuchKey" | "NoSuchVersion"));
    if is_gone && removal.if_match.is_none() { Ok(Removed::default()) } else { Err(error) }
}

/// Notices a page of a proxy's, which the SDK takes for a success: S3's has no content.
#[derive(Debug, Clone, Default)]
struct ReplyHasContent(Arc<AtomicBool>);

impl Intercept for ReplyHasContent {
    fn name(&self) -> &'static str {
        "ReplyHasContent"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let response = context.response();
        let length = response.headers().get("content-length").unwrap_or_default();
        let is_empty = response.status().as_u16() == 204
            || length == "0"
            || length.is_empty() && response.body().is_end_stream();
        self.0.store(response.status().is_success() && !is_empty, Relaxed);
        Ok(())
    }
}

pub(super) async fn many(
    store: &S3Store,
    bucket: &Bucket,
    removals: &[Removal],
) -> Result<Vec<Result<Removed>>> {
    let objects = removals.iter().map(identifier).collect::<Option<Vec<_>>>();
    let delete = objects.and_then(|objects| {
        // Those that were removed are told, too: silence is no word.
        Delete::builder().set_objects(Some(objects)).quiet(false).build().ok()
    });
    let delete = delete.ok_or_else(|| malformed("the keys make no request"))?;
    let reply = store
        .client(bucket)
        .delete_objects()
        .bucket(bucket.as_str())
        .delete(delete)
        .set_request_payer(store.payer.clone())
        .customize()
        .mutate_request(|request| {
            // Beside the SDK's own checksum: older servers know only this one, and want one.
            if let Some(digest) = request.body().bytes().map(md5::Md5::digest) {
                request.headers_mut().insert("content-md5", BASE64.encode(digest));
            }
        })
        .send()
        .await;
    match reply {
        Ok(reply) => Ok(read(&reply, removals)),
        Err(error) => Err(sdk_error(MANY, &error)),
    }
}

fn identifier(removal: &Removal) -> Option<ObjectIdentifier> {
    ObjectIdentifier::builder()
        .key(removal.key.as_str())
        .set_version_id(removal.version.as_deref().map(str::to_owned))
        .set_e_tag(removal.if_match.as_ref().map(|etag| etag.as_str().to_owned()))
        .build()
        .ok()
}

/// A reply's words of one version, or of whatever has the key.
#[derive(Debug, Clone)]
struct Word<'a> {
    version: Option<&'a str>,
    result: Result<Removed>,
}

/// What the reply says of each.
fn read(reply: &DeleteObjectsOutput, removals: &[Removal]) -> Vec<Result<Removed>> {
    let mut words: HashMap<&str, Vec<Word<'_>>> = HashMap::with_capacity(removals.len());
    // Where it says both, it is not removed.
    for error in reply.errors() {
        let result = Err(error_of_one(MANY, error.code(), error.message()));
        let word = Word { version: error.version_id(), result };
        words.entry(error.key().unwrap_or_default()).or_default().push(word);
    }
    for deleted in reply.deleted() {
        let marker = deleted.delete_marker_version_id().map(Into::into);
        let word = Word { version: deleted.version_id(), result: Ok(Removed { marker }) };
        words.entry(deleted.key().unwrap_or_default()).or_default().push(word);
    }
    removals.iter().map(|removal| said_of(removal, &words)).collect()
}

fn said_of(removal: &Removal, words: &HashMap<&str, Vec<Word<'_>>>) -> Result<Removed> {
    let words = words.get(removal.key.as_str()).map(Vec::as_slice).unwrap_or_default();
    let version = removal.version.as_deref();
    // Some servers leave out which version they speak of.
    let exact = words.iter().find(|word| word.version == version);
    let only = words.first().filter(|word| words.len() == 1 && word.version.is_none());
    match exact.or(only).map(|word| word.result.clone()) {
        Some(Ok(_)) if version.is_some() => Ok(Removed::default()),
        Some(Ok(removed)) => Ok(removed),
        Some(Err(error)) => gone(removal, error),
        None => Err(malformed("the reply does not say what became of it")),
    }
}

fn malformed(message: &str) -> StoreError {
    StoreError::new(MANY, Kind::Malformed).with_message(message)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DeletedObject, Error};

    use super::*;
    use crate::domain::location::Key;
    use crate::domain::object::ETag;

    fn removal(key: &str, version: Option<&str>) -> Removal {
        let removal = Removal::new(Key::new(key).expect("a key"));
        Removal { version: version.map(Into::into), ..removal }
    }

    fn deleted(key: &str, version: Option<&str>) -> DeletedObject {
        DeletedObject::builder().key(key).set_version_id(version.map(str::to_owned)).build()
    }

    fn kinds(reply: &DeleteObjectsOutput, removals: &[Removal]) -> Vec<Option<Kind>> {
        read(reply, removals)
            .into_iter()
            .map(|result| result.err().map(|error| error.kind))
            .collect()
    }

    #[test]
    fn only_what_the_reply_names_is_removed() {
        let reply = DeleteObjectsOutput::builder()
            .deleted(deleted("a", None))
            .deleted(deleted("both", None))
            .errors(Error::builder().key("both").code("SlowDown").build())
            .errors(Error::builder().key("denied").code("AccessDenied").build())
            .errors(Error::builder().key("codeless").build())
            .deleted(deleted("b ", None))
            .build();
        let asked =
            ["a", "both", "denied", "codeless", "b", "unsaid"].map(|key| removal(key, None));
        let wanted = [
            None,
            Some(Kind::Throttled),
            Some(Kind::Denied),
            Some(Kind::Refused),
            Some(Kind::Malformed),
            Some(Kind::Malformed),
        ];
        assert_eq!(kinds(&reply, &asked), wanted);
    }

    #[test]
    fn words_of_one_version_are_not_those_of_another() {
        let reply = DeleteObjectsOutput::builder()
            .deleted(deleted("a", Some("1")))
            .errors(Error::builder().key("a").version_id("2").code("InternalError").build())
            .deleted(deleted("b", None))
            .deleted(deleted("c", Some("1")))
            .build();
        let asked =
            [("a", Some("1")), ("a", Some("2")), ("a", Some("3")), ("b", Some("1")), ("c", None)];
        let asked = asked.map(|(key, version)| removal(key, version));
        let unsaid = Some(Kind::Malformed);
        let wanted = [None, Some(Kind::Transient), unsaid.clone(), None, unsaid];
        assert_eq!(kinds(&reply, &asked), wanted);
    }

    #[test]
    fn what_is_missing_is_gone_unless_a_tag_was_to_hold() {
        let missing = Error::builder().key("a").code("NoSuchKey").build();
        let reply = DeleteObjectsOutput::builder().errors(missing).build();
        let plain = removal("a", None);
        let pinned = Removal { if_match: Some(ETag::new("x")), ..plain.clone() };
        assert_eq!(kinds(&reply, &[plain]), [None]);
        assert_eq!(kinds(&reply, &[pinned]), [Some(Kind::MissingKey)]);
    }
}
