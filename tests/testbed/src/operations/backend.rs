//! The backend behind `s3s`: hands each operation to the file of its concern.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput,
    CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput,
    DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectTaggingInput,
    DeleteObjectTaggingOutput, DeleteObjectsInput, DeleteObjectsOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectInput,
    GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, RestoreObjectInput, RestoreObjectOutput,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result};

use super::{
    access, attributes, buckets, copy, delete, list, list_uploads, list_versions, multipart, read,
    restore, tagging, write,
};
use crate::settings::Settings;
use crate::store::Store;

/// Set on a request by a fault script: serve the whole object although a range was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IgnoreRange;

/// Set on a request by a fault script: what becomes of some keys of a `DeleteObjects`.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFaults {
    /// Refused, and with which code.
    pub(crate) refused: BTreeMap<String, String>,
    /// Left out of the reply.
    pub(crate) hidden: BTreeSet<String>,
}

/// The backend behind `s3s`.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) store: Arc<Store>,
    pub(crate) settings: Arc<Settings>,
}

/// The whole S3 service: signatures checked, requests parsed, the backend behind it.
pub(crate) fn service(backend: Backend) -> S3Service {
    let settings = Arc::clone(&backend.settings);
    let mut builder = S3ServiceBuilder::new(backend);
    builder.set_auth(access::Auth(Arc::clone(&settings)));
    builder.set_access(access::Access(Arc::clone(&settings)));
    if settings.clock.is_some() {
        // The clock is looked at in front of it, and is another one than the system's.
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = u32::MAX;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    }
    builder.build()
}

pub(super) type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
#[rustfmt::skip]
impl S3 for Backend {
    async fn list_buckets(&self, r: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> { Ok(buckets::list(self, r.input)) }
    async fn create_bucket(&self, r: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> { buckets::create(self, r.input) }
    async fn delete_bucket(&self, r: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> { buckets::delete(self, &r.input) }
    async fn head_bucket(&self, r: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> { buckets::head(self, &r.input) }
    async fn get_bucket_location(&self, r: S3Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> { buckets::location(self, &r.input) }

    async fn list_objects(&self, r: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> { list::v1(self, r.input) }
    async fn list_objects_v2(&self, r: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> { list::v2(self, r.input) }

    async fn list_object_versions(&self, r: S3Request<ListObjectVersionsInput>) -> Answer<ListObjectVersionsOutput> { list_versions::versions(self, r.input) }

    async fn get_object(&self, r: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> { read::get(self, &r) }
    async fn head_object(&self, r: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> { read::head(self, &r) }
    async fn get_object_attributes(&self, r: S3Request<GetObjectAttributesInput>) -> Answer<GetObjectAttributesOutput> { attributes::get(self, &r) }
    async fn put_object(&self, r: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> { write::put(self, r).await }
    async fn copy_object(&self, r: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> { copy::object(self, &r) }
    async fn delete_object(&self, r: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> { delete::one(self, &r.input) }
    async fn delete_objects(&self, r: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> { delete::many(self, r) }

    async fn get_object_tagging(&self, r: S3Request<GetObjectTaggingInput>) -> Answer<GetObjectTaggingOutput> { tagging::get(self, &r.input) }
    async fn put_object_tagging(&self, r: S3Request<PutObjectTaggingInput>) -> Answer<PutObjectTaggingOutput> { tagging::put(self, r.input) }
    async fn delete_object_tagging(&self, r: S3Request<DeleteObjectTaggingInput>) -> Answer<DeleteObjectTaggingOutput> { tagging::delete(self, &r.input) }

    async fn restore_object(&self, r: S3Request<RestoreObjectInput>) -> Answer<RestoreObjectOutput> { restore::ask(self, &r.input) }

    async fn create_multipart_upload(&self, r: S3Request<CreateMultipartUploadInput>) -> Answer<CreateMultipartUploadOutput> { multipart::create(self, &r) }
    async fn upload_part(&self, r: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> { multipart::upload_part(self, r).await }
    async fn upload_part_copy(&self, r: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> { copy::part(self, &r) }
    async fn complete_multipart_upload(&self, r: S3Request<CompleteMultipartUploadInput>) -> Answer<CompleteMultipartUploadOutput> { multipart::complete(self, r.input) }
    async fn abort_multipart_upload(&self, r: S3Request<AbortMultipartUploadInput>) -> Answer<AbortMultipartUploadOutput> { multipart::abort(self, &r.input) }
    async fn list_parts(&self, r: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> { list_uploads::parts(self, r.input) }
    async fn list_multipart_uploads(&self, r: S3Request<ListMultipartUploadsInput>) -> Answer<ListMultipartUploadsOutput> { list_uploads::uploads(self, r.input) }
}
