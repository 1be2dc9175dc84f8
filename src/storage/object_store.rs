//! What the engine asks of a store. Each method is one request: none tries again, none waits, and
//! each may be dropped in the middle.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::error::StoreError;
use crate::domain::attributes::Attributes;
use crate::domain::checksum::Checksum;
use crate::domain::composite::StoredPart;
use crate::domain::location::{Bucket, ObjectName};
use crate::domain::object::{ETag, ListedObject, ObjectFacts};
use crate::domain::range::ByteRange;

pub type Result<T> = std::result::Result<T, StoreError>;

/// Objects, somewhere. `s3` is the real one, `memory` the one that fails on command.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync + 'static {
    /// Reads an object or a range of it.
    ///
    /// The reply's range is what the store says it sends, already found to be what was asked for;
    /// the body may still end early or be longer, and its bytes may be wrong: the caller counts
    /// and checks them.
    async fn get(&self, object: &ObjectName, read: &Read) -> Result<GetReply>;

    async fn head(&self, object: &ObjectName) -> Result<ObjectFacts>;

    /// One page of the parts that an object was uploaded in, those behind part number `after`.
    /// Not every store knows them: then it refuses, or there are none.
    async fn object_parts(&self, object: &ObjectName, after: u32) -> Result<PartsPage>;

    /// Writes a whole object. Idempotent but for `WriteIf::Absent`, where a second try of a
    /// request whose reply was lost says `Exists`.
    async fn put(&self, object: &ObjectName, body: Body, write: &Write) -> Result<Written>;

    async fn create_upload(&self, object: &ObjectName, attributes: &Attributes)
    -> Result<UploadId>;

    /// Idempotent: the last body sent for a number is the part.
    async fn put_part(&self, upload: &Upload, number: u32, body: Body) -> Result<ETag>;

    /// Makes the object of its parts. Not idempotent: a second try of a request whose reply was
    /// lost says `MissingUpload`.
    async fn complete_upload(&self, upload: &Upload, parts: &Assembled) -> Result<Written>;

    async fn abort_upload(&self, upload: &Upload) -> Result<()>;

    async fn list(&self, request: &ListRequest) -> Result<ListPage>;

    async fn list_buckets(&self) -> Result<Vec<ListedBucket>>;
}

/// What of an object is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// `None`: all of it.
    pub range: Option<ByteRange>,
    /// Only if the object still has this tag.
    pub if_match: Option<ETag>,
}

pub struct GetReply {
    pub facts: ObjectFacts,
    /// `None` for an empty object.
    pub range: Option<ByteRange>,
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl fmt::Debug for GetReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GetReply")
            .field("facts", &self.facts)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Some of an object's parts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartsPage {
    pub parts: Vec<StoredPart>,
    /// The number behind which the next page starts: always higher than the one asked for.
    pub next: Option<u32>,
}

/// Bytes to send, and their checksum, computed when they were read from the source.
#[derive(Debug, Clone)]
pub struct Body {
    pub bytes: Bytes,
    pub checksum: Checksum,
}

/// How a whole object is written.
#[derive(Debug, Clone)]
pub struct Write {
    pub attributes: Arc<Attributes>,
    pub condition: WriteIf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteIf {
    Always,
    /// Only if nothing has the key.
    Absent,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadId(pub Arc<str>);

/// A multipart upload that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub object: ObjectName,
    pub id: UploadId,
}

/// All parts of an upload, and what they make together.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// Tags in the order of part numbers, from 1.
    pub parts: Vec<AssembledPart>,
    pub size: u64,
    /// Of the whole object; the store compares it with what it has.
    pub checksum: Checksum,
    pub condition: WriteIf,
}

#[derive(Debug, Clone)]
pub struct AssembledPart {
    pub etag: ETag,
    pub checksum: Checksum,
}

/// What the store says it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub etag: Option<ETag>,
    pub version: Option<Arc<str>>,
    /// Of the whole object as stored, where the store computes one.
    pub checksum: Option<Checksum>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    pub bucket: Bucket,
    pub prefix: String,
    pub depth: Depth,
    /// Where the page before ended.
    pub token: Option<String>,
    /// At most this many; `None`: as many as the store gives.
    pub limit: Option<i32>,
}

/// How far down a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Up to the next `/`: what lies deeper is named once, as a prefix.
    OneLevel,
    Everything,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    pub objects: Vec<ListedObject>,
    /// Prefixes one level down, each ending in `/`.
    pub prefixes: Vec<String>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBucket {
    pub name: String,
    pub created: Option<SystemTime>,
}
