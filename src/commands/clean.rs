//! `haul clean`: what killed runs left behind, in a bucket or below a folder, listed or removed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;

use super::download::location;
use super::error::CommandError;
use super::first_errors::FirstErrors;
use super::ls::Stopped;
use super::options::Connection;
use super::session::Session;
use crate::domain::location::{Location, S3Uri};
use crate::domain::record::{Cleaning, OutputError, Record, RecordSink};
use crate::storage::local::{Left, Leftover, leftovers};
use crate::storage::object_store::{OpenUpload, Upload, UploadsRequest};
use crate::transfer::context::Context;
use crate::transfer::listing::{self, UploadPages};
use crate::transfer::upload_record::UploadRecords;

/// Younger ones may belong to a run that is under way somewhere.
const YOUNG: Duration = Duration::from_hours(24);

/// List or remove what unfinished transfers left
///
/// In a bucket these are multipart uploads, which cost money until they are aborted; below a
/// folder, partial files. Nothing is removed without --yes. What is removed can't be continued any
/// more; whatever an unfinished command would go on with is found here, too. What another process
/// is at work on is left alone, and so are uploads of the last 24 hours, unless --all is given.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul clean s3://bucket              list the unfinished uploads of a bucket
  haul clean s3://bucket/p/ --yes     abort those below a prefix that are older than a day
  haul clean s3://bucket --all --yes  also those of the last 24 hours
  haul clean out/ --yes               remove the partial files below a folder")]
pub struct CleanArgs {
    /// s3://bucket, a prefix, or a folder
    #[arg(value_name = "S3_URI|DIR")]
    place: PathBuf,

    /// Remove them [default: only list them]
    #[arg(long)]
    yes: bool,

    /// Take uploads of the last 24 hours, too
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    connection: Connection,
}

/// What was there, and what is left of it.
#[derive(Debug, Default)]
pub struct Tally {
    pub found: u64,
    pub removed: u64,
    /// Left alone, since they may belong to a run somewhere.
    pub young: u64,
    /// Left alone, since a process is at work on them.
    pub in_use: u64,
    /// Of what was not looked at, or not removed.
    errors: FirstErrors,
}

impl CleanArgs {
    /// Lists into `records` what is found, and removes it where that was asked for.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<Tally, CommandError> {
        let mut tally = Tally::default();
        let purpose = if self.yes { Purpose::Removes } else { Purpose::Lists };
        let mut sink = Sink { records, tally: &mut tally, purpose, is_heard: true };
        let cleaned = match location(&self.place)? {
            Location::S3(uri) => self.clean_bucket(session, &uri, &mut sink).await,
            Location::Local(path) if self.all => {
                return Err(CommandError::misuse(format!(
                    "--all is for uploads, and `{}` is a folder",
                    path.display()
                )));
            }
            Location::Local(path) => self.clean_folder(&path, &mut sink),
            Location::Stream => {
                return Err(CommandError::misuse("standard input keeps nothing to clean"));
            }
        };
        match cleaned {
            Ok(()) | Err(Stopped::Output(OutputError::Closed)) => Ok(tally),
            Err(Stopped::Output(error)) => Err(CommandError::failed(error)),
            Err(Stopped::Command(error)) => Err(error),
        }
    }

    async fn clean_bucket(
        &self,
        session: &Session,
        uri: &S3Uri,
        sink: &mut Sink<'_>,
    ) -> Result<(), Stopped> {
        let context = session.reading_context(&self.connection).await?;
        let records = UploadRecords::of(&context);
        // As everywhere, a prefix ends in a slash, and what does not is the name of one object.
        let is_asked_for = |open: &OpenUpload| uri.is_prefix() || uri.is_of(&open.upload.object);
        let (bucket, prefix) = (uri.bucket.clone(), uri.rest.clone());
        let mut pages = UploadPages::new(UploadsRequest { bucket, prefix, after: None });
        let mut seen = HashSet::new();
        while let Some(page) = pages.next(&context).await.map_err(CommandError::from)? {
            seen.extend(page.uploads.iter().map(|open| open.upload.id.0.clone()));
            for open in page.uploads.iter().filter(|open| is_asked_for(open)) {
                let cleaned = self.clean_upload(&context, &records, open).await;
                let outcome = sink.outcome(cleaned);
                sink.push(&Record::Unfinished {
                    name: &open.upload.object.uri(),
                    upload_id: Some(&open.upload.id.0),
                    size: None,
                    since: open.started,
                    outcome,
                })?;
            }
        }
        if self.yes {
            let is_lost = |upload: &Upload| {
                let is_asked_for = if uri.is_prefix() {
                    upload.object.key.as_str().starts_with(&uri.rest)
                } else {
                    uri.is_of(&upload.object)
                };
                is_asked_for && !seen.contains(&upload.id.0)
            };
            let lost = records.known(&context, &uri.bucket).filter(is_lost).collect::<Vec<_>>();
            forget(&context, &records, &lost).await?;
        }
        Ok(())
    }

    async fn clean_upload(
        &self,
        context: &Context,
        records: &UploadRecords,
        open: &OpenUpload,
    ) -> Result<Cleaning, CommandError> {
        let age = open.started.and_then(|started| SystemTime::now().duration_since(started).ok());
        if !self.all && age.is_none_or(|age| age < YOUNG) {
            return Ok(Cleaning::Young);
        }
        // Held until the upload is gone, so that no run begins to go on with it.
        let record = match records.claim(context, &open.upload) {
            Left::InUse => return Ok(Cleaning::InUse),
            Left::Held(record) => Some(record),
            Left::Nothing => None,
        };
        if !self.all && self.is_going_on(context, open).await? {
            return Ok(Cleaning::Young);
        }
        if !self.yes {
            return Ok(Cleaning::Found);
        }
        listing::abort(context, &open.upload).await?;
        if let Some(record) = record {
            record.clear().map_err(CommandError::failed)?;
        }
        Ok(Cleaning::Removed)
    }

    /// Whether a part came of late: the largest objects are on their way for days.
    async fn is_going_on(
        &self,
        context: &Context,
        open: &OpenUpload,
    ) -> Result<bool, CommandError> {
        let newest = listing::newest_part(context, &open.upload).await?;
        let age = newest.and_then(|newest| SystemTime::now().duration_since(newest).ok());
        Ok(age.is_some_and(|age| age < YOUNG))
    }

    fn clean_folder(&self, path: &Path, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        for leftover in leftovers(path) {
            let leftover = match leftover {
                Ok(leftover) => leftover,
                Err(error) => {
                    sink.tally.errors.add(CommandError::failed(error));
                    continue;
                }
            };
            let outcome = sink.outcome(self.clean_file(&leftover));
            sink.push(&Record::Unfinished {
                name: &leftover.path.to_string_lossy(),
                upload_id: None,
                size: Some(leftover.size),
                since: leftover.modified,
                outcome,
            })?;
        }
        Ok(())
    }

    fn clean_file(&self, leftover: &Leftover) -> Result<Cleaning, CommandError> {
        let is_free = if self.yes {
            leftover.remove().map_err(CommandError::failed)?
        } else {
            !leftover.is_in_use().map_err(CommandError::failed)?
        };
        Ok(match (is_free, self.yes) {
            (false, _) => Cleaning::InUse,
            (true, true) => Cleaning::Removed,
            (true, false) => Cleaning::Found,
        })
    }
}

