//! `haul cp`: whichever way the arguments, or the rows of a manifest, go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::copying::Copying;
use super::download::{DownloadArgs, FileOptions, RowsAs, location};
use super::error::CommandError;
use super::options::{Archives, Attributes, Copies, LiteralKeys, OneVersion, Transfer};
use super::session::{Purpose, Session};
use super::typed::Typed;
use super::upload::{SourceOptions, UploadArgs};
use crate::domain::job::Fate;
use crate::domain::location::Location;
use crate::jobs::downloads::Keys;
use crate::jobs::manifested::Direction;
use crate::transfer::outcome::Summary;

/// Copy, in whichever direction the arguments say
///
/// As `haul download` when the sources are S3 URIs, as `haul upload` when the destination is one.
/// Between two S3 URIs the store copies by itself, in parts above 5 GiB; where the source has another
/// server or other credentials, objects go through memory here, part by part, and are checked on
/// both sides.
///
/// A copy between objects keeps headers, metadata and tags. Each one that is given replaces what the
/// source has: --content-type the type alone, --metadata all metadata, --tag all tags. Storage class,
/// access control and encryption are those of a new object, unless they are given.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul cp [OPTIONS] SOURCE... DESTINATION
       haul cp [OPTIONS] --manifest FILE [BASE...]")]
#[command(after_help = "\
Examples:
  haul cp s3://bucket/key .                          a download
  haul cp notes/ s3://bucket/notes/                  an upload
  haul cp s3://bucket/2024/ s3://archive/2024/       objects to objects
  haul cp s3://bucket/k s3://bucket/k --storage-class GLACIER_IR
                                                     another class for an object
  haul cp --version-id ID s3://bucket/k s3://bucket/k
                                                     an old version, once more the newest
  haul cp --source-profile there s3://theirs/ s3://ours/
                                                     with other credentials, through here
  haul cp --manifest files.csv                       the rows of a list, whichever way each goes
  haul cp --manifest keys.txt s3://from/a/ s3://to/  keys below the first, to below the second")]
pub struct CpArgs {
    /// Sources, then a destination: S3 URIs on one side or on both
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
    pub(super) attributes: Attributes,
    #[command(flatten)]
    pub(super) copies: Copies,
    #[command(flatten)]
    pub(super) downloads: FileOptions,
    #[command(flatten)]
    pub(super) uploads: SourceOptions,

    /// Of `haul mv`.
    #[arg(skip)]
    pub(super) fate: Fate,
}

impl Typed for CpArgs {
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
        self.as_upload().reads_stdin()
    }

    fn base(&self) -> Option<String> {
        self.as_download().base()
    }

    fn check(&self) -> Result<(), CommandError> {
        if self.transfer.jobs.manifest.is_some() {
            return Ok(());
        }
        let [first, .., last] = self.paths.as_slice() else { return Err(self.incomplete()) };
        match (location(first)?, location(last)?) {
            (Location::S3(_), Location::S3(_)) => {
                self.refuse_local_options()?;
                self.as_copying().check()
            }
            (Location::S3(_), _) => {
                self.refuse_source_options()?;
                self.as_download().check()
            }
            (_, Location::S3(_)) => {
                self.refuse_source_options()?;
                self.version.refuse("this is an upload")?;
                self.as_upload().check()
            }
            _ => Err(neither()),
        }
    }
}

fn neither() -> CommandError {
    CommandError::misuse("neither side is an S3 URI").hint("S3 URIs look like s3://bucket/key")
}

impl CpArgs {
    /// The same with other paths.
    #[must_use]
    pub fn with_paths(&self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self.clone() }
    }

    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let manifest = self.transfer.jobs.manifest.as_deref();
        let [first, .., last] = self.paths.as_slice() else {
            return match (manifest, self.paths.as_slice()) {
                // The base says which side is S3.
                (Some(_), [base]) if matches!(location(base)?, Location::S3(_)) => {
                    self.refuse_source_options()?;
                    self.as_upload().run(session).await
                }
                (Some(name), _) => {
                    let attributes = Arc::new(self.attributes.resolve()?);
                    let (payload, copies) = (self.uploads.payload(), Some(&self.copies));
                    let rows = RowsAs { direction: Direction::ByRow, attributes, payload, copies };
                    self.as_download().run_manifest(session, name, rows).await
                }
                (None, _) => Err(self.incomplete()),
            };
        };
        match (location(first)?, location(last)?, manifest) {
            (Location::S3(_), Location::S3(_), None) => {
                self.refuse_local_options()?;
                self.as_copying().run(session).await
            }
            (Location::S3(_), Location::S3(_), Some(name)) => {
                self.refuse_local_options()?;
                self.as_copying().run_manifest(session, name).await
            }
            (Location::S3(_), _, _) => {
                self.refuse_source_options()?;
                self.as_download().run(session).await
            }
            (_, Location::S3(_), _) => {
                self.refuse_source_options()?;
                self.version.refuse("this is an upload")?;
                self.as_upload().run(session).await
            }
            _ => Err(neither()),
        }
    }

    fn incomplete(&self) -> CommandError {
        let (what, verb) = match self.fate {
            Fate::Kept => ("copy", "cp"),
            Fate::Removed => ("move", "mv"),
        };
        CommandError::misuse(format!("a {what} needs a source and a destination"))
            .hint(format!("haul {verb} s3://bucket/key . or haul {verb} FILE s3://bucket/"))
    }

    /// One side is local: nothing but --endpoint-url and the like says where the other one is.
    fn refuse_source_options(&self) -> Result<(), CommandError> {
        if self.copies.names_a_source() {
            let text = "--source-endpoint-url and the like are for copies from S3 to S3";
            return Err(CommandError::misuse(text).hint("use --endpoint-url and the like"));
        }
        Ok(())
    }

    /// What is for every direction may come from a configuration; the length of one stream may not.
    fn refuse_local_options(&self) -> Result<(), CommandError> {
        if self.uploads.expected_size.is_some() {
            return Err(CommandError::misuse("--expected-size is for standard input (-) alone"));
        }
        Ok(())
    }

    fn as_copying(&self) -> Copying<'_> {
        Copying {
            paths: &self.paths,
            transfer: &self.transfer,
            literal: self.literal,
            version: &self.version,
            archives: self.archives,
            attributes: &self.attributes,
            copies: &self.copies,
            payload: self.uploads.payload(),
            fate: self.fate,
        }
    }

    fn as_download(&self) -> DownloadArgs {
        DownloadArgs {
            paths: self.paths.clone(),
            transfer: self.transfer.clone(),
            literal: self.literal,
            version: self.version.clone(),
            archives: self.archives,
            files: self.downloads.clone(),
            fate: self.fate,
        }
    }

    fn as_upload(&self) -> UploadArgs {
        UploadArgs {
            paths: self.paths.clone(),
            transfer: self.transfer.clone(),
            attributes: self.attributes.clone(),
            files: self.uploads.clone(),
            fate: self.fate,
        }
    }
}
