//! Multipart uploads that are neither complete nor aborted: which there are, and what they have.

use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_parts::ListPartsOutput;
use aws_sdk_s3::types::{EncodingType, MultipartUpload, Part};

use super::classify::sdk_error;
use super::list::decode;
use super::read::system_time;
use super::store::{S3Store, checksum_of_part, told_checksums, with_customer_key};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::location::{Key, ObjectName};
use crate::domain::object::ETag;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    ListedPart, OpenUpload, Result, SentPartsPage, Upload, UploadId, UploadPage, UploadsRequest,
};

const PARTS: &str = "ListParts";
const UPLOADS: &str = "ListMultipartUploads";

pub(super) async fn parts(store: &S3Store, upload: &Upload, after: u32) -> Result<SentPartsPage> {
    let request = store
        .client(&upload.object.bucket)
        .list_parts()
        .bucket(upload.object.bucket.as_str())
        .key(upload.object.key.as_str())
        .upload_id(&*upload.id.0)
        .set_part_number_marker((after > 0).then(|| after.to_string()))
        .set_request_payer(store.payer.clone());
    match with_customer_key!(request, store).send().await {
        Ok(reply) => read_parts(&reply, after),
        Err(error) => Err(sdk_error(PARTS, &error)),
    }
}

fn read_parts(reply: &ListPartsOutput, after: u32) -> Result<SentPartsPage> {
    let parts: Option<Vec<_>> = reply.parts().iter().map(listed).collect();
    let parts = parts.ok_or_else(|| malformed(PARTS, "a part has no number, size or ETag"))?;
    let last = parts.last().map(|part| part.number);
    let next = match (reply.is_truncated(), last) {
        (Some(true), Some(last)) if last > after => Some(last),
        (Some(true), _) => return Err(malformed(PARTS, "the list is cut and does not go on")),
        _ => None,
    };
    Ok(SentPartsPage { parts, next })
}

fn listed(part: &Part) -> Option<ListedPart> {
    Some(ListedPart {
        number: u32::try_from(part.part_number()?).ok()?,
        size: u64::try_from(part.size()?).ok()?,
        etag: ETag::new(part.e_tag()?),
        checksum: checksum_of_part!(part),
        modified: part.last_modified().and_then(system_time),
    })
}

pub(super) async fn uploads(store: &S3Store, request: &UploadsRequest) -> Result<UploadPage> {
    let (key, id) = request.after.clone().unzip();
    let reply = store
        .client(&request.bucket)
        .list_multipart_uploads()
        .bucket(request.bucket.as_str())
        .prefix(&request.prefix)
        .set_key_marker(key)
        .set_upload_id_marker(id)
        .encoding_type(EncodingType::Url)
        .set_request_payer(store.payer.clone())
        .send()
        .await;
    match reply {
        Ok(reply) => read_uploads(&reply, request),
        Err(error) => Err(sdk_error(UPLOADS, &error)),
    }
}

fn read_uploads(
    reply: &ListMultipartUploadsOutput,
    request: &UploadsRequest,
) -> Result<UploadPage> {
    let is_encoded = reply.encoding_type() == Some(&EncodingType::Url);
    let read = |upload| read_upload(upload, is_encoded, request);
    let uploads = reply.uploads().iter().map(read).collect::<Result<Vec<_>>>()?;
    let next = if reply.is_truncated() == Some(true) {
        let key = decode(reply.next_key_marker().unwrap_or_default(), is_encoded)?;
        Some((key.into_owned(), reply.next_upload_id_marker().unwrap_or_default().to_owned()))
    } else {
        None
    };
    Ok(UploadPage { uploads, next })
}

fn read_upload(
    upload: &MultipartUpload,
    is_encoded: bool,
    request: &UploadsRequest,
) -> Result<OpenUpload> {
    let key = decode(upload.key().unwrap_or_default(), is_encoded)?;
    let key = Key::new(&key).map_err(|error| malformed(UPLOADS, &error.to_string()))?;
    let id = upload.upload_id().ok_or_else(|| malformed(UPLOADS, "an upload has no id"))?;
    let object = ObjectName::new(request.bucket.clone(), key);
    Ok(OpenUpload {
        upload: Upload { object, id: UploadId(id.into()) },
        started: upload.initiated().and_then(system_time),
    })
}

fn malformed(operation: &'static str, message: &str) -> StoreError {
    StoreError::new(operation, Kind::Malformed).with_message(message)
}
