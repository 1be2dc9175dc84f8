//! `haul ls`: buckets, one level below a prefix, or everything.

use std::sync::Arc;

use clap::Args;

use super::error::CommandError;
use super::options::{Connection, Filters};
use super::session::Session;
use crate::domain::location::{Location, S3Uri};
use crate::domain::object::ListedObject;
use crate::domain::pattern::Wildcard;
use crate::domain::record::{OutputError, Record, RecordSink};
use crate::domain::sieve::Sieve;
use crate::storage::object_store::{Depth, ListRequest, VersionsRequest};
use crate::transfer::context::Context;
use crate::transfer::listing::{self, Pages, VersionPages};

/// List buckets, or objects
///
/// Without an argument the buckets, with a prefix one level below it, with a wildcard or -r
/// everything. Filters are for objects: the folders of one level are shown in any case. Lines are in
/// the order of the bytes of keys, folders among objects, if the store lists so. Control characters
/// in keys are shown escaped; --json has keys exact.
///
/// With --all-versions each version has a line, and each delete marker: time, size, version, `latest`
/// for what the key has now, key; by key, and of each the newest first. In a bucket that never kept
/// versions there is one of each object, `null`.
#[derive(Debug, Clone, Args)]
// Filters are about objects, and not about buckets.
#[command(mut_args(|arg| {
    if arg.get_help_heading() == Some("Selection") { arg.requires("uri") } else { arg }
}))]
#[command(after_help = "\
Examples:
  haul ls                          buckets
  haul ls s3://bucket/2024/        one level
  haul ls -r s3://bucket/2024/     everything below
  haul ls 's3://bucket/*.parquet'  what matches
  haul ls -r s3://bucket/ --min-size 1GiB --newer-than 7d
  haul ls -r --json s3://bucket/ | jq -r .key
  haul ls -l s3://bucket/2024/     storage class and ETag, too
  haul ls s3://bucket/key --all-versions
  haul ls -r --all-versions --json s3://bucket/ | jq -r 'select(.is_delete_marker).key'")]
#[expect(clippy::struct_excessive_bools, reason = "flags that are typed, each by itself")]
pub struct LsArgs {
    /// s3://bucket, a prefix, an object, or a wildcard
    #[arg(value_name = "S3_URI")]
    uri: Option<String>,

    /// List everything below, not only one level
    #[arg(long, short)]
    recursive: bool,

    /// List all versions and delete markers, not only what has the key now
    #[arg(long, requires = "uri")]
    all_versions: bool,

    /// Show storage class and ETag, too
    #[arg(long, short)]
    long: bool,

    /// Show sizes such as 1.2 MiB instead of bytes
    #[arg(long, short = 'H', visible_alias = "humanize")]
    human_readable: bool,

    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    connection: Connection,
}

impl LsArgs {
    pub fn is_long(&self) -> bool {
        self.long
    }

    pub fn is_human_readable(&self) -> bool {
        self.human_readable
    }

    /// Lists into `records`. A reader that has seen enough is a success.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<(), CommandError> {
        let context = Arc::new(session.reading_context(&self.connection).await?);
        let listed = match &self.uri {
            None => list_buckets(&context, records).await,
            Some(text) => match Location::parse(text).map_err(CommandError::usage)? {
                Location::S3(uri) => self.list(&context, uri, records).await,
                other => {
                    return Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                        .hint("S3 URIs look like s3://bucket/prefix/"));
                }
            },
        };
        match listed {
            Ok(()) | Err(Stopped::Output(OutputError::Closed)) => Ok(()),
            Err(Stopped::Output(error)) => Err(CommandError::failed(error)),
            Err(Stopped::Command(error)) => Err(error),
        }
    }

    async fn list(
        &self,
        context: &Arc<Context>,
        uri: S3Uri,
        records: &mut dyn RecordSink,
    ) -> Result<(), Stopped> {
        let wildcard = Wildcard::parse(&uri.rest);
        let prefix = wildcard.as_ref().map_or(uri.rest.as_str(), Wildcard::prefix).to_owned();
        let is_deep = self.recursive || wildcard.is_some();
        let listing = Listing {
            base: wildcard.as_ref().map_or_else(|| base_of(&prefix), Wildcard::base_length),
            wildcard,
            sieve: self.filters.resolve()?,
            depth: if is_deep { Depth::Everything } else { Depth::OneLevel },
            uri,
            prefix,
        };
        let found = if self.all_versions {
            listing.run_versions(context, records).await?
        } else {
            listing.run(context, records).await?
        };
        if found == 0 && !listing.uri.rest.is_empty() {
            let (uri, bucket) = (&listing.uri, &listing.uri.bucket);
            return Err(CommandError::failed(anyhow::anyhow!("nothing is at {uri}"))
                .hint(format!("see what is there: haul ls s3://{bucket}/"))
                .into());
        }
        Ok(())
    }
}

