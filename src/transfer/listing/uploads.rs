//! Unfinished uploads, page by page.

use super::round::{Round, repeats};
use crate::domain::escape::Escaped;
use crate::storage::object_store::{UploadPage, UploadsRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::retry::{Tries, until_done};

/// Unfinished uploads on their way, page by page.
#[derive(Debug)]
pub struct UploadPages {
    request: Option<UploadsRequest>,
    round: Round<(String, String)>,
}

impl UploadPages {
    pub fn new(request: UploadsRequest) -> Self {
        Self { request: Some(request), round: Round::default() }
    }

    /// The next page, `None` behind the last. After an error there is no more.
    pub async fn next(&mut self, context: &Context) -> Result<Option<UploadPage>, JobError> {
        let Some(mut request) = self.request.take() else { return Ok(None) };
        let page = uploads(context, &request).await?;
        if let Some(marker) = &page.next {
            if self.round.is_closed_by(marker) {
                let error = repeats("ListMultipartUploads");
                return Err(Tries::new(context, doing_uploads(&request)).fatal(error));
            }
            request.after = Some(marker.clone());
            self.request = Some(request);
        }
        Ok(Some(page))
    }
}

fn doing_uploads(request: &UploadsRequest) -> String {
    format!("list the unfinished uploads of s3://{}/{}", request.bucket, Escaped(&request.prefix))
}

/// One page of the uploads that were neither completed nor aborted.
async fn uploads(context: &Context, request: &UploadsRequest) -> Result<UploadPage, JobError> {
    until_done(Tries::new(context, doing_uploads(request)), || {
        context.in_time("ListMultipartUploads", 0, context.store.list_uploads(request))
    })
    .await
}
