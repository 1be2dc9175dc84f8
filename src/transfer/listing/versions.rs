//! Versions of objects, page by page.

use super::round::{Round, repeats};
use crate::domain::escape::Escaped;
use crate::storage::object_store::{VersionPage, VersionsRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::retry::{Tries, until_done};

/// Versions on their way, page by page.
#[derive(Debug)]
pub struct VersionPages {
    request: Option<VersionsRequest>,
    round: Round<(String, String)>,
}

impl VersionPages {
    pub fn new(request: VersionsRequest) -> Self {
        Self { request: Some(request), round: Round::default() }
    }

    /// The next page, `None` behind the last. After an error there is no more.
    pub async fn next(&mut self, context: &Context) -> Result<Option<VersionPage>, JobError> {
        let Some(mut request) = self.request.take() else { return Ok(None) };
        let page = versions(context, &request).await?;
        if let Some(marker) = &page.next {
            if self.round.is_closed_by(marker) {
                let error = repeats("ListObjectVersions");
                return Err(Tries::new(context, doing_versions(&request)).fatal(error));
            }
            request.after = Some(marker.clone());
            self.request = Some(request);
        }
        Ok(Some(page))
    }
}

fn doing_versions(request: &VersionsRequest) -> String {
    format!("list all versions of s3://{}/{}", request.bucket, Escaped(&request.prefix))
}

async fn versions(context: &Context, request: &VersionsRequest) -> Result<VersionPage, JobError> {
    until_done(Tries::new(context, doing_versions(request)), || {
        context.in_time("ListObjectVersions", 0, context.store.list_versions(request))
    })
    .await
}
