//! What is remembered of a multipart upload, so that the next run goes on with it: one record for
//! each source file, destination and endpoint, written before the first part is sent and gone when
//! the upload is complete or aborted.
//!
//! A record only says where to look. Which parts count is for the store's list and the checksums of
//! the local bytes to say.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::context::{Context, Work};
use super::part_size::{MAX_PART, MIN_PART};
use super::resume::Resume;
use crate::domain::job::{ObjectCopy, Upload};
use crate::domain::location::{Bucket, Key, ObjectName};
use crate::storage::local::{Left, SourceFile, StateFile};
use crate::storage::object_store::{self as store, UploadId};

/// A record, held by this process.
#[derive(Debug)]
pub(super) struct UploadRecord {
    file: StateFile,
    subject: Subject,
}

/// What must be the same for the parts of an earlier run to fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    endpoint: String,
    bucket: String,
    key: String,
    source: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// Of what an upload is told when it starts, a key to encrypt with included.
    attributes: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    format: u32,
    upload_id: String,
    part_size: u64,
    #[serde(flatten)]
    subject: Subject,
}

/// An upload that an earlier run started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Earlier {
    /// It is of the same file as it is now.
    Fits { id: UploadId, part_size: u64 },
    /// It is ours, and of no use any more.
    Stale { id: UploadId },
}

const FORMAT: u32 = 1;

impl UploadRecord {
    /// `None` where nothing is to be remembered, or can be: then the upload is aborted when it
    /// fails.
    pub(super) fn open(work: &Work, job: &Upload, source: &SourceFile) -> Option<Self> {
        if work.context.limits.resume == Resume::Off {
            return None;
        }
        let folder = folder(&work.context)?;
        let subject = Subject::of(work, job, source)?;
        match StateFile::claim(&folder, &subject.file_name()) {
            Ok(file) => file.map(|file| Self { file, subject }),
            Err(error) => {
                tracing::debug!(%error, "the upload is not recorded");
                None
            }
        }
    }

    /// Of a copy. It begins anew in any case: what a killed run left of it is to be ended.
    pub(super) fn of_copy(work: &Work, job: &ObjectCopy) -> Option<Self> {
        let folder = folder(&work.context)?;
        let subject = Subject::of_copy(work, job);
        let file = StateFile::claim(&folder, &subject.file_name()).ok()??;
        Some(Self { file, subject })
    }

    /// The record that an earlier run left, for an upload that won't go on with it.
    pub(super) fn of_earlier_run(work: &Work, job: &Upload, source: &SourceFile) -> Option<Self> {
        let folder = folder(&work.context)?;
        let names = || StateFile::names(&folder).into_iter().collect();
        let left = work.context.left_records.get_or_init(names);
        // One look for thousands of small files.
        if left.is_empty() {
            return None;
        }
        let subject = Subject::of(work, job, source)?;
        let name = subject.file_name();
        match left.contains(&name).then(|| StateFile::claim_left(&folder, &name)) {
            Some(Ok(Left::Held(file))) => Some(Self { file, subject }),
            _ => None,
        }
    }

    pub(super) fn earlier(&self) -> Option<Earlier> {
        let note = Note::read(&self.file)?;
        let id = UploadId(note.upload_id.as_str().into());
        // Its name says so, but for a collision.
        let is_ours = note.format == FORMAT && note.subject.is_same_place(&self.subject);
        let fits = note.subject == self.subject && (MIN_PART..=MAX_PART).contains(&note.part_size);
        match (is_ours, fits) {
            (true, true) => Some(Earlier::Fits { id, part_size: note.part_size }),
            (true, false) => Some(Earlier::Stale { id }),
            (false, _) => None,
        }
    }

    /// From now on a killed run leaves an upload that the next one finds. Whether it will.
    pub(super) fn begin(&self, id: &UploadId, part_size: u64) -> bool {
        let (upload_id, subject) = (id.0.to_string(), self.subject.clone());
        let note = Note { format: FORMAT, upload_id, part_size, subject };
        let written = serde_json::to_vec(&note).map(|bytes| self.file.write(&bytes));
        matches!(written, Ok(Ok(())))
    }

