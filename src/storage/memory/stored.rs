//! What is kept in memory: objects, and the parts of those that are not complete.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::store::{MIN_PART, failed};
use crate::domain::attributes::Attributes;
use crate::domain::checksum::{Checksum, Hasher};
use crate::domain::composite::StoredPart;
use crate::domain::location::ObjectName;
use crate::domain::object::{ETag, ObjectFacts, StoredChecksum};
use crate::domain::preserved::Preserved;
use crate::storage::error::Kind;
use crate::storage::object_store::{Assembled, Body, Result};

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    pub(super) etag: ETag,
    pub(super) modified: SystemTime,
    pub(super) checksum: Checksum,
    /// Of an object that was uploaded in parts.
    pub(super) parts: Vec<StoredPart>,
    pub(super) attributes: Attributes,
    /// Asked back from an archive.
    pub(super) is_restored: bool,
}

/// An upload that is neither complete nor aborted.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) object: ObjectName,
    pub(super) attributes: Attributes,
    pub(super) parts: BTreeMap<u32, Stored>,
}

impl Stored {
    pub(super) fn new(bytes: Bytes, checksum: Checksum) -> Self {
        let etag = ETag::new(&hex(&Md5::digest(&bytes)));
        let (parts, attributes) = (Vec::new(), Attributes::default());
        let modified = SystemTime::now();
        Self { bytes, etag, modified, checksum, parts, attributes, is_restored: false }
    }

    pub(super) fn checked(operation: &'static str, body: Body) -> Result<Self> {
        let _no_wait = body.taken.add(body.bytes.len() as u64);
        check(operation, &body.bytes, &body.checksum)?;
        Ok(Self::new(body.bytes, body.checksum))
    }

    pub(super) fn facts(&self) -> ObjectFacts {
        ObjectFacts {
            size: self.bytes.len() as u64,
            etag: Some(self.etag.clone()),
            version: None,
            last_modified: Some(self.modified),
            checksum: StoredChecksum::FullObject(self.checksum.clone()),
            preserved: Preserved::default(),
        }
    }
}

impl Unfinished {
    pub(super) fn assemble(&self, wanted: &Assembled) -> Result<Stored> {
        let refused = |text| failed("CompleteMultipartUpload", Kind::Refused, text);
        let mut bytes = Vec::new();
        let mut digests = Md5::new();
        let mut parts = Vec::new();
        for (number, part) in (1..).zip(&wanted.parts) {
            let found = self.parts.get(&number).filter(|found| found.etag == part.etag);
            let found = found.ok_or_else(|| refused("a part is missing, or another one"))?;
            let is_last = usize::try_from(number).is_ok_and(|number| number == wanted.parts.len());
            if found.bytes.len() < MIN_PART && !is_last {
                return Err(refused("a part is too small"));
            }
            bytes.extend_from_slice(&found.bytes);
            digests.update(Md5::digest(&found.bytes));
            let (size, checksum) = (found.bytes.len() as u64, Some(found.checksum.clone()));
            parts.push(StoredPart { size, checksum });
        }
        if wanted.parts.is_empty() || bytes.len() as u64 != wanted.size {
            return Err(refused("the parts do not have that size"));
        }
        if let Some(checksum) = &wanted.checksum {
            check("CompleteMultipartUpload", &bytes, checksum)?;
        }
        let etag = format!("{}-{}", hex(&digests.finalize()), wanted.parts.len());
        let checksum = crc_of(&bytes);
        let stored = Stored::new(bytes.into(), checksum);
        let attributes = self.attributes.clone();
        Ok(Stored { etag: ETag::new(&etag), parts, attributes, ..stored })
    }
}

fn check(operation: &'static str, bytes: &[u8], wanted: &Checksum) -> Result<()> {
    let mut hasher = Hasher::new(wanted.algorithm());
    hasher.update(bytes);
    let found = hasher.finish();
    if found == *wanted {
        Ok(())
    } else {
        Err(failed(operation, Kind::Corrupted, "other bytes arrived than were sent"))
    }
}

pub(super) fn crc_of(bytes: &[u8]) -> Checksum {
    let crc = crate::domain::checksum::Crc::Crc64Nvme;
    crc.checksum(crc.of(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text never fails.
        write!(text, "{byte:02x}").ok();
        text
    })
}
