//! `haul du`: how many objects there are below a name, and how many bytes. It holds one sum for each
//! folder that is told of, and nothing that grows with the objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;

use super::error::CommandError;
use super::ls::Stopped;
use super::options::{Connection, Filters};
use super::session::Session;
use crate::domain::location::{Location, ObjectName};
use crate::domain::object::{ListedObject, ListedVersion, VersionKind};
use crate::domain::record::{OutputError, Record, RecordSink, Usage};
use crate::domain::sieve::Sieve;
use crate::jobs::downloads::Keys;
use crate::jobs::trees::{Reach, Source, Tree};
use crate::storage::error::Kind;
use crate::storage::object_store::{Depth, ListRequest, VersionsRequest};
use crate::transfer::context::Context;
use crate::transfer::listing::{self, Pages, VersionPages};

/// Sum up objects and bytes
///
/// Of a bucket, of everything below a prefix, or of what matches a wildcard: bytes, objects, name.
/// With --depth each folder so far down has a line of its own, and the last one is the sum.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags that are typed, each by itself")]
#[command(after_help = "\
Examples:
  haul du s3://bucket                          one sum
  haul du s3://bucket/logs/ --depth 1          and one for each folder below
  haul du 's3://bucket/*.parquet' --human-readable
  haul du s3://bucket --by-storage-class       by what they cost
  haul du s3://bucket --all-versions           old versions, too")]
pub struct DuArgs {
    /// s3://bucket, a prefix, an object, or a wildcard
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<String>,

    /// Sum up each folder, so many levels down
    #[arg(long, value_name = "N", default_value_t = 0)]
    depth: usize,

    /// Sum up each storage class
    #[arg(long)]
    by_storage_class: bool,

    /// Count all versions, not only what has the key now
    #[arg(long)]
    all_versions: bool,

    /// Show sizes such as 1.2 MiB instead of bytes
    #[arg(long, short = 'H', visible_alias = "humanize")]
    human_readable: bool,

    /// Take keys literally: `*` and `?` mean nothing
    #[arg(long, help_heading = "Selection")]
    raw: bool,

    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    connection: Connection,
}

impl DuArgs {
    pub fn is_human_readable(&self) -> bool {
        self.human_readable
    }

    /// Pushes sums; the errors of what is not there.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<Vec<CommandError>, CommandError> {
        let trees = self.uris.iter().map(|text| self.tree(text)).collect::<Result<Vec<_>, _>>()?;
        let sieve = self.filters.resolve()?;
        let context = Arc::new(session.reading_context(&self.connection).await?);
        let mut errors = Vec::new();
        for tree in &trees {
            let summed = match self.sum(&context, tree, &sieve).await {
                Ok(sums) => sums.push(tree, records).map_err(Stopped::Output),
                Err(error) => Err(Stopped::Command(error)),
            };
            match summed {
                Ok(()) => {}
                Err(Stopped::Output(OutputError::Closed)) => break,
                Err(Stopped::Output(error)) => return Err(CommandError::failed(error)),
                Err(Stopped::Command(_)) if context.cancel.is_draining() => break,
                Err(Stopped::Command(error)) => errors.push(error),
            }
        }
        Ok(errors)
    }

    fn tree(&self, text: &str) -> Result<Tree, CommandError> {
        let keys = if self.raw { Keys::Raw } else { Keys::Patterns };
        match Location::parse(text).map_err(CommandError::usage)? {
            Location::S3(uri) => match Source::new(uri, keys, Reach::Below) {
                Ok(Source::Tree(tree)) => Ok(tree),
                Ok(Source::Object(object)) => {
                    Err(CommandError::misuse(format!("`{object}` is one object")))
                }
                Err(error) => Err(CommandError::usage(error)),
            },
            other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                .hint("S3 URIs look like s3://bucket/prefix/")),
        }
    }

    async fn sum(
        &self,
        context: &Arc<Context>,
        tree: &Tree,
        sieve: &Sieve,
    ) -> Result<Sums, CommandError> {
        let mut sums = Sums::new(self.depth, self.by_storage_class);
        let found = if self.all_versions {
            sum_versions(context, tree, sieve, &mut sums).await?
        } else {
            sum_objects(context, tree, sieve, &mut sums).await?
        };
        if !found && !tree.uri.rest.is_empty() {
            let (uri, bucket) = (&tree.uri, &tree.uri.bucket);
            return Err(CommandError::failed(anyhow::anyhow!("nothing is at {uri}"))
                .hint(format!("see what is there: haul ls s3://{bucket}/")));
        }
        Ok(sums)
    }
}

