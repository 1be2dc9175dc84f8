//! How long a request may take that sends next to nothing. One that carries a body has a watch of its
//! own (see `sending`).

use std::time::Duration;

use super::context::Context;
use super::patience::at_slowest;
use crate::storage::error::{Kind, StoreError};

impl Context {
    /// Bounds one request that sends `length` bytes: silence, and less than a trickle, are errors.
    pub(super) async fn in_time<T>(
        &self,
        operation: &'static str,
        length: u64,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.in_extra_time(operation, at_slowest(length), request).await
    }

    /// The same, where the store may take so much longer than the longest silence before it answers.
    pub(super) async fn in_extra_time<T>(
        &self,
        operation: &'static str,
        extra: Duration,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.limits.timeout + extra;
        match tokio::time::timeout(limit, request).await {
            Ok(reply) => reply,
            Err(_) => Err(StoreError::new(operation, Kind::Transient)
                .with_message(format!("no reply within {} s", limit.as_secs()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::storage::memory::MemoryStore;
    use crate::transfer::context::Limits;

    #[tokio::test(start_paused = true)]
    async fn silence_is_waited_for_as_long_as_the_body_and_the_store_may_take() {
        let limits = Limits::for_reading(Duration::from_secs(30));
        let (events, _) = mpsc::channel(1);
        let store = Arc::new(MemoryStore::with_bucket("bucket"));
        let context = Context::new(store, limits, Arc::default(), Arc::default(), events);
        let said = |reply: Result<(), StoreError>| reply.expect_err("no reply").to_string();
        let begun = tokio::time::Instant::now();
        let sent = context.in_time("DeleteObjects", 80 * 1024, pending()).await;
        assert!(said(sent).contains("no reply within 40 s"));
        assert_eq!(begun.elapsed().as_secs(), 40);
        let copied = context.in_extra_time("CopyObject", Duration::from_mins(5), pending()).await;
        assert!(said(copied).contains("no reply within 330 s"));
        assert_eq!(begun.elapsed().as_secs(), 40 + 330);
    }
}
