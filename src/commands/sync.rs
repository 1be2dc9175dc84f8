//! `haul sync`: makes one tree like another.
//!
//! Invariant 3 (nothing is removed on incomplete knowledge) is held here: what only the destination
//! has goes last, and only if both sides were read whole, every transfer ended well, and it is not
//! too much.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::copying::sides;
use super::download::{FileOptions, location};
use super::error::{CommandError, Kind};
use super::extras::{could_not_plan, finish_later, may_be_one, planner};
use super::options::{
    Archives, Attributes, Connection, Copies, Failure, FileNames, Filters, Integrity, Preserving,
    Resuming, Speed,
};
use super::session::{KeyIs, Parts, Purpose, Session};
use super::typed::Typed;
use super::upload::check_part_size;
use crate::domain::allowance::Allowance;
use crate::domain::location::{Location, S3Uri};
use crate::domain::naming::Naming;
use crate::domain::overwrite::Overwrite;
use crate::domain::pattern::Wildcard;
use crate::domain::sieve::Sieve;
use crate::jobs::comparisons::Tree;
use crate::jobs::guard::NameRule;
use crate::jobs::planner::Sides;
use crate::jobs::sync::{
    self, Buckets, CompareBy, Extras, Finish, Knowledge, Known, Pairing, Plan, Wanted,
};
use crate::jobs::uploads::LeftOut;
use crate::storage::local::{Existing, ExistingKind, FollowLinks};
use crate::storage::s3::Payload;
use crate::transfer::context::{Context, Scope};
use crate::transfer::landing::Landing;
use crate::transfer::outcome::{self, End, Summary};
use crate::transfer::prune::{self, From, Leaving};

/// Make a destination like a source
///
/// Both sides are everything below a prefix or a directory; one of them, or both, is in S3. What the
/// destination has not, or has otherwise, is transferred; what is equal is not, so that the same
/// command again moves nothing. With --delete, what only the destination has goes: at the end, and
/// only if both sides could be read whole and every transfer ended well. A file that is in the way of
/// a folder, or a folder of a file, goes likewise if all of it is extra, and makes room.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "haul sync [OPTIONS] SOURCE DESTINATION")]
#[command(after_help = "\
Examples:
  haul sync site/ s3://bucket/www/                     upload what is missing or newer
  haul sync s3://bucket/2024/ ./2024/                  download what is missing or newer
  haul sync s3://bucket/2024/ s3://archive/2024/       copy what is missing or newer
  haul sync site/ s3://bucket/www/ --delete            remove there what is not here
  haul sync site/ s3://bucket/www/ --delete --dry-run  show both, and do nothing
  haul sync site/ s3://bucket/www/ --exclude '*.map'   leave some alone, on both sides
  haul sync 's3://bucket/logs/2024-*' logs/            what matches, with its folders")]
pub struct SyncArgs {
    /// Source and destination: s3://bucket/prefix/ or a directory
    #[arg(value_name = "PATH", num_args = 0..=2)]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    removing: Removing,

    /// What makes two sides differ: `size`; `mtime`, also a newer source; `checksum`, also other
    /// content; `auto`, a newer source unless its content is proven the same
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Compare::Auto, hide_possible_values = true, help_heading = "Sync")]
    compare: Compare,

    /// Show what would be transferred and removed, and do nothing
    #[arg(long, help_heading = "Sync")]
    dry_run: bool,

    #[command(flatten)]
    uploads: Uploads,
    #[command(flatten)]
    files: FileOptions,
    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    names: FileNames,
    #[command(flatten)]
    archives: Archives,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    integrity: Integrity,
    #[command(flatten)]
    failure: Failure,
    #[command(flatten)]
    resuming: Resuming,
    #[command(flatten)]
    preserving: Preserving,
    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    copies: Copies,
}

/// What destroys. It is typed each time, and never comes from elsewhere.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Sync")]
struct Removing {
    /// Remove at the destination what the source does not have, if --include and --exclude admit it
    #[arg(long)]
    delete: bool,

