//! Deleting one object or up to a thousand.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    Error,
};
use s3s::{S3Request, S3Response, s3_error};

use super::checksums::{announced_trailer, in_headers};
use super::conditions::write_condition;
use super::{Answer, Backend};

/// What one `DeleteObjects` may name.
const MAX_KEYS: usize = 1000;

pub(super) fn one(backend: &Backend, input: &DeleteObjectInput) -> Answer<DeleteObjectOutput> {
    let condition = write_condition(input.if_match.as_ref(), None)?;
    backend.store.delete(&input.bucket, &input.key, |object| condition.check(Some(object)))?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
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
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for object in input.delete.objects {
        let result =
            backend.store.delete(&input.bucket, &object.key, |stored| match &object.e_tag {
                Some(etag) if etag.value() != stored.etag => {
                    Err(s3_error!(PreconditionFailed, "The ETag does not match"))
                }
                _ => Ok(()),
            });
        match result {
            Ok(()) => {
                deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
            }
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key),
                message: error.message().map(str::to_owned),
                version_id: None,
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

/// What XML 1.0 has no way to write: such a key can only be deleted alone.
fn is_illegal_in_xml(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}
