//! `haul download`: S3 → local.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Args;

use super::copying;
use super::error::CommandError;
use super::journal::{self, Meaning, absolute, exact};
use super::manifest;
use super::options::{Archives, Copies, LiteralKeys, OneVersion, Transfer, name_version};
use super::session::{KeyIs, Manner, Purpose, Session};
use super::typed::Typed;
use super::upload::check_part_size;
use crate::domain::attributes::Attributes;
use crate::domain::job::Fate;
use crate::domain::location::{Location, S3Uri};
use crate::jobs::downloads::{self, Keys, Source, Target, hint_for_missing};
use crate::jobs::guard::NameRule;
use crate::jobs::manifested::{Bases, Common, Direction};
use crate::jobs::planner::{Plan, Planner};
use crate::storage::local::{Alike, Likeness, likeness};
use crate::storage::s3::Payload;
use crate::transfer::context::{FileTimes, Scope};
use crate::transfer::landing::Landing;
use crate::transfer::outcome::Summary;
use crate::transfer::output::Output;

/// Download objects
///
/// A source is one object (s3://bucket/key), everything below a prefix (it ends in a slash), or
/// what matches a wildcard (`*` and `?`, anywhere in the key). Each file appears under its name
/// only when it is complete, checked and synced; until then the old one stays as it was.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul download [OPTIONS] SOURCE... DESTINATION
       haul download [OPTIONS] --manifest FILE [BASE...]")]
#[command(after_help = "\
Examples:
  haul download s3://bucket/data.csv .              one object into this directory
  haul download s3://bucket/2024/ ./2024/           everything below a prefix
  haul download 's3://bucket/logs/*/app-??.gz' out/ what matches, with its folders
  haul download s3://bucket/logs/ out/ --newer-than 12h  what is new
  haul download --manifest files.csv out/           the rows of a list
  haul download --version-id ID s3://bucket/k old   one version of an object
  haul download s3://bucket/dump.gz - | gunzip      to standard output, checked")]
pub struct DownloadArgs {
    /// S3 URIs, then a path; a directory for more than one object, `-` for standard output, unless it is a terminal
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub transfer: Transfer,
    #[command(flatten)]
    pub(super) literal: LiteralKeys,
    #[command(flatten)]
    pub(super) version: OneVersion,
    #[command(flatten)]
    pub(super) archives: Archives,
    #[command(flatten)]
    pub(super) files: FileOptions,

    /// Of `haul mv`.
    #[arg(skip)]
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Downloads")]
pub struct FileOptions {
    /// Let files be as new as the download [default: as old as the object]
    #[arg(long)]
    pub(super) no_mtime: bool,
}

impl FileOptions {
    pub(super) fn times(&self) -> FileTimes {
        if self.no_mtime { FileTimes::Now } else { FileTimes::LikeObject }
    }
}

impl Typed for DownloadArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    fn journal(&self) -> Option<&Path> {
        self.transfer.jobs.journal.as_deref()
    }

    fn takes_keys_literally(&self) -> bool {
        self.literal.keys() == Keys::Raw
    }

    fn purpose(&self) -> Purpose {
        self.transfer.jobs.purpose()
    }

    fn reads_stdin(&self) -> bool {
        self.transfer.jobs.reads_stdin()
    }

    fn check(&self) -> Result<(), CommandError> {
        match &self.transfer.jobs.manifest {
            Some(_) => manifest::bases(&self.paths).map(drop),
            None => self.sources().map(drop),
        }
    }

    fn base(&self) -> Option<String> {
        let jobs = &self.transfer.jobs;
        if let Some(name) = &jobs.manifest {
            // What can't be a base is told by the command itself.
            let (_, local) = manifest::bases(&self.paths).ok()?;
            let folder = manifest::folder(local, (jobs, name)).ok()??;
            return folder.to_str().map(str::to_owned);
        }
        let last = self.paths.last()?.to_str()?;
        (!last.starts_with(S3Uri::SCHEME)).then(|| last.to_owned())
    }
}

