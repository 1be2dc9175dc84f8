//! Operations on buckets.

use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner, Timestamp,
};
use s3s::{S3Response, s3_error};

use super::{Answer, Backend};

pub(super) fn list(backend: &Backend, input: ListBucketsInput) -> S3Response<ListBucketsOutput> {
    let limit = input.max_buckets.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let prefix = input.prefix.unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let mut names = backend.store.bucket_names();
    names.retain(|(name, ..)| name.starts_with(&prefix) && *name > after);
    let continuation_token = (names.len() > limit).then(|| names[limit - 1].0.clone());
    names.truncate(limit);
    let buckets = names.into_iter().map(|(name, created, region)| Bucket {
        bucket_region: Some(region.unwrap_or_else(|| backend.settings.region.clone())),
        creation_date: Some(Timestamp::from(created)),
        name: Some(name),
    });
    S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token,
        owner: Some(owner()),
        ..Default::default()
    })
}

pub(super) fn create(backend: &Backend, input: CreateBucketInput) -> Answer<CreateBucketOutput> {
    let region = input.create_bucket_configuration.and_then(|c| c.location_constraint);
    let region = region.map(|region| region.as_str().to_owned());
    backend.store.create_bucket(&input.bucket, region)?;
    let location = Some(format!("/{}", input.bucket));
    Ok(S3Response::new(CreateBucketOutput { location }))
}

pub(super) fn delete(backend: &Backend, input: &DeleteBucketInput) -> Answer<DeleteBucketOutput> {
    backend.store.delete_bucket(&input.bucket)?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub(super) fn head(backend: &Backend, input: &HeadBucketInput) -> Answer<HeadBucketOutput> {
    let region = region_of(backend, &input.bucket)?;
    let bucket_region = s3s::region::Region::new(region.into_boxed_str())
        .map_err(|_| s3_error!(InternalError, "the bucket's region is no region"))?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(bucket_region.as_str().to_owned()),
        ..Default::default()
    }))
}

pub(super) fn location(
    backend: &Backend,
    input: &GetBucketLocationInput,
) -> Answer<GetBucketLocationOutput> {
    let region = region_of(backend, &input.bucket)?;
    // S3 answers null for the oldest region.
    let location_constraint =
        (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

pub(super) fn owner() -> Owner {
    Owner { display_name: None, id: Some("testbed".to_owned()) }
}

fn region_of(backend: &Backend, bucket: &str) -> s3s::S3Result<String> {
    let region = backend.store.bucket_region(bucket)?;
    Ok(region.unwrap_or_else(|| backend.settings.region.clone()))
}