/// Removes the records of uploads that the store has no more: a run was killed between the end of an
/// upload and that of its record.
async fn forget(
    context: &Context,
    records: &UploadRecords,
    lost: &[Upload],
) -> Result<(), CommandError> {
    for upload in lost {
        // Held before the store is asked: so no run begins with it meanwhile.
        if let Left::Held(record) = records.claim(context, upload)
            && !listing::is_open(context, upload).await?
        {
            record.clear().map_err(CommandError::failed)?;
        }
    }
    Ok(())
}

struct Sink<'a> {
    records: &'a mut dyn RecordSink,
    tally: &'a mut Tally,
    purpose: Purpose,
    /// Whether somebody still reads the records.
    is_heard: bool,
}

/// A reader that leaves has seen enough of a listing; what was to be removed still is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Lists,
    Removes,
}

impl Sink<'_> {
    /// One that fails does not stop the others.
    fn outcome(&mut self, cleaned: Result<Cleaning, CommandError>) -> Cleaning {
        cleaned.unwrap_or_else(|error| {
            self.tally.errors.add(error);
            Cleaning::Failed
        })
    }

    fn push(&mut self, record: &Record<'_>) -> Result<(), OutputError> {
        if let Record::Unfinished { outcome, .. } = record {
            match outcome {
                Cleaning::Found => self.tally.found += 1,
                Cleaning::Removed => self.tally.removed += 1,
                Cleaning::Young => self.tally.young += 1,
                Cleaning::InUse => self.tally.in_use += 1,
                // Counted with its error.
                Cleaning::Failed => {}
            }
        }
        if !self.is_heard {
            return Ok(());
        }
        match self.records.push(record) {
            Err(OutputError::Closed) if self.purpose == Purpose::Removes => {
                self.is_heard = false;
                Ok(())
            }
            pushed => pushed,
        }
    }
}

impl Tally {
    /// Why some are still there.
    pub fn into_errors(self) -> Vec<CommandError> {
        self.errors.into_told()
    }

    /// One line for a person.
    pub fn text(&self) -> String {
        let Self { found, removed, young, in_use, .. } = *self;
        let failed = self.errors.count();
        let mut facts = Vec::new();
        if removed > 0 {
            facts.push(format!("{removed} removed"));
        }
        if found > 0 {
            facts.push(format!("{found} found; the same command with --yes removes them"));
        }
        if young > 0 {
            facts.push(format!("{young} left alone, of the last 24 hours (--all takes them)"));
        }
        if in_use > 0 {
            facts.push(format!("{in_use} left alone, in use"));
        }
        if failed > 0 {
            facts.push(format!("{failed} failed"));
        }
        if facts.is_empty() {
            return "nothing is left behind".to_owned();
        }
        facts.join(", ")
    }
}
