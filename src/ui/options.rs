//! What a user wants to see of a run.

use super::data::Format;
use super::style::ColorChoice;

/// What a user wants to see.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub format: Format,
    pub progress: ShowProgress,
    pub verbosity: Verbosity,
    pub color: ColorChoice,
    pub purpose: Purpose,
    /// The folder to which the destinations of downloads are relative, as the user typed it.
    pub base: Option<String>,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ShowProgress {
    /// Bars on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// Bars, where stderr is a terminal
    Bar,
    /// A line every 5 seconds
    Plain,
    None,
}

/// From `--quiet` to `-vv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    #[default]
    Normal,
    /// Retries and skipped jobs, too.
    Verbose,
    /// The start and end of every job, too.
    Everything,
}

/// What the run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    #[default]
    Transfer,
    /// Jobs are skipped as `Skip::DryRun` and told on stdout.
    DryRun,
}
