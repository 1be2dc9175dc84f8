//! Multipart uploads: create, send parts, complete, abort.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};

use super::bodies::Outgoing;
use super::classify::sdk_error;
use super::connect::Payload;
use super::direct::{Draft, Replay, Sent};
use super::store::{
    S3Store, checksum_of_part, send_with_body, told_checksums, with_attributes, with_checksum,
    with_customer_key, with_replay,
};
use super::write::{check_stored, if_none_match, same_algorithm, tagging, told};
use crate::domain::attributes::{Attributes, guess_content_type};
use crate::domain::checksum::{Algorithm, Checksum, Crc};
use crate::domain::location::ObjectName;
use crate::domain::object::ETag;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    Assembled, AssembledPart, Body, Result, Upload, UploadId, Written,
};

const CREATE: &str = "CreateMultipartUpload";
const PART: &str = "UploadPart";
const COMPLETE: &str = "CompleteMultipartUpload";
const ABORT: &str = "AbortMultipartUpload";

/// What the reply says of the kind that was sent. Any other can't be compared with it.
macro_rules! same_kind {
    ($sent:expr, $reply:expr) => {
        same_algorithm($sent, |sent| {
            told_checksums!($reply)
                .into_iter()
                .find_map(|(told, value)| value.filter(|_| told == sent))
        })
    };
}

/// A CRC of the whole object: S3 itself then compares the assembled object with the source.
pub(super) async fn create(
    store: &S3Store,
    object: &ObjectName,
    attributes: &Attributes,
) -> Result<UploadId> {
    let request = store
        .client(&object.bucket)
        .create_multipart_upload()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .checksum_algorithm(algorithm_of(attributes.crc.unwrap_or(Crc::USUAL)))
        .checksum_type(ChecksumType::FullObject)
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let request = with_attributes!(request, attributes, object.key.file_name());
    match request.send().await {
        Ok(reply) => {
            match reply.upload_id() {
                Some(id) => Ok(UploadId(id.into())),
                None => Err(StoreError::new(CREATE, Kind::Malformed)
                    .with_message("the reply has no upload id")),
            }
        }
        Err(error) => Err(sdk_error(CREATE, &error)),
    }
}

pub(super) async fn put_part(
    store: &S3Store,
    upload: &Upload,
    number: u32,
    body: Body,
) -> Result<ETag> {
    let draft = Draft::part(upload, number, &body, store.extras());
    let sent = store.send(PART, &upload.object.bucket, draft, Some(&body)).await?;
    let told = sent.as_ref().and_then(|sent| told(sent, &body.checksum));
    let written = match told {
        Some(told) => told,
        None => part_by_sdk(store, upload, number, &body, sent.map(Sent::replay)).await?,
    };
    check_stored(store, PART, &body.checksum, written.checksum.as_ref())?;
    let no_etag = || StoreError::new(PART, Kind::Malformed).with_message("the reply has no ETag");
    written.etag.ok_or_else(no_etag)
}

pub(super) async fn part_by_sdk(
    store: &S3Store,
    upload: &Upload,
    number: u32,
    body: &Body,
    came: Option<Replay>,
) -> Result<Written> {
    let request = store
        .client(&upload.object.bucket)
        .upload_part()
        .bucket(upload.object.bucket.as_str())
        .key(upload.object.key.as_str())
        .upload_id(&*upload.id.0)
        .part_number(part_number(number))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let checksum = &body.checksum;
    let request = with_checksum!(request, checksum);
    let reply = send_with_body!(request, body, came, store);
    let reply = reply.map_err(|error| sdk_error(PART, &error))?;
    Ok(Written {
        etag: reply.e_tag().map(ETag::new),
        version: None,
        checksum: same_kind!(checksum, reply),
    })
}

pub(super) async fn complete(
    store: &S3Store,
    upload: &Upload,
    assembled: &Assembled,
) -> Result<Written> {
    let parts = assembled.parts.iter().zip(1..).map(|(part, number)| completed_part(part, number));
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let request = store
        .client(&upload.object.bucket)
        .complete_multipart_upload()
        .bucket(upload.object.bucket.as_str())
        .key(upload.object.key.as_str())
        .upload_id(&*upload.id.0)
        .multipart_upload(parts)
        .checksum_type(ChecksumType::FullObject)
        .mpu_object_size(i64::try_from(assembled.size).unwrap_or(i64::MAX))
        .set_if_none_match(if_none_match(assembled.condition))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store);
    let request = match &assembled.checksum {
        Some(checksum) => with_checksum!(request, checksum),
        None => request,
    };
    let reply = request.send().await.map_err(|error| sdk_error(COMPLETE, &error))?;
    Ok(Written {
        etag: reply.e_tag().map(ETag::new),
        version: reply.version_id().map(Into::into),
        checksum: match &assembled.checksum {
            Some(sent) => same_kind!(sent, reply),
            None => checksum_of_part!(reply),
        },
    })
}

/// As S3 names it.
pub(super) fn algorithm_of(crc: Crc) -> ChecksumAlgorithm {
    match crc {
        Crc::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
        Crc::Crc32C => ChecksumAlgorithm::Crc32C,
        Crc::Crc32 => ChecksumAlgorithm::Crc32,
    }
}

fn completed_part(part: &AssembledPart, number: i32) -> CompletedPart {
    let builder = CompletedPart::builder().part_number(number).e_tag(part.etag.as_str());
    match &part.checksum {
        Some(checksum) => with_checksum!(builder, checksum).build(),
        None => builder.build(),
    }
}

pub(super) async fn abort(store: &S3Store, upload: &Upload) -> Result<()> {
    let request = store
        .client(&upload.object.bucket)
        .abort_multipart_upload()
        .bucket(upload.object.bucket.as_str())
        .key(upload.object.key.as_str())
        .upload_id(&*upload.id.0)
        .set_request_payer(store.payer.clone());
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(sdk_error(ABORT, &error)),
    }
}

/// Parts are counted from 1 to 10,000.
fn part_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
