//! `CopyObject` and `UploadPartCopy`, and what a copy has to know of its source. Both may answer 200
//! and an error: the SDK reads that, `classify` tells what it means, and a success without a tag is none.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::classify::sdk_error;
use super::multipart::algorithm_of;
use super::read::{ask_head, choose_checksum, head_facts};
use super::store::{
    S3Store, checksum_of_part, told_checksums, with_attributes, with_customer_key, with_source_key,
};
use super::write::{UNRESERVED, if_none_match, tagging};
use crate::domain::attributes::{Attributes, guess_content_type};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::location::ObjectName;
use crate::domain::object::ETag;
use crate::domain::range::ByteRange;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    CopiedPart, CopyObject, CopySource, Described, Directive, Result, Upload, Written,
};

const COPY: &str = "CopyObject";
const PART: &str = "UploadPartCopy";
const TAGS: &str = "GetObjectTagging";
/// A source's name stands in a header as it would in a path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

pub(super) async fn whole(
    store: &S3Store,
    object: &ObjectName,
    how: &CopyObject,
) -> Result<Written> {
    let request = store
        .client(&object.bucket)
        .copy_object()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .copy_source(name_of(&how.source.object))
        .set_copy_source_if_match(tag(&how.source))
        .set_checksum_algorithm(how.attributes.crc.map(algorithm_of))
        .set_if_none_match(if_none_match(how.condition))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let request = with_source_key!(request, store);
    let request = with_attributes!(request, &how.attributes, object.key.file_name());
    let request = match how.headers {
        // As it is without a word. What is not replaced must not be sent: some servers would take it
        // all the same.
        Directive::Keep => request
            .set_content_type(None)
            .set_content_encoding(None)
            .set_content_disposition(None)
            .set_content_language(None)
            .set_cache_control(None)
            .set_expires(None)
            .set_metadata(None),
        Directive::Replace => request.metadata_directive(MetadataDirective::Replace),
    };
    let request = match how.tags {
        Directive::Keep => request.set_tagging(None),
        Directive::Replace => request.tagging_directive(TaggingDirective::Replace),
    };
    let reply = request.send().await.map_err(|error| sdk_error(COPY, &error))?;
    refuse_another(COPY, &how.source, reply.copy_source_version_id())?;
    let Some(result) = reply.copy_object_result() else { return Err(nothing_told(COPY)) };
    let Some(etag) = result.e_tag() else { return Err(nothing_told(COPY)) };
    let checksum = choose_checksum(&told_checksums!(result), result.checksum_type());
    Ok(Written {
        etag: Some(ETag::new(etag)),
        version: reply.version_id().map(Into::into),
        checksum: checksum.full_object().cloned(),
    })
}

pub(super) async fn part(
    store: &S3Store,
    (upload, number): (&Upload, u32),
    from: &CopySource,
    range: ByteRange,
) -> Result<CopiedPart> {
    let request = store
        .client(&upload.object.bucket)
        .upload_part_copy()
        .bucket(upload.object.bucket.as_str())
        .key(upload.object.key.as_str())
        .upload_id(&*upload.id.0)
        .part_number(i32::try_from(number).unwrap_or(i32::MAX))
        .copy_source(name_of(&from.object))
        .copy_source_range(range.to_string())
        .set_copy_source_if_match(tag(from))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let request = with_source_key!(request, store);
    let reply = request.send().await.map_err(|error| sdk_error(PART, &error))?;
    refuse_another(PART, from, reply.copy_source_version_id())?;
    let Some(result) = reply.copy_part_result() else { return Err(nothing_told(PART)) };
    let Some(etag) = result.e_tag() else { return Err(nothing_told(PART)) };
    Ok(CopiedPart { etag: ETag::new(etag), checksum: checksum_of_part!(result) })
}

pub(super) async fn describe(store: &S3Store, object: &ObjectName) -> Result<Described> {
    let reply = ask_head(store, object).await?;
    let is_told = reply.missing_meta().is_none_or(|missing| missing == 0);
    // What is no date could not be sent as one again.
    let is_date = reply.expires_string().is_none_or(|text| expires(text).is_some());
    let attributes = (is_told && is_date).then(|| attributes_of(&reply));
    Ok(Described { facts: head_facts(&reply)?, attributes })
}

