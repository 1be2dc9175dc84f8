//! How far content must be proven.

use clap::{Args, ValueEnum};

use crate::transfer::context::Verify;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Integrity")]
pub struct Integrity {
    /// Compare checksums: `auto` where the store has one; with `require` an object without one
    /// fails, a download before it has its name, an upload although it is there; `off` checks only
    /// length and ETag, which saves the extra requests and a second look at the file, not the CRC
    #[arg(long, value_name = "HOW", value_enum, default_value_t = How::Auto)]
    verify: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    Auto,
    Require,
    Off,
}

impl Integrity {
    pub fn resolve(&self) -> Verify {
        match self.verify {
            How::Auto => Verify::Auto,
            How::Require => Verify::Require,
            How::Off => Verify::Off,
        }
    }
}