    /// Remove nothing if it would be more than this, such as 100 or 10%; a share is of the names
    /// that the destination has
    #[arg(long, value_name = "N|P%", default_value_t = Allowance::default(), requires = "delete")]
    max_delete: Allowance,
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Uploads")]
struct Uploads {
    /// Leave symlinks out [default: what they point to is uploaded]
    #[arg(long)]
    no_follow_symlinks: bool,

    /// Let signatures cover the bodies, too; their checksums are sent in any case
    #[arg(long)]
    sign_payload: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    Auto,
    Size,
    Mtime,
    Checksum,
}

impl Compare {
    fn resolve(self) -> CompareBy {
        match self {
            Self::Auto => CompareBy::Auto,
            Self::Size => CompareBy::Size,
            Self::Mtime => CompareBy::Mtime,
            Self::Checksum => CompareBy::Checksum,
        }
    }
}

impl Typed for SyncArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    fn purpose(&self) -> Purpose {
        if self.dry_run { Purpose::DryRun } else { Purpose::Transfer }
    }

    fn reads_stdin(&self) -> bool {
        false
    }

    fn base(&self) -> Option<String> {
        let last = self.paths.get(1)?.to_str()?;
        (!last.starts_with(S3Uri::SCHEME)).then(|| last.to_owned())
    }

