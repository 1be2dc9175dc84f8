//! Versions of objects, in buckets that keep them. Nothing is lost there but what is named by its
//! version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::{S3Error, S3Result, s3_error};

use super::buckets::{Bucket, Store};
use super::object::StoredObject;

/// What S3 calls the version of an object that was there before versions were kept.
pub(crate) const ONLY_VERSION: &str = "null";

/// What a key had, or that it had nothing any more.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    /// `None`: a delete marker.
    pub(crate) object: Option<Arc<StoredObject>>,
    pub(crate) since: SystemTime,
}

/// What became of a removal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    /// The delete marker that was made, or removed.
    pub(crate) marker: Option<String>,
}

impl Bucket {
    pub(crate) fn keep_versions(&mut self) {
        let versions = self.objects.iter().map(|(key, object)| {
            let (id, since) = (ONLY_VERSION.to_owned(), object.last_modified);
            (key.clone(), vec![Version { id, object: Some(Arc::clone(object)), since }])
        });
        self.versions = Some(versions.collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.versions.as_ref().is_none_or(BTreeMap::is_empty)
    }

    /// Gives the key an object; its version, where they are kept.
    pub(super) fn place(
        &mut self,
        key: &str,
        object: Arc<StoredObject>,
        number: u64,
    ) -> Option<String> {
        drop(self.objects.insert(key.to_owned(), Arc::clone(&object)));
        self.push(key, Some(object), number)
    }

    pub(super) fn remove(&mut self, key: &str, version: Option<&str>, number: u64) -> Gone {
        let Some(versions) = &mut self.versions else {
            if version.is_none_or(|version| version == ONLY_VERSION) {
                drop(self.objects.remove(key));
            }
            return Gone::default();
        };
        let Some(id) = version else {
            drop(self.objects.remove(key));
            return Gone { marker: self.push(key, None, number) };
        };
        let Some(kept) = versions.get_mut(key) else { return Gone::default() };
        let Some(at) = kept.iter().position(|version| version.id == id) else {
            return Gone::default();
        };
        let removed = kept.remove(at);
        match kept.last().and_then(|version| version.object.clone()) {
            Some(object) => drop(self.objects.insert(key.to_owned(), object)),
            None => drop(self.objects.remove(key)),
        }
        if kept.is_empty() {
            versions.remove(key);
        }
        Gone { marker: removed.object.is_none().then_some(removed.id) }
    }

    fn push(
        &mut self,
        key: &str,
        object: Option<Arc<StoredObject>>,
        number: u64,
    ) -> Option<String> {
        let versions = self.versions.as_mut()?;
        let id = format!("v{number:08}");
        let since = object.as_ref().map_or_else(SystemTime::now, |object| object.last_modified);
        let version = Version { id: id.clone(), object, since };
        versions.entry(key.to_owned()).or_default().push(version);
        Some(id)
    }

    /// By key, and the newest first.
    pub(crate) fn all_versions(&self) -> Vec<(&str, Version)> {
        if let Some(versions) = &self.versions {
            let all = versions.iter().flat_map(|(key, kept)| {
                kept.iter().rev().map(|version| (key.as_str(), version.clone()))
            });
            return all.collect();
        }
        let all = self.objects.iter().map(|(key, object)| {
            let (id, since) = (ONLY_VERSION.to_owned(), object.last_modified);
            (key.as_str(), Version { id, object: Some(Arc::clone(object)), since })
        });
        all.collect()
    }

    fn version(&self, key: &str, id: Option<&str>) -> Option<Version> {
        let kept = self.versions.as_ref().map(|versions| versions.get(key));
        match (kept, id) {
            (Some(kept), Some(id)) => kept?.iter().find(|version| version.id == id).cloned(),
            (Some(kept), None) => kept?.last().cloned(),
            (None, _) => {
                let object = self.objects.get(key)?;
                let is_meant = id.is_none_or(|id| id == ONLY_VERSION);
                let (id, since) = (ONLY_VERSION.to_owned(), object.last_modified);
                is_meant.then(|| Version { id, object: Some(Arc::clone(object)), since })
            }
        }
    }
}

impl Store {
    /// An object, or one version of it, and its id where the bucket keeps versions.
    pub(crate) fn version(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(Arc<StoredObject>, Option<String>)> {
        let (version, is_kept) =
            self.with(bucket, |bucket| (bucket.version(key, id), bucket.versions.is_some()))?;
        let missing = || match id {
            Some(_) => s3_error!(NoSuchVersion, "The specified version does not exist."),
            None => s3_error!(NoSuchKey, "The specified key does not exist."),
        };
        let version = version.ok_or_else(missing)?;
        match version.object {
            Some(object) => Ok((object, is_kept.then_some(version.id))),
            None if id.is_some() => Err(marker()),
            None => Err(missing()),
        }
    }
}

/// Nobody reads a delete marker.
fn marker() -> S3Error {
    s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")
}
