//! GET and HEAD of an object.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{
    ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::checksums::{set_checksum, type_of};
use super::conditions::{ReadConditions, etag};
use super::{Answer, Backend, IgnoreRange};
use crate::settings::RangeChecksum;
use crate::store::{CUSTOMER_KEY_MD5, Checksum, StoredObject};

pub(super) fn get(backend: &Backend, r: &S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let input = &r.input;
    let (object, version_id) =
        backend.store.version(&input.bucket, &input.key, input.version_id.as_deref())?;
    let conditions = ReadConditions {
        matches: input.if_match.as_ref(),
        none_match: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    };
    conditions.check(&object)?;
    check_customer_key(&object, &r.headers)?;
    if object.attributes.is_archived() {
        return Err(s3_error!(
            InvalidObjectState,
            "The operation is not valid for the object's storage class"
        ));
    }
    let asked = match r.extensions.get::<IgnoreRange>() {
        Some(IgnoreRange) => None,
        None => input.range,
    };
    let knows_ranges = r.extensions.get::<IgnoreRange>().is_none();
    let selection = Selection::new(&object, asked, input.part_number)?;
    let content = match &selection {
        Selection::Whole => object.content.clone(),
        Selection::Slice(range, _) => object.content.slice(range.clone()),
    };
    let mut output = GetObjectOutput {
        accept_ranges: knows_ranges.then(|| "bytes".to_owned()),
        content_length: i64::try_from(content.len()).ok(),
        content_range: selection.content_range(object.len()),
        e_tag: Some(etag(&object)),
        last_modified: Some(Timestamp::from(object.last_modified)),
        parts_count: selection.parts_count(),
        version_id,
        body: Some(StreamingBlob::new(content.stream())),
        ..Default::default()
    };
    let checksum = selection.checksum(backend, &object, input.checksum_mode.as_ref());
    set_checksum!(output, checksum);
    output.checksum_type = type_of(checksum);
    let mut headers = HeaderMap::new();
    object.attributes.write_headers(&mut headers);
    override_headers(input, &mut headers);
    Ok(S3Response::with_headers(output, headers))
}

pub(super) fn head(backend: &Backend, r: &S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let input = &r.input;
    let (object, version_id) =
        backend.store.version(&input.bucket, &input.key, input.version_id.as_deref())?;
    let conditions = ReadConditions {
        matches: input.if_match.as_ref(),
        none_match: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    };
    conditions.check(&object)?;
    check_customer_key(&object, &r.headers)?;
    let selection = Selection::new(&object, input.range, input.part_number)?;
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(selection.length(object.len())).ok(),
        content_range: selection.content_range(object.len()),
        e_tag: Some(etag(&object)),
        last_modified: Some(Timestamp::from(object.last_modified)),
        parts_count: selection.parts_count(),
        version_id,
        ..Default::default()
    };
    let checksum = selection.checksum(backend, &object, input.checksum_mode.as_ref());
    set_checksum!(output, checksum);
    output.checksum_type = type_of(checksum);
    let mut headers = HeaderMap::new();
    object.attributes.write_headers(&mut headers);
    headers.remove("x-amz-tagging-count");
    let mut response = S3Response::with_headers(output, headers);
    if selection.is_partial() {
        response.status = Some(StatusCode::PARTIAL_CONTENT);
    }
    Ok(response)
}

/// Which bytes of the object a read gets.
enum Selection {
    Whole,
    /// A range or a part; with the number of parts where a part was asked for.
    Slice(Range<u64>, Option<usize>),
}

impl Selection {
    fn new(
        object: &StoredObject,
        range: Option<s3s::dto::Range>,
        part_number: Option<i32>,
    ) -> S3Result<Self> {
        if let Some(number) = part_number {
            return Self::part(object, number);
        }
        let Some(range) = range else {
            return Ok(Self::Whole);
        };
        let range = range.check(object.len()).map_err(|_| not_satisfiable(object.len()))?;
        if range.is_empty() {
            return Err(not_satisfiable(object.len()));
        }
        Ok(Self::Slice(range, None))
    }

    fn part(object: &StoredObject, number: i32) -> S3Result<Self> {
        if object.parts.is_empty() && number == 1 {
            return Ok(Self::Whole);
        }
        let mut start = 0;
        for part in object.parts.iter() {
            if i64::from(part.number) == i64::from(number) {
                return Ok(Self::Slice(start..start + part.size, Some(object.parts.len())));
            }
            start += part.size;
        }
        let mut error = s3_error!(InvalidRange, "The requested partnumber is not satisfiable");
        error.set_code(S3ErrorCode::Custom("InvalidPartNumber".into()));
        error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
        Err(error)
    }

    fn length(&self, whole: u64) -> u64 {
        match self {
            Self::Whole => whole,
            Self::Slice(range, _) => range.end - range.start,
        }
    }

    fn is_partial(&self) -> bool {
        matches!(self, Self::Slice(..))
    }

    fn content_range(&self, whole: u64) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Slice(range, _) => {
                let last = range.end.saturating_sub(1);
                Some(format!("bytes {}-{last}/{whole}", range.start))
            }
        }
    }

    fn parts_count(&self) -> Option<i32> {
        match self {
            Self::Slice(_, Some(count)) => i32::try_from(*count).ok(),
            _ => None,
        }
    }

    fn checksum<'a>(
        &self,
        backend: &Backend,
        object: &'a StoredObject,
        mode: Option<&ChecksumMode>,
    ) -> Option<&'a Checksum> {
        let wanted = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        let sent = match self {
            Self::Whole => wanted,
            Self::Slice(..) => backend.settings.range_checksum == RangeChecksum::OfWholeObject,
        };
        object.checksum.as_ref().filter(|_| sent)
    }
}

fn not_satisfiable(length: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    error.set_headers(headers);
    error
}

/// An object encrypted with a customer's key is only read by who shows that key, and any other one
/// only by who shows none.
pub(super) fn check_customer_key(object: &StoredObject, headers: &HeaderMap) -> S3Result<()> {
    check_key_in(object, headers, CUSTOMER_KEY_MD5)
}

/// The same, where another header than usual shows it.
pub(super) fn check_key_in(
    object: &StoredObject,
    headers: &HeaderMap,
    header: &str,
) -> S3Result<()> {
    let stored = object.attributes.encryption.get(CUSTOMER_KEY_MD5);
    let shown = headers.get(header).and_then(|value| value.to_str().ok());
    match (stored, shown) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(s3_error!(
            InvalidRequest,
            "The encryption parameters are not applicable to this object."
        )),
        (Some(_), None) => Err(s3_error!(
            InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters \
             must be provided to retrieve the object."
        )),
        (Some(stored), Some(shown)) if stored == shown => Ok(()),
        (Some(_), Some(_)) => Err(s3_error!(AccessDenied, "Access Denied")),
    }
}

/// The `response-…` queries replace what is stored; `s3s` sets them before our headers.
fn override_headers(input: &GetObjectInput, headers: &mut HeaderMap) {
    let overrides = [
        ("content-type", &input.response_content_type),
        ("content-language", &input.response_content_language),
        ("cache-control", &input.response_cache_control),
        ("content-disposition", &input.response_content_disposition),
        ("content-encoding", &input.response_content_encoding),
    ];
    for (name, value) in overrides {
        if let Some(value) = value.as_ref().and_then(|v| HeaderValue::from_str(v).ok()) {
            headers.insert(name, value);
        }
    }
}
