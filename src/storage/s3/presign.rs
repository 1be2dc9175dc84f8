//! Links that are signed beforehand: whoever has one may do one thing with one object, for a while.
//! Nothing is sent, and nothing is known of the object.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::presigning::PresigningConfig;

use super::classify::sdk_error;
use super::store::S3Store;
use crate::domain::location::ObjectName;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::Result;

/// What a link is to.
#[derive(Debug, Clone)]
pub struct Link {
    pub object: ObjectName,
    pub to: LinkTo,
    pub expires_in: Duration,
}

#[derive(Debug, Clone)]
pub enum LinkTo {
    /// Reads the object, with these headers in the place of its own.
    Get { content_type: Option<String>, content_disposition: Option<String> },
    /// Writes it; whoever does must send this type.
    Put { content_type: Option<String> },
}

/// A link, as good as a password until it ends.
#[derive(Debug, Clone)]
pub struct Presigned {
    pub url: String,
    /// When the credentials that it was signed with end, and the link with them.
    pub credentials_end: CredentialsEnd,
}

/// Until when credentials are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsEnd {
    Never,
    At(SystemTime),
    /// They are temporary, and do not say for how long.
    Sometime,
}

/// The longest that a signature of version 4 is good for.
pub const LONGEST_LINK: Duration = Duration::from_hours(7 * 24);

const PRESIGN: &str = "presign";

impl S3Store {
    pub async fn presign(&self, link: &Link) -> Result<Presigned> {
        let Some(credentials) = &self.direct.credentials else {
            return Err(refused("a link needs credentials, and --no-sign-request sends none"));
        };
        let config = PresigningConfig::builder()
            .start_time(SystemTime::now())
            .expires_in(link.expires_in)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let object = &link.object;
        let client = self.client(&object.bucket);
        let request = match &link.to {
            LinkTo::Get { content_type, content_disposition } => client
                .get_object()
                .bucket(object.bucket.as_str())
                .key(object.key.as_str())
                .set_version_id(object.version.as_deref().map(str::to_owned))
                .set_response_content_type(content_type.clone())
                .set_response_content_disposition(content_disposition.clone())
                .presigned(config)
                .await
                .map_err(|error| sdk_error(PRESIGN, &error))?,
            LinkTo::Put { content_type } => client
                .put_object()
                .bucket(object.bucket.as_str())
                .key(object.key.as_str())
                .set_content_type(content_type.clone())
                .presigned(config)
                .await
                .map_err(|error| sdk_error(PRESIGN, &error))?,
        };
        let url = request.uri().to_owned();
        Ok(Presigned { url, credentials_end: end_of(credentials.in_use().as_ref()) })
    }
}

fn end_of(credentials: Option<&Credentials>) -> CredentialsEnd {
    let Some(credentials) = credentials else { return CredentialsEnd::Never };
    match (credentials.expiry(), credentials.session_token()) {
        (Some(end), _) => CredentialsEnd::At(end),
        (None, Some(_)) => CredentialsEnd::Sometime,
        (None, None) => CredentialsEnd::Never,
    }
}

fn refused(message: impl Into<String>) -> StoreError {
    StoreError::new(PRESIGN, Kind::Refused).with_message(message)
}
