//! The requests that go with listings, each tried again as any other is.

use std::time::{Duration, SystemTime};

use crate::domain::escape::Escaped;
use crate::domain::location::{Bucket, ObjectName};
use crate::domain::object::{ObjectDetails, ObjectFacts};
use crate::domain::restore::Restore;
use crate::storage::error::Kind;
use crate::storage::object_store::{ListPage, ListRequest, ListedBucket, Upload};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::retry::{Tries, until_done};

/// One page. A page that can't be had makes the whole listing worthless: nobody may act on the
/// keys that it does not show.
pub async fn page(context: &Context, request: &ListRequest) -> Result<ListPage, JobError> {
    until_done(Tries::new(context, doing(request)), || {
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

/// The same where the run reads from.
pub async fn source_facts(context: &Context, object: &ObjectName) -> Result<ObjectFacts, JobError> {
    until_done(Tries::new(context, format!("look at {object}")), || {
        context.in_time("HeadObject", 0, context.source.head(object))
    })
    .await
}

/// All that is told of an object.
pub async fn details(context: &Context, object: &ObjectName) -> Result<ObjectDetails, JobError> {
    until_done(Tries::new(context, format!("look at {object}")), || {
        context.in_time("HeadObject", 0, context.store.stat(object))
    })
    .await
}

/// Asks for an archived object.
pub async fn restore(
    context: &Context,
    object: &ObjectName,
    how: &Restore,
) -> Result<(), JobError> {
    until_done(Tries::new(context, format!("restore {object}")), || {
        context.in_time("RestoreObject", 0, context.store.restore(object, how))
    })
    .await
}

/// Lets the store be for a while, unless the run is to end.
pub async fn rest(context: &Context, wait: Duration) -> Result<(), JobError> {
    tokio::select! {
        () = context.cancel.drained() => Err(JobError::Stopped),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

pub async fn buckets(context: &Context) -> Result<Vec<ListedBucket>, JobError> {
    until_done(Tries::new(context, "list the buckets".to_owned()), || {
        context.in_time("ListBuckets", 0, context.store.list_buckets())
    })
    .await
}

/// Where the reply to a try was lost, the next one finds the bucket that was made.
pub async fn make_bucket(context: &Context, bucket: &Bucket) -> Result<(), JobError> {
    until_done(Tries::new(context, format!("make s3://{bucket}")), || {
        context.in_time("CreateBucket", 0, context.store.create_bucket(bucket))
    })
    .await
}

/// Where the reply to a try was lost, the next one finds no bucket.
pub async fn remove_bucket(context: &Context, bucket: &Bucket) -> Result<(), JobError> {
    until_done(Tries::new(context, format!("remove s3://{bucket}")), || {
        context.in_time("DeleteBucket", 0, context.store.delete_bucket(bucket))
    })
    .await
}

/// Whether the store still has an upload.
pub async fn is_open(context: &Context, upload: &Upload) -> Result<bool, JobError> {
    let doing = format!("list the parts of {}", upload.object);
    let page = until_done(Tries::new(context, doing), || {
        context.in_time("ListParts", 0, context.store.list_parts(upload, 0))
    });
    match page.await {
        Ok(_) => Ok(true),
        Err(error) if error.store_kind() == Some(&Kind::MissingUpload) => Ok(false),
        Err(error) => Err(error),
    }
}

/// When the last part of an upload came, as far as the store tells, and there still is one.
pub async fn newest_part(
    context: &Context,
    upload: &Upload,
) -> Result<Option<SystemTime>, JobError> {
    let (mut newest, mut after) = (None, 0);
    loop {
        let doing = format!("list the parts of {}", upload.object);
        let page = until_done(Tries::new(context, doing), || {
            context.in_time("ListParts", 0, context.store.list_parts(upload, after))
        });
        let page = match page.await {
            Err(error) if error.store_kind() == Some(&Kind::MissingUpload) => return Ok(newest),
            page => page?,
        };
        newest = page.parts.iter().filter_map(|part| part.modified).chain(newest).max();
        match page.next {
            Some(next) => after = next,
            None => return Ok(newest),
        }
    }
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

pub(super) fn doing(request: &ListRequest) -> String {
    format!("list s3://{}/{}", request.bucket, Escaped(&request.prefix))
}
