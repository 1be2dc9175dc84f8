//! Multipart uploads: S3's rules for parts and for completing.
//!
//! Must never copy a part: the object is the list of its parts' buffers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use md5::Digest as _;
use s3s::{S3Result, s3_error};

use super::buckets::{Bucket, Condition, Store};
use super::checksum::{Algorithm, Checksum, ChecksumType};
use super::content::Content;
use super::object::{Attributes, StoredObject, StoredPart};

/// An open multipart upload.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) initiated: SystemTime,
    pub(crate) parts: BTreeMap<u32, UploadedPart>,
    pub(crate) new: NewUpload,
}

/// What `CreateMultipartUpload` fixed.
#[derive(Clone, Debug)]
pub(crate) struct NewUpload {
    pub(crate) attributes: Attributes,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) checksum_type: ChecksumType,
    /// Whether the client named the algorithm, which binds its parts to it.
    pub(crate) chosen: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct UploadedPart {
    pub(crate) content: Content,
    pub(crate) etag: String,
    /// Raw digest in the upload's algorithm.
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) last_modified: SystemTime,
}

/// A part as the client lists it when completing.
#[derive(Clone, Debug)]
pub(crate) struct ListedPart {
    pub(crate) number: u32,
    pub(crate) etag: Option<String>,
    pub(crate) checksum: Option<(Algorithm, String)>,
}

/// A request to complete.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<ListedPart>,
    pub(crate) object_size: Option<u64>,
    pub(crate) checksum: Option<(Algorithm, String)>,
    pub(crate) condition: Condition,
    pub(crate) min_part_size: u64,
}

impl Store {
    pub(crate) fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        new: NewUpload,
    ) -> S3Result<String> {
        let id = format!("testbed-upload-{:08}", self.next_number());
        let upload = Upload { initiated: SystemTime::now(), parts: BTreeMap::new(), new };
        self.with_mut(bucket, |bucket| {
            bucket.uploads.insert((key.to_owned(), id.clone()), upload)
        })?;
        Ok(id)
    }

    pub(crate) fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        self.with(bucket, |bucket| bucket.upload(key, id).cloned())?
    }

    /// The terms of an open upload, without its parts.
    pub(crate) fn upload_terms(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<(Option<Algorithm>, bool)> {
        self.with(bucket, |bucket| {
            bucket.upload(key, id).map(|upload| (upload.new.algorithm, upload.new.chosen))
        })?
    }

    pub(crate) fn put_part(
        &self,
        bucket: &str,
        (key, id): (&str, &str),
        number: u32,
        part: UploadedPart,
    ) -> S3Result<()> {
        self.with_mut(bucket, |bucket| {
            let upload = bucket
                .uploads
                .get_mut(&(key.to_owned(), id.to_owned()))
                .ok_or_else(no_such_upload)?;
            upload.parts.insert(number, part);
            Ok(())
        })?
    }

    pub(crate) fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        self.with_mut(bucket, |bucket| {
            let removed = bucket.uploads.remove(&(key.to_owned(), id.to_owned()));
            removed.map(drop).ok_or_else(no_such_upload)
        })?
    }

    /// Turns an upload into an object; on any error the upload stays open.
    pub(crate) fn complete_upload(
        &self,
        bucket: &str,
        (key, id): (&str, &str),
        completion: &Completion,
    ) -> S3Result<StoredObject> {
        let number = self.next_number();
        self.with_mut(bucket, |bucket| {
            let object = bucket.upload(key, id)?.assemble(completion)?;
            completion.condition.check(bucket.objects.get(key).map(|object| &**object))?;
            drop(bucket.uploads.remove(&(key.to_owned(), id.to_owned())));
            bucket.place(key, Arc::new(object.clone()), number);
            Ok(object)
        })?
    }
}

impl Bucket {
    pub(crate) fn upload(&self, key: &str, id: &str) -> S3Result<&Upload> {
        self.uploads.get(&(key.to_owned(), id.to_owned())).ok_or_else(no_such_upload)
    }
}

