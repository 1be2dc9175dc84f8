//! How parts become one object: as S3 does it, or not at all.

use md5::{Digest as _, Md5};

use super::store::{MIN_PART, Stored, Unfinished, check, failed, hex};
use crate::domain::composite::StoredPart;
use crate::domain::object::ETag;
use crate::storage::error::Kind;
use crate::storage::object_store::{Assembled, Result};

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
        check("CompleteMultipartUpload", &bytes, &wanted.checksum)?;
        let etag = format!("{}-{}", hex(&digests.finalize()), wanted.parts.len());
        let stored = Stored::new(bytes.into(), wanted.checksum.clone());
        Ok(Stored { etag: ETag::new(&etag), parts, ..stored })
    }
}
