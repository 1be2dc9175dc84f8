//! Commands that tell of the command line itself: `config`, `completions` and `man`. They start
//! nothing.

use std::collections::HashSet;
use std::io::Write as _;

use clap::ArgAction;

use super::args::{Command, Output};
use super::settings::{Settings, settable};
use crate::commands::error::CommandError;
use crate::domain::record::OutputError;
use crate::ui::data::DataLines;
use crate::ui::setting::SettingLine;
use crate::ui::streams;

/// Writes what such a command is asked for. `None`: it is no such command. `whole` is the command
/// line as it is without any settings.
pub(super) fn describe(
    command: &Command,
    whole: &clap::Command,
    settings: &Settings,
    output: &Output,
) -> Option<Result<(), CommandError>> {
    let written = match command {
        Command::Completions(args) => Ok(write(&args.script(whole.clone()))),
        Command::Man(args) => args.page(whole.clone()).map(|page| write(&page)),
        Command::Config(_) => Ok(write_settings(whole, settings, output)),
        _ => return None,
    };
    Some(written.and_then(|written| match written {
        Ok(()) | Err(OutputError::Closed) => Ok(()),
        Err(error) => Err(CommandError::failed(error)),
    }))
}

fn write(bytes: &[u8]) -> Result<(), OutputError> {
    let mut output = streams::object_output();
    output.write_all(bytes)?;
    Ok(output.flush()?)
}

/// Every option once, as it is for all commands, and behind it what is set for one alone.
fn write_settings(
    whole: &clap::Command,
    settings: &Settings,
    output: &Output,
) -> Result<(), OutputError> {
    let mut lines = DataLines::new(streams::Output::stdout(), output.format());
    let mut seen = HashSet::new();
    let all = settable(whole).chain(whole.get_subcommands().flat_map(settable));
    for (long, arg) in all {
        if seen.insert(long) {
            lines.push(&line(settings, long, arg, None))?;
            for of in whole.get_subcommands().map(clap::Command::get_name) {
                if settings.is_set_for(long, of) {
                    lines.push(&line(settings, long, arg, Some(of)))?;
                }
            }
        }
    }
    lines.flush()
}

fn line(settings: &Settings, long: &str, arg: &clap::Arg, command: Option<&str>) -> SettingLine {
    let default = || {
        let values = arg.get_default_values().iter();
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    };
    let setting = settings.of_option(long, command);
    let values = setting.map_or_else(default, |setting| setting.values.clone());
    let is_unset_flag = values.is_empty() && matches!(arg.get_action(), ArgAction::SetTrue);
    SettingLine {
        option: long.to_owned(),
        command: command.map(str::to_owned),
        values: if is_unset_flag { vec!["false".to_owned()] } else { values },
        origin: setting.map_or_else(|| "default".to_owned(), |found| found.origin.to_string()),
    }
}
