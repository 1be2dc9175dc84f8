//! Two sides that should hold the same bytes: what is stored of an object against a file, or
//! against what is stored of another. No object is read unless that was asked for, and nothing is
//! called missing or different that could not be looked at.

use std::sync::Arc;

use super::context::{FRAMES, Outcome, Work};
use super::error::JobError;
use super::fetch::{Fetch, Pin, Sink, fetch};
use super::head::{find, find_source, head};
use super::part_size::download_part_size;
use super::part_sums::part_sums;
use super::plan;
use super::verify::{USUAL_CRC, expected, expected_size};
use crate::domain::checksum::{Checksum, Crc};
use crate::domain::comparison::{Compare, Place, Presence, Proof, Unproven, Verdict};
use crate::domain::evidence::{Basis, Evidence, Finding, Witness, judge};
use crate::domain::location::ObjectName;
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::storage::error::Kind;
use crate::storage::local::{Kind as LocalKind, SourceFile};
use crate::storage::object_store::{Depth, ListRequest};

/// Bytes of a file that are read and summed at once.
const BLOCK: usize = 256 * 1024;

/// Compares one pair.
pub(super) async fn compare(work: &Arc<Work>, pair: &Compare) -> Result<Outcome, JobError> {
    if pair.presence == Presence::OnlyAtDestination {
        return Ok(work.compared(Verdict::Extra, 0));
    }
    let (source, destination) = futures::try_join!(
        look_at(work, &pair.source, Side::Source),
        look_at(work, &pair.destination, Side::Destination)
    )?;
    let (source, destination) = match (source, destination) {
        (Some(source), Some(destination)) => (source, destination),
        (Some(source), None) => return Ok(work.compared(Verdict::Missing, source.size())),
        (None, Some(_)) => return Ok(work.compared(Verdict::Extra, 0)),
        (None, None) => {
            return Err(JobError::Impossible("there is nothing on either side".to_owned()));
        }
    };
    let size = source.size();
    work.gauge.discover(size);
    // What a manifest says is about what is to be read, not about what was made of it.
    match &source {
        Seen::Object(_, facts) => expected(&pair.expected, facts)?,
        Seen::File(file) => expected_size(&pair.expected, file.size())?,
    }
    if size != destination.size() {
        let verdict = Verdict::Size { source: size, destination: destination.size() };
        return Ok(work.compared(verdict, size));
    }
    if let (Seen::File(_), Seen::Object(_, facts)) = (&source, &destination) {
        expected(&pair.expected, facts)?;
    }
    let sides = Sides { work, pair, source: &source, destination: &destination };
    let verdict = sides.compare().await?;
    work.gauge.uncount_all();
    work.gauge.count(size);
    Ok(work.compared(verdict, size))
}

