//! Objects in memory, and failures on command: what tests of the engine run on. It keeps every
//! promise of `ObjectStore` (the same suite runs on it and on real servers), and must never be
//! used for anything that anyone wants to keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

use super::listing::{PAGE, Pages, page, versions};
use super::script::{BrokenBody, Failure, Operation, Script, Scripted};
use super::stored::{Stored, Unfinished, crc_of};
use crate::domain::attributes::Attributes;
use crate::domain::location::{Bucket, Key, ObjectName};
use crate::domain::object::{ETag, ObjectDetails, ObjectFacts, StoredChecksum};
use crate::domain::range::ByteRange;
use crate::domain::restore::Restore;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    Assembled, Body, CopiedPart, CopyObject, CopySource, Described, GetReply, ListPage,
    ListRequest, ListedBucket, ListedPart, ObjectStore, OpenUpload, PartsPage, Read, Removal,
    Removed, Result, SentPartsPage, Upload, UploadId, UploadPage, UploadsRequest, VersionPage,
    VersionsRequest, Write, WriteIf, Written,
};

/// Buckets, objects and unfinished uploads.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

/// S3's own: a smaller part may only be the last.
pub const MIN_PART: usize = 5 << 20;
/// Bodies come in pieces, as from a connection.
const FRAME: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    uploads: BTreeMap<Arc<str>, Unfinished>,
    script: Script,
    requests: Vec<Operation>,
    last_upload: u64,
    pages: Pages,
}

impl MemoryStore {
    /// A store that has this bucket.
    pub fn with_bucket(name: &str) -> Self {
        let store = Self::default();
        store.lock().buckets.insert(name.to_owned(), BTreeMap::new());
        store
    }

    /// Lets the next such request fail, or the next one for `key`. Those of one kind fail in the
    /// order in which they were scripted.
    pub fn fail_next(&self, operation: Operation, key: Option<&str>, failure: Failure) {
        let key = key.map(str::to_owned);
        self.lock().script.failures.push_back(Scripted { operation, key, passing: 0, failure });
    }

    /// As `fail_next` of any key, but lets so many such requests pass before.
    pub fn fail_later(&self, operation: Operation, passing: usize, failure: Failure) {
        self.lock().script.failures.push_back(Scripted { operation, key: None, passing, failure });
    }

    /// How listings are cut and sorted from now on.
    pub fn list_in(&self, pages: Pages) {
        self.lock().pages = pages;
    }

    /// Lets the body of the next GET of `key` break off behind so many bytes.
    pub fn break_body(&self, key: &str, after: usize, error: StoreError) {
        self.lock().script.broken_bodies.push_back(BrokenBody {
            key: key.to_owned(),
            after,
            error,
        });
    }

    pub fn count(&self, operation: Operation) -> usize {
        self.lock().requests.iter().filter(|asked| **asked == operation).count()
    }

    /// Puts an object without a request.
    pub fn seed(&self, object: &ObjectName, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let checksum = crc_of(&bytes);
        let stored = Stored::new(bytes, checksum);
        let mut state = self.lock();
        let bucket = state.buckets.entry(object.bucket.as_str().to_owned()).or_default();
        bucket.insert(object.key.as_str().to_owned(), stored);
    }

    /// The bytes of an object, without a request.
    pub fn bytes(&self, object: &ObjectName) -> Option<Bytes> {
        self.lock().object("", object).ok().map(|stored| stored.bytes.clone())
    }