fn attributes_of(reply: &HeadObjectOutput) -> Attributes {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let mut metadata: Vec<_> = reply.metadata().into_iter().flatten().collect();
    metadata.sort();
    let metadata = metadata.into_iter().map(|(name, value)| (name.clone(), value.clone()));
    Attributes {
        content_type: text(reply.content_type()),
        content_encoding: text(reply.content_encoding()),
        content_disposition: text(reply.content_disposition()),
        content_language: text(reply.content_language()),
        cache_control: text(reply.cache_control()),
        expires: reply.expires_string().and_then(expires),
        metadata: metadata.collect(),
        storage_class: reply.storage_class().map(|class| class.as_str().to_owned()),
        ..Attributes::default()
    }
}

fn expires(text: &str) -> Option<i64> {
    use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
    DateTime::from_str(text, DateTimeFormat::HttpDate).ok().map(|time| time.secs())
}

pub(super) async fn tags(store: &S3Store, object: &ObjectName) -> Result<Vec<(String, String)>> {
    let request = store
        .client(&object.bucket)
        .get_object_tagging()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_version_id(object.version.as_deref().map(str::to_owned))
        .set_request_payer(store.payer.clone());
    let reply = request.send().await.map_err(|error| sdk_error(TAGS, &error))?;
    let tags = reply.tag_set().iter();
    Ok(tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

/// The header of a source: bucket, key and version, encoded.
fn name_of(object: &ObjectName) -> String {
    let between = if object.bucket.as_str().starts_with("arn:") { "/object/" } else { "/" };
    let encode = |text| utf8_percent_encode(text, PATH);
    let mut name =
        format!("{}{between}{}", encode(object.bucket.as_str()), encode(object.key.as_str()));
    if let Some(version) = &object.version {
        name.push_str("?versionId=");
        name.extend(utf8_percent_encode(version, UNRESERVED));
    }
    name
}

fn tag(source: &CopySource) -> Option<String> {
    source.if_match.as_ref().map(|etag| etag.as_str().to_owned())
}

/// What was made of another version than the one that was named is no success.
fn refuse_another(operation: &'static str, source: &CopySource, told: Option<&str>) -> Result<()> {
    match source.object.version.as_deref().zip(told) {
        Some((asked, told)) if asked != told => {
            let text = format!("the store copied another version, {told}");
            Err(StoreError::new(operation, Kind::Refused).with_message(text))
        }
        _ => Ok(()),
    }
}

/// A success that does not say what it made: an empty reply, or a page of a proxy's.
fn nothing_told(operation: &'static str) -> StoreError {
    StoreError::new(operation, Kind::Malformed)
        .with_message("the reply does not tell what was made")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::location::{Bucket, Key};

    fn object(bucket: &str, key: &str) -> ObjectName {
        ObjectName::new(Bucket::new(bucket).expect("a name"), Key::new(key).expect("a key"))
    }

    #[test]
    fn the_name_of_a_source_is_encoded_but_for_its_slashes() {
        assert_eq!(name_of(&object("b", "a//b/../c d+é?%")), "b/a//b/../c%20d%2B%C3%A9%3F%25");
        let version = Some("a/b+c=".into());
        let of_version = ObjectName { version, ..object("b", "k") };
        assert_eq!(name_of(&of_version), "b/k?versionId=a%2Fb%2Bc%3D");
        let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/point";
        let name = name_of(&object(point, "a/b"));
        assert_eq!(
            name,
            "arn%3Aaws%3As3%3Aeu-west-1%3A123456789012%3Aaccesspoint/point/object/a/b"
        );
    }

    #[test]
    fn only_dates_are_kept_as_such() {
        assert_eq!(expires("Tue, 01 Jan 2030 00:00:00 GMT"), Some(1_893_456_000));
        assert_eq!(expires("0"), None);
    }
}
