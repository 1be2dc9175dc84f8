//! Where a run's jobs come from, and whether they are done.

use clap::Args;

use crate::commands::session::Purpose;
use crate::jobs::manifest::Format;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Jobs")]
pub struct Jobs {
    /// Do the jobs in this file, in s3://bucket/key, or in standard input (-); .gz and .zst are read
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<String>,

    /// How to read the manifest: csv, tsv, jsonl, keys or keys0 [default: by its name]
    #[arg(long, value_name = "FORMAT", requires = "manifest")]
    pub manifest_format: Option<Format>,

    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Jobs {
    pub fn purpose(&self) -> Purpose {
        if self.dry_run { Purpose::DryRun } else { Purpose::Transfer }
    }
}
