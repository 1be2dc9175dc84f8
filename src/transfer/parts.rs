//! The parts of one object on their way into one file: so many at once, each a task, all of them
//! ended before this returns. The file must not be written to any more by then.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::context::{FRAMES, InFlight, Work};
use super::download::end_all;
use super::error::JobError;
use super::fetch::{Fetch, Pin, fetch};
use crate::domain::checksum::Crc;
use crate::domain::job::Download;
use crate::domain::range::ByteRange;
use crate::storage::local::{Recorded, StagedFile};
use crate::storage::object_store::GetReply;

pub(super) struct Parts<'a> {
    pub(super) work: &'a Arc<Work>,
    pub(super) job: &'a Download,
    pub(super) pin: Pin,
    pub(super) file: &'a Arc<StagedFile>,
    pub(super) crc: Crc,
}

type Fetched = Result<Recorded, JobError>;

impl Parts<'_> {
    /// An object of one part, from a reply that has begun.
    pub(super) async fn only(
        &self,
        range: ByteRange,
        (reply, mut in_flight): (GetReply, InFlight),
    ) -> Fetched {
        let part = Fetch {
            work: self.work,
            object: &self.job.object,
            pin: &self.pin,
            range,
            part: None,
            crc: self.crc,
        };
        let crc = fetch(&part, &mut in_flight, Some(reply), &mut &**self.file).await?;
        Ok(Recorded { offset: range.start(), length: range.length(), crc })
    }

    /// Fetches all ranges, the first from `reply` if it has begun, and adds them to the pieces that
    /// are there already.
    pub(super) async fn all(
        &self,
        ranges: &[ByteRange],
        mut reply: Option<(GetReply, InFlight)>,
        mut pieces: Vec<Recorded>,
    ) -> Result<Vec<Recorded>, JobError> {
        let mut tasks = JoinSet::new();
        for range in ranges {
            let (reply, in_flight) = match reply.take() {
                Some((reply, in_flight)) => (Some(reply), in_flight),
                None => (None, self.pass_while(&mut tasks, &mut pieces).await?),
            };
            self.spawn(&mut tasks, *range, reply, in_flight);
        }
        while let Some(ended) = tasks.join_next().await {
            self.note(&mut tasks, &mut pieces, ended).await?;
        }
        Ok(pieces)
    }

    /// Waits for room for one more part, and takes in those that end meanwhile.
    async fn pass_while(
        &self,
        tasks: &mut JoinSet<Fetched>,
        pieces: &mut Vec<Recorded>,
    ) -> Result<InFlight, JobError> {
        let mut permit = Box::pin(self.work.pass_part(FRAMES));
        let passed = loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => self.note(tasks, pieces, ended).await?,
                permit = &mut permit => break permit,
            }
        };
        match passed {
            Ok(in_flight) => Ok(in_flight),
            Err(error) => Err(end_all(tasks, error).await),
        }
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<Fetched>,
        range: ByteRange,
        reply: Option<GetReply>,
        mut in_flight: InFlight,
    ) {
        let (work, object, pin) =
            (Arc::clone(self.work), self.job.object.clone(), self.pin.clone());
        let (file, crc) = (Arc::clone(self.file), self.crc);
        let number = u32::try_from(range.start() / range.length() + 1).ok();
        tasks.spawn(async move {
            let part = Fetch { work: &work, object: &object, pin: &pin, range, part: number, crc };
            let value = fetch(&part, &mut in_flight, reply, &mut &*file).await?;
            Ok(Recorded { offset: range.start(), length: range.length(), crc: value })
        });
    }

    /// Takes in a part that ended. The first failure ends all others.
    async fn note(
        &self,
        tasks: &mut JoinSet<Fetched>,
        pieces: &mut Vec<Recorded>,
        ended: Result<Fetched, JoinError>,
    ) -> Result<(), JobError> {
        match ended.unwrap_or_else(|error| Err(JobError::Internal(error.to_string()))) {
            Ok(piece) => {
                pieces.push(piece);
                Ok(())
            }
            Err(error) => Err(end_all(tasks, error).await),
        }
    }
}
