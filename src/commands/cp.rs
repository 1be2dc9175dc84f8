//! `haul cp`: whichever way the arguments, or the rows of a manifest, go.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::download::{DownloadArgs, FileOptions, RowsAs, location};
use super::error::CommandError;
use super::options::{Attributes, LiteralKeys, Transfer};
use super::session::{Purpose, Session};
use super::typed::Typed;
use super::upload::{SourceOptions, UploadArgs};
use crate::domain::location::Location;
use crate::jobs::manifested::Direction;
use crate::transfer::outcome::Summary;

/// Copy, in whichever direction the arguments say
///
/// As `haul download` when the sources are S3 URIs, as `haul upload` when the destination is one.
/// Copies from S3 to S3 are not supported yet.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
haul cp [OPTIONS] SOURCE... DESTINATION
       haul cp [OPTIONS] --manifest FILE [BASE...]")]
#[command(after_help = "\
Examples:
  haul cp s3://bucket/key .            a download
  haul cp notes/ s3://bucket/notes/    an upload
  haul cp --manifest files.csv         the rows of a list, either way")]
pub struct CpArgs {
    /// Sources, then a destination: one side is S3, the other local
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    transfer: Transfer,
    #[command(flatten)]
    literal: LiteralKeys,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    downloads: FileOptions,
    #[command(flatten)]
    uploads: SourceOptions,
}

impl Typed for CpArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.paths
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
}

impl CpArgs {
    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let [first, .., last] = self.paths.as_slice() else {
            return match (&self.transfer.jobs.manifest, self.paths.as_slice()) {
                // The base says which side is S3.
                (Some(_), [base]) if matches!(location(base)?, Location::S3(_)) => {
                    self.as_upload().run(session).await
                }
                (Some(name), _) => {
                    let attributes = Arc::new(self.attributes.resolve()?);
                    let payload = self.uploads.payload();
                    let rows = RowsAs { direction: Direction::ByRow, attributes, payload };
                    self.as_download().run_manifest(session, name, rows).await
                }
                (None, _) => Err(CommandError::misuse("a copy needs a source and a destination")
                    .hint("haul cp s3://bucket/key . or haul cp FILE s3://bucket/")),
            };
        };
        match (location(first)?, location(last)?) {
            (Location::S3(_), Location::S3(_)) => {
                Err(CommandError::misuse("copies from S3 to S3 are not supported yet"))
            }
            (Location::S3(_), _) => self.as_download().run(session).await,
            (_, Location::S3(_)) => self.as_upload().run(session).await,
            _ => Err(CommandError::misuse("neither side is an S3 URI")
                .hint("S3 URIs look like s3://bucket/key")),
        }
    }

    fn as_download(&self) -> DownloadArgs {
        DownloadArgs {
            paths: self.paths.clone(),
            transfer: self.transfer.clone(),
            literal: self.literal,
            files: self.downloads.clone(),
        }
    }

    fn as_upload(&self) -> UploadArgs {
        UploadArgs {
            paths: self.paths.clone(),
            transfer: self.transfer.clone(),
            attributes: self.attributes.clone(),
            files: self.uploads.clone(),
        }
    }
}