/// Whether both sides are proven the same, before anything is moved for it. What can't be told is
/// not the same.
pub(super) async fn is_same(work: &Arc<Work>, pair: &Compare) -> Result<bool, JobError> {
    let outcome = compare(work, pair).await;
    work.gauge.uncount_all();
    match outcome {
        Ok(Outcome::Compared(comparison)) => Ok(matches!(comparison.verdict, Verdict::Same(_))),
        // One side went away meanwhile, or changes just now: the transfer sees for itself.
        Ok(Outcome::Done(_) | Outcome::Skipped(_) | Outcome::Removed(_))
        | Err(JobError::Impossible(_) | JobError::Local(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What there is on one side.
enum Seen<'a> {
    Object(&'a ObjectName, ObjectFacts),
    File(Arc<SourceFile>),
}

impl Seen<'_> {
    fn size(&self) -> u64 {
        match self {
            Self::Object(_, facts) => facts.size,
            Self::File(file) => file.size(),
        }
    }

    fn facts(&self) -> Option<&ObjectFacts> {
        match self {
            Self::Object(_, facts) => Some(facts),
            Self::File(_) => None,
        }
    }

    /// What a reply to HEAD alone tells: as good as all that is stored, for most objects.
    fn evidence(&self) -> Vec<Evidence> {
        let Self::Object(_, facts) = self else { return Vec::new() };
        let stored = match &facts.checksum {
            StoredChecksum::None => None,
            StoredChecksum::FullObject(checksum) => Some(Evidence::Whole(checksum.clone())),
            StoredChecksum::Composite(composite) => Some(Evidence::Composite(composite.clone())),
        };
        let tag = facts.etag.as_ref().and_then(Evidence::of_etag);
        stored.into_iter().chain(tag).collect()
    }

    /// For people: all that there is to go by.
    fn described(&self) -> String {
        let Self::Object(_, facts) = self else { return "a file".to_owned() };
        match (&facts.checksum, &facts.etag) {
            (StoredChecksum::FullObject(checksum), _) => checksum.to_string(),
            (StoredChecksum::Composite(composite), _) => format!("{composite} of parts"),
            (StoredChecksum::None, Some(etag)) => format!("no checksum, ETag {etag}"),
            (StoredChecksum::None, None) => "no checksum and no ETag".to_owned(),
        }
    }
}

/// Where something is looked at: two objects need not be in one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

async fn look_at<'a>(
    work: &Work,
    place: &'a Place,
    side: Side,
) -> Result<Option<Seen<'a>>, JobError> {
    match place {
        Place::Object(object) => match found(work, object, side).await? {
            Some(facts) => Ok(Some(Seen::Object(object, facts))),
            None => require_bucket(work, object).await.map(|()| None),
        },
        Place::File(path) => match SourceFile::open(path) {
            Ok(file) => Ok(Some(Seen::File(Arc::new(file)))),
            // A folder, or a file where a folder should be: in any case not this file.
            Err(error)
                if matches!(
                    error.kind,
                    LocalKind::Missing | LocalKind::IsDirectory | LocalKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        },
    }
}

async fn found(
    work: &Work,
    object: &ObjectName,
    side: Side,
) -> Result<Option<ObjectFacts>, JobError> {
    match side {
        // A version that is not there was mistyped: no difference can be told of it.
        Side::Source if object.version.is_some() => head(work, object).await.map(Some),
        Side::Source => find_source(work, object).await,
        Side::Destination => find(work, object).await,
    }
}

/// A bucket that does not exist is an error, and no reason to call its objects missing: a reply to
/// HEAD does not tell the two apart.
async fn require_bucket(work: &Work, object: &ObjectName) -> Result<(), JobError> {
    let context = &work.context;
    let seen = || context.seen_buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if seen().contains(&object.bucket) {
        return Ok(());
    }
    let _in_flight = work.pass(0).await?;
    let (bucket, key) = (object.bucket.clone(), object.key.as_str());
    let request = ListRequest::new(bucket, key, Depth::OneLevel);
    let request = ListRequest { limit: Some(1), ..request };
    match super::listing::page(context, &request).await {
        Err(error) if matches!(error.store_kind(), Some(Kind::MissingBucket)) => Err(error),
        Err(JobError::Stopped) => Err(JobError::Stopped),
        // Who may look at objects may not be allowed to list them.
        Ok(_) | Err(_) => {
            seen().insert(object.bucket.clone());
            Ok(())
        }
    }
}

/// Both sides, of one size.
struct Sides<'a> {
    work: &'a Arc<Work>,
    pair: &'a Compare,
    source: &'a Seen<'a>,
    destination: &'a Seen<'a>,
}

impl Sides<'_> {
    async fn compare(&self) -> Result<Verdict, JobError> {
        if self.source.size() == 0 && self.pair.expected.checksum.is_none() {
            return Ok(Verdict::Same(Proof::Stored(Basis::Empty)));
        }
        let mut one = self.source.evidence();
        let mut other = self.destination.evidence();
        if let Some(finding) = judge(&one, &other) {
            return Ok(verdict(finding, Proof::Stored));
        }
        tell_parts(self.work, self.source, &mut one).await?;
        tell_parts(self.work, self.destination, &mut other).await?;
        match (self.source, self.destination) {
            (Seen::File(file), _) => one = self.sums_of(file, &other).await?,
            (_, Seen::File(file)) => other = self.sums_of(file, &one).await?,
            _ => {}
        }
        if let Some(finding) = judge(&one, &other) {
            return Ok(verdict(finding, Proof::Stored));
        }
        match self.pair.unproven {
            _ if self.source.size() == 0 => Ok(Verdict::Same(Proof::Stored(Basis::Empty))),
            Unproven::Tell => Ok(Verdict::NotComparable { reason: self.reason() }),
            Unproven::Read => self.read(one, other).await,
        }
    }

    /// What `file` has of each kind that the other side has. One pass over its bytes, for all.
    async fn sums_of(
        &self,
        file: &Arc<SourceFile>,
        wanted: &[Evidence],
    ) -> Result<Vec<Evidence>, JobError> {
        let proof = wanted.iter().find(|wanted| is_proof(wanted));
        let best = proof.or_else(|| wanted.iter().find(|wanted| is_tag(wanted)));
        let mut witnesses: Vec<Witness> = best.and_then(Evidence::witness).into_iter().collect();
        // Else the file would be read twice.
        if self.pair.unproven == Unproven::Read && proof.is_none() {
            witnesses.extend(like(&USUAL_CRC.checksum(0)));
        }
        let given = self.pair.expected.checksum.as_ref();
        witnesses.extend(given.and_then(like));
        let mut sums = sum(self.work, file, witnesses).await?;
        if let (Some(given), Some(Evidence::Whole(found))) = (given, sums.last())
            && found != given
        {
            return Err(JobError::Expectation(format!(
                "the file has {found}, the manifest says {given}"
            )));
        }
        if given.is_some() {
            sums.pop();
        }
        Ok(sums)
    }

    /// Reads what has to be read for one checksum on both sides.
    async fn read(
        &self,
        mut one: Vec<Evidence>,
        mut other: Vec<Evidence>,
    ) -> Result<Verdict, JobError> {
        let crc = crc_among(&one).or_else(|| crc_among(&other)).unwrap_or(USUAL_CRC);
        self.work.gauge.uncount_all();
        for (seen, known) in [(self.source, &mut one), (self.destination, &mut other)] {
            if let Seen::Object(object, facts) = seen
                && crc_among(known) != Some(crc)
            {
                known.insert(0, read_object(self.work, object, facts, crc).await?);
            }
        }
        match judge(&one, &other) {
            Some(finding) => Ok(verdict(finding, |_| Proof::Read)),
            None => Err(JobError::Internal("what was read can't be compared".to_owned())),
        }
    }

    fn reason(&self) -> String {
        match (self.source, self.destination) {
            (Seen::File(_), object) | (object, Seen::File(_)) => {
                format!("the object has {}", object.described())
            }
            (one, other) => {
                let tags = (one.facts().map(|one| &one.etag), other.facts().map(|two| &two.etag));
                let tags = if tags.0 == tags.1 { "equal" } else { "different" };
                let (one, other) = (one.described(), other.described());
                format!("there is {one} and {other}; the ETags are {tags}")
            }
        }
    }
}

