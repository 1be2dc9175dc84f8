//! What is said of a copy that a store makes by itself.

use std::sync::Arc;

use super::object_store::WriteIf;
use crate::domain::attributes::Attributes;
use crate::domain::checksum::Checksum;
use crate::domain::location::ObjectName;
use crate::domain::object::{ETag, ObjectFacts};

/// An object, and what it was told to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub facts: ObjectFacts,
    /// Headers, metadata and storage class, as they are needed to write the like; no tags, no rights.
    /// `None` where the store has more of them than it can tell, or some that can't be sent.
    pub attributes: Option<Attributes>,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    pub object: ObjectName,
    /// Only if the object still has this tag.
    pub if_match: Option<ETag>,
}

/// How a whole object is copied.
#[derive(Debug, Clone)]
pub struct CopyObject {
    pub source: CopySource,
    pub attributes: Arc<Attributes>,
    /// Of headers and metadata, all of them together.
    pub headers: Directive,
    pub tags: Directive,
    pub condition: WriteIf,
}

/// Where a copy has its attributes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Keep,
    Replace,
}

/// What the store says of a part that it copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedPart {
    pub etag: ETag,
    /// Of its bytes, where the store tells it.
    pub checksum: Option<Checksum>,
}
