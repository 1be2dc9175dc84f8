//! The command line as a whole.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of arguments are the help: text for a terminal"
)]

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::cat::CatArgs;
use crate::commands::clean::CleanArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::config::ConfigArgs;
use crate::commands::cp::CpArgs;
use crate::commands::download::DownloadArgs;
use crate::commands::du::DuArgs;
use crate::commands::ls::LsArgs;
use crate::commands::man::ManArgs;
use crate::commands::mb::MbArgs;
use crate::commands::mv::MvArgs;
use crate::commands::options::Filters;
use crate::commands::presign::PresignArgs;
use crate::commands::rb::RbArgs;
use crate::commands::restore::RestoreArgs;
use crate::commands::rm::RmArgs;
use crate::commands::run::RunArgs;
use crate::commands::stat::StatArgs;
use crate::commands::sync::SyncArgs;
use crate::commands::typed::Typed;
use crate::commands::upload::UploadArgs;
use crate::commands::verify::VerifyArgs;
use crate::ui::data::Format;
use crate::ui::options::{ShowProgress, Verbosity};
use crate::ui::style::ColorChoice;

/// Move many objects in or out of S3: fast, verified, and honest about what was done
#[derive(Debug, Parser)]
#[command(
    name = "haul",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "\
Examples:
  haul download s3://bucket/2024/ ./2024/
  haul upload site/ s3://bucket/www/
  haul download --manifest files.csv out/
  haul cp s3://bucket/a/ s3://other/a/
  haul mv s3://bucket/old s3://bucket/new
  haul sync site/ s3://bucket/www/
  haul verify site/ s3://bucket/www/
  haul ls s3://bucket/
  haul rm -r s3://bucket/2023/
  haul run commands.txt

Exit codes: 0 all is done; 1 something is not, the last lines say what; 2 wrong usage, nothing was
started; 129, 130 and 143 interrupted; 141 the reader of an object's bytes went away. `haul COMMAND --help` has more.

Options may also stand before the command: `haul --endpoint-url URL ls` is `haul ls --endpoint-url URL`."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    Download(DownloadArgs),
    Upload(UploadArgs),
    Cp(CpArgs),
    Mv(MvArgs),
    Sync(SyncArgs),
    Verify(VerifyArgs),
    Rm(RmArgs),
    Run(RunArgs),
    Ls(LsArgs),
    Cat(CatArgs),
    Stat(StatArgs),
    Du(DuArgs),
    Presign(PresignArgs),
    Mb(MbArgs),
    Rb(RbArgs),
    Restore(RestoreArgs),
    Clean(CleanArgs),
    Config(ConfigArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// `None` of those that only say what there is.
    pub fn typed(&self) -> Option<&dyn Typed> {
        match self {
            Self::Download(args) => Some(args),
            Self::Upload(args) => Some(args),
            Self::Cp(args) => Some(args),
            Self::Mv(args) => Some(args),
            Self::Sync(args) => Some(args),
            Self::Verify(args) => Some(args),
            Self::Rm(args) => Some(args),
            Self::Run(args) => Some(args),
            Self::Cat(args) => Some(args),
            Self::Rb(args) => Some(args),
            _ => None,
        }
    }
}

impl Command {
    /// What chooses among the objects that were named.
    pub fn filters(&self) -> Option<&Filters> {
        match self {
            Self::Download(args) => Some(&args.transfer.selection.filters),
            Self::Upload(args) => Some(&args.transfer.selection.filters),
            Self::Cp(args) => Some(&args.transfer.selection.filters),
            Self::Mv(args) => Some(&args.transfer.selection.filters),
            Self::Sync(args) => Some(&args.filters),
            Self::Verify(args) => Some(&args.filters),
            Self::Rm(args) => Some(&args.filters),
            Self::Ls(args) => Some(&args.filters),
            Self::Du(args) => Some(&args.filters),
            Self::Restore(args) => Some(&args.filters),
            _ => None,
        }
    }
}

/// What a user wants to see.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Write events and the summary to standard output, one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,

    /// Show progress: `auto` is bars on a terminal and a plain line every 5 seconds elsewhere
    #[arg(long, global = true, value_name = "HOW", value_enum, default_value_t = ShowProgress::Auto, hide_possible_values = true)]
    pub progress: ShowProgress,

    /// Say nothing but errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more: retries and skipped objects; twice: each start and end, and what the engine does
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Use colours: auto, always or never; `auto` also heeds NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, hide_possible_values = true)]
    pub color: ColorChoice,
}

impl Output {
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }

    pub fn verbosity(&self) -> Verbosity {
        match self.verbose {
            _ if self.quiet => Verbosity::Quiet,
            0 => Verbosity::Normal,
            1 => Verbosity::Verbose,
            _ => Verbosity::Everything,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
