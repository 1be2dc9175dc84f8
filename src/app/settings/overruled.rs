//! What is set and speaks against what is typed, or against what is set in a place that goes before:
//! it does not count, but that without which more would be done than somebody wanted is refused. The
//! command line's own rules for what excludes what do not look at defaults.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// Where a value is from, in the order of who goes before whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::app) enum Rank {
    Typed,
    /// At the command whose lines these are.
    TypedForLines,
    Environment,
    /// In the file, for that command.
    SetForLines,
    /// In the file, for this command.
    OfCommand,
    /// In the file, for all commands.
    OfAll,
}

/// Rules that are one list, of which the first and the last count.
const ONE_LIST: [&str; 4] = ["include", "exclude", "include-from", "exclude-from"];

/// What leaves something out, or does nothing at all: it is never left out by itself.
const MUST_COUNT: [&str; 4] = ["dry-run", "newer-than", "no-follow-symlinks", "older-than"];

/// A command line, and what it does not say.
#[derive(Debug)]
pub(in crate::app) struct Parsed {
    pub(in crate::app) matches: ArgMatches,
    /// Rules that do not count, as others go before.
    pub(in crate::app) rules: Vec<Overruled>,
}

/// A setting that does not count, and an option that goes before it, by their long names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) struct Overruled {
    pub(in crate::app) command: String,
    pub(in crate::app) option: String,
    pub(in crate::app) by: String,
}

/// Why there is no command line.
#[derive(Debug)]
pub(in crate::app) enum Misread {
    Line(clap::Error),
    /// It would do more than what is set lets it.
    Overruled(Overruled),
}

impl From<clap::Error> for Misread {
    fn from(error: clap::Error) -> Self {
        Self::Line(error)
    }
}

/// Reads a command line whose defaults are what is set. `rank` says where the default of an option
/// of a command is from, if anybody set one; `without` makes the same command line, but for such
/// settings.
pub(in crate::app) fn parse(
    command: &mut Command,
    typed: &[OsString],
    rank: impl Fn(&Arg, &str) -> Option<Rank>,
    without: impl FnOnce(&[String]) -> Command,
) -> Result<Parsed, Misread> {
    let all = |matches| Ok(Parsed { matches, rules: Vec::new() });
    let matches = command.try_get_matches_from_mut(typed)?;
    let Some((name, of)) = matches.subcommand() else { return all(matches) };
    let Some(sub) = command.find_subcommand(name) else { return all(matches) };
    let rank = |arg: &Arg| match of.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => Some(Rank::Typed),
        _ => rank(arg, name).filter(|_| says_something(arg)),
    };
    let found = overruled(sub, rank);
    if found.is_empty() {
        return all(matches);
    }
    let (ids, told): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    if let Some(needed) = told.iter().find(|one| MUST_COUNT.contains(&one.option.as_str())) {
        return Err(Misread::Overruled(needed.clone()));
    }
    // A command that was parsed with has its globals in every subcommand: it is made anew.
    *command = without(&ids);
    let matches = command.try_get_matches_from_mut(typed)?;
    let rules = told.into_iter().filter(|one| ONE_LIST.contains(&one.option.as_str())).collect();
    Ok(Parsed { matches, rules })
}

/// The options that do not count, by the names of their arguments.
fn overruled(command: &Command, rank: impl Fn(&Arg) -> Option<Rank>) -> Vec<(String, Overruled)> {
    let ranked: Vec<_> =
        command.get_arguments().filter_map(|arg| Some((arg, rank(arg)?))).collect();
    let overruled = ranked.iter().filter_map(|(arg, rank)| {
        let before = ranked
            .iter()
            .filter(|(other, before)| before < rank && exclude(command, arg, other))
            .min_by_key(|(_, before)| *before);
        let long = |arg: &Arg| arg.get_long().unwrap_or_default().to_owned();
        let (by, _) = before?;
        let command = command.get_name().to_owned();
        let told = Overruled { command, option: long(arg), by: long(by) };
        Some((arg.get_id().to_string(), told))
    });
    overruled.collect()
}

/// Whether two options are not for one command line.
fn exclude(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names = |of: &Arg, it: &Arg| {
        command.get_arg_conflicts_with(of).iter().any(|arg| arg.get_id() == it.get_id())
    };
    let is_listed = |arg: &Arg| arg.get_long().is_some_and(|long| ONE_LIST.contains(&long));
    let is_one_list = one.get_id() != other.get_id() && is_listed(one) && is_listed(other);
    is_one_list || names(one, other) || names(other, one)
}

/// Whether a default says anything: a flag that is not set excludes nothing.
fn says_something(arg: &Arg) -> bool {
    match (arg.get_action(), arg.get_default_values()) {
        (_, []) => false,
        (ArgAction::SetTrue, [value]) => value != "false",
        (ArgAction::Count, [value]) => value != "0",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::app::args::Cli;
    use crate::app::settings::settable;

    /// Without which nothing is done that somebody wanted to be left out.
    const MAY_BE_LEFT_OUT: [&str; 10] = [
        "expected-size",
        "fail-fast",
        "flatten",
        "journal",
        "max-errors",
        "manifest",
        "no-clobber",
        "overwrite",
        "raw",
        "wait",
    ];

    #[test]
    fn each_option_that_may_be_overruled_is_known_to_be_harmless_or_is_refused() {
        let whole = Cli::command();
        let mut found = BTreeSet::new();
        for command in whole.get_subcommands() {
            for (long, arg) in settable(command) {
                let against: Vec<_> = command.get_arguments().collect();
                if against.iter().any(|other| exclude(command, arg, other)) {
                    found.insert(long.to_owned());
                }
            }
        }
        let known: BTreeSet<_> = [&MAY_BE_LEFT_OUT[..], &MUST_COUNT, &ONE_LIST]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(found, known);
    }
}