impl Upload {
    fn assemble(&self, completion: &Completion) -> S3Result<StoredObject> {
        let parts = self.chosen_parts(completion)?;
        let content = Content::concat(parts.iter().map(|(_, part)| part.content.clone()));
        if completion.object_size.is_some_and(|size| size != content.len()) {
            return Err(s3_error!(
                InvalidRequest,
                "The provided 'x-amz-mp-object-size' header does not match what was computed"
            ));
        }
        let checksum = self.whole_checksum(&parts)?;
        verify_whole(completion.checksum.as_ref(), checksum.as_ref())?;
        Ok(StoredObject {
            content,
            etag: etag_of_parts(parts.iter().map(|(_, part)| part.etag.as_str())),
            checksum,
            parts: parts.iter().map(|(number, part)| self.stored_part(*number, part)).collect(),
            last_modified: SystemTime::now(),
            attributes: Arc::new(self.new.attributes.clone()),
        })
    }

    fn chosen_parts(&self, completion: &Completion) -> S3Result<Vec<(u32, &UploadedPart)>> {
        let listed = &completion.parts;
        if listed.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !listed.is_sorted_by(|a, b| a.number < b.number) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order."
            ));
        }
        let mut parts = Vec::with_capacity(listed.len());
        for (index, listed_part) in listed.iter().enumerate() {
            let part = self.matching_part(listed_part)?;
            let is_last = index + 1 == listed.len();
            if !is_last && part.content.len() < completion.min_part_size {
                return Err(s3_error!(
                    EntityTooSmall,
                    "Your proposed upload is smaller than the minimum allowed size"
                ));
            }
            parts.push((listed_part.number, part));
        }
        Ok(parts)
    }

    fn matching_part(&self, listed: &ListedPart) -> S3Result<&UploadedPart> {
        let invalid = || {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been \
                 uploaded, or the specified entity tag may not match the part's entity tag."
            )
        };
        let part = self.parts.get(&listed.number).ok_or_else(invalid)?;
        if listed.etag.as_ref().is_some_and(|etag| *etag != part.etag) {
            return Err(invalid());
        }
        let composite = self.new.chosen && self.new.checksum_type == ChecksumType::Composite;
        match (&listed.checksum, self.new.algorithm) {
            (Some((algorithm, value)), own) if own == Some(*algorithm) => {
                let stored = self.stored_part(listed.number, part).checksum;
                if stored.is_some_and(|stored| stored.value != *value) {
                    return Err(invalid());
                }
                Ok(part)
            }
            (None, Some(algorithm)) if composite => Err(s3_error!(
                InvalidRequest,
                "The upload was created using a {} checksum. The complete request must include the \
                 checksum for each part. It was missing for part {} in the request.",
                algorithm.name(),
                listed.number
            )),
            _ => Ok(part),
        }
    }

    pub(crate) fn stored_part(&self, number: u32, part: &UploadedPart) -> StoredPart {
        let checksum = self.new.algorithm.zip(part.digest.as_deref());
        StoredPart {
            number,
            size: part.content.len(),
            checksum: checksum.map(|(a, digest)| Checksum::full_object(a, digest)),
        }
    }

    fn whole_checksum(&self, parts: &[(u32, &UploadedPart)]) -> S3Result<Option<Checksum>> {
        let Some(algorithm) = self.new.algorithm else {
            return Ok(None);
        };
        let digests: Option<Vec<_>> = parts
            .iter()
            .map(|(_, part)| part.digest.as_deref().map(|digest| (digest, part.content.len())))
            .collect();
        let digests = digests.ok_or_else(|| s3_error!(InternalError, "a part has no digest"))?;
        Ok(Some(algorithm.fold(self.new.checksum_type, digests.into_iter())))
    }
}

/// S3's `ETag` of an object uploaded in parts.
pub(crate) fn etag_of_parts<'a>(etags: impl Iterator<Item = &'a str>) -> String {
    let mut md5 = md5::Md5::new();
    let mut count = 0;
    for etag in etags {
        for pair in etag.as_bytes().chunks(2) {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            md5.update([u8::from_str_radix(text, 16).unwrap_or_default()]);
        }
        count += 1;
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn verify_whole(given: Option<&(Algorithm, String)>, own: Option<&Checksum>) -> S3Result<()> {
    let (Some((algorithm, value)), Some(own)) = (given, own) else {
        return Ok(());
    };
    if *algorithm != own.algorithm {
        return Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            own.algorithm.name(),
            algorithm.name()
        ));
    }
    if *value != own.value {
        return Err(s3_error!(
            BadDigest,
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        ));
    }
    Ok(())
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
         been aborted or completed."
    )
}
