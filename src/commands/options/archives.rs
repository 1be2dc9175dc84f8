//! What of archives is asked for.

use clap::Args;

/// For commands whose sources may be objects.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct Archives {
    /// Leave out archived objects that were not restored [default: each fails]
    #[arg(long)]
    pub skip_archived: bool,
}
