//! A copy in parts, each made by the store itself, in parallel. All parts are of the version that was
//! looked at first: pinned by its tag, and looked at again before they become an object, since not
//! every store heeds the tag. Whatever does not come to that is aborted.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::{InFlight, Outcome, Work};
use super::copy::{all_attributes, finish, pinned, time_for, tries};
use super::error::JobError;
use super::event::Skip;
use super::fetch::Pin;
use super::head::head;
use super::multipart::{SentBy, SentPart, Started, is_of_an_object, note, pass_while};
use super::original::Original;
use super::part_size::{MIN_PART, part_size_of, usual_copy_part};
use super::plan;
use super::retry::until_done;
use super::unfinished::record_of_copy;
use crate::domain::checksum::Crc;
use crate::domain::evidence::{Evidence, Finding, judge};
use crate::domain::job::ObjectCopy;
use crate::domain::object::ObjectFacts;
use crate::domain::range::ByteRange;
use crate::storage::object_store::{Assembled, CopySource, Written};

const PART: &str = "UploadPartCopy";

pub(super) async fn copy(
    work: &Arc<Work>,
    job: &ObjectCopy,
    source: &Original<'_>,
) -> Result<Outcome, JobError> {
    let (size, limits) = (source.facts().size, &work.context.limits);
    let usual = usual_copy_part(limits.part_size, limits.copy_whole, limits.part_choice);
    let part_size = part_size_of("the object", size, usual)?;
    let attributes = all_attributes(work, job, &source.described).await?;
    let new = (&job.object, &attributes);
    let record = record_of_copy(work, job).await;
    let started = Started::create(work, new, &mut work.pass(0).await?).await?;
    if let Some(record) = &record {
        record.begin(&started.upload.id, MIN_PART);
    }
    let made = make(&started, job, source, part_size).await;
    if made.as_ref().is_err_and(|error| !is_of_an_object(error)) {
        started.abort().await;
    }
    // Completed or aborted; of one that could be neither, a line says where it is.
    if let Some(record) = &record {
        record.clear();
    }
    match made? {
        Some(written) => finish(work, job, source, &written).await,
        None => Ok(Outcome::Skipped(Skip::Exists)),
    }
}

/// Copies all parts, and makes the object of them.
async fn make(
    started: &Started<'_>,
    job: &ObjectCopy,
    source: &Original<'_>,
    part_size: u64,
) -> Result<Option<Written>, JobError> {
    let (work, facts) = (started.work, source.facts());
    let parts = copy_all(started, job, facts, part_size).await?;
    let assembled = started.assemble(parts)?;
    let now = head(work, &job.source).await?;
    Pin::of(facts).check(&now).map_err(|error| tries(work, job).fatal(error))?;
    compare(work, source, &assembled).await?;
    let written = started.complete_whole(&assembled).await?;
    // What the parts come to was compared, where they tell.
    Ok(written
        .map(|written| Written { checksum: written.checksum.or(assembled.checksum), ..written }))
}

/// Before the object is there: what the parts come to, against what the source has.
async fn compare(
    work: &Work,
    source: &Original<'_>,
    assembled: &Assembled,
) -> Result<(), JobError> {
    let checksum = assembled.checksum.as_ref().filter(|_| source.is_compared(work));
    let Some(checksum) = checksum else { return Ok(()) };
    let said: Vec<_> = source.like(work, Some(checksum)).await?.into_iter().collect();
    match judge(&[Evidence::Whole(checksum.clone())], &said) {
        Some(Finding::Different { one, other, .. }) => {
            Err(JobError::Unequal { copy: one, source_has: other })
        }
        Some(Finding::Same(_)) | None => Ok(()),
    }
}

async fn copy_all(
    started: &Started<'_>,
    job: &ObjectCopy,
    facts: &ObjectFacts,
    part_size: u64,
) -> Result<Vec<SentPart>, JobError> {
    let work = started.work;
    let (mut tasks, mut copied) = (JoinSet::new(), Vec::new());
    let from = Arc::new(pinned(job, facts));
    for (range, number) in plan::ranges(0, facts.size, part_size).zip(1..) {
        let in_flight = pass_while(work, &mut tasks, &mut copied, 0).await?;
        let part = Part {
            work: Arc::clone(work),
            upload: Arc::clone(&started.upload),
            from: Arc::clone(&from),
            crc: started.crc,
            number,
            range,
        };
        tasks.spawn(part.copy(in_flight));
    }
    while let Some(ended) = tasks.join_next().await {
        note(&mut tasks, &mut copied, ended).await?;
    }
    Ok(copied)
}

/// One part of a copy.
struct Part {
    work: Arc<Work>,
    upload: Arc<crate::storage::object_store::Upload>,
    from: Arc<CopySource>,
    crc: Crc,
    number: u32,
    range: ByteRange,
}

impl Part {
    async fn copy(self, mut in_flight: InFlight) -> Result<SentPart, JobError> {
        let Self { work, upload, from, crc, number, range } = self;
        let context = &work.context;
        let doing = format!("copy part {number} of {} to {}", from.object, upload.object);
        let tries = work.tries(doing).of_part(Some(number)).under(&mut in_flight);
        let copy = || {
            let copy = context.store.copy_part(&upload, number, &from, range);
            context.in_extra_time(PART, time_for(range.length()), copy)
        };
        let copied = until_done(tries, copy).await?;
        work.gauge.count(range.length());
        let (length, sent_by) = (range.length(), SentBy::ThisRun);
        // One of another kind does not go into the whole.
        let checksum = copied.checksum.filter(|sum| sum.algorithm() == crc.algorithm());
        Ok(SentPart { number, length, checksum, etag: copied.etag, sent_by })
    }
}
