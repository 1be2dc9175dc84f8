//! Multipart uploads: create, part, complete, abort.

use std::time::SystemTime;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::checksums::{
    algorithm_dto, announced_trailer, given_checksum, in_headers, set_checksum, type_dto, type_of,
};
use super::conditions::write_condition;
use super::receive::{Incoming, receive};
use super::{Answer, Backend};
use crate::store::{
    Algorithm, Attributes, Checksum, ChecksumType, Completion, Content, ListedPart, NewUpload,
    UploadedPart,
};

/// Part numbers run from 1 to this.
const MAX_PARTS: u32 = 10_000;

pub(super) fn create(
    backend: &Backend,
    r: &S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let input = &r.input;
    let new = terms(backend, r)?;
    let (algorithm, checksum_type, chosen) = (new.algorithm, new.checksum_type, new.chosen);
    let id = backend.store.create_upload(&input.bucket, &input.key, new)?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(id),
        checksum_algorithm: algorithm.filter(|_| chosen).map(algorithm_dto),
        checksum_type: chosen.then(|| type_dto(checksum_type)),
        ..Default::default()
    }))
}

pub(super) async fn upload_part(
    backend: &Backend,
    r: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = r.input;
    let number = part_number(input.part_number)?;
    let (algorithm, chosen) =
        backend.store.upload_terms(&input.bucket, &input.key, &input.upload_id)?;
    let brought = in_headers(&r.headers).map(|(algorithm, _)| algorithm);
    let brought = brought.or_else(|| announced_trailer(&r.headers));
    if chosen && brought.is_some() && brought != algorithm {
        return Err(type_mismatch(algorithm, brought));
    }
    let incoming = Incoming {
        body: input.body,
        length: input.content_length,
        headers: r.headers,
        trailers: r.trailing_headers,
        content_md5: input.content_md5,
        algorithm,
    };
    let received = receive(backend, incoming).await?;
    let checksum = received.digest.as_ref().map(|(a, digest)| Checksum::full_object(*a, digest));
    // An upload without a chosen algorithm is still summed in its own, whatever the part brought.
    let digest = match (received.digest, algorithm) {
        (Some((brought, digest)), Some(own)) if brought == own => Some(digest),
        (_, own) => own.map(|own| own.digest(&received.bytes)),
    };
    let part = UploadedPart {
        content: Content::from(received.bytes),
        etag: received.etag.clone(),
        digest,
        last_modified: SystemTime::now(),
    };
    backend.store.put_part(&input.bucket, (&input.key, &input.upload_id), number, part)?;
    let mut output =
        UploadPartOutput { e_tag: Some(ETag::Strong(received.etag)), ..Default::default() };
    set_checksum!(output, &checksum);
    Ok(S3Response::new(output))
}

pub(super) fn complete(
    backend: &Backend,
    input: CompleteMultipartUploadInput,
) -> Answer<CompleteMultipartUploadOutput> {
    let parts = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_ref());
    let parts: S3Result<Vec<_>> = parts.into_iter().flatten().map(listed_part).collect();
    let completion = Completion {
        parts: parts?,
        object_size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        checksum: given_checksum!(input),
        condition: write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?,
        min_part_size: backend.settings.min_part_size,
    };
    let upload = (input.key.as_str(), input.upload_id.as_str());
    let object = backend.store.complete_upload(&input.bucket, upload, &completion)?;
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, crate::url::encode_key(&input.key))),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(object.etag)),
        checksum_type: type_of(object.checksum.as_ref()),
        ..Default::default()
    };
    set_checksum!(output, &object.checksum);
    Ok(S3Response::new(output))
}

pub(super) fn abort(
    backend: &Backend,
    input: &AbortMultipartUploadInput,
) -> Answer<AbortMultipartUploadOutput> {
    backend.store.abort_upload(&input.bucket, &input.key, &input.upload_id)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

pub(super) fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number).ok().filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(|| {
        s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
    })
}

fn terms(backend: &Backend, r: &S3Request<CreateMultipartUploadInput>) -> S3Result<NewUpload> {
    let asked = r.input.checksum_algorithm.as_ref();
    let chosen = match asked {
        Some(name) => Some(Algorithm::from_name(name.as_str()).ok_or_else(|| {
            s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported.")
        })?),
        None => None,
    };
    let algorithm = chosen.or(backend.settings.default_checksum);
    let checksum_type = match r.input.checksum_type.as_ref().map(s3s::dto::ChecksumType::as_str) {
        Some("FULL_OBJECT") => ChecksumType::FullObject,
        Some("COMPOSITE") => ChecksumType::Composite,
        _ => algorithm.map_or(ChecksumType::FullObject, Algorithm::default_type),
    };
    if let Some(algorithm) = algorithm.filter(|algorithm| !algorithm.supports(checksum_type)) {
        return Err(s3_error!(
            InvalidRequest,
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            checksum_type.name(),
            algorithm.name()
        ));
    }
    let attributes = Attributes::from_headers(&r.headers);
    Ok(NewUpload { attributes, algorithm, checksum_type, chosen: chosen.is_some() })
}

fn listed_part(part: &CompletedPart) -> S3Result<ListedPart> {
    let number = part.part_number.ok_or_else(|| s3_error!(MalformedXML, "A part has no number"))?;
    Ok(ListedPart {
        number: part_number(number)?,
        etag: part.e_tag.as_ref().map(|etag| etag.value().to_owned()),
        checksum: given_checksum!(part),
    })
}

fn type_mismatch(expected: Option<Algorithm>, actual: Option<Algorithm>) -> S3Error {
    let name = |a: Option<Algorithm>| a.map_or("null", Algorithm::name).to_lowercase();
    s3_error!(
        InvalidRequest,
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(expected),
        name(actual)
    )
}
