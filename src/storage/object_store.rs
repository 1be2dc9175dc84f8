//! What the engine asks of a store. Each method is one request: none tries again, none waits, and
//! each may be dropped in the middle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::error::StoreError;
use super::meter::Meter;
use crate::domain::attributes::Attributes;
use crate::domain::checksum::Checksum;
use crate::domain::composite::StoredPart;
use crate::domain::location::{Bucket, ObjectName};
use crate::domain::object::{ETag, ListedObject, ListedVersion, ObjectDetails, ObjectFacts};
use crate::domain::range::ByteRange;
use crate::domain::restore::Restore;

pub use super::copying::{CopiedPart, CopyObject, CopySource, Described, Directive};
pub use super::removal::{MOST_REMOVED, Removal, Removed};

pub type Result<T> = std::result::Result<T, StoreError>;

/// Objects, somewhere. `s3` is the real one, `memory` the one that fails on command. Where a version
/// is named, a reply that is about another one is an error: some stores heed none.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync + 'static {
    /// What tells this store from others in which objects may have the same names.
    fn endpoint(&self) -> &str;

    /// When a connection to it was ready last: who waited for one until then had not sent a request.
    fn last_connection(&self) -> Option<Instant> {
        None
    }

    /// A digest of the customer's own key that all objects are encrypted with, where there is one.
    fn key_digest(&self) -> Option<&str> {
        None
    }

    /// Reads an object or a range of it.
    ///
    /// The reply's range is what the store says it sends, already found to be what was asked for, or
    /// the whole object where a range from 0 was: some stores know no ranges.
    /// The body may still end early or be longer, and its bytes may be wrong: the caller counts
    /// and checks them.
    async fn get(&self, object: &ObjectName, read: &Read) -> Result<GetReply>;

    async fn head(&self, object: &ObjectName) -> Result<ObjectFacts>;

    /// As `head`, with what the object was told to keep beside its bytes; its tags are asked for
    /// apart.
    async fn describe(&self, object: &ObjectName) -> Result<Described>;

    async fn tags(&self, object: &ObjectName) -> Result<Vec<(String, String)>>;

    /// As `head`, with all that there is to be told.
    async fn stat(&self, object: &ObjectName) -> Result<ObjectDetails>;

    /// Asks for an archived object. That it was asked for already is no error: idempotent.
    async fn restore(&self, object: &ObjectName, how: &Restore) -> Result<()>;

    /// One page of the parts that an object was uploaded in, those behind part number `after`.
    /// Not every store knows them: then it refuses, or there are none.
    async fn object_parts(&self, object: &ObjectName, after: u32) -> Result<PartsPage>;

    /// Writes a whole object, and counts the bytes of the body as the connection takes them, as
    /// `put_part` does. Idempotent but for `WriteIf::Absent`, where a second try of a
    /// request whose reply was lost says `Exists`.
    async fn put(&self, object: &ObjectName, body: Body, write: &Write) -> Result<Written>;

    async fn create_upload(&self, object: &ObjectName, attributes: &Attributes)
    -> Result<UploadId>;

    /// Idempotent: the last body sent for a number is the part.
    async fn put_part(&self, upload: &Upload, number: u32, body: Body) -> Result<ETag>;

    /// Makes the object of its parts. Not idempotent: a second try of a request whose reply was
    /// lost says `MissingUpload`.
    async fn complete_upload(&self, upload: &Upload, parts: &Assembled) -> Result<Written>;

    /// Makes an object of another one, up to 5 GiB, without its bytes passing here. Idempotent as
    /// `put` is. A failed condition is `Changed`, whichever side it was about.
    async fn copy(&self, object: &ObjectName, how: &CopyObject) -> Result<Written>;

    /// Makes a part of a range of an object. Idempotent as `put_part` is.
    async fn copy_part(
        &self,
        upload: &Upload,
        number: u32,
        from: &CopySource,
        range: ByteRange,
    ) -> Result<CopiedPart>;

    async fn abort_upload(&self, upload: &Upload) -> Result<()>;

    /// The parts that an upload has, in order of their numbers, behind number `after`.
    async fn list_parts(&self, upload: &Upload, after: u32) -> Result<SentPartsPage>;

    /// Uploads that were neither completed nor aborted, below a prefix.
    async fn list_uploads(&self, request: &UploadsRequest) -> Result<UploadPage>;

    async fn list(&self, request: &ListRequest) -> Result<ListPage>;

    /// One page of all versions below a prefix, delete markers included; of a bucket that keeps
    /// none, each object is its only version.
    async fn list_versions(&self, request: &VersionsRequest) -> Result<VersionPage>;

    /// Removes an object, or one version of it. That there was none is no error, but where a tag
    /// must hold: then it is `MissingKey` or `Changed`. Idempotent but for that, and for the delete
    /// markers of a bucket that keeps versions. Some stores remove the only version there is,
    /// whatever version was asked for: the caller checks.
    async fn delete(&self, bucket: &Bucket, removal: &Removal) -> Result<Removed>;

    /// Removes up to `MOST_REMOVED` of a bucket's objects, none of which `goes_alone`, and says of
    /// each, in the same order, what came of it: one that the reply does not name is an error of
    /// its own. Idempotent as `delete` is.
    async fn delete_many(
        &self,
        bucket: &Bucket,
        removals: &[Removal],
    ) -> Result<Vec<Result<Removed>>>;

    /// Makes a bucket, in the store's region.
    async fn create_bucket(&self, bucket: &Bucket) -> Result<()>;

    /// Removes a bucket that has nothing in it.
    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()>;

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
    /// Whether the store says that it sends ranges of this object, too.
    pub takes_ranges: bool,
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl GetReply {
    /// The same reply up to `first`, and no byte behind it: the rest is never read.
    #[must_use]
    pub fn up_to(self, first: ByteRange) -> Self {
        let body = stream::unfold((self.body, first.length()), |(mut body, left)| async move {
            if left == 0 {
                return None;
            }
            let frame = body.next().await?.map(|mut frame| {
                frame.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                frame
            });
            let left = left.saturating_sub(frame.as_ref().map_or(0, Bytes::len) as u64);
            Some((frame, (body, left)))
        });
        Self { range: Some(first), body: body.boxed(), ..self }
    }
}

