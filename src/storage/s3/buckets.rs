//! CreateBucket and DeleteBucket.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::classify::sdk_error;
use super::store::S3Store;
use crate::domain::location::Bucket;
use crate::storage::object_store::Result;

/// The oldest region, which is named by its absence.
const UNNAMED: &str = "us-east-1";

pub(super) async fn create(store: &S3Store, bucket: &Bucket) -> Result<()> {
    let client = store.first_client();
    let region = client.config().region().map(ToString::to_string);
    let region = region.filter(|region| region != UNNAMED);
    let configuration = region.map(|region| {
        let region = BucketLocationConstraint::from(region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let request = client.create_bucket().bucket(bucket.as_str());
    let reply = request.set_create_bucket_configuration(configuration).send().await;
    reply.map(drop).map_err(|error| sdk_error("CreateBucket", &error))
}

pub(super) async fn delete(store: &S3Store, bucket: &Bucket) -> Result<()> {
    let reply = store.client(bucket).delete_bucket().bucket(bucket.as_str()).send().await;
    reply.map(drop).map_err(|error| sdk_error("DeleteBucket", &error))
}
