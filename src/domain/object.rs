//! What a store says of an object.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::checksum::{Algorithm, Checksum};
use super::composite::Composite;
use super::location::Key;
use super::preserved::Preserved;

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

    /// In how many parts the object was uploaded, where the tag is written as S3 writes it.
    pub fn parts(&self) -> Option<u32> {
        let (digest, parts) = self.unquoted().rsplit_once('-')?;
        let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        parts.parse().ok().filter(|_| is_digest)
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
    /// What its metadata say of the file that it was.
    pub preserved: Preserved,
}

/// All that a store tells of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDetails {
    pub facts: ObjectFacts,
    /// In how many parts it was uploaded, where its tag tells.
    pub parts: Option<u32>,
    /// Those of `TOLD` that were told, as they were.
    pub told: Vec<(&'static str, String)>,
    /// As they were told: one of the parts has their number behind it.
    pub checksums: Vec<(Algorithm, String)>,
    pub metadata: BTreeMap<String, String>,
}

impl ObjectDetails {
    /// What may be told of an object beside its facts, by the names that JSON has.
    pub const TOLD: [&'static str; 19] = [
        "storage_class",
        "content_type",
        "content_encoding",
        "content_disposition",
        "content_language",
        "cache_control",
        "expires",
        "website_redirect",
        "checksum_type",
        "encryption",
        "kms_key_id",
        "customer_key_md5",
        "restore",
        "archive_status",
        "expiration",
        "replication",
        "lock_mode",
        "lock_until",
        "legal_hold",
    ];

    pub fn told(&self, name: &str) -> Option<&str> {
        let told = self.told.iter().find(|(told, _)| *told == name);
        told.map(|(_, value)| value.as_str())
    }
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

/// What a key had at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// A delete marker has no bytes.
    pub object: ListedObject,
    pub version: Arc<str>,
    pub kind: VersionKind,
    pub is_latest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionKind {
    Object,
    DeleteMarker,
}
