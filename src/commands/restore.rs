//! `haul restore`: archived objects are asked back, and waited for where that is wanted. It must
//! never ask for what is no archive's: each request costs money.

use std::sync::Arc;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use futures::{StreamExt as _, stream};

use super::error::CommandError;
use super::first_errors::FirstErrors;
use super::ls::Stopped;
use super::options::{Connection, Filters, name_version};
use super::session::Session;
use crate::domain::location::{Location, ObjectName};
use crate::domain::object::ObjectDetails;
use crate::domain::record::{OutputError, Record, RecordSink, Restored};
use crate::domain::restore::{ArchiveState, Restore, Tier};
use crate::domain::sieve::Sieve;
use crate::jobs::downloads::Keys;
use crate::jobs::named::{self, Named};
use crate::jobs::trees::{Reach, Source, SourceError, Tree};
use crate::storage::error::Kind;
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing::{self, Pages};

/// Bring archived objects back, so that they can be read
///
/// One object, what matches a wildcard, or with -r everything below a prefix. The store takes
/// minutes or hours, by --tier, and keeps what it brought back for --days; it bills each. What is
/// on its way, was brought back already, or is in no archive is told and costs nothing more.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags that are typed, each by itself")]
#[command(after_help = "\
Examples:
  haul restore s3://bucket/key                        for 7 days, within hours
  haul restore -r s3://bucket/2019/ --tier bulk --days 30
  haul restore 's3://bucket/2019/*.tar' --dry-run     what would be asked for
  haul restore s3://bucket/key --wait && haul download s3://bucket/key .")]
pub struct RestoreArgs {
    /// S3 URIs of objects, wildcards, and with -r of prefixes
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<String>,

    /// Restore everything below what is named, too
    #[arg(long, short)]
    recursive: bool,

    /// For how many days they can be read
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i32).range(1..))]
    days: i32,

    /// How soon: expedited is minutes, standard hours, bulk many hours and the cheapest
    #[arg(long, value_name = "TIER", value_enum, ignore_case = true, default_value_t = TypedTier::Standard)]
    tier: TypedTier,

    /// Wait until all of them can be read
    #[arg(long)]
    wait: bool,

    /// Show what would be asked for, and ask for nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,

    /// Take keys literally: `*` and `?` mean nothing
    #[arg(long, help_heading = "Selection")]
    raw: bool,

    /// Restore this version of one object
    #[arg(long, value_name = "ID", help_heading = "Selection", conflicts_with = "recursive", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,

    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TypedTier {
    Standard,
    Bulk,
    Expedited,
}

/// Objects that are looked at at once.
const AT_ONCE: usize = 32;
/// Between two looks at what is on its way.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// What became of all.
#[derive(Debug, Default)]
pub struct Tally {
    asked: u64,
    would_ask: u64,
    restoring: u64,
    restored: u64,
    readable: u64,
    errors: FirstErrors,
    /// On their way, where they are waited for.
    awaited: Vec<ObjectName>,
    /// Nobody reads the records any more.
    is_unheard: bool,
}