impl DownloadArgs {
    /// The same with other paths.
    #[must_use]
    pub fn with_paths(&self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self.clone() }
    }

    fn manner(&self, payload: Payload, scope: Scope) -> Manner<'_> {
        let file_times = self.files.times();
        Manner { transfer: &self.transfer, payload, file_times, scope, copies: None }
    }

    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        match &self.transfer.jobs.manifest {
            Some(name) => self.run_manifest(session, name, RowsAs::downloads()).await,
            None => self.run_sources(session).await,
        }
    }

    async fn run_sources(&self, session: &Session) -> Result<Summary, CommandError> {
        let (sources, destination) = self.sources()?;
        let selection = self.transfer.selection.resolve()?;
        let (target, folder) = target(&sources, &destination)?;
        let manner = self.manner(Payload::Unsigned, scope(&sources));
        let mut context = session.context(&manner).await?;
        // Standard output would be empty, and that no failure.
        context.skips_archived = self.archives.skip_archived && !matches!(target, Target::Stdout);
        context.landing = folder.map(|folder| Landing::new(folder.to_owned()));
        if matches!(target, Target::Stdout) && self.purpose() == Purpose::Transfer {
            context.output = Mutex::new(Some(Output::new((session.object_output)())));
        }
        let context = Arc::new(context);
        journal::open(&context, &self.transfer.jobs, self.meaning(&target)?).await?;
        let only = match sources.as_slice() {
            [Source::Object(object)] => Some(object.clone()),
            _ => None,
        };
        let names = match folder {
            // One object meets no other.
            Some(folder) if only.is_none() && self.purpose() == Purpose::Transfer => {
                names_of(folder).await
            }
            _ => NameRule::of_system(),
        };
        let (gauge, memory) = (Arc::clone(&session.gauge), context.plan_memory() / 4);
        let (planner, jobs) = Planner::with_names(gauge, memory, names);
        let planning = tokio::spawn(downloads::plan(
            Arc::clone(&context),
            planner.with_fate(self.fate),
            sources,
            target,
            selection,
        ));
        let mut summary = session.run(Arc::clone(&context), jobs, self.purpose()).await;
        if let Some(plan) = session.planned(planning, &mut summary).await {
            tell_plan(session, plan).await;
        }
        let may_hint = self.version.id().is_none() && !context.cancel.is_draining();
        if let Some(object) = only.filter(|_| summary.missing > 0 && may_hint)
            && let Some(hint) = hint_for_missing(&context, &object).await
        {
            session.notice(hint).await;
        }
        Ok(summary)
    }

    /// What was typed, for a journal.
    fn meaning(&self, target: &Target) -> Result<Meaning, CommandError> {
        let places = self.paths.iter().map(|path| location(path)).collect::<Result<Vec<_>, _>>()?;
        let uris = places.iter().filter_map(|place| match place {
            Location::S3(uri) => Some(exact(uri)),
            _ => None,
        });
        let path = self.paths.last().map(|path| absolute(path)).unwrap_or_default();
        let folder = match target {
            Target::Folder => Some(path.clone()),
            Target::Exact(_) => path.parent().map(Path::to_owned),
            Target::Stdout => None,
        };
        let destination = match target {
            Target::Stdout => "-".to_owned(),
            _ => path.to_string_lossy().into_owned(),
        };
        let mut options = self.transfer.selection.described();
        if self.literal.keys() == Keys::Raw {
            options.push("--raw".to_owned());
        }
        options.extend(self.version.described());
        let verb = if self.fate == Fate::Removed { "mv" } else { "download" };
        let (sources, manifest) = (uris.collect(), None);
        Ok(Meaning { verb, sources, manifest, destination, folder, options })
    }

    /// What was typed, as sources and a destination.
    fn sources(&self) -> Result<(Vec<Source>, Location), CommandError> {
        let [sources @ .., destination] = self.paths.as_slice() else {
            return Err(CommandError::misuse("there is nothing to download")
                .hint("haul download s3://bucket/key ."));
        };
        if sources.is_empty() {
            let text = "a download needs a source and a destination";
            return Err(CommandError::misuse(text)
                .hint("`.` is this directory: haul download s3://bucket/key ."));
        }
        let sources = sources.iter().map(|path| match location(path)? {
            Location::S3(uri) => Source::new(uri, self.literal.keys()).map_err(CommandError::usage),
            other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                .hint("sources come first, the destination last; to upload: haul upload")),
        });
        let mut sources = sources.collect::<Result<Vec<_>, _>>()?;
        name_version(self.version.id(), sources.iter_mut().map(Source::object_mut))?;
        match location(destination)? {
            Location::S3(uri) => {
                Err(CommandError::misuse(format!("the destination `{uri}` is not local"))
                    .hint("to upload: haul upload; from S3 to S3: haul cp"))
            }
            destination => Ok((sources, destination)),
        }
    }

    pub(super) async fn run_manifest(
        &self,
        session: &Session,
        name: &str,
        rows: RowsAs<'_>,
    ) -> Result<Summary, CommandError> {
        let (remote, local) = manifest::bases(&self.paths)?;
        let local = manifest::folder(local, (&self.transfer.jobs, name))?;
        let local = local.unwrap_or_else(|| PathBuf::from("."));
        let manner = self.manner(rows.payload, Scope::ManyBuckets);
        let copies = rows.copies.map(|copies| (copies, KeyIs::OfBoth));
        let mut context = session.context(&Manner { copies, ..manner }).await?;
        context.skips_archived = self.archives.skip_archived;
        if rows.direction != Direction::Down {
            check_part_size(context.limits.part_size)?;
        }
        context.landing = Some(Landing::new(local.clone()));
        let (sides, keys) = (copying::sides(&context), copying::keys(&context));
        let context = Arc::new(context);
        let sources = manifest::sources(&self.transfer.jobs, name);
        let names = match self.purpose() {
            Purpose::Transfer => names_of(&local).await,
            Purpose::DryRun => NameRule::of_system(),
        };
        let selection = self.transfer.selection.resolve()?;
        let common = Common {
            direction: rows.direction,
            bases: Bases { remote, target: None, local, sources },
            fate: self.fate,
            sides,
            keys,
            sieve: selection.sieve,
            naming: selection.naming,
            attributes: rows.attributes,
            names,
        };
        manifest::run(session, context, (&self.transfer, name), common).await
    }
}

