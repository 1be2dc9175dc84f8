//! `GetObjectAttributes`: the parts that an object was uploaded in, and their checksums, without
//! any of its bytes.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object_attributes::GetObjectAttributesOutput;
use aws_sdk_s3::types::{ObjectAttributes, ObjectPart};

use super::classify::sdk_error;
use super::store::{S3Store, with_customer_key};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::composite::StoredPart;
use crate::domain::location::ObjectName;
use crate::domain::object::ETag;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{PartsPage, Result};

const ATTRIBUTES: &str = "GetObjectAttributes";
/// What S3 lists at most at once.
const PAGE: i32 = 1000;
/// Some 300 bytes a part.
const LONGEST_REPLY: u64 = 4 << 20;

pub(super) async fn page(store: &S3Store, object: &ObjectName, after: u32) -> Result<PartsPage> {
    let request = store
        .client
        .get_object_attributes()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_version_id(object.version.as_deref().map(str::to_owned))
        .object_attributes(ObjectAttributes::Etag)
        .object_attributes(ObjectAttributes::ObjectParts)
        .max_parts(PAGE)
        .set_part_number_marker((after > 0).then(|| after.to_string()))
        .set_request_payer(store.payer.clone());
    let request = with_customer_key!(request, store).customize().interceptor(SmallReply);
    match request.send().await {
        Ok(reply) => read_page(&reply, after),
        Err(error) => {
            let mut error = sdk_error(ATTRIBUTES, &error);
            // What makes no sense comes from a server that does not know the request.
            if error.kind == Kind::Malformed {
                error.kind = Kind::Refused;
            }
            Err(error)
        }
    }
}

/// A server that does not know the request may take it for a GET and send the object: such a reply
/// must never be read into memory.
#[derive(Debug)]
struct SmallReply;

impl Intercept for SmallReply {
    fn name(&self) -> &'static str {
        "SmallReply"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let length = context.response().headers().get("content-length");
        match length.and_then(|length| length.parse::<u64>().ok()) {
            Some(length) if length > LONGEST_REPLY => {
                Err(format!("a reply of {length} bytes is no list of parts").into())
            }
            _ => Ok(()),
        }
    }
}

fn read_page(reply: &GetObjectAttributesOutput, after: u32) -> Result<PartsPage> {
    let malformed =
        |message: &str| Err(StoreError::new(ATTRIBUTES, Kind::Malformed).with_message(message));
    let mut page = PartsPage { etag: reply.e_tag().map(ETag::new), ..PartsPage::default() };
    let Some(listed) = reply.object_parts() else { return Ok(page) };
    let mut last = after;
    for part in listed.parts() {
        let number = part.part_number().and_then(|number| u32::try_from(number).ok());
        let size = part.size().and_then(|size| u64::try_from(size).ok());
        match (number, size) {
            (Some(number), Some(size)) if number > last => {
                last = number;
                page.parts.push(StoredPart { size, checksum: checksum(part) });
            }
            _ => return malformed("a part is listed without number or size, or out of order"),
        }
    }
    if listed.is_truncated() == Some(true) {
        // A server that repeats itself would be asked for ever.
        if last == after {
            return malformed("the list of parts does not go on");
        }
        page.next = Some(last);
    }
    Ok(page)
}

fn checksum(part: &ObjectPart) -> Option<Checksum> {
    let values = [
        (Algorithm::Crc64Nvme, part.checksum_crc64_nvme()),
        (Algorithm::Crc32C, part.checksum_crc32_c()),
        (Algorithm::Crc32, part.checksum_crc32()),
        (Algorithm::Sha256, part.checksum_sha256()),
        (Algorithm::Sha1, part.checksum_sha1()),
    ];
    let mut values = values.into_iter();
    values.find_map(|(algorithm, value)| Checksum::from_base64(algorithm, value?))
}
