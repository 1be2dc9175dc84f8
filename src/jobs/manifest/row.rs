//! One row of a manifest, as it was written.

/// A row: what it names and what it says must hold. Nothing in it has been checked against S3 or
/// the file system, and names are verbatim (spaces, `%41`, `..` and all).
///
/// At least one of `source`, `key` and `path` is there. An empty cell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The line on which the row starts, from 1. Of a NUL-separated list: the entry.
    pub line: u64,
    /// Which row it is, from 1: bad rows count, a header and blank lines do not.
    pub number: u64,
    /// A URI, key or path to read from.
    pub source: Option<String>,
    /// A URI, key or path to write to.
    pub destination: Option<String>,
    /// The bucket of `key`.
    pub bucket: Option<String>,
    /// The key on the S3 side, whichever side that is.
    pub key: Option<String>,
    /// The path on the local side.
    pub path: Option<String>,
    /// The version of the object to read.
    pub version_id: Option<String>,
    /// The object's length in bytes.
    pub size: Option<u64>,
    /// The object's `ETag`, with or without its quotes.
    pub etag: Option<String>,
    /// `ALGORITHM:VALUE`, or the value alone where no algorithm was named.
    pub checksum: Option<String>,
    /// `Content-Type` to store.
    pub content_type: Option<String>,
    /// Storage class to store in.
    pub storage_class: Option<String>,
    /// User metadata to store, in the order given, no name twice.
    pub metadata: Vec<(String, String)>,
}

impl Row {
    pub(super) fn names_something(&self) -> bool {
        self.source.is_some() || self.key.is_some() || self.path.is_some()
    }
}
