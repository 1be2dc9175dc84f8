//! What of files is kept beside their bytes.

use clap::Args;

use crate::transfer::context::Preserve;

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Files")]
pub struct Preserving {
    /// Keep the modification time and the permissions of files in the metadata of their objects, and
    /// give them to the files that become of those
    #[arg(long)]
    preserve: bool,
}

impl Preserving {
    pub fn asks(self) -> bool {
        self.preserve
    }

    pub fn resolve(self) -> Preserve {
        if self.preserve { Preserve::TimeAndMode } else { Preserve::Nothing }
    }
}
