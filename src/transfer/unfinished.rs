//! Multipart uploads that are neither complete nor aborted: what they have, and how they end.

use std::collections::HashMap;
use std::time::Duration;

use md5::Digest as _;

use super::context::Work;
use super::error::JobError;
use super::event::Event;
use super::retry::until_done;
use super::upload_record::{Earlier, UploadRecord};
use crate::domain::checksum::Hasher;
use crate::domain::job::{ObjectCopy, Upload};
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::SourceFile;
use crate::storage::object_store::{self as store, Body, ListedPart};

/// What cleaning up may take: an interrupted run ends within five seconds.
const ABORT_TIME: Duration = Duration::from_millis(2500);
/// One try of it: a connection that hangs must leave time for another.
const ABORT_TRY: Duration = Duration::from_secs(1);

/// The parts that an upload has. `None` if there is no such upload any more, or nobody may say.
pub(super) async fn parts_of(
    work: &Work,
    upload: &store::Upload,
) -> Result<Option<HashMap<u32, ListedPart>>, JobError> {
    let mut parts = HashMap::new();
    let mut after = 0;
    loop {
        let _in_flight = work.pass(0).await?;
        let context = &work.context;
        let tries = work.tries(format!("list the parts of {}", upload.object));
        let list = || context.in_time("ListParts", 0, context.store.list_parts(upload, after));
        let page = match until_done(tries, list).await {
            Ok(page) => page,
            Err(error) if error.is_resumable() => return Err(error),
            Err(_) => return Ok(None),
        };
        parts.extend(page.parts.into_iter().map(|part| (part.number, part)));
        match page.next {
            Some(next) => after = next,
            None => return Ok(Some(parts)),
        }
    }
}

/// The record of a copy's upload, once what a killed run left of the same copy is ended.
pub(super) async fn record_of_copy(work: &Work, job: &ObjectCopy) -> Option<UploadRecord> {
    let record = UploadRecord::of_copy(work, job)?;
    if let Some(Earlier::Fits { id, .. } | Earlier::Stale { id }) = record.earlier() {
        abort(work, &store::Upload { object: job.object.clone(), id }).await;
        record.clear();
    }
    Some(record)
}

/// Ends what an earlier run left of an upload that does not go on with it: its file is now one part,
/// or nothing is to be resumed.
pub(super) async fn discard_earlier(work: &Work, job: &Upload, source: &SourceFile) {
    let Some(record) = UploadRecord::of_earlier_run(work, job, source) else { return };
    if let Some(Earlier::Fits { id, .. } | Earlier::Stale { id }) = record.earlier() {
        abort(work, &store::Upload { object: job.object.clone(), id }).await;
        record.clear();
    }
}

/// What became of an upload that was to be aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aborted {
    Now,
    /// There was no such upload any more.
    WasGone,
    /// Nobody could abort it, which was told.
    NotYet,
}

/// Leaves nothing behind, or says what it left.
pub(super) async fn abort(work: &Work, upload: &store::Upload) -> Aborted {
    let context = &work.context;
    let attempts = async {
        let mut wait = Duration::from_millis(50);
        loop {
            let abort = context.store.abort_upload(upload);
            match tokio::time::timeout(ABORT_TRY, abort).await {
                Ok(Ok(())) => return Ok(Aborted::Now),
                Ok(Err(error)) if error.kind == Kind::MissingUpload => return Ok(Aborted::WasGone),
                Ok(Err(error)) if !error.kind.is_transient() => return Err(error),
                Ok(Err(error)) => tracing::debug!(%error, "abort"),
                Err(_) => tracing::debug!("abort: no reply"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    };
    let ended = tokio::time::timeout(ABORT_TIME, attempts).await;
    let error = match ended {
        Ok(Ok(aborted)) => return aborted,
        Ok(Err(error)) => error,
        Err(_) => StoreError::new("AbortMultipartUpload", Kind::Transient)
            .with_message("no reply in time"),
    };
    let (object, id) = (&upload.object, &upload.id.0);
    let text =
        format!("an unfinished multipart upload is left at {object}, upload id {id}: {error}");
    context.tell(Event::Notice(text)).await;
    Aborted::NotYet
}

/// Whether a part that the store has is the same as these bytes.
pub(super) fn is_same(listed: &ListedPart, body: &Body) -> bool {
    if listed.size != body.bytes.len() as u64 {
        return false;
    }
    match &listed.checksum {
        Some(checksum) if checksum.algorithm() == body.checksum.algorithm() => {
            *checksum == body.checksum
        }
        Some(checksum) => {
            let mut hasher = Hasher::new(checksum.algorithm());
            hasher.update(&body.bytes);
            hasher.finish() == *checksum
        }
        // The tag of a part is its MD5, or something that no MD5 is equal to.
        None => {
            let digest = u128::from_be_bytes(md5::Md5::digest(&body.bytes).into());
            listed.etag.unquoted() == format!("{digest:032x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::checksum::Algorithm;
    use crate::domain::object::ETag;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> crate::domain::checksum::Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn a_part_counts_only_if_its_checksum_or_its_md5_is_that_of_the_bytes() {
        let bytes = Bytes::from_static(b"hello");
        let checksum = sum(Algorithm::Crc64Nvme, &bytes);
        let body = Body::new(bytes, checksum);
        let md5 = ETag::new("5d41402abc4b2a76b9719d911017c592");
        let listed = |size, etag: &ETag, checksum| ListedPart {
            number: 1,
            size,
            etag: etag.clone(),
            checksum,
            modified: None,
        };
        assert!(is_same(&listed(5, &md5, None), &body));
        assert!(!is_same(&listed(6, &md5, None), &body));
        assert!(!is_same(&listed(5, &ETag::new("opaque-1"), None), &body));
        for algorithm in Algorithm::ALL {
            let (right, wrong) = (sum(algorithm, b"hello"), sum(algorithm, b"hellp"));
            assert!(is_same(&listed(5, &ETag::new("x"), Some(right)), &body));
            assert!(!is_same(&listed(5, &md5, Some(wrong)), &body), "the MD5 is no excuse");
        }
    }
}
