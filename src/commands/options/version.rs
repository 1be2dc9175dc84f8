//! Which version of an object is meant.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::commands::error::CommandError;
use crate::domain::location::ObjectName;

/// For commands that read many objects, or one.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct OneVersion {
    /// Take this version of one object; `haul ls --all-versions` has the IDs
    #[arg(long, value_name = "ID", conflicts_with = "manifest", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,
}

impl OneVersion {
    pub fn id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// Refuses it where nothing is read from a store.
    pub fn refuse(&self, why: &str) -> Result<(), CommandError> {
        if self.version_id.is_none() {
            return Ok(());
        }
        let text = format!("--version-id is about an object that is read, and {why}");
        Err(CommandError::misuse(text))
    }

    /// As it was typed, in a form that two commands can be compared by.
    pub fn described(&self) -> Option<String> {
        self.id().map(|version| format!("--version-id={version}"))
    }
}

/// Gives the only object that was named its version; `None` stands for what may be many objects.
pub fn name_version<'a>(
    version: Option<&str>,
    mut named: impl Iterator<Item = Option<&'a mut ObjectName>>,
) -> Result<(), CommandError> {
    let Some(version) = version else { return Ok(()) };
    let refused = CommandError::misuse("--version-id is about one object");
    match (named.next(), named.next()) {
        (Some(Some(object)), None) => {
            object.version = Some(version.into());
            Ok(())
        }
        (Some(None), None) => {
            Err(refused.hint("a prefix or a wildcard may be many; --raw takes a key literally"))
        }
        _ => Err(refused),
    }
}
