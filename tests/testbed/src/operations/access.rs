//! Who may do what: every known key may do everything; others are refused as S3 refuses them.

use std::sync::Arc;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::settings::{Anonymous, Settings};

pub(super) struct Auth(pub(super) Arc<Settings>);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.secret_of(access_key).map(SecretKey::from).ok_or_else(|| {
            s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )
        })
    }
}

pub(super) struct Access(pub(super) Arc<Settings>);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() || self.0.anonymous == Anonymous::Allowed {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Access Denied"))
    }
}
