//! `RestoreObject`.

use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier as SdkTier};

use super::classify::sdk_error;
use super::store::S3Store;
use crate::domain::location::ObjectName;
use crate::domain::restore::{Restore, Tier};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::Result;

const RESTORE: &str = "RestoreObject";
/// What S3 says to whoever asks twice.
const UNDER_WAY: &str = "RestoreAlreadyInProgress";
/// There is no fast way for this class.
const NOT_SO_FAST: &str = "GlacierExpeditedRetrievalNotAvailable";

pub(super) async fn restore(store: &S3Store, object: &ObjectName, how: &Restore) -> Result<()> {
    let tier = match how.tier {
        Tier::Standard => SdkTier::Standard,
        Tier::Bulk => SdkTier::Bulk,
        Tier::Expedited => SdkTier::Expedited,
    };
    let parameters = GlacierJobParameters::builder().tier(tier).build();
    let parameters = parameters
        .map_err(|error| StoreError::new(RESTORE, Kind::Refused).with_message(error.to_string()))?;
    let request = RestoreRequest::builder().set_days(how.days).glacier_job_parameters(parameters);
    let reply = store
        .client(&object.bucket)
        .restore_object()
        .bucket(object.bucket.as_str())
        .key(object.key.as_str())
        .set_version_id(object.version.as_deref().map(str::to_owned))
        .restore_request(request.build())
        .set_request_payer(store.payer.clone())
        .send()
        .await;
    let Err(error) = reply else { return Ok(()) };
    let error = sdk_error(RESTORE, &error);
    match error.code.as_deref() {
        Some(UNDER_WAY) => Ok(()),
        Some(NOT_SO_FAST) => Err(StoreError { kind: Kind::Refused, ..error }),
        // Other than for a read, this says that there is nothing to bring back.
        _ if error.kind == Kind::Archived => Err(StoreError { kind: Kind::Refused, ..error }),
        _ => Err(error),
    }
}
