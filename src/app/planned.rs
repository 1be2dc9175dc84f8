//! Verbs that other tools have and this one does not, yet: whoever types one is told so, and what to
//! type instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::commands::error::CommandError;

/// What to say of an unknown verb that README calls planned.
pub(super) fn missing(error: &clap::Error) -> Option<CommandError> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(verb))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    let hint = match verb.as_str() {
        "move" | "rename" => "objects and files are moved with `haul mv`",
        "copy" => "objects and files are copied with `haul cp`",
        "del" | "delete" | "remove" => "objects are removed with `haul rm`",
        "head" | "info" => "all that is known of an object is shown with `haul stat`",
        "pipe" | "rcat" => "standard input goes up with `haul upload - s3://bucket/key`",
        "mirror" => "two trees are made alike with `haul sync`",
        "sign" => "links are made with `haul presign`",
        _ => return None,
    };
    Some(CommandError::misuse(format!("haul has no `{verb}` yet")).hint(hint))
}
