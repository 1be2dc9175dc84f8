//! `HAUL_MAX_BANDWIDTH` is `--max-bandwidth`, and so on for every option that may be set.

use std::ffi::OsString;

use clap::{ArgAction, Command};

use super::setting::{Origin, Setting, is_typed_only, settable_anywhere};
use crate::commands::error::CommandError;

const PREFIX: &str = "HAUL_";
/// Names the file; no option.
pub(super) const FILE: &str = "HAUL_CONFIG";
/// Of the tests' own.
const TESTS: &str = "HAUL_TEST_";

/// What the variables say, and what is to be told of those that say nothing.
pub(super) fn read(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Vec<Setting>, Vec<String>), CommandError> {
    let (mut settings, mut notes) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
        if value.is_empty() {
            continue;
        }
        let option = name[PREFIX.len()..].to_ascii_lowercase().replace('_', "-");
        if is_typed_only(&option) {
            notes.push(format!("{name} is ignored: --{option} has to be typed"));
            continue;
        }
        let known = settable_anywhere(command).find(|(long, _)| *long == option);
        let Some((_, arg)) = known else {
            notes.push(format!("{name} is ignored: there is no option --{option}"));
            continue;
        };
        let Some(value) = value.to_str() else {
            return Err(CommandError::misuse(format!("{name} is no UTF-8")));
        };
        // Of what may be given again and again, one a line.
        let values = match arg.get_action() {
            ArgAction::Append => value.lines().map(str::to_owned).collect(),
            _ => vec![value.to_owned()],
        };
        let origin = Origin::Environment(name.to_owned());
        settings.push(Setting::checked(arg, &option, values, origin)?);
    }
    notes.sort();
    Ok((settings, notes))
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(TESTS) && name != FILE
}
