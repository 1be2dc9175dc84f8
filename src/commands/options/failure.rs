//! When to give up.

use clap::Args;

use crate::transfer::context::Tolerance;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Failure")]
pub struct Failure {
    /// Stop everything at the first object that fails [default: the others go on]
    #[arg(long)]
    fail_fast: bool,

    /// Start no more objects after this many have failed
    #[arg(long, value_name = "N", conflicts_with = "fail_fast", value_parser = at_least_one)]
    max_errors: Option<u64>,
}

impl Failure {
    pub fn resolve(&self) -> Tolerance {
        match self.max_errors {
            _ if self.fail_fast => Tolerance::FailFast,
            Some(most) => Tolerance::Errors(most),
            None => Tolerance::Any,
        }
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it must be a number, 1 or more".to_owned())
}
