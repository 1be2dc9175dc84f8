//! Deleting one object or up to a thousand.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    Error, ObjectIdentifier,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::checksums::{announced_trailer, in_headers};
use super::conditions::write_condition;
use super::{Answer, Backend, KeyFaults};
use crate::store::{Condition, Gone};

/// What one `DeleteObjects` may name.
const MAX_KEYS: usize = 1000;

pub(super) fn one(backend: &Backend, input: &DeleteObjectInput) -> Answer<DeleteObjectOutput> {
    let condition = write_condition(input.if_match.as_ref(), None)?;
    let which = (input.key.as_str(), input.version_id.as_deref());
    let gone = backend.store.delete(&input.bucket, which, |object| condition.check(object))?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: gone.marker.is_some().then_some(true),
        version_id: gone.marker.or_else(|| input.version_id.clone()),
        ..Default::default()
    }))
}

pub(super) fn many(
    backend: &Backend,
    r: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let input = r.input;
    backend.store.bucket_region(&input.bucket)?;
    let announced = announced_trailer(&r.headers).or(in_headers(&r.headers).map(|(a, _)| a));
    if announced.is_none() && !r.headers.contains_key("content-md5") {
        return Err(s3_error!(
            InvalidRequest,
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        ));
    }
    let objects = &input.delete.objects;
    let illegal = objects.iter().any(|object| object.key.chars().any(is_illegal_in_xml));
    if objects.is_empty() || objects.len() > MAX_KEYS || illegal {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate"
        ));
    }
    let faults = r.extensions.get::<KeyFaults>().cloned().unwrap_or_default();
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for object in input.delete.objects {
        let result = match faults.refused.get(&object.key) {
            Some(code) => Err(scripted(code)),
            None => one_of_many(backend, &input.bucket, &object),
        };
        if faults.hidden.contains(&object.key) {
            continue;
        }
        let ObjectIdentifier { key, version_id, .. } = object;
        match result {
            Ok(gone) => deleted.push(DeletedObject {
                key: Some(key),
                delete_marker: gone.marker.is_some().then_some(true),
                delete_marker_version_id: gone.marker,
                version_id,
            }),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(key),
                message: error.message().map(str::to_owned),
                version_id,
            }),
        }
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..Default::default()
    }))
}

fn one_of_many(backend: &Backend, bucket: &str, object: &ObjectIdentifier) -> S3Result<Gone> {
    let condition = match &object.e_tag {
        Some(etag) => Condition::Matches(etag.value().to_owned()),
        None => Condition::None,
    };
    let which = (object.key.as_str(), object.version_id.as_deref());
    backend.store.delete(bucket, which, |stored| condition.check(stored))
}

fn scripted(code: &str) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom(code.into()));
    error.set_message(format!("Scripted fault: {code}"));
    error
}

/// What XML 1.0 has no way to write: such a key can only be deleted alone.
fn is_illegal_in_xml(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}