impl RestoreArgs {
    /// Pushes what became of each.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<Tally, CommandError> {
        let mut sources =
            self.uris.iter().map(|text| self.source(text)).collect::<Result<Vec<_>, _>>()?;
        name_version(self.version_id.as_deref(), sources.iter_mut().map(Source::object_mut))?;
        let sieve = self.filters.resolve()?;
        let context = Arc::new(session.reading_context(&self.connection).await?);
        let mut tally = Tally::default();
        let mut ended = Ok(());
        for source in sources {
            ended = match source {
                Source::Object(object) => {
                    self.restore_named(&context, object, &sieve, &mut tally, records).await
                }
                Source::Tree(tree) => {
                    self.restore_tree(&context, &tree, &sieve, &mut tally, records).await
                }
            };
            match ended {
                // What can't be listed stops no other.
                Err(Stopped::Command(error)) if !context.cancel.is_draining() => {
                    tally.errors.add(error);
                    ended = Ok(());
                }
                Ok(()) => {}
                Err(_) => break,
            }
        }
        if ended.is_ok() && self.wait {
            ended = wait(&context, &mut tally, records).await;
        }
        match ended {
            Err(Stopped::Output(error)) => Err(CommandError::failed(error)),
            Err(Stopped::Command(error)) => Err(error),
            Ok(()) => Ok(tally),
        }
    }

    fn source(&self, text: &str) -> Result<Source, CommandError> {
        let keys = if self.raw { Keys::Raw } else { Keys::Patterns };
        let reach = if self.recursive { Reach::Below } else { Reach::One };
        match Location::parse(text).map_err(CommandError::usage)? {
            Location::S3(uri) => match Source::new(uri, keys, reach) {
                Ok(source) => Ok(source),
                Err(error @ SourceError::Prefix(_)) => {
                    Err(CommandError::usage(error).hint("-r restores everything below it"))
                }
                Err(error) => Err(CommandError::usage(error)),
            },
            other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                .hint("S3 URIs look like s3://bucket/key")),
        }
    }

    async fn restore_named(
        &self,
        context: &Context,
        object: ObjectName,
        sieve: &Sieve,
        tally: &mut Tally,
        records: &mut dyn RecordSink,
    ) -> Result<(), Stopped> {
        match named::judge(context, &object, object.key.file_name(), sieve).await {
            Ok(Named::LeftOut) => Ok(()),
            Ok(_) => self.restore_all(context, vec![object], tally, records).await,
            Err(error) => Err(CommandError::from(error).into()),
        }
    }

    async fn restore_tree(
        &self,
        context: &Arc<Context>,
        tree: &Tree,
        sieve: &Sieve,
        tally: &mut Tally,
        records: &mut dyn RecordSink,
    ) -> Result<(), Stopped> {
        let bucket = &tree.uri.bucket;
        let mut found = false;
        if let Some(key) = tree.itself() {
            let object = ObjectName::new(bucket.clone(), key.clone());
            match listing::facts(context, &object).await {
                Ok(facts) => {
                    found = true;
                    if sieve.admits(key.file_name(), Some(facts.size), facts.last_modified) {
                        self.restore_all(context, vec![object], tally, records).await?;
                    }
                }
                Err(error) if error.store_kind() == Some(&Kind::MissingKey) => {}
                Err(error) => return Err(CommandError::from(error).into()),
            }
        }
        let request = ListRequest::new(bucket.clone(), tree.prefix(), Depth::Everything);
        let mut pages = Pages::new(context, request);
        while let Some(page) = pages.next().await.map_err(CommandError::from)? {
            let mut archived = Vec::new();
            for object in page.objects {
                let Some(relative) = tree.relative(object.key.as_str()) else { continue };
                found = true;
                if !sieve.admits_listed(relative, &object) {
                    continue;
                }
                if ArchiveState::is_possible(object.storage_class.as_deref()) {
                    archived.push(ObjectName::new(bucket.clone(), object.key));
                } else {
                    tally.readable += 1;
                }
            }
            self.restore_all(context, archived, tally, records).await?;
        }
        if !found && !tree.uri.rest.is_empty() {
            return Err(CommandError::failed(anyhow::anyhow!("nothing is at {}", tree.uri))
                .hint(format!("see what is there: haul ls s3://{bucket}/"))
                .into());
        }
        Ok(())
    }

    async fn restore_all(
        &self,
        context: &Context,
        objects: Vec<ObjectName>,
        tally: &mut Tally,
        records: &mut dyn RecordSink,
    ) -> Result<(), Stopped> {
        let each = stream::iter(objects).map(|object| async move {
            if context.cancel.is_draining() {
                return (object, Err(JobError::Stopped));
            }
            let ended = context.or_stopped(self.restore_one(context, &object)).await;
            (object, ended.and_then(|ended| ended))
        });
        let mut each = std::pin::pin!(each.buffered(AT_ONCE));
        while let Some((object, ended)) = each.next().await {
            match ended {
                Ok((outcome, details)) => {
                    let is_on_its_way = matches!(outcome, Restored::Asked | Restored::Restoring);
                    tally.count(outcome);
                    tally.push(records, &object, outcome, &details)?;
                    if self.wait && is_on_its_way {
                        tally.awaited.push(object);
                    }
                }
                Err(JobError::Stopped) => return Err(CommandError::from(JobError::Stopped).into()),
                Err(error) => tally.errors.add(error.into()),
            }
        }
        Ok(())
    }

    async fn restore_one(
        &self,
        context: &Context,
        object: &ObjectName,
    ) -> Result<(Restored, ObjectDetails), JobError> {
        let details = listing::details(context, object).await?;
        let outcome = match ArchiveState::of(&details) {
            ArchiveState::Readable => Restored::Readable,
            ArchiveState::Restoring => Restored::Restoring,
            ArchiveState::Restored => Restored::Restored,
            ArchiveState::Archived if self.dry_run => Restored::WouldAsk,
            ArchiveState::Archived => {
                let tier = match self.tier {
                    TypedTier::Standard => Tier::Standard,
                    TypedTier::Bulk => Tier::Bulk,
                    TypedTier::Expedited => Tier::Expedited,
                };
                let how = Restore { days: Some(self.days), tier }.of(&details);
                listing::restore(context, object, &how).await?;
                Restored::Asked
            }
        };
        Ok((outcome, details))
    }
}

