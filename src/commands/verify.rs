//! `haul verify`: whether two sides hold the same, without moving it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::download::{location, tell_plan};
use super::error::CommandError;
use super::manifest;
use super::options::{
    Connection, Failure, FileNames, Filters, Jobs, LiteralKeys, OneVersion, Speed, name_version,
};
use super::session::{Purpose, Session};
use super::typed::Typed;
use crate::domain::comparison::{Place, Unproven};
use crate::domain::job::Fate;
use crate::domain::location::{Location, S3Uri};
use crate::domain::pattern::Wildcard;
use crate::jobs::comparisons::{self, Common, Extras, Pairing, Tree};
use crate::jobs::downloads::{Keys, Source};
use crate::jobs::guard::NameRule;
use crate::jobs::manifest::Format;
use crate::jobs::manifested::{self, Bases, Direction};
use crate::jobs::planner::{CustomerKeys, Planner, Sides};
use crate::jobs::uploads::Target;
use crate::storage::local::{Existing, ExistingKind, FollowLinks, is_stdin};
use crate::transfer::context::{Context, Scope};
use crate::transfer::engine;
use crate::transfer::outcome::Summary;

/// Compare two sides without moving data
///
/// The checksums that the store has of its objects are compared with the files, which are read
/// once, or with those of other objects; no object is read. Checksums of whole objects and of
/// parts serve, of any algorithm. Equal ETags serve only where they can be MD5s; different ones say
/// nothing. Objects of which nothing can be compared are differences of their own kind.
///
/// Each difference is a line on standard output: missing or extra at the destination, another size,
/// other content, not comparable. Any of them makes the exit code 1.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul verify [OPTIONS] SOURCE DESTINATION
       haul verify [OPTIONS] --manifest FILE [BASE [BASE]]")]
#[command(after_help = "\
Examples:
  haul verify s3://bucket/2024/ ./2024/           after a download
  haul verify site/ s3://bucket/www/              after an upload
  haul verify s3://bucket/a/ s3://other/a/        two prefixes
  haul verify s3://bucket/dump.gz dump.gz         one object, or with --version-id one version
  haul verify --manifest files.csv s3://bucket/ . the rows of a list, the source's base first
  haul verify --json site/ s3://bucket/www/ | jq -r 'select(.result == \"content\").source'")]
pub struct VerifyArgs {
    /// Source and destination, as download, upload and cp take them: a prefix or a wildcard, a
    /// directory, one object, one file
    #[arg(value_name = "PATH", num_args = 0..=2)]
    paths: Vec<PathBuf>,

    /// Compare the sides of each row in this file, in s3://bucket/key, or in standard input (-)
    #[arg(long, value_name = "FILE", help_heading = "Jobs")]
    manifest: Option<String>,

    /// How to read the manifest: csv, tsv, jsonl, keys, keys0 or journal [default: by its name]
    #[arg(long, value_name = "FORMAT", requires = "manifest", help_heading = "Jobs")]
    manifest_format: Option<Format>,

    /// Read the bytes of objects whose checksums can't be compared [default: tell them]
    #[arg(long, help_heading = "Integrity")]
    read: bool,

    /// Leave symlinks out [default: what they point to is compared]
    #[arg(long, conflicts_with = "manifest", help_heading = "Selection")]
    no_follow_symlinks: bool,

    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    names: FileNames,
    #[command(flatten)]
    literal: LiteralKeys,
    #[command(flatten)]
    version: OneVersion,
    #[command(flatten)]
    failure: Failure,
    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
}

impl Typed for VerifyArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// A comparison writes nothing that it could leave undone.
    fn purpose(&self) -> Purpose {
        Purpose::Transfer
    }

    fn reads_stdin(&self) -> bool {
        self.manifest.as_deref().is_some_and(|name| is_stdin(Path::new(name)))
    }
}

