//! Where a run's jobs come from, and whether they are done.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::commands::session::Purpose;
use crate::jobs::manifest::Format;
use crate::storage::local::is_stdin;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Jobs")]
pub struct Jobs {
    /// Do the jobs in this file, in s3://bucket/key, or in standard input (-); .gz and .zst are read
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<String>,

    /// How to read the manifest: csv, tsv, jsonl, keys, keys0 or journal [default: by its name]
    #[arg(long, value_name = "FORMAT", requires = "manifest")]
    pub manifest_format: Option<Format>,

    /// Of a manifest that is a journal, take only the jobs that failed
    #[arg(long, value_name = "WHICH", requires = "manifest")]
    pub only: Option<Only>,

    /// Refuse the whole manifest, before anything moves, if one of its rows is bad
    #[arg(long, requires = "manifest")]
    pub strict: bool,

    /// Write down what became of each job, and skip what this file says was done and is still so
    ///
    /// The same command with the same journal goes on where it was interrupted, and does what
    /// failed once more. The file is JSON Lines; `--manifest FILE --only failed` reads it back.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub journal: Option<PathBuf>,

    /// Show what would be done, and do nothing
    ///
    /// What is there already is looked at where --overwrite makes a difference, and local sources
    /// are; whether an object that was named exists is not.
    #[arg(long)]
    pub dry_run: bool,
}

/// Which of a journal's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    Failed,
}

impl Jobs {
    /// Whether the manifest comes through standard input.
    pub fn reads_stdin(&self) -> bool {
        self.manifest.as_deref().is_some_and(|name| is_stdin(Path::new(name)))
    }

    pub fn purpose(&self) -> Purpose {
        if self.dry_run { Purpose::DryRun } else { Purpose::Transfer }
    }
}
