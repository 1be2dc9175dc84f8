//! What a job asks for, in eight bytes: two jobs with one digest are the same job.
//!
//! It stands in journals, so that it must never depend on the version of the compiler or of a
//! library: the fields are written out here, each with its length.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::attributes::{Attributes, Encryption};
use super::comparison::Place;
use super::job::{Expected, LocalSource, LocalTarget, Task};
use super::location::ObjectName;

/// The start of the SHA-256 of what a job names and demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    /// Relative paths are below `here`, an absolute folder: a job is the same wherever it is named
    /// from. What a listing or a look at a file tells (a size, a time) is not part of it: it may
    /// change and leaves the job the same.
    pub fn of(task: &Task, here: &Path) -> Self {
        let mut fields = Fields(Sha256::new());
        match task {
            Task::Download(download) => {
                fields.text("download");
                fields.object(&download.object);
                match &download.target {
                    LocalTarget::Below(path) => fields.text(path.as_str()),
                    LocalTarget::Exact(path) => fields.path(path, here),
                    LocalTarget::Stdout => fields.text("-"),
                }
                fields.expected(&download.expected);
            }
            Task::Upload(upload) => {
                fields.text("upload");
                match &upload.source {
                    LocalSource::File { path, .. } => fields.path(path, here),
                    LocalSource::Stdin { .. } => fields.text("-"),
                }
                fields.object(&upload.object);
                fields.expected(&upload.expected);
                fields.attributes(&upload.attributes);
            }
            Task::Copy(copy) => {
                fields.text("copy");
                fields.object(&copy.source);
                fields.object(&copy.object);
                fields.expected(&copy.expected);
                fields.attributes(&copy.attributes);
            }
            Task::Compare(pair) => {
                fields.text("compare");
                fields.place(&pair.source, here);
                fields.place(&pair.destination, here);
                fields.expected(&pair.expected);
            }
            Task::Remove(removal) => {
                fields.text("remove");
                fields.object(&removal.object);
            }
            Task::MakeFolder { marker, folder, expected } => {
                fields.text("folder");
                fields.object(marker);
                fields.text(folder.as_str());
                if let Some(expected) = expected {
                    fields.expected(expected);
                }
            }
        }
        fields.digest()
    }

    /// Of texts in their order.
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Fields(Sha256::new());
        texts.into_iter().for_each(|text| fields.text(text));
        fields.digest()
    }

    pub fn value(self) -> u64 {
        self.0
    }
}

impl From<u64> for Digest {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u64::from_str_radix(text, 16).ok().filter(|_| is_hex);
        value.map(Self).ok_or(NoDigest)
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 16 hexadecimal digits")]
pub struct NoDigest;

/// Takes fields so that no two lists of them look alike.
struct Fields(Sha256);

impl Fields {
    fn digest(self) -> Digest {
        let digest = self.0.finalize();
        Digest(digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn place(&mut self, place: &Place, here: &Path) {
        match place {
            Place::Object(object) => self.object(object),
            Place::File(path) => self.path(path, here),
        }
    }

    fn path(&mut self, path: &Path, here: &Path) {
        // Without `.` and doubled slashes.
        let path: PathBuf = here.join(path).components().collect();
        self.bytes(path.as_os_str().as_encoded_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            // No text has this length.
            None => self.0.update(u64::MAX.to_le_bytes()),
        }
    }

    fn object(&mut self, object: &ObjectName) {
        self.text(object.bucket.as_str());
        self.text(object.key.as_str());
        self.maybe(object.version.as_deref());
    }

    fn expected(&mut self, expected: &Expected) {
        let Expected { size, etag, checksum } = expected;
        self.maybe(size.map(|size| size.to_string()).as_deref());
        self.maybe(etag.as_ref().map(super::object::ETag::unquoted));
        self.maybe(checksum.as_ref().map(ToString::to_string).as_deref());
    }

    fn attributes(&mut self, attributes: &Attributes) {
        // Named one by one, so that one that is added can't be forgotten here.
        let Attributes {
            content_type,
            content_encoding,
            content_disposition,
            content_language,
            cache_control,
            expires,
            website_redirect,
            metadata,
            tags,
            storage_class,
            acl,
            encryption,
            crc,
        } = attributes;
        for text in [
            content_type,
            content_encoding,
            content_disposition,
            content_language,
            cache_control,
            storage_class,
            acl,
        ] {
            self.maybe(text.as_deref());
        }
        self.maybe(expires.map(|expires| expires.to_string()).as_deref());
        for pairs in [metadata, tags] {
            self.text(&pairs.len().to_string());
            for (name, value) in pairs {
                self.text(name);
                self.text(value);
            }
        }
        match encryption {
            Some(Encryption { method, kms_key_id }) => {
                self.text(method);
                self.maybe(kms_key_id.as_deref());
            }
            None => self.maybe(None),
        }
        // Where they are not given, as it was before they could be.
        if let Some(crc) = crc {
            self.text(crc.algorithm().name());
        }
        if let Some(location) = website_redirect {
            self.text("website redirect");
            self.text(location);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::job::{Download, Upload};
    use crate::domain::location::{Bucket, Key};
    use crate::domain::object::ETag;
    use crate::domain::relative_path::RelativePath;

    fn object(key: &str) -> ObjectName {
        ObjectName::new(Bucket::new("b").expect("a name"), Key::new(key).expect("a key"))
    }

    fn download(key: &str, path: &str, etag: Option<&str>) -> Task {
        Task::Download(Download {
            object: object(key),
            size: None,
            etag: None,
            last_modified: None,
            target: LocalTarget::Below(RelativePath::new(path).expect("a path")),
            expected: Expected { etag: etag.map(ETag::new), ..Expected::default() },
        })
    }

    fn digest(task: &Task) -> Digest {
        Digest::of(task, Path::new("/here"))
    }

    fn upload(path: &str, content_type: Option<&str>) -> Digest {
        let content_type = content_type.map(str::to_owned);
        digest(&Task::Upload(Upload {
            source: LocalSource::File { path: path.into(), size: None, below: None },
            object: object("k"),
            attributes: Arc::new(Attributes { content_type, ..Attributes::default() }),
            expected: Expected::default(),
        }))
    }

    #[test]
    fn a_digest_is_the_same_in_every_version() {
        // Journals of earlier versions have it: it may never change.
        assert_eq!(digest(&download("k", "p", None)).to_string(), "a299a76124745c94");
    }

    #[test]
    fn whatever_a_job_asks_for_changes_its_digest() {
        let one = digest(&download("k", "p", None));
        assert_ne!(one, digest(&download("kp", "p", None)));
        assert_ne!(one, digest(&download("k", "q", None)));
        assert_ne!(one, digest(&download("k", "p", Some("e"))));
        assert_ne!(upload("f", None), upload("f", Some("text/plain")));
        assert_ne!(upload("f", None), one);
    }

    #[test]
    fn one_file_has_one_digest_wherever_it_is_named_from() {
        let here = upload("d/f", None);
        for path in ["/here/d/f", "./d/f", "d//f", "d/./f"] {
            assert_eq!(upload(path, None), here, "{path}");
        }
        assert_ne!(upload("/else/d/f", None), here);
    }

    #[test]
    fn it_is_read_as_it_is_written_and_nothing_else_is() {
        let digest = Digest(0x0123_4567_89ab_cdef);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for text in ["", "1", "+123456789abcdef", "0123456789abcdeg", "0123456789abcdef0"] {
            assert_eq!(text.parse::<Digest>(), Err(NoDigest), "{text}");
        }
    }
}