/// Whether anything is there, filters aside.
async fn sum_objects(
    context: &Arc<Context>,
    tree: &Tree,
    sieve: &Sieve,
    sums: &mut Sums,
) -> Result<bool, CommandError> {
    let bucket = &tree.uri.bucket;
    let mut found = false;
    if let Some(key) = tree.itself() {
        let object = ObjectName::new(bucket.clone(), key.clone());
        match listing::details(context, &object).await {
            Ok(details) => {
                found = true;
                let (size, modified) = (details.facts.size, details.facts.last_modified);
                if sieve.admits(key.file_name(), Some(size), modified) {
                    let class = details.told.iter().find(|(name, _)| *name == "storage_class");
                    let usage = Usage { objects: 1, bytes: size, ..Usage::default() };
                    sums.add("", class.map(|(_, class)| class.as_str()), usage);
                }
            }
            Err(error) if error.store_kind() == Some(&Kind::MissingKey) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let request = ListRequest::new(bucket.clone(), tree.prefix(), Depth::Everything);
    let mut pages = Pages::new(context, request);
    while let Some(page) = pages.next().await? {
        for object in &page.objects {
            let ListedObject { key, size, storage_class, .. } = object;
            let Some(relative) = tree.relative(key.as_str()) else { continue };
            found = true;
            if sieve.admits_listed(relative, object) {
                let usage = Usage { objects: 1, bytes: *size, ..Usage::default() };
                sums.add(relative, storage_class.as_deref(), usage);
            }
        }
    }
    Ok(found)
}

async fn sum_versions(
    context: &Arc<Context>,
    tree: &Tree,
    sieve: &Sieve,
    sums: &mut Sums,
) -> Result<bool, CommandError> {
    let request = VersionsRequest::new(tree.uri.bucket.clone(), tree.listed());
    let mut pages = VersionPages::new(context, request);
    let mut found = false;
    while let Some(page) = pages.next().await? {
        for version in &page.versions {
            let ListedVersion { object, kind, .. } = version;
            let Some(name) = tree.name(object.key.as_str()) else { continue };
            // The object itself is in no folder below it.
            let relative = tree.relative(object.key.as_str()).unwrap_or_default();
            found = true;
            if !sieve.admits_version(name, version) {
                continue;
            }
            let usage = match kind {
                VersionKind::Object => Usage { objects: 1, bytes: object.size, ..Usage::default() },
                VersionKind::DeleteMarker => Usage { delete_markers: 1, ..Usage::default() },
            };
            sums.add(relative, object.storage_class.as_deref(), usage);
        }
    }
    Ok(found)
}

/// What a standard object has, whose class stores leave out.
const STANDARD: &str = "STANDARD";

/// Sums by folder and class. Names come in order, mostly: the one that grows is at hand.
#[derive(Debug)]
struct Sums {
    depth: usize,
    by_class: bool,
    folder: String,
    class: String,
    current: Usage,
    folders: BTreeMap<(String, String), Usage>,
}

impl Sums {
    fn new(depth: usize, by_class: bool) -> Self {
        let (folder, class) = (String::new(), String::new());
        Self { depth, by_class, folder, class, current: Usage::default(), folders: BTreeMap::new() }
    }

    fn add(&mut self, relative: &str, class: Option<&str>, usage: Usage) {
        let folder = folder(relative, self.depth);
        let class = if self.by_class { class.unwrap_or(STANDARD) } else { "" };
        if folder != self.folder || class != self.class {
            self.settle();
            folder.clone_into(&mut self.folder);
            class.clone_into(&mut self.class);
        }
        add(&mut self.current, &usage);
    }

    fn settle(&mut self) {
        let current = std::mem::take(&mut self.current);
        if current != Usage::default() {
            let sum = self.folders.entry((self.folder.clone(), self.class.clone()));
            add(sum.or_default(), &current);
        }
    }

    /// A line for each folder, with all that is below it, and the sum last.
    fn push(mut self, tree: &Tree, records: &mut dyn RecordSink) -> Result<(), OutputError> {
        self.settle();
        let mut sums: BTreeMap<(&str, &str), Usage> = BTreeMap::new();
        for ((folder, class), usage) in &self.folders {
            // Of each folder above it, too.
            let ends = folder.match_indices('/').map(|(at, _)| &folder[..=at]);
            for name in ends {
                add(sums.entry((name, class)).or_default(), usage);
            }
            add(sums.entry(("", class)).or_default(), usage);
        }
        let uri = &tree.uri;
        let base = tree.prefix().rfind('/').map_or(0, |slash| slash + 1);
        let base = &tree.prefix()[..base];
        let (total, folders): (Vec<_>, Vec<_>) =
            sums.iter().partition(|((folder, _), _)| folder.is_empty());
        for ((folder, class), usage) in &folders {
            let name = format!("{base}{folder}");
            push(records, tree, (&name, class), **usage)?;
        }
        if total.is_empty() {
            return push(records, tree, (&uri.rest, ""), Usage::default());
        }
        total
            .iter()
            .try_for_each(|((_, class), usage)| push(records, tree, (&uri.rest, class), **usage))
    }
}

fn push(
    records: &mut dyn RecordSink,
    tree: &Tree,
    (name, class): (&str, &str),
    usage: Usage,
) -> Result<(), OutputError> {
    let storage_class = Some(class).filter(|class| !class.is_empty());
    records.push(&Record::Usage { bucket: &tree.uri.bucket, name, storage_class, usage })
}

fn add(sum: &mut Usage, usage: &Usage) {
    sum.objects += usage.objects;
    sum.bytes = sum.bytes.saturating_add(usage.bytes);
    sum.delete_markers += usage.delete_markers;
}

/// The folder of a name, so many levels down at most; with its last slash, or empty.
fn folder(relative: &str, depth: usize) -> &str {
    let end = relative.match_indices('/').take(depth).last().map_or(0, |(at, _)| at + 1);
    &relative[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_cut_at_its_depth() {
        let cut = |depth| folder("a/b/c/d", depth);
        assert_eq!([cut(0), cut(1), cut(2), cut(9)], ["", "a/", "a/b/", "a/b/c/"]);
        assert_eq!(folder("x", 3), "");
        assert_eq!(folder("//x", 1), "/");
    }
}