fn verdict(finding: Finding, proof: impl Fn(Basis) -> Proof) -> Verdict {
    match finding {
        Finding::Same(basis) => Verdict::Same(proof(basis)),
        Finding::Different { one, other, basis } => {
            Verdict::Content { source: one, destination: other, proof: proof(basis) }
        }
    }
}

/// Whether it tells equal from different.
fn is_proof(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Whole(_) | Evidence::Parts(_))
}

fn is_tag(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Md5(_))
}

/// Computes a checksum of the same kind.
fn like(checksum: &Checksum) -> Option<Witness> {
    Evidence::Whole(checksum.clone()).witness()
}

/// The CRC of all bytes that is known.
fn crc_among(evidence: &[Evidence]) -> Option<Crc> {
    evidence.iter().find_map(|known| match known {
        Evidence::Whole(checksum) => checksum.algorithm().crc(),
        Evidence::Parts(sums) => sums.algorithm().crc(),
        Evidence::Composite(_) | Evidence::Md5(_) => None,
    })
}

/// Puts the checksums of the parts in place of the one checksum of those, if the store tells them.
async fn tell_parts(
    work: &Work,
    seen: &Seen<'_>,
    evidence: &mut [Evidence],
) -> Result<(), JobError> {
    let Seen::Object(object, facts) = seen else { return Ok(()) };
    for known in evidence {
        if let Evidence::Composite(composite) = known
            && let Some(sums) = part_sums(work, object, facts, composite).await?
        {
            *known = Evidence::Parts(sums);
        }
    }
    Ok(())
}

