//! A stored object and its attributes.
//!
//! Attributes are kept as the request's headers spelled them, and handed back the same way: the
//! server must never interpret or tidy what a client stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::checksum::Checksum;
use super::content::Content;

/// An object as the server holds it; cheap to clone.
#[derive(Clone, Debug)]
pub struct StoredObject {
    pub content: Content,
    /// Without its quotes.
    pub etag: String,
    pub checksum: Option<Checksum>,
    /// Empty unless it was uploaded in parts.
    pub parts: Arc<[StoredPart]>,
    pub last_modified: SystemTime,
    pub attributes: Arc<Attributes>,
}

/// A part of an object that was uploaded in parts.
#[derive(Clone, Debug)]
pub struct StoredPart {
    pub number: u32,
    pub size: u64,
    /// The part's own checksum, where the upload had an algorithm.
    pub checksum: Option<Checksum>,
}

/// Everything stored beside an object's bytes that a client chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_disposition: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    pub expires: Option<String>,
    pub website_redirect: Option<String>,
    pub storage_class: Option<String>,
    /// Names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// `x-amz-acl` and `x-amz-grant-…` headers as received.
    pub acl: BTreeMap<String, String>,
    /// `x-amz-server-side-encryption…` headers as received, without a customer's key itself.
    pub encryption: BTreeMap<String, String>,
    /// Whether it was asked back from an archive.
    pub restoring: Option<Restoring>,
    /// For how many days, and how soon.
    pub restore_terms: Option<(i32, String)>,
}

/// How far an object is on its way out of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restoring {
    UnderWay,
    Done,
}

impl StoredObject {
    pub fn bytes(&self) -> Bytes {
        self.content.bytes()
    }

    pub fn len(&self) -> u64 {
        self.content.len()
    }

    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }
}

const METADATA: &str = "x-amz-meta-";
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-key";
pub(crate) const CUSTOMER_KEY_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";

impl Attributes {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut attributes = Self::default();
        for (name, value) in headers {
            attributes.read_header(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        attributes
    }

    fn read_header(&mut self, name: &str, value: &str) {
        let text = || Some(value.to_owned());
        match name {
            "content-type" => self.content_type = text(),
            "content-encoding" => self.content_encoding = without_aws_chunked(value),
            "content-disposition" => self.content_disposition = text(),
            "content-language" => self.content_language = text(),
            "cache-control" => self.cache_control = text(),
            "expires" => self.expires = text(),
            "x-amz-website-redirect-location" => self.website_redirect = text(),
            "x-amz-storage-class" => self.storage_class = text(),
            "x-amz-tagging" => self.tags = parse_tags(value),
            CUSTOMER_KEY => {}
            _ => {
                if let Some(name) = name.strip_prefix(METADATA) {
                    self.metadata.insert(name.to_owned(), value.to_owned());
                } else if name == "x-amz-acl" || name.starts_with("x-amz-grant-") {
                    self.acl.insert(name.to_owned(), value.to_owned());
                } else if name.starts_with(ENCRYPTION) {
                    self.encryption.insert(name.to_owned(), value.to_owned());
                }
            }
        }
    }

    /// The headers a GET or HEAD answers with.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        let mut set = |name: &str, value: &str| {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.insert(name, value);
            }
        };
        set("content-type", self.content_type.as_deref().unwrap_or("binary/octet-stream"));
        match self.restoring {
            None => {}
            Some(Restoring::UnderWay) => set("x-amz-restore", "ongoing-request=\"true\""),
            Some(Restoring::Done) => set(
                "x-amz-restore",
                "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2035 00:00:00 GMT\"",
            ),
        }
        let single = [
            ("content-encoding", &self.content_encoding),
            ("content-disposition", &self.content_disposition),
            ("content-language", &self.content_language),
            ("cache-control", &self.cache_control),
            ("expires", &self.expires),
            ("x-amz-website-redirect-location", &self.website_redirect),
            ("x-amz-storage-class", &self.reported_storage_class()),
        ];
        for (name, value) in single {
            if let Some(value) = value {
                set(name, value);
            }
        }
        for (name, value) in &self.metadata {
            set(&format!("{METADATA}{name}"), value);
        }
        if !self.tags.is_empty() {
            set("x-amz-tagging-count", &self.tags.len().to_string());
        }
        for (name, value) in &self.encryption {
            set(name, value);
        }
    }

    /// S3 leaves the header out for the standard class.
    fn reported_storage_class(&self) -> Option<String> {
        self.storage_class.clone().filter(|class| class != "STANDARD")
    }

    /// Archived objects are listed but cannot be read.
    pub(crate) fn is_archived(&self) -> bool {
        self.is_of_an_archive() && self.restoring != Some(Restoring::Done)
    }

    pub(crate) fn is_of_an_archive(&self) -> bool {
        matches!(self.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
    }
}

/// The tags of an `x-amz-tagging` header, which is a URL query.
fn parse_tags(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (crate::url::decode_query(key), crate::url::decode_query(value))
        })
        .collect()
}

/// `aws-chunked` describes the transfer, not the object: S3 drops it.
fn without_aws_chunked(value: &str) -> Option<String> {
    let kept: Vec<_> =
        value.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}