/// Looks again and again, until all can be read.
async fn wait(
    context: &Arc<Context>,
    tally: &mut Tally,
    records: &mut dyn RecordSink,
) -> Result<(), Stopped> {
    let mut rest = FIRST_REST;
    tally.flush(records)?;
    let mut awaited = std::mem::take(&mut tally.awaited);
    while !awaited.is_empty() {
        listing::rest(context, rest).await.map_err(CommandError::from)?;
        rest = (rest * 2).min(LONGEST_REST);
        let each = stream::iter(std::mem::take(&mut awaited)).map(|object| async move {
            let looked = context.or_stopped(listing::details(context, &object)).await;
            (object, looked.and_then(|looked| looked))
        });
        let mut each = std::pin::pin!(each.buffered(AT_ONCE));
        while let Some((object, looked)) = each.next().await {
            match looked.map(|details| (ArchiveState::of(&details), details)) {
                Ok((ArchiveState::Restored | ArchiveState::Readable, details)) => {
                    tally.count(Restored::Restored);
                    tally.push(records, &object, Restored::Restored, &details)?;
                    tally.flush(records)?;
                }
                // A store may need a moment until it tells what it was asked for.
                Ok((ArchiveState::Restoring | ArchiveState::Archived, _)) => awaited.push(object),
                Err(JobError::Stopped) => return Err(CommandError::from(JobError::Stopped).into()),
                Err(error) => tally.errors.add(error.into()),
            }
        }
    }
    Ok(())
}

impl Tally {
    fn push(
        &mut self,
        records: &mut dyn RecordSink,
        object: &ObjectName,
        outcome: Restored,
        details: &ObjectDetails,
    ) -> Result<(), OutputError> {
        if self.is_unheard {
            return Ok(());
        }
        let storage_class = details.told("storage_class");
        let pushed = records.push(&Record::Restore { object, storage_class, outcome });
        self.heard(pushed)
    }

    /// Somebody may be waiting for what became of the first ones.
    fn flush(&mut self, records: &mut dyn RecordSink) -> Result<(), OutputError> {
        if self.is_unheard {
            return Ok(());
        }
        let flushed = records.flush();
        self.heard(flushed)
    }

    fn heard(&mut self, pushed: Result<(), OutputError>) -> Result<(), OutputError> {
        match pushed {
            // Whoever leaves wanted to see it, and not to stop it.
            Err(OutputError::Closed) => {
                self.is_unheard = true;
                Ok(())
            }
            pushed => pushed,
        }
    }

    fn count(&mut self, outcome: Restored) {
        match outcome {
            Restored::Asked => self.asked += 1,
            Restored::WouldAsk => self.would_ask += 1,
            Restored::Restoring => self.restoring += 1,
            Restored::Restored => self.restored += 1,
            Restored::Readable => self.readable += 1,
        }
    }

    /// Why not all could be had.
    pub fn into_errors(self) -> Vec<CommandError> {
        self.errors.into_told()
    }

    /// One line for a person.
    pub fn text(&self) -> String {
        let facts = [
            (self.asked, "asked for"),
            (self.would_ask, "would be asked for"),
            (self.restoring, "asked for before"),
            (self.restored, "brought back"),
            (self.readable, "in no archive"),
            (self.errors.count(), "failed"),
        ];
        let facts = facts.into_iter().filter(|(count, _)| *count > 0);
        let facts: Vec<_> = facts.map(|(count, what)| format!("{count} {what}")).collect();
        if facts.is_empty() { "nothing to restore".to_owned() } else { facts.join(", ") }
    }
}
