//! One object to another: by the store itself with one request, in parts above what one request may
//! copy (see `copy_parts`), or through the memory here where the two sides know nothing of each other
//! (see `relay`). All of it is pinned to the version that was looked at first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use super::context::{Outcome, Verify, Way, Work};
use super::error::JobError;
use super::event::{Event, Skip};
use super::head::{describe, find, find_now, head};
use super::moving::{self, Origin};
use super::original::Original;
use super::outcome::Verified;
use super::retry::until_done;
use super::upload::{condition, skip};
use super::{copy_parts, relay, verify};
use crate::domain::attributes::Attributes;
use crate::domain::evidence::{Basis, Evidence, Finding, judge};
use crate::domain::job::{Fate, ObjectCopy};
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::domain::overwrite::{Overwrite, Side};
use crate::storage::error::Kind;
use crate::storage::object_store::{
    CopyObject, CopySource, Described, Directive, WriteIf, Written,
};

const COPY: &str = "CopyObject";
/// Fresh starts of one copy before its trouble is given up on.
const RESTARTS: u32 = 2;
/// What a store may take to copy, besides so many bytes a second: it may answer only when all is
/// done.
const EXTRA: Duration = Duration::from_mins(5);
const COPIED_A_SECOND: u64 = 10 << 20;

const UNTOLD: &str = "some headers or metadata of the source can't be read and sent again (such as \
                      an Expires that is no date), and would be lost";

/// Copies one object to where its job says.
pub(super) async fn copy(work: &Arc<Work>, job: &ObjectCopy) -> Result<Outcome, JobError> {
    if let Some(skip) = look(work, job).await? {
        return Ok(Outcome::Skipped(skip));
    }
    let mut restarts = 0;
    loop {
        match once(work, job).await {
            Err(error) if begins_anew(&error) && restarts < RESTARTS => {
                restarts += 1;
                work.gauge.uncount_all();
                tracing::debug!(%error, restarts, "the copy starts again");
            }
            Err(JobError::Store { source, .. }) if source.kind == Kind::Changed => {
                return Err(JobError::KeepsChanging { doing: "copy", times: restarts + 1 });
            }
            done => return done,
        }
    }
}

/// Whether what has the key now stays.
pub(super) async fn look(work: &Work, job: &ObjectCopy) -> Result<Option<Skip>, JobError> {
    let overwrite = work.context.limits.overwrite;
    if !overwrite.looks_first() {
        return Ok(None);
    }
    let mut side = Side { size: job.size, modified: job.last_modified.and_then(end_of_second) };
    if overwrite != Overwrite::Never && side.modified.is_none() {
        let facts = head(work, &job.source).await?;
        let modified = facts.last_modified.and_then(end_of_second);
        side = Side { size: Some(facts.size), modified };
    }
    skip(work, &job.object, side).await
}

/// The source may have been written to after its copy was made, in the same second, and no store tells
/// less than that everywhere.
fn end_of_second(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs() + 1).ok()
}

/// Whether another version is there by now, the copy is not like its source, or somebody else ended
/// the upload.
fn begins_anew(error: &JobError) -> bool {
    let is_gone = matches!(error.store_kind(), Some(Kind::MissingUpload | Kind::Conflict));
    is_gone || error.wants_restart()
}

async fn once(work: &Arc<Work>, job: &ObjectCopy) -> Result<Outcome, JobError> {
    let source = Original::new(&job.source, describe(work, &job.source).await?);
    let facts = source.facts();
    work.gauge.discover(facts.size);
    verify::expected(&job.expected, facts)?;
    work.left_source(facts.etag.as_ref());
    work.moves(|| Origin::Object(facts.clone()));
    if work.job.fate == Fate::Removed {
        moving::tell_apart(work, facts, &job.object).await?;
    }
    if work.context.way == Way::Here {
        return relay::relay(work, job, &source).await;
    }
    expect_checksum(work, job, &source).await?;
    if facts.size <= work.context.limits.copy_whole {
        whole(work, job, &source).await
    } else {
        copy_parts::copy(work, job, &source).await
    }
}

/// A manifest's checksum of bytes that are never seen here, or not in their order: only the store's
/// own can tell.
pub(super) async fn expect_checksum(
    work: &Work,
    job: &ObjectCopy,
    source: &Original<'_>,
) -> Result<(), JobError> {
    let Some(wanted) = &job.expected.checksum else { return Ok(()) };
    let said: Vec<_> = source.like(work, Some(wanted)).await?.into_iter().collect();
    match judge(&said, &[Evidence::Whole(wanted.clone())]) {
        Some(Finding::Same(_)) => Ok(()),
        Some(Finding::Different { one, .. }) => {
            Err(JobError::Expectation(format!("the object has {one}, the manifest says {wanted}")))
        }
        None => Err(JobError::Expectation(format!(
            "the manifest says {wanted}, and the store has no such checksum of the object"
        ))),
    }
}

