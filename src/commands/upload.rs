//! `haul upload`: local → S3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::download::{location, tell_plan};
use super::error::CommandError;
use super::journal::{self, Meaning, absolute, exact};
use super::manifest;
use super::options::{Attributes, Transfer};
use super::session::{Manner, Purpose, Session};
use super::typed::Typed;
use crate::domain::job::Fate;
use crate::domain::local_pattern::LocalPattern;
use crate::domain::location::Location;
use crate::domain::quantity::ByteSize;
use crate::jobs::guard::NameRule;
use crate::jobs::manifested::{self, Bases, Direction};
use crate::jobs::planner::{CustomerKeys, Planner, Sides};
use crate::jobs::uploads::{self, Common, LeftOut, Source, Target};
use crate::storage::local::{Existing, ExistingKind, FollowLinks};
use crate::storage::s3::Payload;
use crate::transfer::context::{FileTimes, Scope};
use crate::transfer::outcome::Summary;
use crate::transfer::part_size::MIN_PART;

/// Upload files
///
/// A source is a file, a directory (everything below it) or `-` for standard input. `*` and `?` mean
/// what they mean in a shell, also where none has read them. Each object appears only when all its
/// bytes are there; a file that changes meanwhile makes none.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul upload [OPTIONS] SOURCE... DESTINATION
       haul upload [OPTIONS] --manifest FILE [BASE...]")]
#[command(after_help = "\
Examples:
  haul upload data.csv s3://bucket/                one file, under its own name
  haul upload data.csv s3://bucket/2024/jan.csv    one file, under another
  haul upload site/ s3://bucket/www/               everything below a directory
  haul upload site/ s3://bucket/ --exclude '*.map' without some
  haul upload site/ s3://bucket/ --exclude-from private.txt
                                                   without those that a file names
  haul upload --manifest files.csv s3://bucket/    the rows of a list
  pg_dump db | haul upload - s3://bucket/db.sql    standard input")]
pub struct UploadArgs {
    /// Files and directories, or `-` for standard input; then s3://bucket/, a prefix or a key
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub transfer: Transfer,
    #[command(flatten)]
    pub(super) attributes: Attributes,
    #[command(flatten)]
    pub(super) files: SourceOptions,

    /// Of `haul mv`.
    #[arg(skip)]
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Uploads")]
pub struct SourceOptions {
    /// Leave symlinks out [default: what they point to is uploaded]
    #[arg(long, conflicts_with = "manifest")]
    pub(super) no_follow_symlinks: bool,

    /// Fail unless standard input has exactly this many bytes
    #[arg(long, value_name = "SIZE", conflicts_with = "manifest")]
    pub(super) expected_size: Option<ByteSize>,

    /// Let signatures cover the bodies, too; their checksums are sent in any case
    #[arg(long)]
    pub(super) sign_payload: bool,
}

impl SourceOptions {
    pub(super) fn payload(&self) -> Payload {
        if self.sign_payload { Payload::Signed } else { Payload::Unsigned }
    }
}

impl Typed for UploadArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    fn journal(&self) -> Option<&Path> {
        self.transfer.jobs.journal.as_deref()
    }

    fn purpose(&self) -> Purpose {
        self.transfer.jobs.purpose()
    }

    fn reads_stdin(&self) -> bool {
        let sources = self.paths.split_last().map_or(&[][..], |(_, sources)| sources);
        let is_stream = sources.iter().any(|source| source.as_os_str() == "-");
        is_stream || self.transfer.jobs.reads_stdin()
    }

    fn check(&self) -> Result<(), CommandError> {
        match &self.transfer.jobs.manifest {
            Some(_) => manifest::bases(&self.paths).map(drop),
            None => self.sources().map(drop),
        }
    }
}

