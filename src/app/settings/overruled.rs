//! What is set and speaks against what is typed, or against what is set in a place that goes before:
//! it does not count. The command line's own rules for what excludes what do not look at defaults.

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

/// Reads a command line whose defaults are what is set. `rank` says where the default of an option
/// of a command is from, if anybody set one; `without` makes the same command line, but for such
/// settings.
pub(in crate::app) fn parse(
    command: &mut Command,
    typed: &[OsString],
    rank: impl Fn(&Arg, &str) -> Option<Rank>,
    without: impl FnOnce(&[String]) -> Command,
) -> Result<ArgMatches, clap::Error> {
    let matches = command.try_get_matches_from_mut(typed)?;
    let Some((name, of)) = matches.subcommand() else { return Ok(matches) };
    let Some(sub) = command.find_subcommand(name) else { return Ok(matches) };
    let rank = |arg: &Arg| match of.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => Some(Rank::Typed),
        _ => rank(arg, name).filter(|_| says_something(arg)),
    };
    let overruled = overruled(sub, rank);
    if overruled.is_empty() {
        return Ok(matches);
    }
    // A command that was parsed with has its globals in every subcommand: it is made anew.
    *command = without(&overruled);
    command.try_get_matches_from_mut(typed)
}

/// The options that do not count, by the names of their arguments.
fn overruled(command: &Command, rank: impl Fn(&Arg) -> Option<Rank>) -> Vec<String> {
    let ranked: Vec<_> =
        command.get_arguments().filter_map(|arg| Some((arg, rank(arg)?))).collect();
    let is_overruled = |(arg, rank): &(&Arg, Rank)| {
        ranked.iter().any(|(other, before)| before < rank && exclude(command, arg, other))
    };
    let overruled = ranked.iter().filter(|one| is_overruled(one));
    overruled.map(|(arg, _)| arg.get_id().to_string()).collect()
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
