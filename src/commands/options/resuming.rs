//! What an interrupted transfer leaves for the next one.

use clap::Args;

use crate::transfer::resume::Resume;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Failure")]
pub struct Resuming {
    /// Keep nothing of what was interrupted, and continue nothing [default: the same command
    /// continues inside each object]
    #[arg(long)]
    no_resume: bool,
}

impl Resuming {
    pub fn resolve(&self) -> Resume {
        if self.no_resume { Resume::Off } else { Resume::Kept }
    }
}
