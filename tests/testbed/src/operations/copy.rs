//! Copies inside the server, whole or as a part. Bytes are shared, never copied.

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETag,
    MetadataDirective, Range, TaggingDirective, Timestamp, UploadPartCopyInput,
    UploadPartCopyOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksums::{set_checksum, type_of};
use super::conditions::ReadConditions;
use super::multipart::part_number;
use super::read::check_key_in;
use super::receive::opaque_etag;
use super::{Answer, Backend};
use crate::settings::Etags;
use crate::store::{
    Algorithm, Attributes, Checksum, Condition, Content, StoredObject, UploadedPart, hex,
};

/// Which customer's key the source is read with.
const SOURCE_KEY_MD5: &str = "x-amz-copy-source-server-side-encryption-customer-key-md5";

/// What one copy may move; more needs parts.
const MAX_COPY: u64 = 5 << 30;

pub(super) fn object(
    backend: &Backend,
    r: &S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let input = &r.input;
    let conditions = ReadConditions {
        matches: input.copy_source_if_match.as_ref(),
        none_match: input.copy_source_if_none_match.as_ref(),
        modified_since: input.copy_source_if_modified_since.as_ref(),
        unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let (source, copy_source_version_id) = source(backend, &input.copy_source, &conditions)?;
    check_key_in(&source, &r.headers, SOURCE_KEY_MD5)?;
    if source.len() > MAX_COPY {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source"
        ));
    }
    refuse_copy_onto_itself(input)?;
    let etag = etag_of(backend, &source.content);
    let copy = StoredObject {
        checksum: checksum_of_copy(input, &source),
        content: source.content.clone(),
        etag: etag.clone(),
        parts: Arc::default(),
        last_modified: SystemTime::now(),
        attributes: Arc::new(attributes_of_copy(r, &source)),
    };
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(etag)),
        last_modified: Some(Timestamp::from(copy.last_modified)),
        checksum_type: type_of(copy.checksum.as_ref()),
        ..Default::default()
    };
    set_checksum!(result, &copy.checksum);
    let condition = condition_of(&r.headers);
    let version_id = backend.store.put(&input.bucket, &input.key, copy, &condition)?;
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id,
        version_id,
        ..Default::default()
    }))
}

pub(super) fn part(
    backend: &Backend,
    r: &S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let input = &r.input;
    let number = part_number(input.part_number)?;
    let (algorithm, _) = backend.store.upload_terms(&input.bucket, &input.key, &input.upload_id)?;
    let conditions = ReadConditions {
        matches: input.copy_source_if_match.as_ref(),
        none_match: input.copy_source_if_none_match.as_ref(),
        modified_since: input.copy_source_if_modified_since.as_ref(),
        unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let (source, copy_source_version_id) = source(backend, &input.copy_source, &conditions)?;
    check_key_in(&source, &r.headers, SOURCE_KEY_MD5)?;
    let content = match &input.copy_source_range {
        Some(range) => slice(&source.content, range)?,
        None => source.content.clone(),
    };
    let part = UploadedPart {
        etag: etag_of(backend, &content),
        digest: algorithm.map(|algorithm| digest(algorithm, &content)),
        content,
        last_modified: SystemTime::now(),
    };
    let checksum = algorithm.zip(part.digest.as_deref());
    let checksum = checksum.map(|(algorithm, digest)| Checksum::full_object(algorithm, digest));
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(Timestamp::from(part.last_modified)),
        ..Default::default()
    };
    set_checksum!(result, &checksum);
    backend.store.put_part(&input.bucket, (&input.key, &input.upload_id), number, part)?;
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id,
        ..Default::default()
    }))
}

/// `If-None-Match: *` of the destination, which `s3s` does not read here.
fn condition_of(headers: &HeaderMap) -> Condition {
    let wanted = headers.get("if-none-match").and_then(|value| value.to_str().ok());
    if wanted == Some("*") { Condition::Absent } else { Condition::None }
}

/// What is copied, and its version where the bucket keeps them.
fn source(
    backend: &Backend,
    source: &CopySource,
    conditions: &ReadConditions<'_>,
) -> S3Result<(Arc<StoredObject>, Option<String>)> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(s3_error!(NotImplemented, "Only copies from a bucket are known"));
    };
    let (object, version) = backend.store.version(bucket, key, version_id.as_deref())?;
    conditions.check(&object).map_err(|mut error| {
        // A copy has no "not modified": S3 answers 412 for every unmet condition.
        error.set_code(s3s::S3ErrorCode::PreconditionFailed);
        error
    })?;
    if object.attributes.is_archived() {
        return Err(s3_error!(
            InvalidObjectState,
            "The operation is not valid for the object's storage class"
        ));
    }
    Ok((object, version))
}

fn refuse_copy_onto_itself(input: &CopyObjectInput) -> S3Result<()> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Ok(());
    };
    // An old version becomes what has the key.
    let same = **bucket == *input.bucket && **key == *input.key && version_id.is_none();
    let changes = replaces_metadata(input)
        || input.storage_class.is_some()
        || input.server_side_encryption.is_some()
        || input.website_redirect_location.is_some();
    if same && !changes {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes."
        ));
    }
    Ok(())
}

fn replaces_metadata(input: &CopyObjectInput) -> bool {
    let directive = input.metadata_directive.as_ref();
    directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE)
}

fn attributes_of_copy(r: &S3Request<CopyObjectInput>, source: &StoredObject) -> Attributes {
    let asked = Attributes::from_headers(&r.headers);
    let mut attributes =
        if replaces_metadata(&r.input) { asked.clone() } else { (*source.attributes).clone() };
    // Never inherited: what belongs to the request rather than to the object.
    attributes.storage_class = asked.storage_class;
    attributes.restoring = None;
    attributes.restore_terms = None;
    attributes.acl = asked.acl;
    attributes.encryption = asked.encryption;
    attributes.website_redirect = asked.website_redirect;
    let tagging = r.input.tagging_directive.as_ref();
    let replaces = tagging.is_some_and(|d| d.as_str() == TaggingDirective::REPLACE);
    attributes.tags = if replaces { asked.tags } else { source.attributes.tags.clone() };
    attributes
}

/// The source's algorithm unless another is asked for; a copy's checksum covers the whole object.
fn checksum_of_copy(input: &CopyObjectInput, source: &StoredObject) -> Option<Checksum> {
    let asked = input.checksum_algorithm.as_ref().and_then(|a| Algorithm::from_name(a.as_str()));
    let own = source.checksum.as_ref().map(|checksum| checksum.algorithm);
    let algorithm = asked.or(own)?;
    Some(Checksum::full_object(algorithm, &digest(algorithm, &source.content)))
}

fn digest(algorithm: Algorithm, content: &Content) -> Vec<u8> {
    let mut hasher = crate::store::Hasher::new(algorithm);
    content.segments().for_each(|segment| hasher.update(&segment));
    hasher.finish()
}

pub(crate) fn etag_of(backend: &Backend, content: &Content) -> String {
    use md5::Digest as _;
    match backend.settings.etags {
        Etags::Opaque => opaque_etag(backend.store.next_number()),
        Etags::Md5 => {
            let mut md5 = md5::Md5::new();
            content.segments().for_each(|segment| md5.update(&segment));
            hex(&md5.finalize())
        }
    }
}

fn slice(content: &Content, range: &str) -> S3Result<Content> {
    let asked = Range::parse(range).ok();
    let Some(Range::Int { first, last: Some(last) }) = asked else {
        return Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last"
        ));
    };
    if first > last || last >= content.len() {
        return Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {}",
            content.len()
        ));
    }
    Ok(content.slice(first..last + 1))
}
