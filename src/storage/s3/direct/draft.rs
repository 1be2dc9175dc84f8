//! Requests as the SDK writes them: `tests` compares the two. It must never guess: what it can't
//! write as the SDK would is the SDK's to send.

use std::fmt::Write as _;

use aws_sdk_s3::types::RequestPayer;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::endpoint::Endpoint;
use crate::domain::attributes::{Attributes, guess_content_type};
use crate::domain::checksum::Algorithm;
use crate::domain::location::ObjectName;
use crate::storage::object_store::{Body, Read, Upload, Write, WriteIf};
use crate::storage::s3::store::CustomerKeyHeaders;
use crate::storage::s3::write::{UNRESERVED, tagging};

/// Of a key, slashes stay.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
const AGENT: &str = concat!("haul/", env!("CARGO_PKG_VERSION"));

/// What goes with every request about an object's bytes.
#[derive(Clone, Copy)]
pub(in crate::storage::s3) struct Extras<'a> {
    pub(in crate::storage::s3) payer: Option<&'a RequestPayer>,
    pub(in crate::storage::s3) customer_key: Option<&'a CustomerKeyHeaders>,
}

/// A request that knows neither where it goes nor who signs it.
pub(in crate::storage::s3) struct Draft {
    method: Method,
    /// Path and query, from the object's key on.
    target: String,
    headers: HeaderMap,
    /// Whether it could be written at all.
    is_whole: bool,
}

impl Draft {
    pub(in crate::storage::s3) fn get(
        object: &ObjectName,
        what: &Read,
        extras: Extras<'_>,
    ) -> Self {
        let mut draft = Self::new(Method::GET, object, "GetObject");
        if let Some(version) = &object.version {
            draft.ask("versionId", version);
        }
        if let Some(range) = what.range {
            draft.set("range", &range.to_string());
        }
        if let Some(etag) = &what.if_match {
            draft.set("if-match", etag.as_str());
        }
        draft.set("x-amz-checksum-mode", "ENABLED");
        draft.extend(extras)
    }

    pub(in crate::storage::s3) fn put(
        object: &ObjectName,
        body: &Body,
        how: &Write,
        extras: Extras<'_>,
    ) -> Self {
        let mut draft = Self::new(Method::PUT, object, "PutObject");
        if how.condition == WriteIf::Absent {
            draft.set("if-none-match", "*");
        }
        draft.describe(&how.attributes, object.key.file_name());
        draft.announce(body);
        draft.extend(extras)
    }

    pub(in crate::storage::s3) fn part(
        upload: &Upload,
        number: u32,
        body: &Body,
        extras: Extras<'_>,
    ) -> Self {
        let mut draft = Self::new(Method::PUT, &upload.object, "UploadPart");
        draft.ask("partNumber", &number.to_string());
        draft.ask("uploadId", &upload.id.0);
        draft.set("content-type", "application/octet-stream");
        draft.announce(body);
        draft.extend(extras)
    }

    fn new(method: Method, object: &ObjectName, operation: &str) -> Self {
        let key = utf8_percent_encode(object.key.as_str(), PATH);
        let target = format!("/{key}?x-id={operation}");
        let mut draft =
            Self { method, target, headers: HeaderMap::with_capacity(16), is_whole: true };
        draft.set("user-agent", AGENT);
        draft
    }

    fn ask(&mut self, name: &str, value: &str) {
        // The writer of a string never fails.
        write!(self.target, "&{name}={}", utf8_percent_encode(value, UNRESERVED)).ok();
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.set_named(HeaderName::from_static(name), value);
    }

    fn set_named(&mut self, name: HeaderName, value: &str) {
        match HeaderValue::from_str(value) {
            // The SDK leaves some out that are empty, and has names of metadata twice that differ
            // in case.
            Ok(value) if !value.is_empty() && !self.headers.contains_key(&name) => {
                self.headers.insert(name, value);
            }
            _ => self.is_whole = false,
        }
    }

    fn set_some(&mut self, name: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// As the SDK does for PutObject with the same attributes.
    fn describe(&mut self, attributes: &Attributes, name: &str) {
        let guess = || guess_content_type(name);
        self.set("content-type", attributes.content_type.as_deref().unwrap_or_else(guess));
        self.set_some("content-encoding", attributes.content_encoding.as_ref());
        self.set_some("content-disposition", attributes.content_disposition.as_ref());
        self.set_some("content-language", attributes.content_language.as_ref());
        self.set_some("cache-control", attributes.cache_control.as_ref());
        let location = attributes.website_redirect.as_ref();
        self.set_some("x-amz-website-redirect-location", location);
        self.set_some("x-amz-storage-class", attributes.storage_class.as_ref());
        self.set_some("x-amz-acl", attributes.acl.as_ref());
        self.set_some("x-amz-tagging", tagging(&attributes.tags).as_ref());
        if let Some(encryption) = &attributes.encryption {
            self.set("x-amz-server-side-encryption", &encryption.method);
            let key = encryption.kms_key_id.as_ref();
            self.set_some("x-amz-server-side-encryption-aws-kms-key-id", key);
        }
        for (name, value) in &attributes.metadata {
            match HeaderName::try_from(format!("x-amz-meta-{name}")) {
                Ok(name) => self.set_named(name, value),
                Err(_) => self.is_whole = false,
            }
        }
        // A date, in words of its own.
        self.is_whole &= attributes.expires.is_none();
    }

    fn announce(&mut self, body: &Body) {
        let value = body.checksum.to_base64();
        self.set(checksum_header(body.checksum.algorithm()), &value);
        self.headers.insert(hyper::header::CONTENT_LENGTH, body.bytes.len().into());
    }

    fn extend(mut self, extras: Extras<'_>) -> Self {
        if let Some(payer) = extras.payer {
            self.set("x-amz-request-payer", payer.as_str());
        }
        if let Some(key) = extras.customer_key {
            self.set("x-amz-server-side-encryption-customer-algorithm", "AES256");
            self.set("x-amz-server-side-encryption-customer-key", &key.key);
            self.set("x-amz-server-side-encryption-customer-key-md5", &key.md5);
        }
        self
    }

    /// The request, not signed. `None`: the SDK is to write it.
    pub(super) fn request(self, endpoint: &Endpoint) -> Option<Request<()>> {
        let uri = format!("{}{}", endpoint.base, self.target);
        let mut request = Request::builder().method(self.method).uri(uri).body(()).ok()?;
        *request.headers_mut() = self.headers;
        self.is_whole.then_some(request)
    }
}

/// The header of a checksum, in a request and in a reply.
pub(in crate::storage::s3) fn checksum_header(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Crc32C => "x-amz-checksum-crc32c",
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
    }
}
