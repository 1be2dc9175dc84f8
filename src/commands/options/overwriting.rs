//! What to do where something already is.

use clap::{Args, ValueEnum};

use crate::domain::overwrite::Overwrite;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Overwriting")]
pub struct Overwriting {
    /// Replace what is at the destination: `newer` if the source is newer, `changed` also if sizes differ
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Always)]
    overwrite: When,

    /// The same as --overwrite never
    #[arg(long, short = 'n', conflicts_with = "overwrite")]
    no_clobber: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Always,
    Never,
    Newer,
    Changed,
}

impl Overwriting {
    pub fn resolve(&self) -> Overwrite {
        match self.overwrite {
            _ if self.no_clobber => Overwrite::Never,
            When::Always => Overwrite::Always,
            When::Never => Overwrite::Never,
            When::Newer => Overwrite::Newer,
            When::Changed => Overwrite::Changed,
        }
    }
}
