//! When to give up.

use clap::Args;

use crate::transfer::context::Tolerance;
use crate::transfer::resume::Resume;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Failure")]
pub struct Failure {
    /// Stop everything at the first object that fails [default: the others go on]
    #[arg(long)]
    fail_fast: bool,

    /// Start no more objects after this many have failed
    #[arg(long, value_name = "N", conflicts_with = "fail_fast", value_parser = clap::value_parser!(u64).range(1..))]
    max_errors: Option<u64>,

    /// Keep nothing of what was interrupted, and continue nothing [default: the same command
    /// continues inside each object]
    #[arg(long)]
    no_resume: bool,

    /// Refuse the whole manifest, before anything moves, if one of its rows is bad
    #[arg(long, requires = "manifest")]
    strict: bool,
}

impl Failure {
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    pub fn resume(&self) -> Resume {
        if self.no_resume { Resume::Off } else { Resume::Kept }
    }

    pub fn resolve(&self) -> Tolerance {
        match self.max_errors {
            _ if self.fail_fast => Tolerance::FailFast,
            Some(most) => Tolerance::Errors(most),
            None => Tolerance::Any,
        }
    }
}