impl fmt::Debug for GetReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GetReply")
            .field("facts", &self.facts)
            .field("range", &self.range)
            .field("takes_ranges", &self.takes_ranges)
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
    /// Counts them as they leave; shared by all clones.
    pub taken: Taken,
}

impl Body {
    pub fn new(bytes: Bytes, checksum: Checksum) -> Self {
        Self { bytes, checksum, taken: Taken::default() }
    }

    /// The same bytes for one more try, of which none has left yet.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { taken: self.taken.again(), ..self.clone() }
    }

    /// Counted by `meter` as well, which counts all bodies of a kind, and every try.
    #[must_use]
    pub fn metered(self, meter: &Arc<Meter>) -> Self {
        let taken = Taken { meter: Some(Arc::clone(meter)), ..Taken::default() };
        Self { taken, ..self }
    }
}

/// How many bytes of a request's body the connection has taken. Whoever waits for the reply sees
/// by it whether the connection still lives.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    bytes: Arc<AtomicU64>,
    meter: Option<Arc<Meter>>,
}

impl Taken {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The connection has taken so many more; how long the next ones have to wait.
    #[must_use = "whoever does not wait sends too much"]
    pub fn add(&self, bytes: u64) -> Duration {
        self.bytes.fetch_add(bytes, Relaxed);
        self.meter.as_ref().map_or(Duration::ZERO, |meter| meter.add(bytes))
    }

    fn again(&self) -> Self {
        Self { meter: self.meter.clone(), ..Self::default() }
    }
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
    /// Of the whole object; the store compares it with what it has. `None` where nobody here has
    /// seen the bytes.
    pub checksum: Option<Checksum>,
    pub condition: WriteIf,
}

