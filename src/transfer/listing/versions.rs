//! Versions of objects, page by page. Only a page tells where the next one begins, so that they come
//! one after the other; the next one is asked for while somebody is at work on the last, and none
//! beyond it.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::round::{Round, repeats};
use crate::domain::escape::Escaped;
use crate::storage::object_store::{VersionPage, VersionsRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::retry::{Tries, until_done};

/// Versions on their way, page by page.
#[derive(Debug)]
pub struct VersionPages {
    context: Arc<Context>,
    /// Of the first page, until it is asked for.
    first: Option<VersionsRequest>,
    /// One page at most.
    ahead: JoinSet<Result<(VersionsRequest, VersionPage), JobError>>,
    round: Round<(String, String)>,
}

impl VersionPages {
    pub fn new(context: &Arc<Context>, request: VersionsRequest) -> Self {
        let (context, first) = (Arc::clone(context), Some(request));
        Self { context, first, ahead: JoinSet::new(), round: Round::default() }
    }

    /// The next page, `None` behind the last. After an error there is no more.
    pub async fn next(&mut self) -> Result<Option<VersionPage>, JobError> {
        if let Some(request) = self.first.take() {
            self.ask(request);
        }
        let Some(ended) = self.context.or_stopped(self.ahead.join_next()).await? else {
            return Ok(None);
        };
        let (request, page) = ended.map_err(|error| JobError::Internal(error.to_string()))??;
        if let Some(marker) = &page.next {
            if self.round.is_closed_by(marker) {
                let error = repeats("ListObjectVersions");
                return Err(Tries::new(&self.context, doing_versions(&request)).fatal(error));
            }
            self.ask(VersionsRequest { after: Some(marker.clone()), ..request });
        }
        Ok(Some(page))
    }

    fn ask(&mut self, request: VersionsRequest) {
        let context = Arc::clone(&self.context);
        self.ahead.spawn(async move {
            let page = versions(&context, &request).await?;
            Ok((request, page))
        });
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::storage::error::{Kind, StoreError};
    use crate::storage::memory::{Failure, MemoryStore, Operation, Order, Pages};
    use crate::transfer::context::Limits;
    use crate::transfer::event::Event;

    fn bucket() -> Bucket {
        Bucket::new("bucket").expect("a name")
    }

    /// Ten objects, three on a page.
    fn store() -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::with_bucket("bucket"));
        store.list_in(Pages { size: 3, order: Order::Bytes });
        for number in 0..10 {
            let key = Key::new(&format!("k{number}")).expect("a key");
            store.seed(&ObjectName::new(bucket(), key), "bytes");
        }
        store
    }

    fn pages(store: &Arc<MemoryStore>) -> (VersionPages, mpsc::Receiver<Event>) {
        let (events, heard) = mpsc::channel(16);
        let limits = Limits::for_reading(Duration::from_secs(10));
        let store = Arc::clone(store);
        let context = Context::new(store, limits, Arc::default(), Arc::default(), events);
        (VersionPages::new(&Arc::new(context), VersionsRequest::new(bucket(), "k")), heard)
    }

    /// Lets everything run that can, and longer.
    async fn idle() {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_page_is_asked_for_while_one_is_worked_on_and_no_other() {
        let store = store();
        let (mut pages, _heard) = pages(&store);
        idle().await;
        assert_eq!(store.count(Operation::ListVersions), 0, "nobody wants a page yet");
        let mut keys = Vec::new();
        for asked in [2, 3, 4, 4] {
            let page = pages.next().await.expect("no error").expect("a page");
            keys.extend(page.versions.into_iter().map(|version| version.object.key));
            idle().await;
            assert_eq!(store.count(Operation::ListVersions), asked);
        }
        assert_eq!(pages.next().await.expect("no error"), None);
        let keys: Vec<_> = keys.iter().map(Key::as_str).collect();
        assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_error_there_is_no_more() {
        let store = store();
        let denied = StoreError::new("ListObjectVersions", Kind::Denied);
        store.fail_later(Operation::ListVersions, 1, Failure::Refused(denied));
        let (mut pages, _heard) = pages(&store);
        assert!(pages.next().await.expect("no error").is_some());
        let error = pages.next().await.expect_err("the second page can't be had");
        assert_eq!(error.store_kind(), Some(&Kind::Denied));
        assert_eq!(pages.next().await.expect("no error"), None);
    }
}
