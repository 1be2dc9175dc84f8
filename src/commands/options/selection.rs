//! Which objects or files are meant.

use clap::Args;

use super::bounds::Bounds;
use super::patterns::Files;
use super::rules::Rules;
use crate::commands::error::CommandError;
use crate::domain::naming::Naming;
use crate::domain::sieve::Sieve;
use crate::jobs::downloads::{self, Keys, Layout};

/// Which names, sizes and times are meant, for commands that do not write names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct Filters {
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    bounds: Bounds,
}

impl Filters {
    /// Reads the files that rules are in, for as long as that takes: before anything runs. What of
    /// them is hardly meant as it is written.
    pub fn load(&self) -> Result<Vec<&str>, CommandError> {
        let read = self.rules.load(Files::Any)?;
        Ok(read.iter().flat_map(|read| &read.notes).map(String::as_str).collect())
    }

    /// How many of those files are standard input.
    pub fn reads_of_stdin(&self) -> usize {
        self.rules.reads_of_stdin()
    }

    /// Whether somebody typed rules for names.
    pub fn judge_names(&self) -> bool {
        self.rules.are_asked_for()
    }

    pub fn resolve(&self) -> Result<Sieve, CommandError> {
        Ok(Sieve { names: self.rules.filter()?, bounds: self.bounds.resolve()? })
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct Selection {
    #[command(flatten)]
    pub filters: Filters,

    /// Leave the folders out of all names, and refuse equal ones
    #[arg(long, conflicts_with = "manifest")]
    flatten: bool,

    #[command(flatten)]
    names: FileNames,
}

/// What files are called.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Selection")]
pub struct FileNames {
    /// Write keys that no file name can hold with `%`, such as `a%3Ab`, and read such names back
    #[arg(long)]
    encode_names: bool,
}

impl FileNames {
    pub fn naming(self) -> Naming {
        if self.encode_names { Naming::Encoded } else { Naming::Verbatim }
    }

    fn described(self) -> Option<String> {
        self.encode_names.then(|| "--encode-names".to_owned())
    }
}

impl Selection {
    /// As it was typed, in a form that two commands can be compared by.
    pub fn described(&self) -> Vec<String> {
        let flatten = self.flatten.then(|| "--flatten".to_owned());
        let Filters { rules, bounds } = &self.filters;
        let rules = rules.described().into_iter().chain(bounds.described());
        rules.chain(flatten).chain(self.names.described()).collect()
    }

    pub fn resolve(&self) -> Result<downloads::Selection, CommandError> {
        let sieve = self.filters.resolve()?;
        let layout = if self.flatten { Layout::Flat } else { Layout::Tree };
        Ok(downloads::Selection { sieve, layout, naming: self.names.naming() })
    }
}

/// For commands whose sources are keys.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Selection")]
pub struct LiteralKeys {
    /// Take keys literally: `*`, `?` and a final `/` mean nothing
    #[arg(long, conflicts_with = "manifest")]
    raw: bool,
}

impl LiteralKeys {
    pub fn keys(self) -> Keys {
        if self.raw { Keys::Raw } else { Keys::Patterns }
    }
}