#[derive(Debug, Clone)]
pub struct AssembledPart {
    pub etag: ETag,
    pub checksum: Option<Checksum>,
}

/// A part as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u32,
    /// In bytes.
    pub size: u64,
    pub etag: ETag,
    /// Of its bytes, where the store keeps one.
    pub checksum: Option<Checksum>,
    /// When it came.
    pub modified: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentPartsPage {
    pub parts: Vec<ListedPart>,
    /// The number behind which the next page begins.
    pub next: Option<u32>,
}

/// One page of a list of unfinished uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadsRequest {
    pub bucket: Bucket,
    pub prefix: String,
    /// Where the page before ended: a key, and an upload of that key.
    pub after: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadPage {
    pub uploads: Vec<OpenUpload>,
    pub next: Option<(String, String)>,
}

/// An upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    pub upload: Upload,
    pub started: Option<SystemTime>,
}

/// One page of a list of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionsRequest {
    pub bucket: Bucket,
    pub prefix: String,
    pub depth: Depth,
    /// Where the page before ended: a key, and a version of it.
    pub after: Option<(String, String)>,
}

impl VersionsRequest {
    /// Of all keys that begin with `prefix`, from the start.
    pub fn new(bucket: Bucket, prefix: impl Into<String>) -> Self {
        Self { bucket, prefix: prefix.into(), depth: Depth::Everything, after: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionPage {
    /// By key, and of each the newest first.
    pub versions: Vec<ListedVersion>,
    /// Prefixes one level down, each ending in `/`.
    pub prefixes: Vec<String>,
    pub next: Option<(String, String)>,
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
    /// Only keys behind this one, in the order of UTF-8 bytes; without effect beside a token. Not
    /// every store takes notice, and some sort in another way: the caller checks.
    pub after: Option<String>,
    /// Where the page before ended.
    pub token: Option<String>,
    /// At most this many; `None`: as many as the store gives.
    pub limit: Option<i32>,
}

impl ListRequest {
    /// From the start, as many as the store gives.
    pub fn new(bucket: Bucket, prefix: impl Into<String>, depth: Depth) -> Self {
        Self { bucket, prefix: prefix.into(), depth, after: None, token: None, limit: None }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::StoredChecksum;
    use crate::domain::preserved::Preserved;
    use crate::storage::error::Kind;

    fn reply(frames: Vec<Result<Bytes>>) -> GetReply {
        let facts = ObjectFacts {
            size: 6,
            etag: None,
            version: None,
            last_modified: None,
            checksum: StoredChecksum::None,
            preserved: Preserved::default(),
        };
        let body = stream::iter(frames).boxed();
        GetReply { facts, range: ByteRange::new(0, 6), takes_ranges: true, body }
    }

    #[tokio::test]
    async fn no_byte_comes_behind_the_first_range() {
        let first = ByteRange::new(0, 3).expect("not empty");
        for (frames, wanted) in [
            (vec!["ab", "cd", "ef"], vec!["ab", "c"]),
            (vec!["abc", "def"], vec!["abc"]),
            (vec!["abcdef"], vec!["abc"]),
            (vec!["ab"], vec!["ab"]),
        ] {
            let frames = frames.into_iter().map(|text| Ok(Bytes::from_static(text.as_bytes())));
            let cut = reply(frames.collect()).up_to(first);
            assert_eq!(cut.range, Some(first));
            let came: Vec<_> = cut.body.map(|frame| frame.expect("a frame")).collect().await;
            assert_eq!(came, wanted);
        }
    }

    #[tokio::test]
    async fn a_fault_before_the_end_of_the_range_is_told() {
        let first = ByteRange::new(0, 3).expect("not empty");
        let fault = StoreError::new("GetObject", Kind::Transient);
        let mut body = reply(vec![Ok(Bytes::from_static(b"ab")), Err(fault)]).up_to(first).body;
        assert!(body.next().await.expect("a frame").is_ok());
        assert!(body.next().await.expect("a fault").is_err());
    }
}
