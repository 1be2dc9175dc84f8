//! Pages of a listing, as S3 cuts them.

use std::collections::BTreeMap;

use super::stored::Stored;
use crate::domain::location::{Key, ONLY_VERSION};
use crate::domain::object::{ListedObject, ListedVersion, VersionKind};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    Depth, ListPage, ListRequest, Result, VersionPage, VersionsRequest,
};

/// What S3 lists at most at once.
pub(super) const PAGE: usize = 1000;

/// How listings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// The most entries of one.
    pub size: usize,
    pub order: Order,
}

/// The order of a listing of everything below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Of UTF-8 bytes, as S3 has it.
    #[default]
    Bytes,
    /// By what names end in, as no store should: then no page begins behind a key, either.
    Odd,
}

impl Default for Pages {
    fn default() -> Self {
        Self { size: PAGE, order: Order::Bytes }
    }
}

/// One page in the order of UTF-8 bytes, as S3 gives it; its token is the last name on it.
pub(super) fn page(
    objects: &BTreeMap<String, Stored>,
    request: &ListRequest,
    pages: Pages,
) -> Result<ListPage> {
    let prefix = request.prefix.as_str();
    let limit = request.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(pages.size).min(pages.size);
    if pages.order == Order::Odd && request.depth == Depth::Everything {
        return odd_page(objects, request, limit);
    }
    let after = request.token.as_deref().or(request.after.as_deref());
    let mut page = ListPage::default();
    let mut last: Option<&str> = None;
    let below = objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
    for (key, stored) in below {
        let slash = key[prefix.len()..].find('/').filter(|_| request.depth == Depth::OneLevel);
        let name = slash.map_or(key.as_str(), |slash| &key[..=prefix.len() + slash]);
        let was_listed = after.is_some_and(|after| name <= after);
        if was_listed || last == Some(name) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == limit {
            page.next = last.map(str::to_owned);
            break;
        }
        last = Some(name);
        if slash.is_some() {
            page.prefixes.push(name.to_owned());
        } else {
            page.objects.push(listed(key, stored)?);
        }
    }
    Ok(page)
}

/// A page whose token is the number of entries before it.
fn odd_page(
    objects: &BTreeMap<String, Stored>,
    request: &ListRequest,
    limit: usize,
) -> Result<ListPage> {
    let below = objects.iter().filter(|(key, _)| key.starts_with(&request.prefix));
    let mut below: Vec<_> = below.collect();
    below.sort_by_key(|(key, _)| key.bytes().rev().collect::<Vec<_>>());
    let done = request.token.as_deref().and_then(|token| token.parse().ok()).unwrap_or(0_usize);
    let listed = below.iter().skip(done).take(limit).map(|(key, stored)| listed(key, stored));
    let objects = listed.collect::<Result<Vec<_>>>()?;
    let end = done + objects.len();
    let next = (end < below.len()).then(|| end.to_string());
    Ok(ListPage { objects, prefixes: Vec::new(), next })
}

/// One page of objects, each its only version.
pub(super) fn versions(
    objects: &BTreeMap<String, Stored>,
    request: &VersionsRequest,
    pages: Pages,
) -> Result<VersionPage> {
    let VersionsRequest { bucket, prefix, depth, after } = request.clone();
    let after = after.map(|(key, _)| key);
    let request = ListRequest { after, ..ListRequest::new(bucket, prefix, depth) };
    let page = page(objects, &request, Pages { order: Order::Bytes, ..pages })?;
    let versions = page.objects.into_iter().map(|object| {
        let (version, kind) = (ONLY_VERSION.into(), VersionKind::Object);
        ListedVersion { object, version, kind, is_latest: true }
    });
    let next = page.next.map(|last| (last, ONLY_VERSION.to_owned()));
    Ok(VersionPage { versions: versions.collect(), prefixes: page.prefixes, next })
}

fn listed(key: &str, stored: &Stored) -> Result<ListedObject> {
    let key = Key::new(key).map_err(|error| {
        StoreError::new("ListObjectsV2", Kind::Malformed).with_message(error.to_string())
    })?;
    Ok(ListedObject {
        key,
        size: stored.bytes.len() as u64,
        etag: Some(stored.etag.clone()),
        last_modified: Some(stored.modified),
        storage_class: None,
    })
}
