//! Whether bytes are what they should be. The CRC of a download is known when its last byte is
//! written; only where the store has something else (a hash, which can't be folded, or checksums
//! of parts) is the file read once more.

use std::sync::Arc;

use super::context::{Verify, Work};
use super::error::JobError;
use super::outcome::Verified;
use super::part_sums::part_sums;
use crate::domain::checksum::{Checksum, Crc, Hasher};
use crate::domain::evidence::{Basis, Evidence, Finding, Witness, judge};
use crate::domain::job::Expected;
use crate::domain::location::ObjectName;
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::storage::local::StagedFile;

pub(super) const USUAL_CRC: Crc = Crc::USUAL;

/// What of the bytes can be compared with a checksum that is known before them.
pub(super) fn crc_of(stored: &StoredChecksum) -> Crc {
    let crc = stored.full_object().and_then(|checksum| checksum.algorithm().crc());
    crc.unwrap_or(USUAL_CRC)
}

/// What is known of the bytes that were written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) crc: Crc,
    /// Of all bytes in order.
    pub(super) value: u64,
}

impl Content {
    fn evidence(&self) -> Evidence {
        Evidence::Whole(self.crc.checksum(self.value))
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

/// Holds a file's size against what the manifest says.
pub(super) fn expected_size(expected: &Expected, size: u64) -> Result<(), JobError> {
    match expected.size {
        Some(wanted) if wanted != size => Err(JobError::Expectation(format!(
            "the file has {size} bytes, the manifest says {wanted}"
        ))),
        _ => Ok(()),
    }
}

/// Holds no bytes at all against the checksum that the manifest gave.
pub(super) fn empty(expected: &Expected) -> Result<(), JobError> {
    let Some(wanted) = &expected.checksum else { return Ok(()) };
    let found = Hasher::new(wanted.algorithm()).finish();
    if &found == wanted {
        return Ok(());
    }
    Err(JobError::Expectation(format!("the object has {found}, the manifest says {wanted}")))
}

/// What the bytes of a download are to be compared with.
#[derive(Debug)]
pub(super) struct Wanted {
    mode: Verify,
    /// What the store has, then what the manifest says.
    evidence: Vec<(Said, Evidence)>,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    ByStore,
    ByManifest,
}

impl Wanted {
    /// What the store has of this version, and what the manifest gave. The sums of parts are asked
    /// for here.
    pub(super) async fn of(
        work: &Work,
        (object, expected): (&ObjectName, &Expected),
        facts: &ObjectFacts,
        stored: &StoredChecksum,
    ) -> Result<Self, JobError> {
        let mode = work.context.limits.verify;
        let mut evidence = Vec::new();
        if mode != Verify::Off || facts.etag.is_none() {
            let said = said_by_store(work, object, facts, stored).await?;
            evidence.extend(said.map(|said| (Said::ByStore, said)));
        }
        let told = expected.checksum.clone().map(Evidence::Whole);
        evidence.extend(told.map(|told| (Said::ByManifest, told)));
        Ok(Self { mode, evidence })
    }

    /// Whether the CRC of all bytes, whatever the order they came in, can be held against it.
    pub(super) fn is_told_by(&self, crc: Crc) -> bool {
        self.evidence.iter().any(|(_, wanted)| is_told_by(crc, wanted))
    }

    /// What has to see all bytes in order, since the CRC that is computed anyway does not tell.
    pub(super) fn witnesses(&self, crc: Crc) -> Vec<Witness> {
        let wanted = self.evidence.iter().map(|(_, wanted)| wanted);
        let wanted = wanted.filter(|wanted| !is_told_by(crc, wanted));
        wanted.filter_map(Evidence::witness).collect()
    }

    /// Judges by the CRC and what the witnesses found.
    pub(super) fn judge(
        &self,
        content: &Content,
        witnesses: Vec<Witness>,
    ) -> Result<Verified, JobError> {
        let mut found: Vec<_> = witnesses.into_iter().map(Witness::finish).collect();
        found.push(content.evidence());
        let mut verified = Verified::Length;
        for (said, wanted) in &self.evidence {
            match judge(&found, std::slice::from_ref(wanted)) {
                Some(Finding::Different { one, other, .. }) => {
                    return Err(unlike(*said, verified, one, other));
                }
                Some(Finding::Same(Basis::Parts(algorithm))) => {
                    verified = verified.or(Verified::ByParts(algorithm));
                }
                Some(Finding::Same(Basis::Whole(algorithm))) => {
                    verified = Verified::EndToEnd(algorithm);
                }
                Some(Finding::Same(Basis::ETag | Basis::Empty)) | None => {}
            }
        }
        if verified == Verified::Length && self.mode == Verify::Require {
            return Err(JobError::Unproven);
        }
        Ok(verified)
    }
}

/// What a store's checksum of a source says. The sums of parts are asked for here.
pub(super) async fn said_by_store(
    work: &Work,
    object: &ObjectName,
    facts: &ObjectFacts,
    stored: &StoredChecksum,
) -> Result<Option<Evidence>, JobError> {
    Ok(match stored {
        StoredChecksum::None => None,
        StoredChecksum::FullObject(checksum) => Some(Evidence::Whole(checksum.clone())),
        StoredChecksum::Composite(composite) => {
            let sums = part_sums(work, object, facts, composite).await;
            // Whoever may read an object may not be allowed to ask for its parts.
            let sums = sums.or_else(|error| match error {
                JobError::Stopped => Err(error),
                _ => Ok(None),
            });
            sums?.map(Evidence::Parts)
        }
    })
}

/// Whose fault it is that bytes are not what somebody says.
fn unlike(said: Said, verified: Verified, found: String, wanted: String) -> JobError {
    match said {
        Said::ByStore => JobError::Mismatch { found, wanted },
        // They came as the store has them: another download would bring the same.
        Said::ByManifest if verified != Verified::Length => {
            JobError::Expectation(format!("the object has {found}, the manifest says {wanted}"))
        }
        Said::ByManifest => JobError::Unlike { found, wanted },
    }
}

fn is_told_by(crc: Crc, wanted: &Evidence) -> bool {
    matches!(wanted, Evidence::Whole(checksum) if checksum.algorithm().crc() == Some(crc))
}

/// Compares a written file with what it should be.
pub(super) async fn file(
    content: &Content,
    file: &Arc<StagedFile>,
    wanted: &Wanted,
) -> Result<Verified, JobError> {
    let mut witnesses = wanted.witnesses(content.crc);
    if !witnesses.is_empty() {
        witnesses = read_again(Arc::clone(file), witnesses, content.size).await?;
    }
    wanted.judge(content, witnesses)
}

async fn read_again(
    file: Arc<StagedFile>,
    mut witnesses: Vec<Witness>,
    size: u64,
) -> Result<Vec<Witness>, JobError> {
    let shown = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        while at < size {
            let wanted = buffer.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
            file.read_at(at, &mut buffer[..wanted])?;
            for witness in &mut witnesses {
                witness.update(&buffer[..wanted]);
            }
            at += wanted as u64;
        }
        Ok(witnesses)
    });
    shown.await.map_err(|error| JobError::Internal(error.to_string()))?
}

/// What the store says it has of `object`, against what was sent.
pub(super) fn sent(
    work: &Work,
    object: &ObjectName,
    stored: Option<&Checksum>,
    sent: &Checksum,
) -> Result<Verified, JobError> {
    match (stored, work.context.limits.verify) {
        (_, Verify::Off) | (None, Verify::Auto) => Ok(Verified::Length),
        (Some(stored), _) if stored == sent => Ok(Verified::EndToEnd(sent.algorithm())),
        (Some(stored), _) => Err(JobError::Stored { sent: sent.clone(), stored: stored.clone() }),
        (None, Verify::Require) => Err(JobError::UnprovenUpload(object.clone())),
    }
}