/// What the rows of a manifest are taken for.
pub(super) struct RowsAs<'a> {
    pub(super) direction: Direction,
    /// Of the rows that are uploads.
    pub(super) attributes: Arc<Attributes>,
    pub(super) payload: Payload,
    /// Of those that are copies between objects.
    pub(super) copies: Option<&'a Copies>,
}

impl RowsAs<'_> {
    fn downloads() -> Self {
        let (direction, payload) = (Direction::Down, Payload::Unsigned);
        Self { direction, attributes: Arc::default(), payload, copies: None }
    }
}

/// How the file system tells names apart on which a folder is, or will be. Where it can't be asked,
/// as the system usually does.
pub(super) async fn names_of(folder: &Path) -> NameRule {
    let folder = folder.to_owned();
    match tokio::task::spawn_blocking(move || likeness(&folder)).await {
        Ok(Ok(Likeness { case, forms })) => match (case, forms) {
            (Alike::Different, Alike::Different) => NameRule::Exact,
            (Alike::Same, Alike::Different) => NameRule::CaseFold,
            (Alike::Different, Alike::Same) => NameRule::FormFold,
            (Alike::Same, Alike::Same) => NameRule::Fold,
        },
        Ok(Err(_)) | Err(_) => NameRule::of_system(),
    }
}

/// Whether a missing bucket ends the run: not where another source has another one.
fn scope(sources: &[Source]) -> Scope {
    let mut buckets = sources.iter().map(Source::bucket);
    let first = buckets.next();
    if buckets.all(|bucket| Some(bucket) == first) { Scope::OneBucket } else { Scope::ManyBuckets }
}

/// Where the sources land: what there is at the destination now decides between a folder and a
/// file.
fn target<'a>(
    sources: &[Source],
    destination: &'a Location,
) -> Result<(Target, Option<&'a Path>), CommandError> {
    let is_many = sources.len() > 1 || sources.iter().any(Source::is_many);
    match destination {
        Location::Stream if is_many => Err(CommandError::misuse(
            "standard output takes one object; a prefix or a wildcard may be many",
        )),
        Location::Stream => Ok((Target::Stdout, None)),
        Location::Local(path) => {
            let means_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
            if is_many || means_folder {
                if path.exists() && !path.is_dir() {
                    return Err(CommandError::misuse(format!(
                        "`{destination}` is a file, and a folder is needed"
                    )));
                }
                Ok((Target::Folder, Some(path)))
            } else {
                Ok((Target::Exact(path.clone()), None))
            }
        }
        Location::S3(_) => Err(CommandError::misuse("the destination is not local")),
    }
}

/// An argument as a place. Paths need not be UTF-8.
pub(super) fn location(path: &Path) -> Result<Location, CommandError> {
    match path.to_str() {
        Some(text) => Location::parse(text).map_err(CommandError::usage),
        None => Ok(Location::Local(path.to_owned())),
    }
}

/// What is worth saying of the plan as a whole.
pub(super) async fn tell_plan(session: &Session, plan: Plan) {
    match plan.duplicates {
        0 => {}
        1 => session.notice("1 row stood twice and was done once".to_owned()).await,
        many => session.notice(format!("{many} rows stood there before and were done once")).await,
    }
    if let Some(text) = plan.altered.told() {
        session.notice(text).await;
    }
}
