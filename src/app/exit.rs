//! Every exit code of `haul`.

use std::process::ExitCode;

use crate::transfer::outcome::{End, Summary};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Success,
    /// Something asked for is not done; the last lines say what.
    Incomplete,
    /// Wrong usage; nothing was started.
    Usage,
    /// The reader of the object's bytes went away: what a program ended by SIGPIPE gives.
    OutputClosed,
    /// A signal, by its number: 130 for Ctrl-C, 143 for SIGTERM.
    Interrupted(i32),
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Incomplete => 1,
            Self::Usage => 2,
            Self::OutputClosed => 141,
            Self::Interrupted(signal) => {
                128_u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX))
            }
        }
    }
}

impl From<&Summary> for Exit {
    fn from(summary: &Summary) -> Self {
        match summary.end {
            End::Interrupted(signal) => Self::Interrupted(signal),
            _ if summary.output_closed => Self::OutputClosed,
            _ if summary.is_success() => Self::Success,
            _ => Self::Incomplete,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let interrupted = Summary { end: End::Interrupted(2), failed: 3, ..Summary::default() };
        assert_eq!(Exit::from(&interrupted).code(), 130);
        assert_eq!(Exit::Interrupted(15).code(), 143);
        assert_eq!(Exit::from(&Summary::default()).code(), 0);
        assert_eq!(Exit::from(&Summary { failed: 1, ..Summary::default() }).code(), 1);
        assert_eq!(Exit::from(&Summary { end: End::GaveUp, ..Summary::default() }).code(), 1);
        let closed = Summary { failed: 1, output_closed: true, ..Summary::default() };
        assert_eq!(Exit::from(&closed).code(), 141);
    }
}
