//! Lines of data on standard output: text for people, or JSON Lines for programs.

use serde::Serialize;

use super::streams::Output;
use crate::domain::record::OutputError;

/// `--json`, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// A line with its two forms: names are escaped as text, and exact as JSON.
pub trait DataLine: Serialize {
    fn text(&self) -> String;
}

/// Standard output, one line at a time.
#[derive(Debug)]
pub struct DataLines {
    output: Output,
    format: Format,
}

impl DataLines {
    pub fn new(output: Output, format: Format) -> Self {
        Self { output, format }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn push(&mut self, line: &impl DataLine) -> Result<(), OutputError> {
        match self.format {
            Format::Text => self.output.write_line(&line.text()),
            Format::Json => self.push_json(line),
        }
    }

    /// For lines that are data only as JSON.
    pub fn push_json(&mut self, line: &impl Serialize) -> Result<(), OutputError> {
        let json = serde_json::to_string(line).map_err(std::io::Error::from)?;
        self.output.write_line(&json)
    }

    /// To be called at the end, and whenever someone may wait for the lines so far.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.output.flush()
    }
}