/// How much of a key is not part of its name below what was typed.
fn base_of(prefix: &str) -> usize {
    prefix.rfind('/').map_or(0, |slash| slash + 1)
}

struct Listing {
    uri: S3Uri,
    prefix: String,
    base: usize,
    wildcard: Option<Wildcard>,
    sieve: Sieve,
    depth: Depth,
}

impl Listing {
    async fn run(
        &self,
        context: &Arc<Context>,
        records: &mut dyn RecordSink,
    ) -> Result<u64, Stopped> {
        let bucket = &self.uri.bucket;
        let request = ListRequest::new(bucket.clone(), self.prefix.as_str(), self.depth);
        let mut pages = Pages::new(context, request);
        let mut found = 0;
        while let Some(page) = pages.next().await.map_err(CommandError::from)? {
            for line in merged(&page.prefixes, &page.objects, |object| object.key.as_str()) {
                match line {
                    Line::Prefix(prefix) => found += self.push_prefix(prefix, records)?,
                    Line::Keyed(object) if self.is_meant(object) => {
                        // Filters that leave nothing are no reason to say that nothing is there.
                        found += 1;
                        if self.sieve.admits_listed(self.name(object), object) {
                            records.push(&Record::Object { bucket, object })?;
                        }
                    }
                    Line::Keyed(_) => {}
                }
            }
        }
        Ok(found)
    }

    async fn run_versions(
        &self,
        context: &Arc<Context>,
        records: &mut dyn RecordSink,
    ) -> Result<u64, Stopped> {
        let bucket = &self.uri.bucket;
        let request = VersionsRequest::new(bucket.clone(), self.prefix.as_str());
        let request = VersionsRequest { depth: self.depth, ..request };
        let mut pages = VersionPages::new(context, request);
        let mut found = 0;
        while let Some(page) = pages.next().await.map_err(CommandError::from)? {
            for line in merged(&page.prefixes, &page.versions, |it| it.object.key.as_str()) {
                match line {
                    Line::Prefix(prefix) => found += self.push_prefix(prefix, records)?,
                    Line::Keyed(version) if self.is_meant(&version.object) => {
                        found += 1;
                        if self.sieve.admits_version(self.name(&version.object), version) {
                            records.push(&Record::Version { bucket, version })?;
                        }
                    }
                    Line::Keyed(_) => {}
                }
            }
        }
        Ok(found)
    }

    fn push_prefix(&self, prefix: &str, records: &mut dyn RecordSink) -> Result<u64, OutputError> {
        if !self.is_here(prefix) {
            return Ok(0);
        }
        records.push(&Record::Prefix { bucket: &self.uri.bucket, prefix })?;
        Ok(1)
    }

    /// `s3://b/dir` is not everything that starts so, but `dir` itself and what is below it.
    fn is_here(&self, key: &str) -> bool {
        let rest = &self.uri.rest;
        let is_prefix = self.wildcard.is_some() || self.uri.is_prefix();
        is_prefix
            || key == rest
            || key.strip_prefix(rest.as_str()).is_some_and(|below| below.starts_with('/'))
    }

    fn is_meant(&self, object: &ListedObject) -> bool {
        let key = object.key.as_str();
        self.is_here(key) && self.wildcard.as_ref().is_none_or(|wildcard| wildcard.matches(key))
    }

    /// As filters see it.
    fn name<'a>(&self, object: &'a ListedObject) -> &'a str {
        let key = object.key.as_str();
        key.get(self.base..).unwrap_or(key)
    }
}

/// What a page has.
enum Line<'a, T> {
    Prefix(&'a str),
    Keyed(&'a T),
}

/// Both lists of a page, each of which is in order, as one that is. Pages follow each other in the
/// order of both.
fn merged<'a, T>(
    prefixes: &'a [String],
    keyed: &'a [T],
    key: impl Fn(&T) -> &str,
) -> impl Iterator<Item = Line<'a, T>> {
    let (mut prefixes, mut keyed) = (prefixes.iter().peekable(), keyed.iter().peekable());
    std::iter::from_fn(move || {
        let is_prefix = match (prefixes.peek(), keyed.peek()) {
            (Some(prefix), Some(one)) => prefix.as_str() < key(one),
            (prefix, _) => prefix.is_some(),
        };
        if is_prefix {
            prefixes.next().map(|prefix| Line::Prefix(prefix))
        } else {
            keyed.next().map(Line::Keyed)
        }
    })
}

async fn list_buckets(context: &Context, records: &mut dyn RecordSink) -> Result<(), Stopped> {
    for bucket in listing::buckets(context).await.map_err(CommandError::from)? {
        records.push(&Record::Bucket { name: &bucket.name, created: bucket.created })?;
    }
    Ok(())
}

/// What ends a listing early.
pub(super) enum Stopped {
    Output(OutputError),
    Command(CommandError),
}

impl From<OutputError> for Stopped {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<CommandError> for Stopped {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}
