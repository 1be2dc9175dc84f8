//! `GetObjectAttributes`: size, checksum and parts without the object.

use s3s::dto::{
    Checksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    ObjectAttributes, ObjectPart, StorageClass, Timestamp,
};
use s3s::{S3Request, S3Response};

use super::checksums::{set_checksum, type_of};
use super::conditions::etag;
use super::read::check_customer_key;
use super::{Answer, Backend};
use crate::store::StoredObject;

const MAX_PARTS: i32 = 1000;

pub(super) fn get(
    backend: &Backend,
    r: &S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let input = &r.input;
    let (object, version_id) =
        backend.store.version(&input.bucket, &input.key, input.version_id.as_deref())?;
    check_customer_key(&object, &r.headers)?;
    // Clients send them as one header or as several; `s3s` splits neither way reliably.
    let names = input.object_attributes.iter().flat_map(|names| names.as_str().split(','));
    let names: Vec<&str> = names.map(str::trim).collect();
    let asked = |name: &str| names.contains(&name);
    let class = object.attributes.storage_class.clone();
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(Timestamp::from(object.last_modified)),
        version_id,
        ..Default::default()
    };
    if asked(ObjectAttributes::ETAG) {
        output.e_tag = Some(etag(&object));
    }
    if asked(ObjectAttributes::OBJECT_SIZE) {
        output.object_size = i64::try_from(object.len()).ok();
    }
    if asked(ObjectAttributes::STORAGE_CLASS) {
        let class = class.unwrap_or_else(|| "STANDARD".to_owned());
        output.storage_class = Some(StorageClass::from(class));
    }
    if asked(ObjectAttributes::CHECKSUM) && object.checksum.is_some() {
        let mut checksum =
            Checksum { checksum_type: type_of(object.checksum.as_ref()), ..Default::default() };
        set_checksum!(checksum, &object.checksum);
        output.checksum = Some(checksum);
    }
    if asked(ObjectAttributes::OBJECT_PARTS) && !object.parts.is_empty() {
        output.object_parts = Some(parts(&object, input));
    }
    Ok(S3Response::new(output))
}

fn parts(object: &StoredObject, input: &GetObjectAttributesInput) -> GetObjectAttributesParts {
    let marker = input.part_number_marker.unwrap_or(0);
    let max_parts = input.max_parts.unwrap_or(MAX_PARTS).clamp(0, MAX_PARTS);
    let limit = usize::try_from(max_parts).unwrap_or(0);
    let behind = object.parts.iter().filter(|part| i64::from(part.number) > i64::from(marker));
    let mut listed: Vec<ObjectPart> = behind
        .take(limit + 1)
        .map(|part| {
            let mut listed = ObjectPart {
                part_number: i32::try_from(part.number).ok(),
                size: i64::try_from(part.size).ok(),
                ..Default::default()
            };
            set_checksum!(listed, &part.checksum);
            listed
        })
        .collect();
    let is_truncated = listed.len() > limit;
    listed.truncate(limit);
    GetObjectAttributesParts {
        is_truncated: Some(is_truncated),
        max_parts: Some(max_parts),
        part_number_marker: Some(marker),
        next_part_number_marker: listed.last().and_then(|part| part.part_number),
        parts: Some(listed),
        total_parts_count: i32::try_from(object.parts.len()).ok(),
    }
}
