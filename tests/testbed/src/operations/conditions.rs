//! `If-Match` and its relatives, for reads and writes.

use std::time::{Duration, SystemTime};

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::store::{Condition, StoredObject};

/// The conditions of a read.
#[derive(Default)]
pub(super) struct ReadConditions<'a> {
    pub(super) matches: Option<&'a ETagCondition>,
    pub(super) none_match: Option<&'a ETagCondition>,
    pub(super) modified_since: Option<&'a Timestamp>,
    pub(super) unmodified_since: Option<&'a Timestamp>,
}

impl ReadConditions<'_> {
    /// Evaluated in the order of RFC 9110, as S3 does.
    pub(super) fn check(&self, object: &StoredObject) -> S3Result<()> {
        if let Some(condition) = self.matches {
            if !matches(condition, object) {
                return Err(precondition_failed());
            }
        } else if self.unmodified_since.is_some_and(|since| is_newer(object, since)) {
            return Err(precondition_failed());
        }
        if let Some(condition) = self.none_match {
            if matches(condition, object) {
                return Err(not_modified(object));
            }
        } else if self.modified_since.is_some_and(|since| !is_newer(object, since)) {
            return Err(not_modified(object));
        }
        Ok(())
    }
}

/// The condition of a write.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Matches(etag.value().to_owned())),
        _ => Err(s3_error!(NotImplemented, "Only If-None-Match: * and If-Match: <etag> are known")),
    }
}

pub(super) fn etag(object: &StoredObject) -> ETag {
    ETag::Strong(object.etag.clone())
}

fn matches(condition: &ETagCondition, object: &StoredObject) -> bool {
    condition.as_etag().is_none_or(|etag| etag.value() == object.etag)
}

/// Dates of HTTP have whole seconds.
fn is_newer(object: &StoredObject, since: &Timestamp) -> bool {
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    };
    let since = time::OffsetDateTime::from(since.clone()).unix_timestamp();
    seconds(object.last_modified) > u64::try_from(since).unwrap_or(0)
}

fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

fn not_modified(object: &StoredObject) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = etag(object).to_http_header() {
        headers.insert(http::header::ETAG, value);
    }
    error.set_headers(headers);
    error
}
