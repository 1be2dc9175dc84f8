//! What a request asks for, read off its head: the operation, bucket, key, part and range.
//!
//! The fault scripts and the log both go by it. It must agree with how `s3s` routes a request.

use std::fmt;

use http::{HeaderMap, Method, Uri};

use crate::url;

/// An S3 operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    ListBuckets,
    CreateBucket,
    DeleteBucket,
    HeadBucket,
    GetBucketLocation,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    GetObject,
    HeadObject,
    PutObject,
    DeleteObject,
    DeleteObjects,
    CopyObject,
    GetObjectAttributes,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    RestoreObject,
    /// Anything else, which the server does not implement.
    Other,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The head of a request, understood.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) operation: Operation,
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) part_number: Option<u32>,
    pub(crate) upload_id: Option<String>,
    pub(crate) range: Option<String>,
}

impl Target {
    pub(crate) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let (bucket, key) = split_path(uri.path());
        let query = Query(uri.query().unwrap_or(""));
        let operation = match (&bucket, &key) {
            (None, _) => Operation::ListBuckets,
            (Some(_), None) => bucket_operation(method, &query),
            (Some(_), Some(_)) => {
                object_operation(method, &query, headers.contains_key("x-amz-copy-source"))
            }
        };
        let range = headers.get("range").and_then(|value| value.to_str().ok());
        Self {
            operation,
            bucket,
            key,
            part_number: query.get("partNumber").and_then(|number| number.parse().ok()),
            upload_id: query.get("uploadId"),
            range: range.map(str::to_owned),
        }
    }

    /// First byte asked for by a `bytes=a-…` range.
    pub(crate) fn range_start(&self) -> Option<u64> {
        range_start(self.range.as_deref()?)
    }
}

/// First byte of a `bytes=a-…` range.
pub(crate) fn range_start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

fn split_path(path: &str) -> (Option<String>, Option<String>) {
    let path = url::decode_path(path.strip_prefix('/').unwrap_or(path));
    match path.split_once('/') {
        None if path.is_empty() => (None, None),
        None | Some((_, "")) => (Some(path.trim_end_matches('/').to_owned()), None),
        Some((bucket, key)) => (Some(bucket.to_owned()), Some(key.to_owned())),
    }
}

fn bucket_operation(method: &Method, query: &Query<'_>) -> Operation {
    match method.as_str() {
        "HEAD" => Operation::HeadBucket,
        "GET" if query.has("uploads") => Operation::ListMultipartUploads,
        "GET" if query.has("versions") => Operation::ListObjectVersions,
        "GET" if query.has("location") => Operation::GetBucketLocation,
        "GET" if query.get("list-type").as_deref() == Some("2") => Operation::ListObjectsV2,
        "GET" if query.is_listing() => Operation::ListObjects,
        "POST" if query.has("delete") => Operation::DeleteObjects,
        "PUT" if query.is_plain() => Operation::CreateBucket,
        "DELETE" if query.is_plain() => Operation::DeleteBucket,
        _ => Operation::Other,
    }
}

fn object_operation(method: &Method, query: &Query<'_>, copies: bool) -> Operation {
    match method.as_str() {
        "HEAD" => Operation::HeadObject,
        "GET" if query.has("attributes") => Operation::GetObjectAttributes,
        "GET" if query.has("tagging") => Operation::GetObjectTagging,
        "GET" if query.has("uploadId") => Operation::ListParts,
        "GET" => Operation::GetObject,
        "PUT" if query.has("tagging") => Operation::PutObjectTagging,
        "PUT" if query.has("uploadId") && copies => Operation::UploadPartCopy,
        "PUT" if query.has("uploadId") => Operation::UploadPart,
        "PUT" if copies => Operation::CopyObject,
        "PUT" => Operation::PutObject,
        "POST" if query.has("restore") => Operation::RestoreObject,
        "POST" if query.has("uploads") => Operation::CreateMultipartUpload,
        "POST" if query.has("uploadId") => Operation::CompleteMultipartUpload,
        "DELETE" if query.has("tagging") => Operation::DeleteObjectTagging,
        "DELETE" if query.has("uploadId") => Operation::AbortMultipartUpload,
        "DELETE" => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

struct Query<'a>(&'a str);

impl Query<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    fn has(&self, name: &str) -> bool {
        self.pairs().any(|(key, _)| key == name)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| url::decode_query(value))
    }

    /// No sub-resource: only the operation's own name or a signature.
    fn is_plain(&self) -> bool {
        self.pairs().all(|(key, _)| key == "x-id" || key.starts_with("X-Amz-"))
    }

    fn is_listing(&self) -> bool {
        const OWN: [&str; 6] =
            ["prefix", "delimiter", "marker", "max-keys", "encoding-type", "x-id"];
        self.pairs().all(|(key, _)| OWN.contains(&key) || key.starts_with("X-Amz-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, uri: &str) -> Target {
        let method = method.parse().expect("a method");
        Target::new(&method, &uri.parse().expect("a URI"), &HeaderMap::new())
    }

    #[test]
    fn hostile_keys_reach_their_operation_unchanged() {
        for (path, key) in [
            ("/b/..", ".."),
            ("/b/../../x", "../../x"),
            ("/b/a//b", "a//b"),
            ("/b//abs", "/abs"),
            ("/b//", "/"),
            ("/b/%0A%01%2B+", "\n\u{1}++"),
        ] {
            let target = target("GET", path);
            assert_eq!(target.operation, Operation::GetObject);
            assert_eq!(target.bucket.as_deref(), Some("b"));
            assert_eq!(target.key.as_deref(), Some(key));
        }
    }

    #[test]
    fn sub_resources_decide_the_operation() {
        let part = target("PUT", "/b/k?x-id=UploadPart&partNumber=7&uploadId=u%2F1");
        assert_eq!(part.operation, Operation::UploadPart);
        assert_eq!((part.part_number, part.upload_id.as_deref()), (Some(7), Some("u/1")));
        assert_eq!(target("GET", "/b/?list-type=2").operation, Operation::ListObjectsV2);
        assert_eq!(target("GET", "/b?prefix=x").operation, Operation::ListObjects);
        assert_eq!(target("GET", "/").operation, Operation::ListBuckets);
        assert_eq!(target("GET", "/b?policy").operation, Operation::Other);
    }
}
