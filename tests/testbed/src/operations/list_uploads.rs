//! Listing open multipart uploads, and the parts of one.

use s3s::S3Response;
use s3s::dto::{
    ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput,
    MultipartUpload, Part, Timestamp,
};

use super::buckets::owner;
use super::checksums::{algorithm_dto, set_checksum, type_dto};
use super::list::Encoding;
use super::{Answer, Backend};

const MAX_LISTED: i32 = 1000;

pub(super) fn uploads(
    backend: &Backend,
    input: ListMultipartUploadsInput,
) -> Answer<ListMultipartUploadsOutput> {
    let encoding = Encoding::of(input.encoding_type.as_ref());
    let prefix = input.prefix.clone().unwrap_or_default();
    let marker = (input.key_marker.clone().unwrap_or_default(), input.upload_id_marker.clone());
    let mut open = backend.store.with(&input.bucket, |bucket| {
        let uploads = bucket.uploads.iter();
        let listed = uploads.filter(|((key, id), _)| {
            key.starts_with(&prefix) && is_behind((key, id), &marker.0, marker.1.as_deref())
        });
        let described = listed.map(|((key, id), upload)| MultipartUpload {
            key: Some(key.clone()),
            upload_id: Some(id.clone()),
            initiated: Some(Timestamp::from(upload.initiated)),
            checksum_algorithm: upload.new.algorithm.map(algorithm_dto),
            checksum_type: Some(type_dto(upload.new.checksum_type)),
            owner: Some(owner()),
            ..Default::default()
        });
        described.collect::<Vec<_>>()
    })?;
    let limit = page(input.max_uploads).min(backend.settings.page_size);
    let is_truncated = open.len() > limit;
    open.truncate(limit);
    let last = open.last().filter(|_| is_truncated);
    let next_key_marker = last.and_then(|upload| upload.key.clone()).map(|k| encoding.apply(k));
    let next_upload_id_marker = last.and_then(|upload| upload.upload_id.clone());
    for upload in &mut open {
        upload.key = upload.key.take().map(|key| encoding.apply(key));
    }
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix.map(|prefix| encoding.apply(prefix)),
        key_marker: input.key_marker.map(|marker| encoding.apply(marker)),
        upload_id_marker: input.upload_id_marker,
        max_uploads: Some(input.max_uploads.unwrap_or(MAX_LISTED)),
        is_truncated: Some(is_truncated),
        next_key_marker,
        next_upload_id_marker,
        encoding_type: input.encoding_type,
        uploads: Some(open),
        ..Default::default()
    }))
}

pub(super) fn parts(backend: &Backend, input: ListPartsInput) -> Answer<ListPartsOutput> {
    let upload = backend.store.upload(&input.bucket, &input.key, &input.upload_id)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let limit = page(input.max_parts).min(backend.settings.page_size);
    let behind = upload.parts.iter().filter(|(number, _)| i64::from(**number) > i64::from(marker));
    let mut listed: Vec<Part> = behind
        .take(limit + 1)
        .map(|(number, part)| {
            let mut listed = Part {
                part_number: i32::try_from(*number).ok(),
                e_tag: Some(ETag::Strong(part.etag.clone())),
                size: i64::try_from(part.content.len()).ok(),
                last_modified: Some(Timestamp::from(part.last_modified)),
                ..Default::default()
            };
            set_checksum!(listed, &upload.stored_part(*number, part).checksum);
            listed
        })
        .collect();
    let is_truncated = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| is_truncated).and_then(|part| part.part_number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(marker),
        next_part_number_marker: next,
        max_parts: Some(input.max_parts.unwrap_or(MAX_LISTED)),
        is_truncated: Some(is_truncated),
        parts: Some(listed),
        checksum_algorithm: upload.new.algorithm.map(algorithm_dto),
        checksum_type: Some(type_dto(upload.new.checksum_type)),
        owner: Some(owner()),
        ..Default::default()
    }))
}

fn page(asked: Option<i32>) -> usize {
    usize::try_from(asked.unwrap_or(MAX_LISTED).min(MAX_LISTED)).unwrap_or(0)
}

/// Without an upload id the marker's own key is passed over too.
fn is_behind((key, id): (&str, &str), key_marker: &str, id_marker: Option<&str>) -> bool {
    match id_marker {
        Some(id_marker) => (key, id) > (key_marker, id_marker),
        None => key > key_marker || key_marker.is_empty(),
    }
}