impl UploadArgs {
    /// The same with other paths.
    #[must_use]
    pub fn with_paths(&self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self.clone() }
    }

    fn manner(&self, scope: Scope) -> Manner<'_> {
        let payload = self.files.payload();
        let (transfer, file_times, copies) = (&self.transfer, FileTimes::Now, None);
        Manner { transfer, payload, file_times, scope, copies }
    }

    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        match &self.transfer.jobs.manifest {
            Some(name) => self.run_manifest(session, name).await,
            None => self.run_sources(session).await,
        }
    }

    async fn run_sources(&self, session: &Session) -> Result<Summary, CommandError> {
        let (sources, common) = self.sources()?;
        let context = Arc::new(session.context(&self.manner(Scope::OneBucket)).await?);
        check_part_size(context.limits.part_size)?;
        journal::open(&context, &self.transfer.jobs, self.meaning()?).await?;
        let (planner, jobs) = Planner::new(Arc::clone(&session.gauge), context.plan_memory() / 4);
        let planner = planner.with_fate(self.fate);
        let journal = context.journal.get().map(|journal| Arc::clone(journal.file()));
        let planning = tokio::task::spawn_blocking(move || {
            uploads::plan(planner, &sources, &common, journal.as_deref())
        });
        let mut summary = session.run(context, jobs, self.purpose()).await;
        if let Some((plan, left_out)) = session.planned(planning, &mut summary).await {
            for LeftOut { path, reason } in left_out {
                session.notice(format!("left out {}: {reason}", path.to_string_lossy())).await;
            }
            tell_plan(session, plan).await;
        }
        Ok(summary)
    }

    /// A move would remove what a link points to, from where nobody named it.
    fn leaves_links(&self) -> bool {
        self.files.no_follow_symlinks || self.fate == Fate::Removed
    }

    /// What was typed, for a journal.
    fn meaning(&self) -> Result<Meaning, CommandError> {
        let (mut sources, mut destination) = (Vec::new(), String::new());
        for path in &self.paths {
            match location(path)? {
                Location::S3(uri) => destination = exact(&uri),
                Location::Local(path) => {
                    sources.push(absolute(&path).to_string_lossy().into_owned());
                }
                Location::Stream => sources.push("-".to_owned()),
            }
        }
        let mut options = self.transfer.selection.described();
        if self.files.no_follow_symlinks {
            options.push("--no-follow-symlinks".to_owned());
        }
        let verb = if self.fate == Fate::Removed { "mv" } else { "upload" };
        Ok(Meaning { verb, sources, destination, options, ..Meaning::default() })
    }

    /// What was typed, as sources and a destination.
    fn sources(&self) -> Result<(Vec<Source>, Common), CommandError> {
        let [sources @ .., destination] = self.paths.as_slice() else {
            return Err(CommandError::misuse("there is nothing to upload")
                .hint("haul upload FILE s3://bucket/"));
        };
        if sources.is_empty() {
            let text = "an upload needs a source and a destination";
            return Err(CommandError::misuse(text).hint("haul upload FILE s3://bucket/"));
        }
        let target = match location(destination)? {
            Location::S3(uri) => Target::new(uri).map_err(CommandError::usage)?,
            other => {
                return Err(CommandError::misuse(format!(
                    "the destination `{other}` is no S3 URI"
                ))
                .hint("destinations look like s3://bucket/prefix/; to download: haul download"));
            }
        };
        let sources = sources
            .iter()
            .map(|path| self.source(location(path)?))
            .collect::<Result<Vec<_>, _>>()?;
        check_target(&sources, &target)?;
        let selection = self.transfer.selection.resolve()?;
        let is_stream = sources.iter().any(|source| matches!(source, Source::Stdin { .. }));
        if is_stream && !selection.sieve.bounds.are_open() {
            let text = "standard input has neither size nor time before it is read: bounds of size and time can't judge it";
            return Err(CommandError::misuse(text)
                .hint("leave out --min-size, --max-size, --newer-than and --older-than"));
        }
        if is_stream && self.transfer.selection.filters.judge_names() {
            let text =
                "standard input has no name: --include, --exclude and their files can't judge it";
            return Err(CommandError::misuse(text).hint("leave them out"));
        }
        if self.files.expected_size.is_some() && !is_stream {
            return Err(CommandError::misuse("--expected-size is for standard input (-) alone"));
        }
        let common = Common {
            target,
            selection,
            attributes: Arc::new(self.attributes.resolve()?),
            links: if self.leaves_links() { FollowLinks::No } else { FollowLinks::Yes },
        };
        Ok((sources, common))
    }

    fn source(&self, location: Location) -> Result<Source, CommandError> {
        match location {
            Location::Stream => {
                Ok(Source::Stdin { expected_size: self.files.expected_size.map(ByteSize::bytes) })
            }
            Location::S3(uri) => {
                Err(CommandError::misuse(format!("the source `{uri}` is not local"))
                    .hint("to download: haul download; from S3 to S3: haul cp"))
            }
            Location::Local(path) => match Existing::at(&path) {
                Ok(Some(existing)) if existing.kind == ExistingKind::Folder => {
                    Ok(Source::Directory(path))
                }
                Ok(Some(existing)) if existing.kind == ExistingKind::File => {
                    Ok(Source::File { path, size: Some(existing.size) })
                }
                Ok(None) => Ok(match path.to_str().and_then(LocalPattern::parse) {
                    Some(pattern) => Source::Matching(pattern),
                    // What is missing or unreadable fails when its turn comes, and the others go on.
                    None => Source::File { path, size: None },
                }),
                _ => Ok(Source::File { path, size: None }),
            },
        }
    }

    async fn run_manifest(&self, session: &Session, name: &str) -> Result<Summary, CommandError> {
        let (remote, local) = manifest::bases(&self.paths)?;
        let context = Arc::new(session.context(&self.manner(Scope::ManyBuckets)).await?);
        check_part_size(context.limits.part_size)?;
        let selection = self.transfer.selection.resolve()?;
        let common = manifested::Common {
            direction: Direction::Up,
            bases: Bases {
                remote,
                target: None,
                local: local.unwrap_or_default(),
                sources: manifest::sources(&self.transfer.jobs, name),
            },
            sieve: selection.sieve,
            naming: selection.naming,
            attributes: Arc::new(self.attributes.resolve()?),
            names: NameRule::of_system(),
            fate: self.fate,
            sides: Sides::OneStore,
            keys: CustomerKeys::Same,
        };
        manifest::run(session, context, (&self.transfer, name), common).await
    }
}

pub(super) fn check_part_size(part_size: u64) -> Result<(), CommandError> {
    if part_size < MIN_PART {
        let least = ByteSize(MIN_PART);
        return Err(CommandError::misuse(format!(
            "S3 takes no parts under {least}: raise --part-size"
        )));
    }
    Ok(())
}

fn check_target(sources: &[Source], target: &Target) -> Result<(), CommandError> {
    match (sources, target) {
        ([Source::Stdin { .. }], Target::Prefix(_)) => {
            Err(CommandError::misuse("standard input has no name: the destination must be a key"))
        }
        ([Source::File { .. } | Source::Stdin { .. }], _) => Ok(()),
        (_, Target::Object(object)) => {
            Err(CommandError::misuse(format!("many files can't become the one object {object}"))
                .hint(format!("end it with a slash to mean a prefix: {object}/")))
        }
        (sources, Target::Prefix(_))
            if sources.iter().any(|source| matches!(source, Source::Stdin { .. })) =>
        {
            Err(CommandError::misuse("standard input can't be one of several sources"))
        }
        _ => Ok(()),
    }
}
