//! A listing on its way: asks for what its ranges want, as many pages at once as the store takes,
//! and hands them out in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;

use super::ranges::{Ask, Flaw, Ranges, Step};
use super::requests::doing;
use super::round::repeats;
use crate::storage::error::Kind;
use crate::storage::object_store::{ListPage, ListRequest, ObjectStore};
use crate::transfer::brake::Brake;
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::retry::{Tries, until_done};

/// Pages on their way at once.
const AT_ONCE: usize = 16;

/// What a page of usual keys takes in memory.
const PAGE: u64 = 256 * 1024;

/// All pages of a listing, in the order of their keys.
#[derive(Debug)]
pub struct Pages {
    context: Arc<Context>,
    /// Which of the run's stores is listed.
    store: Arc<dyn ObjectStore>,
    request: ListRequest,
    ranges: Ranges<JobError>,
    tasks: JoinSet<Received>,
    /// By the range that they are for.
    running: HashMap<u64, AbortHandle>,
    /// Of this listing's own: who lists slowly may still transfer fast.
    brake: Option<Arc<Mutex<Brake>>>,
}

type Received = (u64, Result<ListPage, JobError>);

impl Pages {
    /// Everything that `request` asks for, from its start. What is listed ahead takes half of the
    /// run's memory at most.
    pub fn new(context: &Arc<Context>, request: ListRequest) -> Self {
        Self::at(Arc::clone(&context.source), context, request)
    }

    /// The same where the run writes to.
    pub fn of_destination(context: &Arc<Context>, request: ListRequest) -> Self {
        Self::at(Arc::clone(&context.store), context, request)
    }

    fn at(store: Arc<dyn ObjectStore>, context: &Arc<Context>, request: ListRequest) -> Self {
        let room = usize::try_from(context.plan_memory() / 2 / PAGE).unwrap_or(usize::MAX);
        Self {
            context: Arc::clone(context),
            store,
            ranges: Ranges::new(&request.prefix, request.depth, room),
            request,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            brake: None,
        }
    }

    /// The next page, `None` behind the last. A page that can't be had makes the whole listing
    /// worthless, since nobody may act on the keys that it does not show: after an error there is
    /// no more.
    pub async fn next(&mut self) -> Result<Option<ListPage>, JobError> {
        loop {
            let step = self.ranges.hand_out();
            self.send();
            match step {
                Step::Page(page) => return Ok(Some(page)),
                Step::End => return Ok(None),
                Step::Failed(Flaw::Request(error)) => return Err(error),
                Step::Failed(Flaw::Repeats) => {
                    let tries = Tries::new(&self.context, doing(&self.request));
                    return Err(tries.fatal(repeats("ListObjectsV2")));
                }
                Step::Wait => {
                    let ended = self.context.or_stopped(self.tasks.join_next()).await?;
                    let Some(ended) = ended else {
                        let error = "a listing waits for nothing".to_owned();
                        return Err(JobError::Internal(error));
                    };
                    self.note(ended)?;
                }
            }
        }
    }

    /// Asks for as many pages as it may, and for none any more that nobody wants.
    fn send(&mut self) {
        self.running.retain(|id, task| {
            let is_awaited = self.ranges.awaits(*id);
            if !is_awaited {
                task.abort();
            }
            is_awaited
        });
        let brake = self.brake.get_or_insert_with(|| {
            let at_once = self.context.limits.concurrency.most().min(AT_ONCE);
            Arc::new(Mutex::new(Brake::new(at_once)))
        });
        let allowed = {
            let mut brake = brake.lock().unwrap_or_else(PoisonError::into_inner);
            brake.recover(Instant::now());
            brake.allowed(Instant::now())
        };
        while let Some(Ask { id, after, token }) = self.ranges.ask(allowed) {
            let request = ListRequest { after, token, ..self.request.clone() };
            let (context, store) = (Arc::clone(&self.context), Arc::clone(&self.store));
            let brake = Arc::clone(brake);
            let fetching = async move { (id, fetch(&context, &*store, &request, &brake).await) };
            self.running.insert(id, self.tasks.spawn(fetching));
        }
    }

    fn note(&mut self, ended: Result<Received, JoinError>) -> Result<(), JobError> {
        match ended {
            Ok((id, reply)) => self.ranges.receive(id, reply),
            // Of a range that was given up.
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(JobError::Internal(error.to_string())),
        }
        Ok(())
    }
}

async fn fetch(
    context: &Context,
    store: &dyn ObjectStore,
    request: &ListRequest,
    brake: &Mutex<Brake>,
) -> Result<ListPage, JobError> {
    until_done(Tries::new(context, doing(request)), || async {
        let sent = Instant::now();
        let reply = context.in_time("ListObjectsV2", 0, store.list(request)).await;
        if reply.as_ref().is_err_and(|error| error.kind == Kind::Throttled) {
            let mut brake = brake.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at_once = brake.allowed(now);
            brake.throttled(sent, now, at_once);
        }
        reply
    })
    .await
}
