//! Listings page by page, each page tried again as any other request is.

use std::time::SystemTime;

use super::context::Context;
use super::error::JobError;
use super::retry::{Tries, until_done};
use crate::domain::escape::Escaped;
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{
    ListPage, ListRequest, ListedBucket, Upload, UploadPage, UploadsRequest,
};

/// A listing on its way, page by page.
#[derive(Debug)]
pub struct Pages {
    /// `None` once the last page was had.
    request: Option<ListRequest>,
    round: Round<String>,
}

impl Pages {
    /// Everything that `request` asks for, from where it says.
    pub fn new(request: ListRequest) -> Self {
        Self { request: Some(request), round: Round::default() }
    }

    /// The next page, `None` behind the last. After an error there is no more.
    pub async fn next(&mut self, context: &Context) -> Result<Option<ListPage>, JobError> {
        let Some(mut request) = self.request.take() else { return Ok(None) };
        let page = page(context, &request).await?;
        if let Some(token) = &page.next {
            if self.round.is_closed_by(token) {
                let error = repeats("ListObjectsV2");
                return Err(Tries::new(context, doing(&request)).fatal(error));
            }
            request.token = Some(token.clone());
            self.request = Some(request);
        }
        Ok(Some(page))
    }
}

/// Unfinished uploads on their way, page by page, as `Pages` has objects.
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

fn repeats(operation: &'static str) -> StoreError {
    let text = "the server repeats its continuation tokens";
    StoreError::new(operation, Kind::Malformed).with_message(text)
}

/// Notices when tokens come round again, and remembers one of them only: that of the last page
/// whose number is a power of two (Brent's way to find a cycle).
#[derive(Debug)]
struct Round<T> {
    seen: u64,
    marked: Option<T>,
}

impl<T> Default for Round<T> {
    fn default() -> Self {
        Self { seen: 0, marked: None }
    }
}

impl<T: Clone + PartialEq> Round<T> {
    fn is_closed_by(&mut self, token: &T) -> bool {
        if self.marked.as_ref() == Some(token) {
            return true;
        }
        self.seen += 1;
        if self.seen.is_power_of_two() {
            self.marked = Some(token.clone());
        }
        false
    }
}

fn doing(request: &ListRequest) -> String {
    format!("list s3://{}/{}", request.bucket, Escaped(&request.prefix))
}

fn doing_uploads(request: &UploadsRequest) -> String {
    format!("list the unfinished uploads of s3://{}/{}", request.bucket, Escaped(&request.prefix))
}

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

pub async fn buckets(context: &Context) -> Result<Vec<ListedBucket>, JobError> {
    until_done(Tries::new(context, "list the buckets".to_owned()), || {
        context.in_time("ListBuckets", 0, context.store.list_buckets())
    })
    .await
}

/// One page of the uploads that were neither completed nor aborted.
async fn uploads(context: &Context, request: &UploadsRequest) -> Result<UploadPage, JobError> {
    until_done(Tries::new(context, doing_uploads(request)), || {
        context.in_time("ListMultipartUploads", 0, context.store.list_uploads(request))
    })
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_come_round_are_noticed_and_others_are_not() {
        for before in 0..20 {
            for cycle in 1..20_u64 {
                let mut round = Round::default();
                let token = |page: u64| match page.checked_sub(before) {
                    Some(page) => format!("round {}", page % cycle),
                    None => format!("once {page}"),
                };
                let closed = (0..200).find(|page| round.is_closed_by(&token(*page)));
                let closed = closed.expect("it is noticed");
                assert!(closed >= before + cycle, "{before} {cycle}: {closed}");
                assert!(closed <= 3 * (before + cycle) + 3, "{before} {cycle}: {closed}");
            }
        }
        let mut round = Round::default();
        assert!((0..10_000).all(|page: u32| !round.is_closed_by(&page)));
    }
}
