//! Taking in the body of a PUT: one copy into one buffer of the announced size, digests while the
//! bytes are hot, then every check S3 makes before it stores anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderMap;
use md5::Digest as _;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, StdError, TrailingHeaders, s3_error};

use super::Backend;
use super::checksums::{announced_trailer, in_headers};
use crate::settings::Etags;
use crate::store::{Algorithm, Hasher};

/// A request body and what the request said of it.
pub(super) struct Incoming {
    pub(super) body: Option<StreamingBlob>,
    pub(super) length: Option<i64>,
    pub(super) headers: HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
    pub(super) content_md5: Option<String>,
    /// The algorithm to store a digest of, unless the request brings another.
    pub(super) algorithm: Option<Algorithm>,
}

/// A body that passed every check.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
    pub(super) digest: Option<(Algorithm, Vec<u8>)>,
}

pub(super) async fn receive(backend: &Backend, incoming: Incoming) -> S3Result<Received> {
    let given = in_headers(&incoming.headers);
    let brought = given.as_ref().map(|(algorithm, _)| *algorithm);
    let algorithm = brought.or_else(|| announced_trailer(&incoming.headers)).or(incoming.algorithm);
    let mut hasher = algorithm.map(Hasher::new);
    let wants_md5 = backend.settings.etags == Etags::Md5 || incoming.content_md5.is_some();
    let mut md5 = wants_md5.then(md5::Md5::new);

    let length = incoming.length.and_then(|length| usize::try_from(length).ok());
    let mut buffer = Vec::with_capacity(length.unwrap_or(0));
    if let Some(mut body) = incoming.body {
        while let Some(frame) = body.next().await {
            let frame = frame.map_err(|error| body_error(&error))?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&frame);
            }
            if let Some(md5) = &mut md5 {
                md5.update(&frame);
            }
            buffer.extend_from_slice(&frame);
        }
    }
    if length.is_some_and(|length| length != buffer.len()) {
        return Err(s3_error!(IncompleteBody, "The body is not as long as announced"));
    }

    let md5 = md5.map(|md5| md5.finalize().to_vec());
    verify_md5(incoming.content_md5.as_deref(), md5.as_deref())?;
    let trailing = incoming.trailers.and_then(|trailers| trailers.take());
    let given = given.or_else(|| trailing.as_ref().and_then(in_headers));
    let digest = hasher.map(|hasher| (hasher.algorithm(), hasher.finish()));
    verify_checksum(given, digest.as_ref())?;
    let etag = match md5 {
        Some(md5) if backend.settings.etags == Etags::Md5 => crate::store::hex(&md5),
        _ => opaque_etag(backend.store.next_number()),
    };
    Ok(Received { bytes: Bytes::from(buffer), etag, digest })
}

/// An `ETag` that is unique and no digest, and does not look like one: clients take 32 hexadecimal
/// digits alone for an MD5.
pub(crate) fn opaque_etag(number: u64) -> String {
    let spread = u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    format!("{spread:032x}-0")
}

fn verify_md5(given: Option<&str>, computed: Option<&[u8]>) -> S3Result<()> {
    let (Some(given), Some(computed)) = (given, computed) else {
        return Ok(());
    };
    if given == STANDARD.encode(computed) {
        return Ok(());
    }
    if STANDARD.decode(given).is_ok_and(|digest| digest.len() == 16) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))
}

fn verify_checksum(
    given: Option<(Algorithm, String)>,
    computed: Option<&(Algorithm, Vec<u8>)>,
) -> S3Result<()> {
    match (given, computed) {
        (Some((algorithm, value)), Some((own, digest)))
            if algorithm == *own && value != STANDARD.encode(digest) =>
        {
            Err(s3_error!(
                BadDigest,
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ))
        }
        _ => Ok(()),
    }
}

/// `s3s` keeps the type of its payload check private, so its text is all there is to go by.
fn body_error(error: &StdError) -> s3s::S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        let mut error = s3s::S3Error::with_message(
            s3s::S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return error;
    }
    s3_error!(IncompleteBody, "The body could not be read: {text}")
}
