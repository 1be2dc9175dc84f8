//! Objects out of an archive: asked for by a request, and there when a test says so.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{RestoreObjectInput, RestoreObjectOutput};
use s3s::{S3ErrorCode, S3Response, s3_error};

use super::{Answer, Backend};
use crate::store::Restoring;

pub(super) fn ask(backend: &Backend, input: &RestoreObjectInput) -> Answer<RestoreObjectOutput> {
    let object = backend.store.object(&input.bucket, &input.key)?;
    let days = input.restore_request.as_ref().and_then(|request| request.days);
    if days.is_none_or(|days| days < 1) {
        return Err(s3_error!(MalformedXML, "A restore needs a number of days"));
    }
    let mut response = S3Response::new(RestoreObjectOutput::default());
    match object.attributes.restoring {
        _ if !object.attributes.is_of_an_archive() => Err(s3_error!(
            InvalidObjectState,
            "Restore is not allowed for the object's current storage class"
        )),
        Some(Restoring::UnderWay) => {
            let mut error = s3_error!(InvalidRequest, "Object restore is already in progress");
            error.set_code(S3ErrorCode::Custom("RestoreAlreadyInProgress".into()));
            error.set_status_code(StatusCode::CONFLICT);
            Err(error)
        }
        Some(Restoring::Done) => Ok(response),
        None => {
            let parameters = input.restore_request.as_ref();
            let parameters = parameters.and_then(|request| request.glacier_job_parameters.as_ref());
            let tier = parameters.map(|parameters| parameters.tier.as_str().to_owned());
            backend.store.edit(&input.bucket, &input.key, |object| {
                let attributes = Arc::make_mut(&mut object.attributes);
                attributes.restoring = Some(Restoring::UnderWay);
                attributes.restore_terms = days.zip(tier);
            })?;
            response.status = Some(StatusCode::ACCEPTED);
            Ok(response)
        }
    }
}
