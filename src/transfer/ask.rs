//! Asking for bytes, up to the first one. How long that takes says how far away the store is; a
//! reply that is far later than the others is asked for once more.

use std::pin::pin;
use std::sync::PoisonError;

use futures::future::{Either, select};
use tokio::time::Instant;

use super::context::Context;
use super::gate::Class;
use crate::domain::location::ObjectName;
use crate::storage::error::StoreError;
use crate::storage::object_store::{GetReply, Read};

pub(super) const GET: &str = "GetObject";

impl Context {
    /// The head of a reply, in time.
    pub(super) async fn get(
        &self,
        class: Class,
        object: &ObjectName,
        read: &Read,
    ) -> Result<GetReply, StoreError> {
        let sent = Instant::now();
        let reply = self.get_hedged(object, read).await?;
        let after = sent.elapsed();
        self.gate.answered(class, after);
        self.hedge.lock().unwrap_or_else(PoisonError::into_inner).answered(after);
        Ok(reply)
    }

    /// The first of two replies, where the first request is not answered in the usual time.
    async fn get_hedged(&self, object: &ObjectName, read: &Read) -> Result<GetReply, StoreError> {
        let get = || self.in_time(GET, 0, self.source.get(object, read));
        let mut first = pin!(get());
        let hedge = || self.hedge.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = hedge().patience();
        let Some(patience) = patience else { return first.await };
        if let Ok(reply) = tokio::time::timeout(patience, &mut first).await {
            return reply;
        }
        if self.gate.is_slowed() || !hedge().take() {
            return first.await;
        }
        tracing::debug!(%object, ?patience, "asked for once more");
        // An error of one is no reason to give up the other.
        match select(first, pin!(get())).await {
            Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
            Either::Left((Err(_), other)) | Either::Right((Err(_), other)) => other.await,
        }
    }
}