async fn whole(
    work: &Arc<Work>,
    job: &ObjectCopy,
    source: &Original<'_>,
) -> Result<Outcome, JobError> {
    let (context, facts) = (&work.context, source.facts());
    let how = how(work, job, &source.described)?;
    let mut in_flight = work.pass(0).await?;
    let mut attempts = 0;
    let sent = until_done(tries(work, job).under(&mut in_flight), || {
        attempts += 1;
        context.in_extra_time(COPY, time_for(facts.size), context.store.copy(&job.object, &how))
    });
    let written = match sent.await {
        // Of which side the condition failed, the store does not say.
        Err(error) if error.store_kind() == Some(&Kind::Changed) => {
            let existing = match how.condition {
                WriteIf::Absent => find_now(work, &job.object).await?,
                WriteIf::Always => None,
            };
            match existing {
                // It may be ours, if the reply to an earlier try was lost.
                Some(existing) if attempts > 1 && is_like(&existing, facts) => written(existing),
                Some(_) => return Ok(Outcome::Skipped(Skip::Exists)),
                None => return Err(error),
            }
        }
        written => written?,
    };
    drop(in_flight);
    work.gauge.count(facts.size);
    finish(work, job, source, &written).await
}

/// The end of a copy that the store made: what it is, and how far it is proven.
pub(super) async fn finish(
    work: &Work,
    job: &ObjectCopy,
    source: &Original<'_>,
    written: &Written,
) -> Result<Outcome, JobError> {
    let verified = prove(work, job, source, written).await?;
    work.left_object(written.etag.as_ref(), written.version.as_ref());
    if let Some(checksum) = written.checksum.clone() {
        work.left_checksum(checksum);
    }
    Ok(work.done(source.facts().size, verified))
}

/// Holds what the store says of the copy against what it says of the source. Where the reply does not
/// tell, the copy is looked at: its length is known in any case.
async fn prove(
    work: &Work,
    job: &ObjectCopy,
    source: &Original<'_>,
    written: &Written,
) -> Result<Verified, JobError> {
    let facts = source.facts();
    let mode = work.context.limits.verify;
    if mode == Verify::Off {
        return Ok(Verified::Length);
    }
    let told = written.checksum.as_ref();
    let of_tag = |tag: &Option<_>| tag.as_ref().and_then(Evidence::of_etag);
    let said = source.like(work, told).await?.into_iter().chain(of_tag(&facts.etag));
    let told = told.cloned().map(Evidence::Whole).into_iter().chain(of_tag(&written.etag));
    let mut finding = judge(&told.collect::<Vec<_>>(), &said.collect::<Vec<_>>());
    let is_settled = match &finding {
        Some(Finding::Same(Basis::ETag)) => mode != Verify::Require,
        finding => finding.is_some(),
    };
    if !is_settled && let Some(found) = find_ours(work, job, written).await? {
        if found.size != facts.size {
            let (copy, source_has) =
                (format!("{} bytes", found.size), format!("{} bytes", facts.size));
            return Err(JobError::Unequal { copy, source_has });
        }
        let stored = found.checksum.full_object();
        let said: Vec<_> = source.like(work, stored).await?.into_iter().collect();
        let stored = stored.cloned().map(Evidence::Whole);
        finding = judge(&stored.into_iter().collect::<Vec<_>>(), &said).or(finding);
    }
    match finding {
        Some(Finding::Different { one, other, .. }) => {
            Err(JobError::Unequal { copy: one, source_has: other })
        }
        Some(Finding::Same(Basis::Whole(algorithm))) => Ok(Verified::EndToEnd(algorithm)),
        Some(Finding::Same(Basis::Parts(algorithm))) => Ok(Verified::ByParts(algorithm)),
        _ if mode == Verify::Require => Err(JobError::UnprovenUpload(job.object.clone())),
        Some(Finding::Same(Basis::ETag | Basis::Empty)) | None => Ok(Verified::Length),
    }
}

