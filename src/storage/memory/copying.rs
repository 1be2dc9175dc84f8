//! Copies of objects and of ranges, and what is told of an object beside its bytes.

use super::store::{State, failed, index};
use super::stored::{Stored, crc_of};
use crate::domain::attributes::Attributes;
use crate::domain::location::ObjectName;
use crate::domain::range::ByteRange;
use crate::storage::error::Kind;
use crate::storage::object_store::{
    CopiedPart, CopyObject, CopySource, Described, Directive, Result, Upload, WriteIf, Written,
};

impl State {
    pub(super) fn copy(&mut self, object: &ObjectName, how: &CopyObject) -> Result<Written> {
        const COPY: &str = "CopyObject";
        let source = self.source(COPY, &how.source)?;
        let stored = Stored::new(source.bytes.clone(), crc_of(&source.bytes));
        let attributes = match how.headers {
            Directive::Replace => Attributes::clone(&how.attributes),
            Directive::Keep => source.attributes.clone(),
        };
        let tags = match how.tags {
            Directive::Replace => how.attributes.tags.clone(),
            Directive::Keep => source.attributes.tags,
        };
        // Never kept.
        let storage_class = how.attributes.storage_class.clone();
        let attributes = Attributes { tags, storage_class, ..attributes };
        let placed = self.place(COPY, object, Stored { attributes, ..stored }, how.condition);
        placed.map_err(|error| match how.condition {
            // No store says which condition it was.
            WriteIf::Absent if error.kind == Kind::Exists => {
                failed(COPY, Kind::Changed, "a condition did not hold")
            }
            _ => error,
        })
    }

    pub(super) fn copy_part(
        &mut self,
        (upload, number): (&Upload, u32),
        from: &CopySource,
        range: ByteRange,
    ) -> Result<CopiedPart> {
        const PART: &str = "UploadPartCopy";
        let source = self.source(PART, from)?;
        if range.end() > source.bytes.len() as u64 {
            let kind = Kind::OutOfRange { size: Some(source.bytes.len() as u64) };
            return Err(failed(PART, kind, "the range ends behind the object"));
        }
        let bytes = source.bytes.slice(index(range.start())..index(range.end()));
        let checksum = crc_of(&bytes);
        let part = Stored::new(bytes, checksum.clone());
        let etag = part.etag.clone();
        self.upload(PART, upload)?.parts.insert(number, part);
        Ok(CopiedPart { etag, checksum: Some(checksum) })
    }

    fn source(&mut self, operation: &'static str, from: &CopySource) -> Result<Stored> {
        let stored = self.object(operation, &from.object)?.clone();
        match &from.if_match {
            Some(wanted) if *wanted != stored.etag => {
                Err(failed(operation, Kind::Changed, "the source has another ETag"))
            }
            _ => Ok(stored),
        }
    }
}

impl Stored {
    pub(super) fn described(&self) -> Described {
        let attributes = Attributes { tags: Vec::new(), acl: None, ..self.attributes.clone() };
        Described { facts: self.facts(), attributes: Some(attributes) }
    }
}
