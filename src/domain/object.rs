//! What a store says of an object.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::checksum::Checksum;
use super::composite::Composite;
use super::location::Key;

/// An ETag: opaque, good to ask for the same bytes again (`If-Match`), and never a checksum.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(Arc<str>);

impl ETag {
    /// Takes a tag with or without its quotes; it is kept with them, as it goes into a header.
    pub fn new(text: &str) -> Self {
        if text.starts_with('"') || text.starts_with("W/") {
            Self(text.into())
        } else {
            Self(format!("\"{text}\"").into())
        }
    }

    /// With quotes, as in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn unquoted(&self) -> &str {
        self.0.trim_matches('"')
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.unquoted())
    }
}

/// One object, as a reply to a request for it describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Bytes of the whole object, whatever range was asked for.
    pub size: u64,
    /// Some servers send none; then ranges can't be pinned to one version.
    pub etag: Option<ETag>,
    pub version: Option<Arc<str>>,
    pub last_modified: Option<SystemTime>,
    pub checksum: StoredChecksum,
}

/// What the store knows of an object's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredChecksum {
    None,
    /// Of all bytes in order: a download can be checked against it.
    FullObject(Checksum),
    /// Of the checksums of parts, where it was uploaded in parts.
    Composite(Composite),
}

impl StoredChecksum {
    pub fn full_object(&self) -> Option<&Checksum> {
        match self {
            Self::FullObject(checksum) => Some(checksum),
            Self::None | Self::Composite(_) => None,
        }
    }
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: Key,
    pub size: u64,
    pub etag: Option<ETag>,
    pub last_modified: Option<SystemTime>,
    pub storage_class: Option<Arc<str>>,
}
