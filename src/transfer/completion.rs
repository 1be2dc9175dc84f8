//! The end of a multipart upload: one object of all its parts, with the checksum of the whole, and
//! proof that it is the one that was sent. It must never take another object for it.

use std::time::Duration;

use md5::Digest as _;

use super::context::{Outcome, Verify};
use super::error::JobError;
use super::event::Skip;
use super::head::find_now;
use super::multipart::{SentBy, SentPart, Started};
use super::outcome::Verified;
use super::unfinished::Aborted;
use super::upload::{condition, if_ours, read_back};
use super::verify;
use crate::domain::checksum::{Checksum, Crc};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Assembled, AssembledPart, Written};

const COMPLETE: &str = "CompleteMultipartUpload";
/// S3 may put an object of 10,000 parts together for minutes before it answers.
const COMPLETE_EXTRA: Duration = Duration::from_mins(5);
const GONE: &str =
    "the upload is gone, and the object there is not known to be the one that was sent";

impl Started<'_> {
    pub(super) async fn complete(&self, parts: Vec<SentPart>) -> Result<Outcome, JobError> {
        let resumed = parts.iter().filter(|part| part.sent_by == SentBy::EarlierRun);
        let resumed = resumed.map(|part| part.length).sum();
        let assembled = self.assemble(parts)?;
        let size = assembled.size;
        let Some(written) = self.complete_whole(&assembled).await? else {
            return Ok(Outcome::Skipped(Skip::Exists));
        };
        let sent = assembled.checksum.ok_or_else(|| JobError::Internal(UNSUMMED.to_owned()))?;
        let verified = self.verified(&written, size, &sent).await?;
        self.work.left_object(written.etag.as_ref(), written.version.as_ref());
        self.work.left_checksum(sent);
        Ok(self.work.done_from(resumed, size, verified))
    }

    /// All parts in their order, and what they come to.
    pub(super) fn assemble(&self, mut parts: Vec<SentPart>) -> Result<Assembled, JobError> {
        parts.sort_unstable_by_key(|part| part.number);
        let parts_of = |part: SentPart| AssembledPart { etag: part.etag, checksum: part.checksum };
        Ok(Assembled {
            size: parts.iter().map(|part| part.length).sum(),
            checksum: fold(self.crc, &parts)?,
            condition: condition(self.work),
            parts: parts.into_iter().map(parts_of).collect(),
        })
    }

    /// `None`: something else has the key, and is to stay.
    pub(super) async fn complete_whole(
        &self,
        assembled: &Assembled,
    ) -> Result<Option<Written>, JobError> {
        let _in_flight = self.work.pass(0).await?;
        let written = self.complete_or_settle(assembled).await?;
        if written.is_none() {
            self.work.gauge.uncount(assembled.size);
        }
        Ok(written)
    }

    /// Complete is not idempotent: after a lost reply, a second try says that there is no such
    /// upload, or that there is an object, although ours is done. But an object with the same bytes
    /// may have been there before. So what was sent is taken for done only if the upload is gone;
    /// `None` says that the object there is another one.
    async fn complete_or_settle(&self, assembled: &Assembled) -> Result<Option<Written>, JobError> {
        let context = &self.work.context;
        let object = &self.upload.object;
        let mut tries = self.work.tries(format!("complete the upload of {object}"));
        // Whether an earlier try, of this run or of a killed one, may have done the work.
        let mut is_doubtful = !self.had.is_empty();
        loop {
            let request = context.store.complete_upload(&self.upload, assembled);
            let request = context.in_extra_time(COMPLETE, COMPLETE_EXTRA, request);
            let error = match context.or_stopped(request).await? {
                Ok(written) => return Ok(Some(written)),
                Err(error) => error,
            };
            if error.kind == Kind::Exists {
                let is_gone = self.abort().await == Aborted::WasGone;
                return if is_gone && is_doubtful { self.find(assembled).await } else { Ok(None) };
            }
            if error.kind == Kind::MissingUpload
                && is_doubtful
                && let Some(written) = self.find(assembled).await?
            {
                return Ok(Some(written));
            }
            is_doubtful |= error.kind.is_transient();
            let Err(last) = tries.again(error).await else { continue };
            if is_doubtful && last.is_resumable() && self.is_gone().await? {
                // Nothing is left to go on with.
                let gone = || StoreError::new(COMPLETE, Kind::MissingUpload).with_message(GONE);
                let found = self.find(assembled).await?;
                return found.map(Some).ok_or_else(|| tries.fatal(gone()));
            }
            return Err(last);
        }
    }

    /// Whether the store says that there is no such upload.
    async fn is_gone(&self) -> Result<bool, JobError> {
        let context = &self.work.context;
        let list = context.in_time("ListParts", 0, context.store.list_parts(&self.upload, 0));
        let listed = context.or_stopped(list).await?;
        Ok(listed.is_err_and(|error| error.kind == Kind::MissingUpload))
    }

    /// The object, if it is the one that was sent. A store without checksums is recognised by the
    /// tag that all of them give to an object of several parts.
    async fn find(&self, assembled: &Assembled) -> Result<Option<Written>, JobError> {
        let object = &self.upload.object;
        let found = match find_now(self.work, object).await {
            Err(JobError::Stopped) => return Err(JobError::Stopped),
            // Who may write may not always look: then nothing is known.
            found => found.ok().flatten(),
        };
        if let (Some(found), Some(sent)) = (&found, &assembled.checksum)
            && let Some(written) = if_ours(found, assembled.size, sent)
        {
            return Ok(Some(written));
        }
        let Some(tag) = multipart_etag(&assembled.parts) else { return Ok(None) };
        let ours = found.filter(|found| {
            found.size == assembled.size
                && found.etag.as_ref().is_some_and(|etag| etag.unquoted() == tag)
        });
        Ok(ours.map(|found| Written { etag: found.etag, version: found.version, checksum: None }))
    }

    /// What the reply proves; where it has no checksum, what the object says of itself.
    async fn verified(
        &self,
        written: &Written,
        size: u64,
        sent: &Checksum,
    ) -> Result<Verified, JobError> {
        let (work, object) = (self.work, &self.upload.object);
        if written.checksum.is_some() || work.context.limits.verify == Verify::Off {
            return verify::sent(work, object, written.checksum.as_ref(), sent);
        }
        let found = read_back(work, object, size, sent).await;
        let stored = found.ok().flatten().and_then(|found| found.checksum);
        verify::sent(work, object, stored.as_ref(), sent)
    }
}

