//! Listings page by page, each page tried again as any other request is.

use super::context::Context;
use super::error::JobError;
use super::retry::{Tries, until_done};
use crate::domain::escape::Escaped;
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::Kind;
use crate::storage::object_store::{
    ListPage, ListRequest, ListedBucket, Upload, UploadPage, UploadsRequest,
};

/// One page. A page that can't be had makes the whole listing worthless: nobody may act on the
/// keys that it does not show.
pub async fn page(context: &Context, request: &ListRequest) -> Result<ListPage, JobError> {
    let doing = format!("list s3://{}/{}", request.bucket, Escaped(&request.prefix));
    until_done(Tries::new(context, doing), || {
        context.in_time("ListObjectsV2", 0, context.store.list(request))
    })
    .await
}

/// What an object is, before a job is made of it.
pub async fn facts(context: &Context, object: &ObjectName) -> Result<ObjectFacts, JobError> {
    until_done(Tries::new(context, format!("look at {object}")), || {
        context.in_time("HeadObject", 0, context.store.head(object))
    })
    .await
}

pub async fn buckets(context: &Context) -> Result<Vec<ListedBucket>, JobError> {
    until_done(Tries::new(context, "list the buckets".to_owned()), || {
        context.in_time("ListBuckets", 0, context.store.list_buckets())
    })
    .await
}

/// One page of the uploads that were neither completed nor aborted.
pub async fn uploads(context: &Context, request: &UploadsRequest) -> Result<UploadPage, JobError> {
    let (bucket, prefix) = (&request.bucket, Escaped(&request.prefix));
    let doing = format!("list the unfinished uploads of s3://{bucket}/{prefix}");
    until_done(Tries::new(context, doing), || {
        context.in_time("ListMultipartUploads", 0, context.store.list_uploads(request))
    })
    .await
}

/// Ends an upload for good. One that is gone already will do.
pub async fn abort(context: &Context, upload: &Upload) -> Result<(), JobError> {
    let doing = format!("abort the unfinished upload of {}", upload.object);
    let aborted = until_done(Tries::new(context, doing), || {
        context.in_time("AbortMultipartUpload", 0, context.store.abort_upload(upload))
    });
    match aborted.await {
        Err(error) if error.store_kind() == Some(&Kind::MissingUpload) => Ok(()),
        aborted => aborted,
    }
}
