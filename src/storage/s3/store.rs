//! The store that the engine sees: each method hands over to the file of its concern.

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_s3::types::RequestPayer;
use aws_sdk_s3::{Client, Config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Digest as _;

use super::asked::answered;
use super::connect::{Options, Payer, Replies};
use super::direct::{Direct, Draft, Extras, Sent};
use super::read::{GET, HEAD};
use super::recovery::Recovery;
use super::{
    buckets, copy, delete, list, multipart, parts, read, restore, unfinished, versions, write,
};
use crate::domain::attributes::{Attributes, CustomerKey};
use crate::domain::checksum::Algorithm;
use crate::domain::location::{Bucket, ObjectName};
use crate::domain::object::{ETag, ObjectDetails, ObjectFacts};
use crate::domain::range::ByteRange;
use crate::domain::restore::Restore;
use crate::storage::object_store::{
    Assembled, Body, CopiedPart, CopyObject, CopySource, Described, GetReply, ListPage,
    ListRequest, ListedBucket, ObjectStore, PartsPage, Read, Removal, Removed, Result,
    SentPartsPage, Upload, UploadId, UploadPage, UploadsRequest, VersionPage, VersionsRequest,
    Write, Written,
};

/// S3, or a server that speaks as it does.
pub struct S3Store {
    pub(super) replies: Replies,
    pub(super) payer: Option<RequestPayer>,
    pub(super) customer_key: Option<CustomerKeyHeaders>,
    /// Of the objects that are copied from.
    pub(super) source_key: Option<CustomerKeyHeaders>,
    pub(super) direct: Direct,
    recovery: Recovery,
}

/// What `connect` makes a store of.
pub(super) struct Parts {
    pub(super) config: Config,
    /// None: S3's own.
    pub(super) endpoint: Option<String>,
    pub(super) direct: Direct,
}

/// What goes with every request for an object under a customer's own key.
pub(super) struct CustomerKeyHeaders {
    pub(super) key: String,
    pub(super) md5: String,
}

impl CustomerKeyHeaders {
    fn of(key: &CustomerKey) -> Self {
        let (key, digest) = (key.expose(), md5::Md5::digest(key.expose()));
        Self { key: BASE64.encode(key), md5: BASE64.encode(digest) }
    }
}

impl S3Store {
    pub(super) fn new(parts: Parts, options: &Options) -> Self {
        let customer_key = options.customer_key.as_ref().map(CustomerKeyHeaders::of);
        let source_key = options.source_key.as_ref().map(CustomerKeyHeaders::of);
        let payer = (options.payer == Payer::Requester).then_some(RequestPayer::Requester);
        let Parts { config, endpoint, direct } = parts;
        let credentials = direct.credentials.clone();
        let recovery = Recovery::new(config, endpoint, credentials, options.listener.clone());
        let replies = options.replies;
        Self { replies, payer, customer_key, source_key, direct, recovery }
    }

    /// What goes with every request about an object's bytes.
    pub(super) fn extras(&self) -> Extras<'_> {
        Extras { payer: self.payer.as_ref(), customer_key: self.customer_key.as_ref() }
    }

    /// Sends a request past the SDK. `None`: the SDK is to send it.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        bucket: &Bucket,
        draft: Draft,
        body: Option<&Body>,
    ) -> Result<Option<Sent>> {
        match self.recovery.regions.of(bucket) {
            Some(region) if !self.recovery.is_clock_off() => {
                self.direct.send(operation, (bucket, &region), draft, body.cloned()).await
            }
            _ => Ok(None),
        }
    }

    /// For requests about this bucket: signed for the region that it is in, as far as that is known.
    pub(super) fn client(&self, bucket: &Bucket) -> Client {
        self.recovery.regions.client(bucket)
    }

    pub(super) fn first_client(&self) -> &Client {
        self.recovery.regions.first()
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("S3Store").finish_non_exhaustive()
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn endpoint(&self) -> &str {
        self.recovery.endpoint()
    }

    fn last_connection(&self) -> Option<Instant> {
        self.direct.connector.last_connection()
    }

    fn key_digest(&self) -> Option<&str> {
        self.customer_key.as_ref().map(|headers| headers.md5.as_str())
    }

    async fn get(&self, object: &ObjectName, what: &Read) -> Result<GetReply> {
        let sent = self.recovery.sending(Some(&object.bucket));
        let reply = answered(GET, object, read::get(self, object, what).await, |it| &it.facts);
        self.recovery.judge(&sent, reply)
    }

    async fn head(&self, object: &ObjectName) -> Result<ObjectFacts> {
        let sent = self.recovery.sending(Some(&object.bucket));
        let reply = answered(HEAD, object, read::head(self, object).await, |facts| facts);
        self.recovery.judge(&sent, reply)
    }

    async fn describe(&self, object: &ObjectName) -> Result<Described> {
        let sent = self.recovery.sending(Some(&object.bucket));
        let reply = answered(HEAD, object, copy::describe(self, object).await, |it| &it.facts);
        self.recovery.judge(&sent, reply)
    }

    async fn tags(&self, object: &ObjectName) -> Result<Vec<(String, String)>> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, copy::tags(self, object).await)
    }

    async fn stat(&self, object: &ObjectName) -> Result<ObjectDetails> {
        let sent = self.recovery.sending(Some(&object.bucket));
        let reply = answered(HEAD, object, read::stat(self, object).await, |it| &it.facts);
        self.recovery.judge(&sent, reply)
    }

    async fn restore(&self, object: &ObjectName, how: &Restore) -> Result<()> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, restore::restore(self, object, how).await)
    }

    async fn object_parts(&self, object: &ObjectName, after: u32) -> Result<PartsPage> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, parts::page(self, object, after).await)
    }

    async fn put(&self, object: &ObjectName, body: Body, how: &Write) -> Result<Written> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, write::put(self, object, body, how).await)
    }

    async fn create_upload(
        &self,
        object: &ObjectName,
        attributes: &Attributes,
    ) -> Result<UploadId> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, multipart::create(self, object, attributes).await)
    }

    async fn put_part(&self, upload: &Upload, number: u32, body: Body) -> Result<ETag> {
        let sent = self.recovery.sending(Some(&upload.object.bucket));
        self.recovery.judge(&sent, multipart::put_part(self, upload, number, body).await)
    }

    async fn complete_upload(&self, upload: &Upload, parts: &Assembled) -> Result<Written> {
        let sent = self.recovery.sending(Some(&upload.object.bucket));
        self.recovery.judge(&sent, multipart::complete(self, upload, parts).await)
    }

    async fn copy(&self, object: &ObjectName, how: &CopyObject) -> Result<Written> {
        let sent = self.recovery.sending(Some(&object.bucket));
        self.recovery.judge(&sent, copy::whole(self, object, how).await)
    }

    async fn copy_part(
        &self,
        upload: &Upload,
        number: u32,
        from: &CopySource,
        range: ByteRange,
    ) -> Result<CopiedPart> {
        let sent = self.recovery.sending(Some(&upload.object.bucket));
        self.recovery.judge(&sent, copy::part(self, (upload, number), from, range).await)
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<()> {
        let sent = self.recovery.sending(Some(&upload.object.bucket));
        self.recovery.judge(&sent, multipart::abort(self, upload).await)
    }

    async fn list_parts(&self, upload: &Upload, after: u32) -> Result<SentPartsPage> {
        let sent = self.recovery.sending(Some(&upload.object.bucket));
        self.recovery.judge(&sent, unfinished::parts(self, upload, after).await)
    }

    async fn list_uploads(&self, request: &UploadsRequest) -> Result<UploadPage> {
        let sent = self.recovery.sending(Some(&request.bucket));
        self.recovery.judge(&sent, unfinished::uploads(self, request).await)
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage> {
        let sent = self.recovery.sending(Some(&request.bucket));
        self.recovery.judge(&sent, list::page(self, request).await)
    }

    async fn list_versions(&self, request: &VersionsRequest) -> Result<VersionPage> {
        let sent = self.recovery.sending(Some(&request.bucket));
        self.recovery.judge(&sent, versions::page(self, request).await)
    }

    async fn delete(&self, bucket: &Bucket, removal: &Removal) -> Result<Removed> {
        let sent = self.recovery.sending(Some(bucket));
        self.recovery.judge(&sent, delete::one(self, bucket, removal).await)
    }

    async fn delete_many(
        &self,
        bucket: &Bucket,
        removals: &[Removal],
    ) -> Result<Vec<Result<Removed>>> {
        let sent = self.recovery.sending(Some(bucket));
        self.recovery.judge(&sent, delete::many(self, bucket, removals).await)
    }

    async fn create_bucket(&self, bucket: &Bucket) -> Result<()> {
        let sent = self.recovery.sending(None);
        self.recovery.judge(&sent, buckets::create(self, bucket).await)
    }

    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()> {
        let sent = self.recovery.sending(Some(bucket));
        self.recovery.judge(&sent, buckets::delete(self, bucket).await)
    }

    async fn list_buckets(&self) -> Result<Vec<ListedBucket>> {
        let sent = self.recovery.sending(None);
        self.recovery.judge(&sent, list::buckets(self).await)
    }
}

/// In the order in which one is chosen.
pub(super) const TOLD: [Algorithm; 5] =
    [Algorithm::Crc64Nvme, Algorithm::Crc32C, Algorithm::Crc32, Algorithm::Sha256, Algorithm::Sha1];

/// What a reply says of checksums, in the order of `TOLD`.
macro_rules! told_checksums {
    ($reply:expr) => {
        [
            (Algorithm::Crc64Nvme, $reply.checksum_crc64_nvme()),
            (Algorithm::Crc32C, $reply.checksum_crc32_c()),
            (Algorithm::Crc32, $reply.checksum_crc32()),
            (Algorithm::Sha256, $reply.checksum_sha256()),
            (Algorithm::Sha1, $reply.checksum_sha1()),
        ]
    };
}

/// The first checksum that the store keeps of a part, if it keeps one.
macro_rules! checksum_of_part {
    ($part:expr) => {
        told_checksums!($part)
            .into_iter()
            .find_map(|(algorithm, value)| Checksum::from_base64(algorithm, value?))
    };
}

/// Adds a customer's key to a request that is about an object's bytes.
macro_rules! with_customer_key {
    ($request:expr, $store:expr) => {
        match &$store.customer_key {
            Some(headers) => $request
                .sse_customer_algorithm("AES256")
                .sse_customer_key(&headers.key)
                .sse_customer_key_md5(&headers.md5),
            None => $request,
        }
    };
}

/// Adds the key that the source of a copy is encrypted with.
macro_rules! with_source_key {
    ($request:expr, $store:expr) => {
        match &$store.source_key {
            Some(headers) => $request
                .copy_source_sse_customer_algorithm("AES256")
                .copy_source_sse_customer_key(&headers.key)
                .copy_source_sse_customer_key_md5(&headers.md5),
            None => $request,
        }
    };
}

/// Adds the attributes of a new object: the same for a single PUT and for a multipart upload.
macro_rules! with_attributes {
    ($request:expr, $attributes:expr, $key:expr) => {{
        let attributes: &Attributes = $attributes;
        let content_type =
            attributes.content_type.clone().unwrap_or_else(|| guess_content_type($key).to_owned());
        let encryption = attributes.encryption.as_ref();
        $request
            .content_type(content_type)
            .set_content_encoding(attributes.content_encoding.clone())
            .set_content_disposition(attributes.content_disposition.clone())
            .set_content_language(attributes.content_language.clone())
            .set_cache_control(attributes.cache_control.clone())
            .set_expires(attributes.expires.map(aws_smithy_types::DateTime::from_secs))
            .set_website_redirect_location(attributes.website_redirect.clone())
            .set_metadata(
                (!attributes.metadata.is_empty())
                    .then(|| attributes.metadata.iter().cloned().collect()),
            )
            .set_tagging(tagging(&attributes.tags))
            .set_storage_class(attributes.storage_class.as_deref().map(Into::into))
            .set_acl(attributes.acl.as_deref().map(Into::into))
            .set_server_side_encryption(
                encryption.map(|encryption| encryption.method.as_str().into()),
            )
            .set_ssekms_key_id(encryption.and_then(|encryption| encryption.kms_key_id.clone()))
    }};
}

/// Sets the header of a checksum that is already known, which also keeps the SDK from computing one.
macro_rules! with_checksum {
    ($request:expr, $checksum:expr) => {{
        let checksum: &Checksum = $checksum;
        let value = Some(checksum.to_base64());
        match checksum.algorithm() {
            Algorithm::Crc64Nvme => $request.set_checksum_crc64_nvme(value),
            Algorithm::Crc32C => $request.set_checksum_crc32_c(value),
            Algorithm::Crc32 => $request.set_checksum_crc32(value),
            Algorithm::Sha1 => $request.set_checksum_sha1(value),
            Algorithm::Sha256 => $request.set_checksum_sha256(value),
        }
    }};
}

/// Lets a request read a reply that came already, if one did.
macro_rules! with_replay {
    ($request:expr, $came:expr) => {
        match $came {
            Some(came) => $request.config_override(Replay::config(came)),
            None => $request,
        }
    };
}

/// Sends a request that carries an object's bytes, its signature over them or not.
macro_rules! send_with_body {
    ($request:expr, $body:expr, $came:expr, $store:expr) => {{
        let outgoing = Outgoing { bytes: $body.bytes.clone(), taken: $body.taken.clone() };
        let request = $request.body(ByteStream::from($body.bytes.clone())).customize();
        let request = request.mutate_request(move |request| {
            request.add_extension(outgoing.clone());
        });
        let request = with_replay!(request, $came);
        match $store.direct.payload {
            Payload::Unsigned => request.disable_payload_signing().send().await,
            Payload::Signed => request.send().await,
        }
    }};
}

pub(super) use {
    checksum_of_part, send_with_body, told_checksums, with_attributes, with_checksum,
    with_customer_key, with_replay, with_source_key,
};
