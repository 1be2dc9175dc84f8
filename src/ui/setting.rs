//! Settings as lines of stdout.

use serde::Serialize;

use super::data::DataLine;
use crate::domain::escape::Escaped;

/// An option, its value and who says so.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "setting")]
pub struct SettingLine {
    /// Its long name, without dashes.
    pub option: String,
    /// Where it is set for one command alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// None where nothing is set and there is no default.
    pub values: Vec<String>,
    /// `default`, or the name of a variable or a file.
    pub origin: String,
}

impl DataLine for SettingLine {
    fn text(&self) -> String {
        let name = match &self.command {
            Some(command) => format!("{command} --{}", self.option),
            None => format!("--{}", self.option),
        };
        let values = if self.values.is_empty() { "-".to_owned() } else { self.values.join(" ") };
        format!("{name:<28} {:<20} {}", Escaped(&values).to_string(), Escaped(&self.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_line() {
        let line = SettingLine {
            option: "exclude".to_owned(),
            command: Some("upload".to_owned()),
            values: vec!["*.tmp".to_owned(), "*~".to_owned()],
            origin: "c.toml [upload]".to_owned(),
        };
        let text = "upload --exclude             *.tmp *~             c.toml [upload]";
        assert_eq!(line.text(), text);
    }
}
