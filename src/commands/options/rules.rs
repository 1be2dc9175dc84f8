//! Globs, typed one by one or read from files, as one list in the order in which they were typed. A
//! file that can't be read as it was meant must never pass for one without rules.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};

use super::patterns::{self, Files, Patterns};
use crate::commands::error::CommandError;
use crate::domain::digest::Digest;
use crate::domain::pattern::{Filter, Verdict};
use crate::storage::local::is_stdin;

/// The rules in their order, which the derive alone would lose.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    typed: Vec<(Verdict, Given)>,
    /// Whether they are of this command line, and not only set for all that there may be.
    are_asked_for: bool,
    /// Those of each file: standard input is read only once.
    read: OnceLock<Vec<Patterns>>,
}

#[derive(Debug, Clone)]
enum Given {
    Glob(String),
    File(PathBuf),
}

#[derive(Debug, Clone, Args)]
struct TypedRules {
    /// Take what matches, with `/` at the end all that is below; the last rule that matches wins, and
    /// if the first rule is an include, everything else is left out. Of rules that are set and not typed, includes come before
    /// excludes; none of them counts where one is typed
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// Leave out what matches, such as '*.tmp' or '**/cache/**'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// As --include for each line of a file, or of standard input (-), in its place among the rules;
    /// lines that begin with # or have nothing but blanks are none, other blanks are part of a pattern
    #[arg(long, value_name = "FILE")]
    include_from: Vec<PathBuf>,

    /// As --exclude for each line of a file, or of standard input (-)
    #[arg(long, value_name = "FILE")]
    exclude_from: Vec<PathBuf>,
}

impl FromArgMatches for Rules {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut rules = Vec::new();
        for (name, verdict) in [("include", Verdict::Include), ("exclude", Verdict::Exclude)] {
            rules
                .extend(given(matches, name, |glob: &String| (verdict, Given::Glob(glob.clone()))));
            let name = format!("{name}_from");
            rules.extend(given(matches, &name, |path: &PathBuf| {
                (verdict, Given::File(path.clone()))
            }));
        }
        rules.sort_by(|(one, _), (other, _)| one.cmp(other));
        let typed = rules.into_iter().map(|(_, rule)| rule).collect();
        let names = ["include", "exclude", "include_from", "exclude_from"];
        let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        let are_asked_for = names.into_iter().any(is_typed);
        Ok(Self { typed, are_asked_for, read: OnceLock::new() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What decides which of two rules goes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Nobody wrote such rules in an order. The more careful one is that in which what is to be left
    /// out is, whatever else takes it.
    Set {
        is_exclude: bool,
        index: usize,
    },
    Typed(usize),
}

/// Values with their places in the command line.
fn given<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    rule: impl Fn(&T) -> (Verdict, Given),
) -> Vec<(Place, (Verdict, Given))> {
    let is_typed = matches.value_source(name) == Some(ValueSource::CommandLine);
    let places = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten();
    let rules = places.zip(values.map(rule)).map(|(index, rule)| {
        let is_exclude = rule.0 == Verdict::Exclude;
        let place = if is_typed { Place::Typed(index) } else { Place::Set { is_exclude, index } };
        (place, rule)
    });
    rules.collect()
}

impl Args for Rules {
    fn augment_args(command: clap::Command) -> clap::Command {
        TypedRules::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        TypedRules::augment_args_for_update(command)
    }
}

impl Rules {
    /// Reads the files, where that was not done before.
    pub(super) fn load(&self, files: Files) -> Result<&[Patterns], CommandError> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let paths = self.typed.iter().filter_map(|(_, given)| match given {
            Given::Glob(_) => None,
            Given::File(path) => Some(path),
        });
        let read = paths.map(|path| patterns::read(path, files)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.read.get_or_init(|| read))
    }

    pub(super) fn filter(&self) -> Result<Filter, CommandError> {
        let mut read = self.load(Files::Regular)?.iter();
        let mut rules = Vec::new();
        for (verdict, given) in &self.typed {
            match given {
                Given::Glob(glob) => rules.push((*verdict, glob.clone())),
                Given::File(_) => {
                    let globs = read.next().into_iter().flat_map(|read| &read.globs);
                    rules.extend(globs.map(|glob| (*verdict, glob.clone())));
                }
            }
        }
        let filter = Filter::new(rules).map_err(CommandError::usage)?;
        // A list of what is meant that has nothing on it means nothing, and not everything.
        Ok(match self.typed.first() {
            Some((first, _)) => filter.beginning_with(*first),
            None => filter,
        })
    }

    /// In a form that two commands can be compared by: what files say counts, and not their names.
    pub(super) fn described(&self) -> Vec<String> {
        let mut read = self.read.get().into_iter().flatten();
        let rules = self.typed.iter().map(|(verdict, given)| {
            let name = match verdict {
                Verdict::Include => "include",
                Verdict::Exclude => "exclude",
            };
            match given {
                Given::Glob(glob) => format!("--{name}={glob}"),
                Given::File(_) => {
                    let globs = read.next().into_iter().flat_map(|read| &read.globs);
                    let globs = globs.map(String::as_str);
                    format!("--{name}-from={}", Digest::of_texts(globs))
                }
            }
        });
        rules.collect()
    }

    /// Whether they were typed: what is set for all commands is no mistake of one that has no use
    /// for it.
    pub(super) fn are_asked_for(&self) -> bool {
        self.are_asked_for
    }

    /// How many of them come through standard input.
    pub(super) fn reads_of_stdin(&self) -> usize {
        let is_stdin = |given: &Given| matches!(given, Given::File(path) if is_stdin(path));
        self.typed.iter().filter(|(_, given)| is_stdin(given)).count()
    }
}