    fn check(&self) -> Result<(), CommandError> {
        match self.trees() {
            Err(error) if error.kind == Kind::Usage => Err(error),
            // A folder that is not there may be there when its turn comes.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl SyncArgs {
    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let (source, destination) = self.trees()?;
        self.refuse_other_times(&destination)?;
        let attributes = Arc::new(self.attributes.resolve()?);
        let Sieve { names: filter, bounds } = self.filters.resolve()?;
        let context = self.context(session, (&source, &destination)).await?;
        refuse_overlap(&source, &destination, sides(&context))?;
        let names = match &destination {
            Tree::Files { root, .. } if !self.dry_run => super::download::names_of(root).await,
            _ => NameRule::of_system(),
        };
        let pairing = Pairing {
            source,
            destination,
            filter,
            bounds,
            by: self.compare.resolve(),
            attributes,
            names,
            extras: if self.removing.delete { Wanted::Yes } else { Wanted::No },
            clears_way: if self.dry_run { Wanted::No } else { Wanted::Yes },
        };
        let (planner, jobs) = planner(session, &context, names);
        let (from, buckets) = (from(&pairing), Buckets::of(&pairing));
        let planning = tokio::spawn(sync::plan(Arc::clone(&context), planner, pairing.clone()));
        let mut summary = session.run(Arc::clone(&context), jobs, self.purpose()).await;
        let mut plan = session.planned(planning, &mut summary).await;
        let later = plan.as_mut().map(|plan| std::mem::take(&mut plan.later)).unwrap_or_default();
        let before = summary.removed;
        self.conclude(session, (&context, &from, buckets), plan, &mut summary).await;
        if later.count() > 0 {
            let has_removed = summary.removed > before;
            finish_later(session, &context, (pairing, later, has_removed), &mut summary).await;
        }
        Ok(summary)
    }

    async fn context(
        &self,
        session: &Session,
        (source, destination): (&Tree, &Tree),
    ) -> Result<Arc<Context>, CommandError> {
        let is_one = match (source, destination) {
            (Tree::Objects { uri: one, .. }, Tree::Objects { uri: other, .. }) => {
                one.bucket == other.bucket
            }
            _ => true,
        };
        let key_is = match destination {
            Tree::Objects { .. } => KeyIs::OfWritten,
            Tree::Files { .. } => KeyIs::OfBoth,
        };
        let mut context = session
            .context_of(&Parts {
                connection: &self.connection,
                speed: &self.speed,
                integrity: &self.integrity,
                failure: &self.failure,
                resuming: &self.resuming,
                preserving: self.preserving,
                // The plan has decided.
                overwrite: Overwrite::Always,
                payload: if self.uploads.sign_payload {
                    Payload::Signed
                } else {
                    Payload::Unsigned
                },
                file_times: self.files.times(),
                scope: if is_one { Scope::OneBucket } else { Scope::ManyBuckets },
                // They say how a source in S3 is read, wherever they are set.
                copies: matches!(source, Tree::Objects { .. }).then_some((&self.copies, key_is)),
            })
            .await?;
        context.skips_archived = self.archives.skip_archived;
        match destination {
            Tree::Files { root, .. } => context.landing = Some(Landing::new(root.clone())),
            Tree::Objects { .. } => check_part_size(context.limits.part_size)?,
        }
        Ok(Arc::new(context))
    }

    /// Says what the plan came to, and removes what is too much.
    async fn conclude(
        &self,
        session: &Session,
        (context, from, buckets): (&Arc<Context>, &From, Option<Buckets>),
        plan: Option<Plan>,
        summary: &mut Summary,
    ) {
        let (knowledge, mut extras, there) = match plan {
            Some(plan) => {
                // Of a run that ended early, what was asked for is what it knows of.
                if summary.end == End::Complete {
                    summary.skipped += plan.equal;
                }
                for LeftOut { path, reason } in plan.left_out {
                    session.notice(format!("left out {}: {reason}", path.to_string_lossy())).await;
                }
                for notice in plan.notices {
                    session.notice(notice).await;
                }
                (plan.knowledge, plan.extras, plan.there)
            }
            None => (Knowledge::Cut, Extras::default(), 0),
        };
        if !self.removing.delete {
            return;
        }
        let removals = extras.count();
        let finish =
            sync::finish(Known { knowledge, summary, removals, there }, self.removing.max_delete);
        if finish == Finish::NotAllIsDone {
            let text = "nothing was removed at the destination: not everything else is done";
            session.notice(text.to_owned()).await;
            if summary.is_success() {
                session.fail(summary, could_not_plan()).await;
            }
            return;
        }
        if let (Some(buckets), true) = (buckets, finish == Finish::Remove)
            && let Some(failure) = may_be_one(context, &buckets, &mut extras).await
        {
            return session.fail(summary, failure).await;
        }
        let leaving = match extras.read() {
            Ok(extras) => extras.map(|extra| extra.map(Leaving::from)),
            Err(_) => return session.fail(summary, could_not_plan()).await,
        };
        match (self.purpose(), finish) {
            (Purpose::DryRun, _) => prune::tell(context, from, leaving, summary).await,
            (Purpose::Transfer, Finish::Remove) => {
                prune::prune(context, from, leaving, summary).await;
            }
            (Purpose::Transfer, _) => {}
        }
        if finish == Finish::TooMuch {
            session.fail(summary, self.too_much(removals, there)).await;
        }
    }

    fn too_much(&self, removals: u64, there: u64) -> outcome::Failure {
        let most = self.removing.max_delete;
        let enough = (u128::from(removals) * 100).div_ceil(u128::from(there.max(1)));
        let seen = if self.dry_run { "" } else { "see what it would be with --dry-run; " };
        let message = format!(
            "could not remove {removals} of {there} names at the destination: --max-delete allows \
             {most}; none was removed"
        );
        outcome::Failure {
            hint: Some(format!("{seen}if that is meant: --max-delete {enough}%")),
            ..outcome::Failure::of_run("too much to remove", message)
        }
    }

    /// Files that have the times of what they were before they were objects are never as new as those.
    fn refuse_other_times(&self, destination: &Tree) -> Result<(), CommandError> {
        let is_local = matches!(destination, Tree::Files { .. });
        if is_local && self.compare == Compare::Mtime && self.preserving.asks() {
            let text = "--compare mtime compares times that --preserve does not let files have";
            return Err(CommandError::misuse(text).hint("--compare auto looks at the content"));
        }
        Ok(())
    }

    /// What was typed, as two trees of which one is not part of the other.
    fn trees(&self) -> Result<(Tree, Tree), CommandError> {
        let [source, destination] = self.paths.as_slice() else {
            return Err(CommandError::misuse("sync needs a source and a destination")
                .hint("haul sync directory/ s3://bucket/prefix/"));
        };
        let (source, destination) = (location(source)?, location(destination)?);
        match (source, destination) {
            (Location::Stream, _) | (_, Location::Stream) => {
                Err(CommandError::misuse("`-` is one stream of bytes, and no tree"))
            }
            (Location::Local(_), Location::Local(_)) => {
                Err(CommandError::misuse("neither side is an S3 URI")
                    .hint("two directories: rsync, or cp"))
            }
            (Location::S3(source), Location::S3(destination)) => {
                Ok((source_prefix(source)?, destination_prefix(destination)?))
            }
            (Location::Local(path), Location::S3(uri)) => {
                let links = if self.uploads.no_follow_symlinks {
                    FollowLinks::No
                } else {
                    FollowLinks::Yes
                };
                Ok((source_folder(path, (links, self.names.naming()))?, destination_prefix(uri)?))
            }
            (Location::S3(uri), Location::Local(path)) => {
                Ok((source_prefix(uri)?, destination_folder(path, self.names.naming())?))
            }
        }
    }
}

/// Everything below it; a slash that was forgotten is meant.
fn prefix(uri: S3Uri) -> Result<S3Uri, CommandError> {
    if uri.is_prefix() {
        return Ok(uri);
    }
    let text = format!("{}{}/{}/", S3Uri::SCHEME, uri.bucket, uri.rest);
    S3Uri::parse(&text).map_err(CommandError::usage)
}

fn source_prefix(uri: S3Uri) -> Result<Tree, CommandError> {
    match Wildcard::parse(&uri.rest) {
        Some(wildcard) => Ok(Tree::Objects { uri, wildcard: Some(wildcard) }),
        None => Ok(Tree::Objects { uri: prefix(uri)?, wildcard: None }),
    }
}

fn destination_prefix(uri: S3Uri) -> Result<Tree, CommandError> {
    if Wildcard::parse(&uri.rest).is_some() {
        return Err(CommandError::misuse("wildcards are for the source"));
    }
    Ok(Tree::Objects { uri: prefix(uri)?, wildcard: None })
}

/// A source that is not there is a mistake, or a disk that is not: in no case an empty one.
fn source_folder(
    path: PathBuf,
    (links, naming): (FollowLinks, Naming),
) -> Result<Tree, CommandError> {
    let name = Location::Local(path.clone());
    match Existing::at(&path).map_err(CommandError::failed)? {
        Some(existing) if existing.kind == ExistingKind::Folder => {
            Ok(Tree::Files { root: path, links, naming })
        }
        Some(_) => Err(CommandError::misuse(format!("`{name}` is no directory"))
            .hint("one file: haul upload FILE s3://bucket/")),
        None => {
            let text = format!("there is nothing at `{name}`");
            Err(CommandError::failed(anyhow::Error::msg(text)))
        }
    }
}

/// One that is not there is made with the first file in it. Links below it are never followed.
fn destination_folder(path: PathBuf, naming: Naming) -> Result<Tree, CommandError> {
    match Existing::at(&path).map_err(CommandError::failed)? {
        Some(existing) if existing.kind != ExistingKind::Folder => {
            let name = Location::Local(path);
            Err(CommandError::misuse(format!("`{name}` is a file, and a folder is needed")))
        }
        _ => Ok(Tree::Files { root: path, links: FollowLinks::No, naming }),
    }
}

/// What is part of the other side would be copied again and again, or be extra to itself.
fn refuse_overlap(source: &Tree, destination: &Tree, sides: Sides) -> Result<(), CommandError> {
    let (Tree::Objects { uri, wildcard }, Tree::Objects { uri: to, .. }) = (source, destination)
    else {
        return Ok(());
    };
    let base = sync::base(uri, wildcard.as_ref());
    let is_within = base.starts_with(&to.rest) || to.rest.starts_with(base);
    if sides == Sides::TwoStores || uri.bucket != to.bucket || !is_within {
        return Ok(());
    }
    Err(CommandError::misuse(format!("{uri} and {to} are not apart: one is part of the other"))
        .hint("sync to another prefix that is beside it, or to another bucket"))
}

fn from(pairing: &Pairing) -> From {
    let source = match &pairing.source {
        Tree::Files { root, naming, .. } => Some((Path::to_owned(root), *naming)),
        Tree::Objects { .. } => None,
    };
    match &pairing.destination {
        Tree::Objects { uri, .. } => {
            From::Objects { bucket: uri.bucket.clone(), prefix: uri.rest.clone(), source }
        }
        Tree::Files { .. } => From::Files,
    }
}
