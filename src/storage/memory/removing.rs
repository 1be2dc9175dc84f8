//! How objects and buckets go, and come. Nothing keeps versions here: each object is its only version, `null`, as in a
//! bucket of S3's that never kept any.

use std::collections::BTreeMap;

use super::store::{State, failed};
use crate::domain::location::{Bucket, ONLY_VERSION};
use crate::storage::error::Kind;
use crate::storage::object_store::{Removal, Removed, Result};

impl State {
    pub(super) fn remove(
        &mut self,
        operation: &'static str,
        bucket: &Bucket,
        removal: &Removal,
    ) -> Result<Removed> {
        let objects = self.bucket(operation, bucket)?;
        let is_meant = removal.version.as_deref().is_none_or(|version| version == ONLY_VERSION);
        let found = objects.get(removal.key.as_str()).filter(|_| is_meant);
        match (found, &removal.if_match) {
            (Some(found), Some(wanted)) if found.etag != *wanted => {
                return Err(failed(operation, Kind::Changed, "the object has another ETag"));
            }
            (None, Some(_)) => {
                return Err(failed(operation, Kind::MissingKey, "there is no such key"));
            }
            (None, None) => {}
            (Some(_), _) => {
                objects.remove(removal.key.as_str());
            }
        }
        Ok(Removed::default())
    }

    pub(super) fn make_bucket(&mut self, bucket: &Bucket) -> Result<()> {
        if self.buckets.contains_key(bucket.as_str()) {
            return Err(failed("CreateBucket", Kind::Exists, "the bucket is there already"));
        }
        self.buckets.insert(bucket.as_str().to_owned(), BTreeMap::new());
        Ok(())
    }

    pub(super) fn remove_bucket(&mut self, bucket: &Bucket) -> Result<()> {
        if !self.bucket("DeleteBucket", bucket)?.is_empty() {
            return Err(failed("DeleteBucket", Kind::Refused, "the bucket is not empty"));
        }
        self.buckets.remove(bucket.as_str());
        Ok(())
    }
}
