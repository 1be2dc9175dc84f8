//! Verbs and options that other tools have and this one does not, yet: whoever types one is told so,
//! and what to type instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::commands::error::CommandError;

/// What to say of an unknown verb or option that another tool has.
pub(super) fn missing(error: &clap::Error) -> Option<CommandError> {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(name.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let verb = named(ContextKind::InvalidSubcommand)?;
            let text = format!("haul has no `{verb}` yet");
            Some(CommandError::misuse(text).hint(instead_of_verb(verb)?))
        }
        ErrorKind::UnknownArgument => {
            let option = named(ContextKind::InvalidArg)?;
            let text = format!("there is no option `{option}` here");
            Some(CommandError::misuse(text).hint(instead_of_option(option)?))
        }
        _ => None,
    }
}

fn instead_of_verb(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "move" | "rename" => "objects and files are moved with `haul mv`",
        "copy" => "objects and files are copied with `haul cp`",
        "del" | "delete" | "remove" => "objects are removed with `haul rm`",
        "head" | "info" => "all that is known of an object is shown with `haul stat`",
        "pipe" | "rcat" => "standard input goes up with `haul upload - s3://bucket/key`",
        "mirror" => "two trees are made alike with `haul sync`",
        "sign" => "links are made with `haul presign`",
        _ => return None,
    })
}

fn instead_of_option(option: &str) -> Option<&'static str> {
    Some(match option {
        "--log" => "-v says more, -vv everything, and -q nothing but errors",
        "--numworkers" | "--transfers" | "--checkers" => {
            "--concurrency N; the right number is found without it"
        }
        "--retry-count" | "--retries" | "--low-level-retries" => "--max-attempts N",
        "--stat" => "a run sums itself up at its end; --json has the same for programs",
        "--credentials-file" => "AWS_SHARED_CREDENTIALS_FILE names it",
        "--install-completion" => "`haul completions SHELL` writes what a shell needs",
        "--only-show-errors" => "-q says nothing but errors",
        "--no-progress" => "--progress none",
        "--min-age" => "--older-than",
        "--max-age" => "--newer-than",
        "--larger" => "--min-size",
        "--smaller" => "--max-size",
        "--filter" | "--filter-from" => "--include and --exclude: the last that matches wins",
        "--files-from" => "--manifest FILE does what a list says",
        _ => return None,
    })
}
