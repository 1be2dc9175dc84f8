//! All that a reply to HeadObject tells, by the names that people and programs see.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    ArchiveStatus, ChecksumType, ObjectLockLegalHoldStatus, ObjectLockMode, ReplicationStatus,
    ServerSideEncryption, StorageClass,
};
use aws_smithy_types::date_time::Format;

use super::store::told_checksums;
use crate::domain::checksum::Algorithm;
use crate::domain::object::{ETag, ObjectDetails, ObjectFacts};

pub(super) fn details(reply: &HeadObjectOutput, facts: ObjectFacts) -> ObjectDetails {
    let lock_until = reply.object_lock_retain_until_date();
    let lock_until = lock_until.and_then(|date| date.fmt(Format::DateTime).ok());
    let values = [
        reply.storage_class().map(StorageClass::as_str),
        reply.content_type(),
        reply.content_encoding(),
        reply.content_disposition(),
        reply.content_language(),
        reply.cache_control(),
        reply.expires_string(),
        reply.website_redirect_location(),
        reply.checksum_type().map(ChecksumType::as_str),
        reply.server_side_encryption().map(ServerSideEncryption::as_str),
        reply.ssekms_key_id(),
        reply.sse_customer_key_md5(),
        reply.restore(),
        reply.archive_status().map(ArchiveStatus::as_str),
        reply.expiration(),
        reply.replication_status().map(ReplicationStatus::as_str),
        reply.object_lock_mode().map(ObjectLockMode::as_str),
        lock_until.as_deref(),
        reply.object_lock_legal_hold_status().map(ObjectLockLegalHoldStatus::as_str),
    ];
    let told = ObjectDetails::TOLD.into_iter().zip(values);
    let told = told.filter_map(|(name, value)| Some((name, value?.to_owned()))).collect();
    let checksums = told_checksums!(reply).into_iter();
    let checksums = checksums.filter_map(|(algorithm, value)| Some((algorithm, value?.to_owned())));
    let metadata = reply.metadata().into_iter().flatten();
    ObjectDetails {
        parts: facts.etag.as_ref().and_then(ETag::parts),
        facts,
        told,
        checksums: checksums.collect(),
        metadata: metadata.map(|(name, value)| (name.clone(), value.clone())).collect(),
    }
}