    /// There is no such upload any more.
    pub(super) fn clear(&self) {
        if let Err(error) = self.file.clear() {
            // The next run finds that the upload is gone, and starts anew.
            tracing::debug!(%error, "the record of an upload stays");
        }
    }
}

/// All records of this user, by what they are of.
#[derive(Debug, Default)]
pub struct UploadRecords {
    folder: PathBuf,
    /// The name of the record, by endpoint, bucket, key and upload id.
    names: HashMap<[String; 4], String>,
}

impl UploadRecords {
    /// What cannot be read is none of ours.
    pub fn of(context: &Context) -> Self {
        let Some(folder) = folder(context) else { return Self::default() };
        let names = StateFile::names(&folder).into_iter().filter_map(|name| {
            let note: Note = serde_json::from_slice(&StateFile::peek(&folder, &name)?).ok()?;
            let Subject { endpoint, bucket, key, .. } = note.subject;
            Some(([endpoint, bucket, key, note.upload_id], name))
        });
        Self { names: names.collect(), folder }
    }

    /// The uploads to this bucket, on this server, that there are records of.
    pub fn known<'a>(
        &'a self,
        context: &'a Context,
        bucket: &'a Bucket,
    ) -> impl Iterator<Item = store::Upload> + 'a {
        self.names.keys().filter_map(move |[endpoint, of, key, id]| {
            let is_here = endpoint == context.store.endpoint() && of == bucket.as_str();
            let object = ObjectName::new(bucket.clone(), Key::new(key).ok().filter(|_| is_here)?);
            Some(store::Upload { object, id: UploadId(id.as_str().into()) })
        })
    }

    /// Takes the record of an upload, which is to be removed once the upload is gone.
    pub fn claim(&self, context: &Context, upload: &store::Upload) -> Left {
        let bucket = upload.object.bucket.to_string();
        let key = upload.object.key.as_str().to_owned();
        let place = [context.store.endpoint().to_owned(), bucket, key, upload.id.0.to_string()];
        let left = self.names.get(&place).map(|name| StateFile::claim_left(&self.folder, name));
        left.and_then(Result::ok).unwrap_or(Left::Nothing)
    }
}

fn folder(context: &Context) -> Option<PathBuf> {
    Some(context.state_folder.as_ref()?.join("uploads"))
}

impl Note {
    fn read(file: &StateFile) -> Option<Self> {
        serde_json::from_slice(&file.read().ok()?).ok()
    }
}

impl Subject {
    fn of(work: &Work, job: &Upload, source: &SourceFile) -> Option<Self> {
        let path = std::path::absolute(source.path()).ok()?;
        let modified = source.modified().duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(Self {
            endpoint: work.context.store.endpoint().to_owned(),
            bucket: job.object.bucket.to_string(),
            key: job.object.key.as_str().to_owned(),
            source: exact(&path),
            size: source.size(),
            modified: u64::try_from(modified).ok()?,
            attributes: digest(
                format!("{:?} {:?}", job.attributes, work.context.store.key_digest()).as_bytes(),
            ),
        })
    }

    fn of_copy(work: &Work, job: &ObjectCopy) -> Self {
        let (context, source) = (&work.context, &job.source);
        let version = source.version.as_deref().unwrap_or_default();
        Self {
            endpoint: context.store.endpoint().to_owned(),
            bucket: job.object.bucket.to_string(),
            key: job.object.key.as_str().to_owned(),
            source: format!("{} {} {version}", context.source.endpoint(), source.uri()),
            size: 0,
            modified: 0,
            attributes: String::new(),
        }
    }

    fn is_same_place(&self, other: &Self) -> bool {
        let place =
            |it: &Self| (it.endpoint.clone(), it.bucket.clone(), it.key.clone(), it.source.clone());
        place(self) == place(other)
    }

    /// The same for the same place in every run.
    fn file_name(&self) -> String {
        let place = [&self.endpoint, &self.bucket, &self.key, &self.source].map(String::as_str);
        // No bucket, key or path holds a NUL.
        format!("{}.json", &digest(place.join("\0").as_bytes())[..32])
    }
}

/// Names that are not UTF-8 stay apart from those that look like them.
fn exact(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}