/// The copy, where it may be looked at and is still the one that was made.
async fn find_ours(
    work: &Work,
    job: &ObjectCopy,
    written: &Written,
) -> Result<Option<ObjectFacts>, JobError> {
    match find(work, &job.object).await {
        Err(JobError::Stopped) => Err(JobError::Stopped),
        Ok(Some(found)) if written.etag.is_none() || found.etag == written.etag => Ok(Some(found)),
        // Who may write may not always look.
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Whether both have the same bytes, as far as a checksum of all of them tells.
fn is_like(found: &ObjectFacts, source: &ObjectFacts) -> bool {
    found.size == source.size
        && found.checksum != StoredChecksum::None
        && found.checksum == source.checksum
}

fn written(found: ObjectFacts) -> Written {
    let checksum = found.checksum.full_object().cloned();
    Written { etag: found.etag, version: found.version, checksum }
}

pub(super) fn tries<'a>(work: &'a Work, job: &ObjectCopy) -> super::retry::Tries<'a> {
    work.tries(format!("copy {} to {}", job.source, job.object))
}

/// What a copy of so many bytes may take the store.
pub(super) fn time_for(size: u64) -> Duration {
    EXTRA + Duration::from_secs(size / COPIED_A_SECOND)
}

/// What of the attributes is kept by the store, and what is sent.
fn how(work: &Work, job: &ObjectCopy, source: &Described) -> Result<CopyObject, JobError> {
    let is_in_place = is_in_place(work, job);
    // S3 takes no copy onto itself that keeps its headers, and makes it STANDARD if not told.
    let (headers, attributes) = if job.attributes.has_headers() || is_in_place {
        let kept = kept(source, is_in_place)?;
        let attributes = Attributes { tags: Vec::new(), ..job.attributes.or_kept(kept) };
        let tags = job.attributes.tags.clone();
        (Directive::Replace, Arc::new(Attributes { tags, ..attributes }))
    } else {
        (Directive::Keep, Arc::clone(&job.attributes))
    };
    let tags = if job.attributes.tags.is_empty() { Directive::Keep } else { Directive::Replace };
    let source = pinned(job, &source.facts);
    Ok(CopyObject { source, attributes, headers, tags, condition: condition(work) })
}

/// An object of the same name on another server is another object, and has a class of its own.
fn is_in_place(work: &Work, job: &ObjectCopy) -> bool {
    job.is_in_place() && work.context.is_one_store()
}

/// The version that was looked at, and no other.
pub(super) fn pinned(job: &ObjectCopy, facts: &ObjectFacts) -> CopySource {
    CopySource { object: job.source.clone(), if_match: facts.etag.clone() }
}

fn kept(source: &Described, is_in_place: bool) -> Result<Attributes, JobError> {
    let Some(kept) = source.attributes.clone() else {
        return Err(JobError::Impossible(UNTOLD.to_owned()));
    };
    let storage_class = kept.storage_class.filter(|_| is_in_place);
    Ok(Attributes { storage_class, ..kept })
}

/// All that the copy is told where the store keeps nothing by itself: what is given, and what the
/// source has.
pub(super) async fn all_attributes(
    work: &Work,
    job: &ObjectCopy,
    source: &Described,
) -> Result<Arc<Attributes>, JobError> {
    let mut kept = kept(source, is_in_place(work, job))?;
    // The one that both sides can be compared by.
    kept.crc = match &source.facts.checksum {
        StoredChecksum::Composite(parts) => parts.algorithm().crc(),
        stored => stored.full_object().and_then(|sum| sum.algorithm().crc()),
    };
    if job.attributes.tags.is_empty() {
        kept.tags = tags(work, job).await?;
    }
    Ok(Arc::new(job.attributes.or_kept(kept)))
}

/// The tags of the source. Some stores have none at all; and who may read an object may not be
/// allowed to see them, which is told once, but for a move, that would lose them.
async fn tags(work: &Work, job: &ObjectCopy) -> Result<Vec<(String, String)>, JobError> {
    let context = &work.context;
    let _in_flight = work.pass(0).await?;
    let tries = work.tries(format!("read the tags of {}", job.source));
    let ask = || context.in_time("GetObjectTagging", 0, context.source.tags(&job.source));
    let error = match until_done(tries, ask).await {
        Ok(tags) => return Ok(tags),
        Err(error) => error,
    };
    match error.store_kind() {
        Some(Kind::Refused | Kind::MissingKey) => Ok(Vec::new()),
        Some(Kind::Denied | Kind::NotPublic) if work.job.fate == Fate::Kept => {
            if !context.are_tags_told.swap(true, Relaxed) {
                let text = "the tags of some objects may not be read: their copies have none";
                context.tell(Event::Notice(text.to_owned())).await;
            }
            Ok(Vec::new())
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_may_take_the_time_that_its_bytes_take_and_more() {
        assert_eq!(time_for(0), Duration::from_mins(5));
        assert_eq!(time_for(5 << 30), Duration::from_mins(5) + Duration::from_secs(512));
    }
}