const UNSUMMED: &str = "a part was sent without its checksum";

/// The checksum of the whole from those of its parts, in order and without a gap. `None` where one
/// of them is not known.
fn fold(crc: Crc, parts: &[SentPart]) -> Result<Option<Checksum>, JobError> {
    let mut whole = Some(crc.empty());
    for (part, number) in parts.iter().zip(1..) {
        if part.number != number {
            return Err(JobError::Internal(format!("part {number} is missing")));
        }
        let told = part.checksum.as_ref().filter(|sum| sum.algorithm() == crc.algorithm());
        let value = told.and_then(Checksum::crc_value);
        whole = whole.zip(value).map(|(whole, value)| crc.fold(whole, value, part.length));
    }
    Ok(whole.map(|value| crc.checksum(value)))
}

/// `md5(md5 of each part)-parts`, where the store's tags of parts are MD5s.
fn multipart_etag(parts: &[AssembledPart]) -> Option<String> {
    let mut all = md5::Md5::new();
    for part in parts {
        let hex = part.etag.unquoted();
        if hex.len() != 32 {
            return None;
        }
        for at in (0..32).step_by(2) {
            all.update([u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?]);
        }
    }
    let digest = u128::from_be_bytes(all.finalize().into());
    Some(format!("{digest:032x}-{}", parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::ETag;

    #[test]
    fn the_tag_of_parts_is_the_one_that_s3_gives() {
        let part = |hex| AssembledPart { etag: ETag::new(hex), checksum: None };
        let parts =
            [part("5d41402abc4b2a76b9719d911017c592"), part("7d793037a0760186574b0282f2f435e7")];
        assert_eq!(multipart_etag(&parts).as_deref(), Some("065947336a2f2a95ba8899f3675c3be6-2"));
        assert_eq!(multipart_etag(&[part("not-a-hash")]), None);
    }
}
