//! Which objects or files are meant.

use clap::{ArgMatches, Args, FromArgMatches};

use super::bounds::Bounds;
use crate::commands::error::CommandError;
use crate::domain::pattern::{Filter, Verdict};
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
    pub fn resolve(&self) -> Result<Sieve, CommandError> {
        let names = Filter::new(self.rules.0.iter().cloned()).map_err(CommandError::usage)?;
        Ok(Sieve { names, bounds: self.bounds.resolve()? })
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct Selection {
    #[command(flatten)]
    filters: Filters,

    /// Leave the folders out of all names, and refuse equal ones
    #[arg(long, conflicts_with = "manifest")]
    flatten: bool,
}

/// The rules of --include and --exclude in the order in which they were typed, which the derive
/// alone would lose.
#[derive(Debug, Clone, Default)]
struct Rules(Vec<(Verdict, String)>);

#[derive(Debug, Clone, Args)]
struct TypedRules {
    /// Take what matches; the last rule that matches wins, and if the first rule is an include,
    /// everything else is left out
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// Leave out what matches, such as '*.tmp' or '**/cache/**'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

impl FromArgMatches for Rules {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of = |name: &str, verdict: Verdict| {
            let places = matches.indices_of(name).into_iter().flatten();
            let globs = matches.get_many::<String>(name).into_iter().flatten();
            places
                .zip(globs)
                .map(move |(place, glob)| (place, verdict, glob.clone()))
                .collect::<Vec<_>>()
        };
        let mut rules = of("include", Verdict::Include);
        rules.extend(of("exclude", Verdict::Exclude));
        rules.sort_by_key(|(place, _, _)| *place);
        Ok(Self(rules.into_iter().map(|(_, verdict, glob)| (verdict, glob)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Rules {
    fn augment_args(command: clap::Command) -> clap::Command {
        TypedRules::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        TypedRules::augment_args_for_update(command)
    }
}

impl Selection {
    /// As it was typed, in a form that two commands can be compared by.
    pub fn described(&self) -> Vec<String> {
        let rules = self.filters.rules.0.iter().map(|(verdict, glob)| match verdict {
            Verdict::Include => format!("--include={glob}"),
            Verdict::Exclude => format!("--exclude={glob}"),
        });
        let flatten = self.flatten.then(|| "--flatten".to_owned());
        rules.chain(self.filters.bounds.described()).chain(flatten).collect()
    }

    pub fn resolve(&self) -> Result<downloads::Selection, CommandError> {
        let sieve = self.filters.resolve()?;
        let layout = if self.flatten { Layout::Flat } else { Layout::Tree };
        Ok(downloads::Selection { sieve, layout })
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
