//! Two places that should hold the same bytes, and what was found of them.

use std::fmt;
use std::path::PathBuf;

use super::escape::Escaped;
use super::evidence::Basis;
use super::job::Expected;
use super::location::ObjectName;

/// One of two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Object(ObjectName),
    File(PathBuf),
}

impl Place {
    /// Exact, for programs.
    pub fn exact(&self) -> String {
        match self {
            Self::Object(object) => object.uri(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.exact()).fmt(formatter)
    }
}

/// What is to be compared, without moving it.
#[derive(Debug, Clone)]
pub struct Compare {
    pub source: Place,
    pub destination: Place,
    /// As it was listed, for the totals.
    pub size: Option<u64>,
    pub presence: Presence,
    /// What a manifest says of it must hold, too.
    pub expected: Expected,
    pub unproven: Unproven,
}

/// What is known before either side is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing: each side says whether it is there.
    Open,
    /// It was found at the destination, and no source of the run has it.
    OnlyAtDestination,
}

/// What to do where nothing that is stored can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    Tell,
    /// Read the object's bytes.
    Read,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Same(Proof),
    /// At the destination.
    Missing,
    /// At the destination, and not at the source.
    Extra,
    Size {
        source: u64,
        destination: u64,
    },
    /// With what each side has, for people.
    Content {
        source: String,
        destination: String,
        proof: Proof,
    },
    /// The sizes are equal, and there is nothing to tell by.
    NotComparable {
        reason: String,
    },
}

/// By what two sides were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Stored(Basis),
    /// The object's bytes were read.
    Read,
}

impl Proof {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored(basis) => basis.name(),
            Self::Read => "read",
        }
    }
}

impl Verdict {
    /// For programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Size { .. } => "size",
            Self::Content { .. } => "content",
            Self::NotComparable { .. } => "not_comparable",
        }
    }

    pub fn proof(&self) -> Option<Proof> {
        match self {
            Self::Same(proof) | Self::Content { proof, .. } => Some(*proof),
            _ => None,
        }
    }
}
