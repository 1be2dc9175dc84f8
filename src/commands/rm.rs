//! `haul rm`: objects go, one, or all below a prefix, or all that match. Whatever could be more than
//! was meant is refused or asked about before anything is sent.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio_stream::wrappers::ReceiverStream;

use super::download::location;
use super::error::CommandError;
use super::options::{Connection, Failure, Filters, Speed, name_version};
use super::session::{Purpose, Session};
use super::typed::Typed;
use crate::domain::location::Location;
use crate::jobs::downloads::{Keys, hint_for_missing};
use crate::jobs::removals::{Removals, Selection, Versions};
use crate::jobs::trees::{Reach, Source, SourceError};
use crate::transfer::context::Scope;
use crate::transfer::outcome::Summary;
use crate::transfer::removals;

/// Remove objects
///
/// One object (s3://bucket/key), what matches a wildcard (`*` and `?`, anywhere in the key; `*`
/// crosses slashes), or with -r everything below a prefix. A name without a slash at its end never
/// means other names that begin like it. What is removed is gone for good, unless the bucket keeps
/// versions; nothing counts as removed but what the store says it removed.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags that are typed, each by itself")]
#[command(after_help = "\
Examples:
  haul rm s3://bucket/key                     one object
  haul rm -r s3://bucket/2023/                everything below a prefix
  haul rm 's3://bucket/logs/*.tmp'            what matches
  haul rm -r s3://bucket/2023/ --dry-run      what would go, and how much it is
  haul rm -r s3://bucket/ --exclude 'keep/**' --yes
  haul rm -r s3://bucket/tmp/ --older-than 30d what was not changed for so long
  haul rm -r s3://bucket/2023/ --all-versions old versions and delete markers, too
  haul rm --raw 's3://bucket/what?'           a key that has a wildcard in it")]
pub struct RmArgs {
    /// S3 URIs of objects, wildcards, and with -r of prefixes
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<PathBuf>,

    /// Remove everything below what is named, too
    #[arg(long, short)]
    recursive: bool,

    /// Do not ask before a whole bucket is emptied
    #[arg(long)]
    yes: bool,

    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Take keys literally: `*` and `?` mean nothing
    #[arg(long, help_heading = "Selection")]
    raw: bool,

    /// Remove this version of one object, for good
    #[arg(long, value_name = "ID", help_heading = "Selection", conflicts_with = "recursive", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,

    /// Remove all versions and delete markers: nothing brings them back
    #[arg(long, help_heading = "Selection", conflicts_with = "version_id")]
    all_versions: bool,

    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    failure: Failure,
    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
}

impl Typed for RmArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.uris
    }

    fn takes_keys_literally(&self) -> bool {
        self.raw
    }

    fn purpose(&self) -> Purpose {
        if self.dry_run { Purpose::DryRun } else { Purpose::Transfer }
    }

    fn reads_stdin(&self) -> bool {
        false
    }

    fn question(&self) -> Result<Option<String>, CommandError> {
        let sources = self.sources()?;
        if self.yes || self.dry_run {
            return Ok(None);
        }
        let mut whole = Vec::new();
        for source in sources.iter().filter(|source| source.is_whole_bucket()) {
            let name = format!("s3://{}", source.bucket());
            if !whole.contains(&name) {
                whole.push(name);
            }
        }
        let all = if self.all_versions { ", all versions included" } else { "" };
        let names = enumerated(&whole);
        Ok((!whole.is_empty()).then(|| format!("remove everything in {names}{all}")))
    }

    fn check(&self) -> Result<(), CommandError> {
        self.sources().map(drop)
    }
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl RmArgs {
    /// Whether each URI without a wildcard is one object, as it is now.
    pub fn names_objects(&self) -> bool {
        !self.recursive && self.version_id.is_none()
    }

    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let sources = self.sources()?;
        let versions = if self.all_versions { Versions::All } else { Versions::Current };
        let selection = Selection { sieve: self.filters.resolve()?, versions };
        let mut buckets = sources.iter().map(Source::bucket);
        let first = buckets.next();
        let scope = if buckets.all(|bucket| Some(bucket) == first) {
            Scope::OneBucket
        } else {
            Scope::ManyBuckets
        };
        let (speed, failure) = (&self.speed, &self.failure);
        let context = session.comparing_context(&self.connection, speed, failure, scope).await?;
        let context = Arc::new(context);
        let only = match sources.as_slice() {
            [Source::Object(object)] if object.version.is_none() => Some(object.clone()),
            _ => None,
        };
        let (planner, batches) = Removals::new(Arc::clone(&session.gauge));
        let planning = tokio::spawn(planner.plan(Arc::clone(&context), sources, selection));
        let purpose = match self.purpose() {
            Purpose::Transfer => removals::Purpose::Remove,
            Purpose::DryRun => removals::Purpose::Tell,
        };
        let batches = ReceiverStream::new(batches);
        let mut summary = removals::run(Arc::clone(&context), batches, purpose).await;
        session.planned(planning, &mut summary).await;
        if let Some(object) = only.filter(|_| summary.missing > 0 && !context.cancel.is_draining())
            && let Some(hint) = hint_for_missing(&context, &object).await
        {
            session.notice(format!("{hint} (with -r)")).await;
        }
        Ok(summary)
    }

    fn sources(&self) -> Result<Vec<Source>, CommandError> {
        let keys = if self.raw { Keys::Raw } else { Keys::Patterns };
        let reach = if self.recursive { Reach::Below } else { Reach::One };
        let sources = self.uris.iter().map(|path| match location(path)? {
            Location::S3(uri) => Source::new(uri, keys, reach).map_err(|error| match error {
                SourceError::Prefix(_) => CommandError::usage(error)
                    .hint("-r removes everything below it; --raw the object of that very name"),
                error @ SourceError::Location(_) => CommandError::usage(error),
            }),
            Location::Stream => Err(CommandError::misuse("`-` is nothing that could be removed")),
            Location::Local(path) => {
                let text = format!("`{}` is a local path; haul rm removes objects", path.display());
                Err(CommandError::misuse(text).hint("S3 URIs look like s3://bucket/key"))
            }
        });
        let mut sources = sources.collect::<Result<Vec<_>, _>>()?;
        name_version(self.version_id.as_deref(), sources.iter_mut().map(Source::object_mut))?;
        Ok(sources)
    }
}