impl VerifyArgs {
    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        match &self.manifest {
            Some(name) => self.run_manifest(session, name).await,
            None => self.run_sides(session).await,
        }
    }

    async fn run_sides(&self, session: &Session) -> Result<Summary, CommandError> {
        let pairing = self.pairing()?;
        let common = Common { sieve: self.filters.resolve()?, unproven: self.unproven() };
        let context = self.context(session, scope(&pairing)).await?;
        let (planner, jobs) = Planner::new(Arc::clone(&session.gauge), context.limits.memory / 4);
        let planning = {
            let (context, runtime) = (Arc::clone(&context), tokio::runtime::Handle::current());
            tokio::task::spawn_blocking(move || {
                comparisons::plan(&context, &runtime, planner, &pairing, &common)
            })
        };
        let mut summary = engine::run(context, ReceiverStream::new(jobs)).await;
        if let Some(compared) = session.planned(planning, &mut summary).await
            && compared.extras == Extras::NotLookedFor
        {
            let text = "what only the destination has was not looked for: the source is not known \
                        to its end";
            session.notice(text.to_owned()).await;
        }
        Ok(summary)
    }

    async fn run_manifest(&self, session: &Session, name: &str) -> Result<Summary, CommandError> {
        let (remote, local) = manifest::bases(&self.paths)?;
        let direction = match self.paths.as_slice() {
            // The source's base comes first.
            [first, _] if matches!(location(first)?, Location::S3(_)) => Direction::Down,
            [_, _] => Direction::Up,
            _ => Direction::Compared(self.unproven()),
        };
        let rows = Jobs {
            manifest: self.manifest.clone(),
            manifest_format: self.manifest_format,
            only: None,
            strict: false,
            journal: None,
            dry_run: false,
        };
        let local = manifest::folder(local, (&rows, name))?.unwrap_or_default();
        let sources = manifest::sources(&rows, name);
        let context = self.context(session, Scope::ManyBuckets).await?;
        let common = manifested::Common {
            direction,
            bases: Bases { remote, target: None, local: local.clone(), sources },
            fate: Fate::Kept,
            sides: Sides::OneStore,
            keys: CustomerKeys::Same,
            sieve: self.filters.resolve()?,
            naming: self.names.naming(),
            attributes: Arc::default(),
            names: NameRule::of_system(),
        };
        let (jobs, planning) = manifest::planned(session, &context, (&rows, name), common).await?;
        let unproven = self.unproven();
        let pairs = ReceiverStream::new(jobs).filter_map(move |planned| {
            let pair = match planned {
                Ok(job) => comparisons::of_job(job, &local, unproven).map(Ok),
                Err(refused) => Some(Err(refused)),
            };
            std::future::ready(pair)
        });
        let mut summary = engine::run(context, pairs).await;
        if let Some(plan) = session.planned(planning, &mut summary).await {
            tell_plan(session, plan).await;
        }
        Ok(summary)
    }

    async fn context(&self, session: &Session, scope: Scope) -> Result<Arc<Context>, CommandError> {
        let (speed, failure) = (&self.speed, &self.failure);
        let context = session.comparing_context(&self.connection, speed, failure, scope).await?;
        Ok(Arc::new(context))
    }

    fn unproven(&self) -> Unproven {
        if self.read { Unproven::Read } else { Unproven::Tell }
    }

    /// What was typed, as two sides of one shape.
    fn pairing(&self) -> Result<Pairing, CommandError> {
        let [source, destination] = self.paths.as_slice() else {
            return Err(CommandError::misuse("verify needs a source and a destination")
                .hint("haul verify s3://bucket/prefix/ directory/"));
        };
        match (location(source)?, location(destination)?) {
            (Location::Stream, _) | (_, Location::Stream) => {
                Err(CommandError::misuse("`-` can't be compared: it can be read only once"))
            }
            (Location::Local(_), Location::Local(_)) => {
                Err(CommandError::misuse("neither side is an S3 URI")
                    .hint("two directories: diff -r"))
            }
            (Location::S3(source), destination) => self.pair_objects(source, destination),
            (Location::Local(source), Location::S3(destination)) => {
                self.version.refuse("the source is local")?;
                self.pair_files(source, destination)
            }
        }
    }

    fn pair_objects(&self, uri: S3Uri, destination: Location) -> Result<Pairing, CommandError> {
        match (self.source(uri)?, destination) {
            (Source::Object(object), Location::S3(uri)) => {
                let to = self.target(uri)?.object_of(object.key.file_name());
                let to = to.map_err(CommandError::usage)?;
                let (source, destination) = (Place::Object(object), Place::Object(to));
                Ok(Pairing::Single { source, destination })
            }
            (Source::Object(object), Location::Local(path)) => {
                let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
                let destination = if is_folder || path.is_dir() {
                    comparisons::named_after(&object, &path, self.names.naming())
                        .map_err(CommandError::misuse)?
                } else {
                    Place::File(path)
                };
                Ok(Pairing::Single { source: Place::Object(object), destination })
            }
            (source, destination) => {
                let (uri, wildcard) = match source {
                    Source::Matching { uri, wildcard } => (uri, Some(wildcard)),
                    Source::Prefix(uri) => (uri, None),
                    Source::Object(object) => {
                        return Err(CommandError::misuse(format!("`{object}` is one object")));
                    }
                };
                let source = Tree::Objects { uri, wildcard };
                let destination = self.tree(destination)?;
                Ok(Pairing::Trees { source, destination })
            }
        }
    }

    fn pair_files(&self, path: PathBuf, uri: S3Uri) -> Result<Pairing, CommandError> {
        if kind_of(&path)? == ExistingKind::Folder {
            let source = self.files(path);
            let destination = self.tree(Location::S3(uri))?;
            return Ok(Pairing::Trees { source, destination });
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let object = match (self.target(uri)?, name) {
            (Target::Object(object), _) => object,
            (prefix, Some(name)) => {
                let name = self.names.naming().name(name).map_err(CommandError::usage)?;
                prefix.object_of(&name).map_err(CommandError::usage)?
            }
            (Target::Prefix(_), None) => {
                return Err(CommandError::misuse(
                    "the file's name is not UTF-8, which no key holds",
                ));
            }
        };
        Ok(Pairing::Single { source: Place::File(path), destination: Place::Object(object) })
    }

    fn source(&self, uri: S3Uri) -> Result<Source, CommandError> {
        let mut source = Source::new(uri, self.literal.keys()).map_err(CommandError::usage)?;
        name_version(self.version.id(), std::iter::once(source.object_mut()))?;
        Ok(source)
    }

    fn target(&self, uri: S3Uri) -> Result<Target, CommandError> {
        match self.literal.keys() {
            Keys::Raw => uri.object().map(Target::Object).map_err(CommandError::usage),
            Keys::Patterns => Target::new(uri).map_err(CommandError::usage),
        }
    }

    /// A destination of many.
    fn tree(&self, location: Location) -> Result<Tree, CommandError> {
        match location {
            Location::S3(uri) if Wildcard::parse(&uri.rest).is_some() => {
                Err(CommandError::misuse("wildcards are for the source"))
            }
            Location::S3(uri) if !uri.is_prefix() => {
                Err(CommandError::misuse(format!("many can't be compared with one object, {uri}"))
                    .hint(format!("end it with a slash to mean a prefix: {uri}/")))
            }
            Location::S3(uri) => Ok(Tree::Objects { uri, wildcard: None }),
            Location::Local(path) if kind_of(&path)? == ExistingKind::Folder => {
                Ok(self.files(path))
            }
            other => Err(CommandError::misuse(format!("`{other}` is no directory"))
                .hint("a prefix or a wildcard is compared with a directory, or with a prefix")),
        }
    }

    fn files(&self, root: PathBuf) -> Tree {
        let links = if self.no_follow_symlinks { FollowLinks::No } else { FollowLinks::Yes };
        Tree::Files { root, links, naming: self.names.naming() }
    }
}

