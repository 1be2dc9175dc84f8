//! `config.toml`: options by their long names, for all commands; in a table that is called as a
//! command is, for that one.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use etcetera::BaseStrategy as _;
use toml::{Table, Value};

use super::setting::{Origin, Setting, is_typed_only, settable, settable_anywhere};
use crate::commands::error::CommandError;

/// What the file says, where there is one. `named` is one that has to be there.
pub(super) fn read(command: &Command, named: Option<&OsStr>) -> Result<Vec<Setting>, CommandError> {
    let path = match named.filter(|name| !name.is_empty()) {
        Some(name) => PathBuf::from(name),
        None => match usual() {
            Some(path) => path,
            None => return Ok(Vec::new()),
        },
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            return Ok(Vec::new());
        }
        Err(error) => {
            let doing = format!("could not read the settings in `{}`", path.display());
            return Err(CommandError::usage(anyhow::Error::new(error).context(doing)));
        }
    };
    settings(command, &path, &text)
}

fn usual() -> Option<PathBuf> {
    let places = etcetera::choose_base_strategy().ok()?;
    Some(places.config_dir().join("haul").join("config.toml"))
}

fn settings(command: &Command, path: &Path, text: &str) -> Result<Vec<Setting>, CommandError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        CommandError::misuse(format!("{} is no TOML: {}", path.display(), one_line(&error)))
    })?;
    let mut settings = Vec::new();
    for (name, value) in &table {
        if let Value::Table(table) = value {
            let Some(of) = command.find_subcommand(name) else {
                return Err(refuse(path, &format!("there is no command `{name}`")));
            };
            for (option, value) in table {
                let origin = Origin::File(path.to_owned(), Some(name.clone()));
                settings.push(setting(settable(of), (option, value), origin)?);
            }
        } else {
            let origin = Origin::File(path.to_owned(), None);
            settings.push(setting(settable_anywhere(command), (name, value), origin)?);
        }
    }
    Ok(settings)
}

fn setting<'a>(
    mut known: impl Iterator<Item = (&'a str, &'a clap::Arg)>,
    (option, value): (&str, &Value),
    origin: Origin,
) -> Result<Setting, CommandError> {
    if is_typed_only(option) {
        return Err(CommandError::misuse(format!("{origin}: --{option} has to be typed")));
    }
    let Some((_, arg)) = known.find(|(long, _)| *long == option) else {
        return Err(CommandError::misuse(format!("{origin}: there is no option --{option}"))
            .hint("see `haul config` for those that there are"));
    };
    let values = match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    };
    let values = values.ok_or_else(|| {
        CommandError::misuse(format!("{origin}: --{option} takes text, a number, true or false"))
    })?;
    Setting::checked(arg, option, values, origin)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Datetime(time) => Some(time.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

fn refuse(path: &Path, text: &str) -> CommandError {
    CommandError::misuse(format!("{}: {text}", path.display()))
}

/// The parser draws a picture of the place; its message is behind it.
fn one_line(error: &toml::de::Error) -> String {
    error.message().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::app::args::Cli;

    fn read(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let read = settings(&Cli::command(), Path::new("c.toml"), text);
        let settings = read.map_err(|error| error.to_string())?;
        Ok(settings.into_iter().map(|setting| (setting.option, setting.values)).collect())
    }

    #[test]
    fn options_have_their_long_names() {
        let found = read(
            "concurrency = 8\nmax-bandwidth = \"10M\"\nexclude = [\"*.tmp\", \"*~\"]\njson = true\n\
             quiet = false\nverbose = 2\n[upload]\nstorage-class = \"STANDARD_IA\"\n",
        );
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        let wanted: Vec<(String, Vec<String>)> = [
            ("concurrency", owned(&["8"])),
            ("exclude", owned(&["*.tmp", "*~"])),
            ("json", owned(&["true"])),
            ("max-bandwidth", owned(&["10M"])),
            ("quiet", owned(&[])),
            ("storage-class", owned(&["STANDARD_IA"])),
            ("verbose", owned(&["2"])),
        ]
        .map(|(option, values)| (option.to_owned(), values))
        .into();
        let mut found = found.expect("settings");
        found.sort();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file() {
        for (text, wanted) in [
            ("concurrency = 0", "c.toml: invalid value '0' for '--concurrency"),
            ("concurrency = [1, 2]", "c.toml: --concurrency takes one value"),
            ("concurrency = {a = 1}", "c.toml: there is no command `concurrency`"),
            ("quiet = 7", "c.toml: `7` for --quiet is neither true nor false"),
            ("concurency = 1", "c.toml: there is no option --concurency"),
            ("yes = true", "c.toml: --yes has to be typed"),
            ("[clean]\nall = true", "c.toml [clean]: --all has to be typed"),
            ("[uplaod]\nquiet = true", "c.toml: there is no command `uplaod`"),
            ("[ls]\nstorage-class = \"X\"", "c.toml [ls]: there is no option --storage-class"),
            ("concurrency 1", "c.toml is no TOML: "),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(wanted), "{text}: {error}");
        }
    }
}
