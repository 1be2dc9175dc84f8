//! `haul mv`: a copy, whichever way the arguments go, and then its source goes. What could lose bytes
//! is refused before anything starts.

use std::path::{Path, PathBuf};

use clap::Args;

use super::cp::CpArgs;
use super::download::{FileOptions, location};
use super::error::CommandError;
use super::options::{Archives, Attributes, Copies, LiteralKeys, OneVersion, Transfer};
use super::session::{Purpose, Session};
use super::typed::Typed;
use super::upload::SourceOptions;
use crate::domain::job::Fate;
use crate::domain::location::Location;
use crate::jobs::downloads::Keys;
use crate::transfer::outcome::Summary;

/// Move, in whichever direction the arguments say
///
/// As `haul cp`, and then the source is removed: once its bytes are at the destination, complete and
/// checked and synced, and only if it still is what was moved. What was written to meanwhile stays,
/// and so does what is skipped, by --no-clobber for example; what is left of a local directory are
/// its folders. If a source can't be removed, it is in both places, which is an error (exit 1). With
/// --verify off, only length and ETag are checked before a source goes.
///
/// In a bucket that keeps versions, an object that is moved away leaves a delete marker. A version that
/// --version-id or a manifest names is removed itself, for good, and no other one: what has the key
/// stays, unless it is that version, and then the one before it has the key again. Symlinks below a directory stay where they are; one that
/// is named is moved as the file it points to, and then only the link is removed.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul mv [OPTIONS] SOURCE... DESTINATION
       haul mv [OPTIONS] --manifest FILE [BASE...]")]
#[command(after_help = "\
Examples:
  haul mv s3://bucket/old-name s3://bucket/new-name  rename an object
  haul mv s3://inbox/2024/ s3://archive/2024/        all objects below a prefix
  haul mv results/ s3://bucket/results/              upload, and remove the files
  haul mv 's3://bucket/done/*.csv' ./done/           download, and remove the objects
  haul mv --journal mv.log s3://a/ s3://b/           the same command again goes on with it")]
pub struct MvArgs {
    /// Sources, then a destination: S3 URIs on one side or on both
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    pub transfer: Transfer,
    #[command(flatten)]
    literal: LiteralKeys,
    #[command(flatten)]
    version: OneVersion,
    #[command(flatten)]
    archives: Archives,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    copies: Copies,
    #[command(flatten)]
    downloads: FileOptions,

    /// Let signatures cover the bodies, too; their checksums are sent in any case
    #[arg(long, help_heading = "Uploads")]
    sign_payload: bool,
}

impl Typed for MvArgs {
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

    fn base(&self) -> Option<String> {
        self.as_copy().base()
    }

    fn check(&self) -> Result<(), CommandError> {
        self.as_copy().check()
    }
}

impl MvArgs {
    /// The same with other paths.
    #[must_use]
    pub fn with_paths(&self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self.clone() }
    }

    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        for path in &self.paths {
            if matches!(location(path)?, Location::Stream) {
                let text = "standard input and output pass once, and can't be moved";
                return Err(CommandError::misuse(text).hint("haul cp copies from and to them"));
            }
        }
        self.as_copy().run(session).await
    }

    fn as_copy(&self) -> CpArgs {
        let sign_payload = self.sign_payload;
        // Links below a directory stay in any case.
        let uploads =
            SourceOptions { no_follow_symlinks: false, expected_size: None, sign_payload };
        CpArgs {
            paths: self.paths.clone(),
            transfer: self.transfer.clone(),
            literal: self.literal,
            version: self.version.clone(),
            archives: self.archives,
            attributes: self.attributes.clone(),
            copies: self.copies.clone(),
            downloads: self.downloads.clone(),
            uploads,
            fate: Fate::Removed,
        }
    }
}
