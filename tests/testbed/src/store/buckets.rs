//! The map of buckets and objects.
//!
//! Keys are exact strings: must never normalise, split or reject one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use s3s::{S3Result, s3_error};

use super::multipart::Upload;
use super::object::StoredObject;
use super::versions::{Gone, Version};

/// Everything the server holds.
#[derive(Debug, Default)]
pub(crate) struct Store {
    buckets: RwLock<BTreeMap<String, Bucket>>,
    sequence: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    /// Set for buckets that only answer requests signed for that region.
    pub(crate) region: Option<String>,
    pub(crate) created: SystemTime,
    /// What each key has now.
    pub(crate) objects: BTreeMap<String, Arc<StoredObject>>,
    /// All that each key ever had, the oldest first; `None` for a bucket that keeps no versions.
    pub(super) versions: Option<BTreeMap<String, Vec<Version>>>,
    pub(crate) uploads: BTreeMap<(String, String), Upload>,
}

/// What must hold of the object at a key before a write replaces it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Condition {
    #[default]
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match` with this `ETag`.
    Matches(String),
}

impl Store {
    pub(crate) fn create_bucket(&self, name: &str, region: Option<String>) -> S3Result<()> {
        let mut buckets = self.write();
        if buckets.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "The bucket exists and is yours."));
        }
        let bucket = Bucket {
            region,
            created: SystemTime::now(),
            objects: BTreeMap::new(),
            versions: None,
            uploads: BTreeMap::new(),
        };
        buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    pub(crate) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let mut buckets = self.write();
        let bucket = buckets.get(name).ok_or_else(|| no_such_bucket(name))?;
        if !bucket.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty."));
        }
        buckets.remove(name);
        Ok(())
    }

    /// Names, creation times and regions, in order.
    pub(crate) fn bucket_names(&self) -> Vec<(String, SystemTime, Option<String>)> {
        let buckets = self.read();
        buckets.iter().map(|(name, b)| (name.clone(), b.created, b.region.clone())).collect()
    }

    pub(crate) fn bucket_region(&self, name: &str) -> S3Result<Option<String>> {
        self.with(name, |bucket| bucket.region.clone())
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<StoredObject>> {
        self.with(bucket, |bucket| bucket.objects.get(key).cloned())?
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// Puts an object; its version, where the bucket keeps them.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        object: StoredObject,
        condition: &Condition,
    ) -> S3Result<Option<String>> {
        let number = self.next_number();
        self.with_mut(bucket, |bucket| {
            condition.check(bucket.objects.get(key).map(|object| &**object))?;
            Ok(bucket.place(key, Arc::new(object), number))
        })?
    }

    /// Changes an object's attributes in place; its bytes and `ETag` stay.
    pub(crate) fn edit(
        &self,
        bucket: &str,
        key: &str,
        change: impl FnOnce(&mut StoredObject),
    ) -> S3Result<()> {
        self.with_mut(bucket, |bucket| {
            let object = bucket.objects.get_mut(key).ok_or_else(|| s3_error!(NoSuchKey))?;
            change(Arc::make_mut(object));
            Ok(())
        })?
    }

    /// Removes an object, or one version of it, if `allowed` says so of what is there.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        (key, version): (&str, Option<&str>),
        allowed: impl FnOnce(Option<&StoredObject>) -> S3Result<()>,
    ) -> S3Result<Gone> {
        let number = self.next_number();
        self.with_mut(bucket, |bucket| {
            allowed(bucket.objects.get(key).map(|object| &**object))?;
            Ok(bucket.remove(key, version, number))
        })?
    }

    /// A number no other call got, for upload ids and opaque `ETags`.
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn with<T>(&self, name: &str, look: impl FnOnce(&Bucket) -> T) -> S3Result<T> {
        self.read().get(name).map(look).ok_or_else(|| no_such_bucket(name))
    }

    pub(crate) fn with_mut<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Bucket) -> T,
    ) -> S3Result<T> {
        self.write().get_mut(name).map(change).ok_or_else(|| no_such_bucket(name))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    pub(crate) fn check(&self, present: Option<&StoredObject>) -> S3Result<()> {
        let failed = || {
            s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            )
        };
        match (self, present) {
            (Self::None, _) | (Self::Absent, None) => Ok(()),
            (Self::Matches(etag), Some(object)) if object.etag == *etag => Ok(()),
            (Self::Absent | Self::Matches(_), Some(_)) => Err(failed()),
            (Self::Matches(_), None) => {
                Err(s3_error!(NoSuchKey, "The specified key does not exist."))
            }
        }
    }
}

fn no_such_bucket(name: &str) -> s3s::S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist: {name}")
}
