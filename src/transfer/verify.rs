//! Whether bytes are what they should be. The CRC of a download is known when its last byte is
//! written; only where the store has a hash that can't be folded is the file read once more.

use std::sync::Arc;

use super::error::JobError;
use super::outcome::Verified;
use crate::domain::checksum::{Checksum, Crc, Hasher};
use crate::domain::job::Expected;
use crate::domain::object::ObjectFacts;
use crate::storage::local::StagedFile;

/// What is computed while nobody knows yet which checksum the object has: what S3 computes itself
/// for objects that came without one.
pub(super) const USUAL_CRC: Crc = Crc::Crc64Nvme;

/// What is known of the bytes that were written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) crc: Crc,
    /// Of all bytes in order.
    pub(super) value: u64,
}

impl Content {
    fn checksum(&self) -> Checksum {
        self.crc.checksum(self.value)
    }
}

/// Holds the first reply against what the manifest says.
pub(super) fn expected(expected: &Expected, facts: &ObjectFacts) -> Result<(), JobError> {
    if let Some(size) = expected.size.filter(|size| *size != facts.size) {
        return Err(JobError::Expectation(format!(
            "the object has {} bytes, the manifest says {size}",
            facts.size
        )));
    }
    match (&expected.etag, &facts.etag) {
        (Some(wanted), Some(found)) if wanted != found => Err(JobError::Expectation(format!(
            "the object's ETag is {found}, the manifest says {wanted}"
        ))),
        _ => Ok(()),
    }
}

/// Compares a written file with the checksum that the store has, and with the one that the
/// manifest gave.
pub(super) async fn file(
    content: &Content,
    file: &Arc<StagedFile>,
    stored: Option<&Checksum>,
    given: Option<&Checksum>,
) -> Result<Verified, JobError> {
    let mut verified = Verified::Length;
    for wanted in stored.into_iter().chain(given) {
        let found = match wanted.algorithm().crc() {
            Some(crc) if crc == content.crc => content.checksum(),
            _ => read_again(Arc::clone(file), wanted, content.size).await?,
        };
        if found != *wanted {
            return Err(JobError::Mismatch { found, wanted: wanted.clone() });
        }
        verified = Verified::EndToEnd(wanted.algorithm());
    }
    Ok(verified)
}

/// Compares bytes that went elsewhere than to a file that could be read again.
pub(super) fn streamed(
    content: &Content,
    stored: Option<&Checksum>,
    given: Option<&Checksum>,
) -> Result<Verified, JobError> {
    let mut verified = Verified::Length;
    for wanted in stored.into_iter().chain(given) {
        if wanted.algorithm().crc() != Some(content.crc) {
            continue;
        }
        let found = content.checksum();
        if found != *wanted {
            return Err(JobError::Mismatch { found, wanted: wanted.clone() });
        }
        verified = Verified::EndToEnd(wanted.algorithm());
    }
    Ok(verified)
}

async fn read_again(
    file: Arc<StagedFile>,
    wanted: &Checksum,
    size: u64,
) -> Result<Checksum, JobError> {
    let algorithm = wanted.algorithm();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hasher = Hasher::new(algorithm);
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        while at < size {
            let wanted = buffer.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
            file.read_at(at, &mut buffer[..wanted])?;
            hasher.update(&buffer[..wanted]);
            at += wanted as u64;
        }
        Ok(hasher.finish())
    });
    hashed.await.map_err(|error| JobError::Internal(error.to_string()))?
}
