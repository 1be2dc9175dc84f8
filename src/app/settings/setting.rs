//! One option's value, and who says so.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::commands::error::CommandError;

/// What is removed, or how much, is said by whoever starts the command, and by nothing that was
/// written down before.
const TYPED_ONLY: [&str; 12] = [
    "all",
    "all-versions",
    "delete",
    "force",
    "help",
    "max-delete",
    "method",
    "range",
    "recursive",
    "version",
    "version-id",
    "yes",
];

/// A value of an option that was not typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) struct Setting {
    /// The option's long name, without dashes.
    pub(in crate::app) option: String,
    /// As they would be typed; of a flag that is not set, none.
    pub(in crate::app) values: Vec<String>,
    pub(in crate::app) origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) enum Origin {
    /// The name of the variable.
    Environment(String),
    /// The file, and the command that a table in it is about.
    File(PathBuf, Option<String>),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => formatter.write_str(variable),
            Self::File(path, None) => write!(formatter, "{}", path.display()),
            Self::File(path, Some(command)) => write!(formatter, "{} [{command}]", path.display()),
        }
    }
}

/// The options of a command that may be set otherwise than by typing them.
pub(in crate::app) fn settable(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command.get_arguments().filter_map(|arg| {
        let long = arg.get_long()?;
        (!is_typed_only(long)).then_some((long, arg))
    })
}

pub(super) fn is_typed_only(option: &str) -> bool {
    TYPED_ONLY.contains(&option)
}

/// Those of all commands.
pub(super) fn settable_anywhere(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    settable(command).chain(command.get_subcommands().flat_map(settable))
}

impl Setting {
    /// A setting whose values the option takes: they are read here as they would be where they were
    /// typed, so that the error says who set them.
    pub(super) fn checked(
        arg: &Arg,
        option: &str,
        values: Vec<String>,
        origin: Origin,
    ) -> Result<Self, CommandError> {
        let refuse = |text: String| Err(CommandError::misuse(format!("{origin}: {text}")));
        let values = match (arg.get_action(), values.as_slice()) {
            (ArgAction::SetTrue, [value]) => match is_true(value) {
                Some(true) => vec!["true".to_owned()],
                Some(false) => Vec::new(),
                None => {
                    return refuse(format!("`{value}` for --{option} is neither true nor false"));
                }
            },
            (ArgAction::Count, [value]) if value.parse::<u8>().is_ok() => values,
            (ArgAction::Count, _) => {
                return refuse(format!("--{option} takes a number from 0 to 255 here"));
            }
            (ArgAction::Append, _) | (_, [_]) => values,
            _ => return refuse(format!("--{option} takes one value")),
        };
        if arg.get_action().takes_values() {
            for value in &values {
                if let Err(why) = parse(arg, option, value) {
                    return refuse(why);
                }
            }
        }
        Ok(Self { option: option.to_owned(), values, origin })
    }
}

fn is_true(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Reads a value alone: what else the option is tied to does not count here.
fn parse(arg: &Arg, option: &str, value: &str) -> Result<(), String> {
    let name = arg.get_value_names().and_then(<[_]>::first).map_or("VALUE", |name| name.as_str());
    let alone = Arg::new("alone")
        .long(option.to_owned())
        .value_name(name.to_owned())
        .value_parser(arg.get_value_parser().clone());
    let command = Command::new("haul").no_binary_name(true).arg(alone);
    let parsed = command.try_get_matches_from([format!("--{option}={value}")]);
    parsed.map(drop).map_err(|error| {
        let text = error.to_string();
        let lines = text.lines().take_while(|line| !line.starts_with("For more information"));
        let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
        words.join(" ").trim_start_matches("error: ").to_owned()
    })
}
