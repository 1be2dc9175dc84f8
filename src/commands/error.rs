//! How a command fails before, or instead of, a run.

use crate::transfer::error::JobError;

/// An error with what a person can do about it. Its kind decides the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct CommandError {
    pub kind: Kind,
    pub source: anyhow::Error,
    pub hints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was typed can't be done; nothing was started.
    Usage,
    /// What was asked for is not done.
    Failed,
}

impl CommandError {
    pub fn usage(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: Kind::Usage, source: source.into(), hints: Vec::new() }
    }

    pub fn failed(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: Kind::Failed, source: source.into(), hints: Vec::new() }
    }

    /// For text that says it all.
    pub fn misuse(text: impl Into<String>) -> Self {
        Self::usage(anyhow::Error::msg(text.into()))
    }

    /// Whether it comes of nothing but the end of the run.
    pub fn is_stop(&self) -> bool {
        self.source.downcast_ref().is_some_and(JobError::is_stop)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<JobError> for CommandError {
    fn from(error: JobError) -> Self {
        let hint = error.hint();
        let failed = Self::failed(error);
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_from_all_other_errors() {
        assert!(CommandError::from(JobError::Stopped).is_stop());
        assert!(CommandError::failed(JobError::Stopped).hint("again").is_stop());
        let told = anyhow::Error::new(JobError::Stopped).context("could not read the rows");
        assert!(CommandError::failed(told).is_stop());
        assert!(!CommandError::from(JobError::Impossible("no".to_owned())).is_stop());
        assert!(!CommandError::misuse("stopped").is_stop());
    }
}
