//! `GetObjectAttributes`: the parts that an object was uploaded in, and their checksums, without
//! any of its bytes.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object_attributes::GetObjectAttributesOutput;
use aws_sdk_s3::types::{ObjectAttributes, ObjectPart};

use super::classify::sdk_error;
use super::store::{S3Store, checksum_of_part, told_checksums, with_customer_key};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::composite::StoredPart;
use crate::domain::location::ObjectName;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{PartsPage, Result};

const ATTRIBUTES: &str = "GetObjectAttributes";
/// What S3 lists at most at once.
const PAGE: i32 = 1000;
/// S3 has no object of more; a server that lists for ever is asked no longer.
const MOST_PARTS: u32 = 10_000;
/// Some 300 bytes a part.
const LONGEST_REPLY: u64 = 4 << 20;

pub(super) async fn page(store: &S3Store, object: &ObjectName, after: u32) -> Result<PartsPage> {
    let request = store
        .client(&object.bucket)
        .get_object_attributes()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_version_id(object.version.as_deref().map(str::to_owned))
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
    let mut page = PartsPage::default();
    let Some(listed) = reply.object_parts() else { return Ok(page) };
    let mut last = after;
    for part in listed.parts() {
        let number = part.part_number().and_then(|number| u32::try_from(number).ok());
        let size = part.size().and_then(|size| u64::try_from(size).ok());
        match (number, size) {
            (Some(number), Some(size)) if number > last && number <= MOST_PARTS => {
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
    checksum_of_part!(part)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::GetObjectAttributesParts;

    use super::*;

    fn reply(numbers: &[i32], is_truncated: bool) -> GetObjectAttributesOutput {
        let parts = numbers.iter().map(|number| {
            ObjectPart::builder().part_number(*number).size(7).checksum_crc32("AAAAAA==").build()
        });
        let parts = GetObjectAttributesParts::builder()
            .set_parts(Some(parts.collect()))
            .is_truncated(is_truncated)
            .build();
        GetObjectAttributesOutput::builder().object_parts(parts).build()
    }

    #[test]
    fn pages_go_on_behind_their_last_part() {
        let page = read_page(&reply(&[3, 4, 9], true), 2).expect("a page");
        assert_eq!((page.parts.len(), page.next), (3, Some(9)));
        assert_eq!(page.parts[0].checksum, Checksum::from_base64(Algorithm::Crc32, "AAAAAA=="));
        assert_eq!(read_page(&reply(&[10], false), 9).expect("a page").next, None);
        let none = GetObjectAttributesOutput::builder().build();
        assert_eq!(read_page(&none, 0).expect("a page"), PartsPage::default());
    }

    #[test]
    fn a_list_that_never_ends_or_is_none_makes_no_sense() {
        for (numbers, is_truncated, after) in [
            ([].as_slice(), true, 0),
            (&[2, 1], false, 0),
            (&[1, 1], false, 0),
            (&[1], true, 1),
            (&[9999, 10_001], true, 0),
            (&[-1], false, 0),
        ] {
            let page = read_page(&reply(numbers, is_truncated), after);
            assert_eq!(page.expect_err("refused").kind, Kind::Malformed, "{numbers:?}");
        }
    }
}
