//! Listing keys in UTF-8 binary order, with prefix, delimiter and a place to go on from.
//!
//! Must never cost more than a page: common prefixes are jumped over, not walked through.

use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::Arc;

use super::buckets::Bucket;
use super::object::StoredObject;

/// What to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListRequest {
    pub(crate) prefix: String,
    /// Empty means none.
    pub(crate) delimiter: String,
    /// Only keys (and common prefixes) behind this one.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Where the next page starts behind, if there is one.
    pub(crate) next: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Entry {
    Object(String, Arc<StoredObject>),
    CommonPrefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

impl Bucket {
    pub(crate) fn list(&self, request: &ListRequest) -> Page {
        let mut page = Page::default();
        let mut keys = self.keys_from(&request.start());
        while let Some((key, object)) = keys.next() {
            if !key.starts_with(&request.prefix) {
                break;
            }
            if page.entries.len() == request.limit {
                page.next = page.entries.last().map(|entry| entry.name().to_owned());
                break;
            }
            page.entries.push(if let Some(common) = request.common_prefix(key) {
                keys = self.keys_from(&behind_prefix(common));
                Entry::CommonPrefix(common.to_owned())
            } else {
                Entry::Object(key.clone(), Arc::clone(object))
            });
        }
        page
    }

    fn keys_from(&self, from: &Bound<String>) -> Range<'_, String, Arc<StoredObject>> {
        let from = from.as_ref().map(String::as_str);
        self.objects.range::<str, _>((from, Bound::Unbounded))
    }
}

impl ListRequest {
    fn start(&self) -> Bound<String> {
        match &self.after {
            Some(after) if *after >= self.prefix => match self.common_prefix(after) {
                Some(common) if common == after => behind_prefix(common),
                _ => Bound::Excluded(after.clone()),
            },
            _ => Bound::Included(self.prefix.clone()),
        }
    }

    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let at = rest.find(&self.delimiter)?;
        Some(&key[..self.prefix.len() + at + self.delimiter.len()])
    }
}

/// Where the first key that does not start with `prefix` can lie. UTF-8 order is the order of code
/// points, so it is the prefix with its last character raised.
fn behind_prefix(prefix: &str) -> Bound<String> {
    let mut raised = prefix.to_owned();
    while let Some(last) = raised.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            raised.push(next);
            return Bound::Included(raised);
        }
    }
    // Nothing lies behind the highest code point repeated: no key is longer than 1,024 bytes.
    Bound::Excluded("\u{10FFFF}".repeat(257))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::store::Content;

    fn bucket(keys: &[&str]) -> Bucket {
        let object = Arc::new(StoredObject {
            content: Content::default(),
            etag: String::new(),
            checksum: None,
            parts: Arc::default(),
            last_modified: SystemTime::UNIX_EPOCH,
            attributes: Arc::default(),
        });
        Bucket {
            region: None,
            created: SystemTime::UNIX_EPOCH,
            objects: keys.iter().map(|key| ((*key).to_owned(), Arc::clone(&object))).collect(),
            versions: None,
            uploads: std::collections::BTreeMap::default(),
        }
    }

    fn names(bucket: &Bucket, prefix: &str, delimiter: &str, limit: usize) -> Vec<String> {
        let mut request = ListRequest {
            prefix: prefix.to_owned(),
            delimiter: delimiter.to_owned(),
            after: None,
            limit,
        };
        let mut names = Vec::new();
        loop {
            let page = bucket.list(&request);
            assert!(page.entries.len() <= limit);
            names.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
            match page.next {
                Some(next) => request.after = Some(next),
                None => return names,
            }
        }
    }

    #[test]
    fn every_page_size_gives_the_same_listing() {
        let bucket =
            bucket(&["/abs", "..", "a", "a//b", "a/b", "a/c/d", "b", "x", "x/y", "é/1", "é/2"]);
        for limit in 1..12 {
            assert_eq!(names(&bucket, "", "", limit).len(), 11);
            let grouped = names(&bucket, "", "/", limit);
            assert_eq!(grouped, ["..", "/", "a", "a/", "b", "x", "x/", "é/"]);
            assert_eq!(names(&bucket, "a/", "/", limit), ["a//", "a/b", "a/c/"]);
        }
    }
}