/// Reads a file from its start to its end. One that changes meanwhile is an error.
pub(super) async fn sum(
    work: &Arc<Work>,
    file: &Arc<SourceFile>,
    witnesses: Vec<Witness>,
) -> Result<Vec<Evidence>, JobError> {
    if witnesses.is_empty() {
        return Ok(Vec::new());
    }
    let mut in_flight = work.pass(BLOCK as u64).await?;
    in_flight.end_request();
    let (work, file) = (Arc::clone(work), Arc::clone(file));
    let summed = tokio::task::spawn_blocking(move || {
        let summed = sum_now(&work, &file, witnesses);
        drop(in_flight);
        summed
    });
    summed.await.map_err(|error| JobError::Internal(error.to_string()))?
}

fn sum_now(
    work: &Work,
    file: &SourceFile,
    mut witnesses: Vec<Witness>,
) -> Result<Vec<Evidence>, JobError> {
    file.expect_sequential_reads();
    let mut buffer = vec![0; BLOCK.min(usize::try_from(file.size()).unwrap_or(BLOCK))];
    for range in plan::ranges(0, file.size(), BLOCK as u64) {
        if work.context.cancel.is_stopping() {
            return Err(JobError::Stopped);
        }
        let block = &mut buffer[..usize::try_from(range.length()).unwrap_or(BLOCK)];
        file.read_at(range.start(), block)?;
        for witness in &mut witnesses {
            witness.update(block);
        }
        work.gauge.count(range.length());
    }
    file.check_unchanged()?;
    Ok(witnesses.into_iter().map(Witness::finish).collect())
}

/// Takes bytes for their checksum alone.
struct Discard;

impl Sink for Discard {
    fn write(&mut self, _offset: u64, frames: &mut Vec<bytes::Bytes>) -> Result<(), JobError> {
        frames.clear();
        Ok(())
    }
}

/// Of one object that is read for its checksum alone.
const PARTS_AT_ONCE: usize = 8;

/// The CRC of an object's bytes, a few parts at a time.
async fn read_object(
    work: &Arc<Work>,
    object: &ObjectName,
    facts: &ObjectFacts,
    crc: Crc,
) -> Result<Evidence, JobError> {
    use futures::{StreamExt as _, TryStreamExt as _};
    let pin = Pin::of(facts);
    let limits = &work.context.limits;
    let part_size = download_part_size(facts.size, limits.part_size, limits.part_choice);
    let parts = plan::ranges(0, facts.size, part_size).zip(1..).map(|(range, number)| {
        let (work, object, pin) = (Arc::clone(work), object.clone(), pin.clone());
        async move {
            let mut in_flight = work.pass_part(FRAMES).await?;
            let part =
                Fetch { work: &work, object: &object, pin: &pin, range, part: Some(number), crc };
            Ok::<_, JobError>((
                fetch(&part, &mut in_flight, None, &mut Discard).await?,
                range.length(),
            ))
        }
    });
    let parts = futures::stream::iter(parts).buffered(PARTS_AT_ONCE);
    let fold = |whole, (part, length)| async move { Ok(crc.fold(whole, part, length)) };
    let whole = parts.try_fold(crc.empty(), fold).await?;
    Ok(Evidence::Whole(crc.checksum(whole)))
}