/// What there is at a path that was typed. A whole side that is not there is a mistake, or a loss:
/// one line says it, not a million.
fn kind_of(path: &Path) -> Result<ExistingKind, CommandError> {
    match Existing::at(path) {
        Ok(Some(existing)) => Ok(existing.kind),
        Ok(None) => {
            let text = format!("there is nothing at `{}`", Location::Local(path.to_owned()));
            Err(CommandError::failed(anyhow::Error::msg(text)))
        }
        Err(error) => Err(CommandError::failed(error)),
    }
}

/// Whether a missing bucket ends the run: not where the other side has another one.
fn scope(pairing: &Pairing) -> Scope {
    let buckets = match pairing {
        Pairing::Single { source, destination } => [bucket(source), bucket(destination)],
        Pairing::Trees { source, destination } => [bucket_of(source), bucket_of(destination)],
    };
    if buckets.iter().flatten().count() > 1 { Scope::ManyBuckets } else { Scope::OneBucket }
}

fn bucket(place: &Place) -> Option<&str> {
    match place {
        Place::Object(object) => Some(object.bucket.as_str()),
        Place::File(_) => None,
    }
}

fn bucket_of(tree: &Tree) -> Option<&str> {
    match tree {
        Tree::Objects { uri, .. } => Some(uri.bucket.as_str()),
        Tree::Files { .. } => None,
    }
}