    /// The keys of a bucket, without a request.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let state = self.lock();
        let keys = state.buckets.get(bucket).into_iter().flat_map(BTreeMap::keys);
        keys.cloned().collect()
    }

    /// Uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one request, as the script wants it.
    fn answer<T>(
        &self,
        operation: Operation,
        key: Option<&Key>,
        work: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.lock().answer(operation, key, work)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn endpoint(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, object: &ObjectName, read: &Read) -> Result<GetReply> {
        const GET: &str = "GetObject";
        self.answer(Operation::Get, Some(&object.key), |state| {
            let stored = state.object(GET, object)?.clone();
            if read.if_match.as_ref().is_some_and(|wanted| *wanted != stored.etag) {
                return Err(failed(GET, Kind::Changed, "the object has another ETag"));
            }
            let size = stored.bytes.len() as u64;
            let range = match read.range {
                None => ByteRange::new(0, size),
                Some(asked) => {
                    let end = asked.end().min(size);
                    let range = ByteRange::new(asked.start(), end.saturating_sub(asked.start()));
                    let kind = Kind::OutOfRange { size: Some(size) };
                    Some(range.ok_or_else(|| failed(GET, kind, "no byte of the range exists"))?)
                }
            };
            let mut facts = stored.facts();
            if range.is_some_and(|range| range.length() != size) {
                facts.checksum = StoredChecksum::None;
            }
            let bytes = range.map_or_else(Bytes::new, |range| {
                stored.bytes.slice(index(range.start())..index(range.end()))
            });
            let broken = state.script.broken_body(object.key.as_str());
            let body = stream::iter(frames(&bytes, broken)).boxed();
            Ok(GetReply { facts, range, takes_ranges: true, body })
        })
    }

    async fn head(&self, object: &ObjectName) -> Result<ObjectFacts> {
        self.answer(Operation::Head, Some(&object.key), |state| {
            Ok(state.object("HeadObject", object)?.facts())
        })
    }

    async fn describe(&self, object: &ObjectName) -> Result<Described> {
        self.answer(Operation::Head, Some(&object.key), |state| {
            state.object("HeadObject", object).map(Stored::described)
        })
    }

    async fn tags(&self, object: &ObjectName) -> Result<Vec<(String, String)>> {
        self.answer(Operation::Tags, Some(&object.key), |state| {
            Ok(state.object("GetObjectTagging", object)?.attributes.tags.clone())
        })
    }

    async fn stat(&self, object: &ObjectName) -> Result<ObjectDetails> {
        let facts = self.head(object).await?;
        let checksum = facts.checksum.full_object();
        let checksums = checksum.map(|checksum| (checksum.algorithm(), checksum.to_base64()));
        let parts = facts.etag.as_ref().and_then(ETag::parts);
        let told = self.lock().object("HeadObject", object)?.told();
        let checksums = checksums.into_iter().collect();
        Ok(ObjectDetails { facts, parts, told, checksums, metadata: BTreeMap::new() })
    }

    async fn restore(&self, object: &ObjectName, _: &Restore) -> Result<()> {
        self.answer(Operation::Restore, Some(&object.key), |state| state.restore(object))
    }

    async fn object_parts(&self, object: &ObjectName, after: u32) -> Result<PartsPage> {
        self.answer(Operation::Parts, Some(&object.key), |state| {
            let stored = state.object("GetObjectAttributes", object)?;
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            let parts = stored.parts.iter().skip(after).take(PAGE).cloned().collect::<Vec<_>>();
            let listed = after.saturating_add(parts.len());
            let next = u32::try_from(listed).ok().filter(|_| listed < stored.parts.len());
            Ok(PartsPage { parts, next })
        })
    }

    async fn put(&self, object: &ObjectName, body: Body, write: &Write) -> Result<Written> {
        self.answer(Operation::Put, Some(&object.key), |state| {
            let attributes = Attributes::clone(&write.attributes);
            let stored = Stored { attributes, ..Stored::checked("PutObject", body)? };
            state.place("PutObject", object, stored, write.condition)
        })
    }

    async fn create_upload(
        &self,
        object: &ObjectName,
        attributes: &Attributes,
    ) -> Result<UploadId> {
        self.answer(Operation::CreateUpload, Some(&object.key), |state| {
            state.bucket("CreateMultipartUpload", &object.bucket)?;
            state.last_upload += 1;
            let id: Arc<str> = format!("upload-{}", state.last_upload).into();
            let (object, attributes) = (object.clone(), attributes.clone());
            let unfinished = Unfinished { object, attributes, parts: BTreeMap::new() };
            state.uploads.insert(Arc::clone(&id), unfinished);
            Ok(UploadId(id))
        })
    }

    async fn put_part(&self, upload: &Upload, number: u32, body: Body) -> Result<ETag> {
        self.answer(Operation::PutPart, Some(&upload.object.key), |state| {
            let unfinished = state.upload("UploadPart", upload)?;
            let part = Stored::checked("UploadPart", body)?;
            let etag = part.etag.clone();
            unfinished.parts.insert(number, part);
            Ok(etag)
        })
    }

    async fn complete_upload(&self, upload: &Upload, parts: &Assembled) -> Result<Written> {
        const COMPLETE: &str = "CompleteMultipartUpload";
        self.answer(Operation::CompleteUpload, Some(&upload.object.key), |state| {
            let stored = state.upload(COMPLETE, upload)?.assemble(parts)?;
            let written = state.place(COMPLETE, &upload.object, stored, parts.condition)?;
            state.uploads.remove(&upload.id.0);
            Ok(written)
        })
    }

    async fn copy(&self, object: &ObjectName, how: &CopyObject) -> Result<Written> {
        self.answer(Operation::Copy, Some(&object.key), |state| state.copy(object, how))
    }

    async fn copy_part(
        &self,
        upload: &Upload,
        number: u32,
        from: &CopySource,
        range: ByteRange,
    ) -> Result<CopiedPart> {
        self.answer(Operation::CopyPart, Some(&upload.object.key), |state| {
            state.copy_part((upload, number), from, range)
        })
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<()> {
        self.answer(Operation::AbortUpload, Some(&upload.object.key), |state| {
            state.upload("AbortMultipartUpload", upload)?;
            state.uploads.remove(&upload.id.0);
            Ok(())
        })
    }

    async fn list_parts(&self, upload: &Upload, after: u32) -> Result<SentPartsPage> {
        self.answer(Operation::ListParts, Some(&upload.object.key), |state| {
            let parts = &state.upload("ListParts", upload)?.parts;
            let parts = parts.range(after + 1..).map(|(number, part)| ListedPart {
                number: *number,
                size: part.bytes.len() as u64,
                etag: part.etag.clone(),
                checksum: Some(part.checksum.clone()),
                modified: None,
            });
            Ok(SentPartsPage { parts: parts.collect(), next: None })
        })
    }

    async fn list_uploads(&self, request: &UploadsRequest) -> Result<UploadPage> {
        self.answer(Operation::ListUploads, None, |state| {
            let open = state.uploads.iter().filter(|(_, unfinished)| {
                unfinished.object.bucket == request.bucket
                    && unfinished.object.key.as_str().starts_with(&request.prefix)
            });
            let uploads = open.map(|(id, unfinished)| {
                let upload =
                    Upload { object: unfinished.object.clone(), id: UploadId(Arc::clone(id)) };
                OpenUpload { upload, started: None }
            });
            Ok(UploadPage { uploads: uploads.collect(), next: None })
        })
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage> {
        self.answer(Operation::List, None, |state| {
            let pages = state.pages;
            let objects = state.bucket("ListObjectsV2", &request.bucket)?;
            page(objects, request, pages)
        })
    }

    async fn list_versions(&self, request: &VersionsRequest) -> Result<VersionPage> {
        self.answer(Operation::ListVersions, None, |state| {
            let pages = state.pages;
            versions(state.bucket("ListObjectVersions", &request.bucket)?, request, pages)
        })
    }

    async fn delete(&self, bucket: &Bucket, removal: &Removal) -> Result<Removed> {
        self.answer(Operation::Delete, Some(&removal.key), |state| {
            state.remove("DeleteObject", bucket, removal)
        })
    }

    async fn delete_many(
        &self,
        bucket: &Bucket,
        removals: &[Removal],
    ) -> Result<Vec<Result<Removed>>> {
        self.answer(Operation::DeleteMany, None, |state| {
            state.bucket("DeleteObjects", bucket)?;
            let each = removals.iter().map(|removal| {
                state.answer(Operation::Delete, Some(&removal.key), |state| {
                    state.remove("DeleteObjects", bucket, removal)
                })
            });
            Ok(each.collect())
        })
    }

    async fn create_bucket(&self, bucket: &Bucket) -> Result<()> {
        self.answer(Operation::CreateBucket, None, |state| state.make_bucket(bucket))
    }

    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()> {
        self.answer(Operation::DeleteBucket, None, |state| state.remove_bucket(bucket))
    }

    async fn list_buckets(&self) -> Result<Vec<ListedBucket>> {
        self.answer(Operation::ListBuckets, None, |state| {
            let names = state.buckets.keys().cloned();
            Ok(names.map(|name| ListedBucket { name, created: None }).collect())
        })
    }
}

impl State {
    /// Does one thing, unless the script has something else in mind.
    fn answer<T>(
        &mut self,
        operation: Operation,
        key: Option<&Key>,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.requests.push(operation);
        match self.script.next(operation, key) {
            Some(Failure::Refused(error)) => Err(error),
            Some(Failure::LostReply(error)) => work(self).and(Err(error)),
            None => work(self),
        }
    }

    pub(super) fn bucket(
        &mut self,
        operation: &'static str,
        name: &Bucket,
    ) -> Result<&mut BTreeMap<String, Stored>> {
        let bucket = self.buckets.get_mut(name.as_str());
        bucket.ok_or_else(|| failed(operation, Kind::MissingBucket, "there is no such bucket"))
    }

    pub(super) fn object(
        &mut self,
        operation: &'static str,
        object: &ObjectName,
    ) -> Result<&Stored> {
        let is_meant = object.is_answered_by(None);
        let stored = self.bucket(operation, &object.bucket)?.get(object.key.as_str());
        stored
            .filter(|_| is_meant)
            .ok_or_else(|| failed(operation, Kind::MissingKey, "there is no such key"))
    }

    pub(super) fn upload(
        &mut self,
        operation: &'static str,
        upload: &Upload,
    ) -> Result<&mut Unfinished> {
        let unfinished = self.uploads.get_mut(&upload.id.0);
        let unfinished = unfinished.filter(|unfinished| unfinished.object == upload.object);
        unfinished.ok_or_else(|| failed(operation, Kind::MissingUpload, "there is no such upload"))
    }

    pub(super) fn place(
        &mut self,
        operation: &'static str,
        object: &ObjectName,
        stored: Stored,
        condition: WriteIf,
    ) -> Result<Written> {
        let bucket = self.bucket(operation, &object.bucket)?;
        if condition == WriteIf::Absent && bucket.contains_key(object.key.as_str()) {
            return Err(failed(operation, Kind::Exists, "something has the key"));
        }
        let (etag, checksum) = (Some(stored.etag.clone()), Some(stored.checksum.clone()));
        bucket.insert(object.key.as_str().to_owned(), stored);
        Ok(Written { etag, version: None, checksum })
    }
}

fn frames(bytes: &Bytes, broken: Option<BrokenBody>) -> Vec<Result<Bytes>> {
    let after = broken.as_ref().map_or(bytes.len(), |broken| broken.after.min(bytes.len()));
    let whole = bytes.slice(..after);
    let starts = (0..whole.len()).step_by(FRAME);
    let frames = starts.map(|start| Ok(whole.slice(start..(start + FRAME).min(whole.len()))));
    frames.chain(broken.map(|broken| Err(broken.error))).collect()
}

pub(super) fn failed(operation: &'static str, kind: Kind, text: &str) -> StoreError {
    StoreError::new(operation, kind).with_message(text)
}

/// What is in memory fits into what counts memory.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
