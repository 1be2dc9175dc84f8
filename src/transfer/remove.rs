//! Removing objects: one, or as many as a request takes. What the store did not confirm is not
//! removed; of many, only those that failed are asked for again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::{StreamExt as _, stream};

use super::context::{Context, Outcome, Work};
use super::error::JobError;
use super::gate::Class;
use super::retry::{Tries, until_done};
use crate::domain::job::Remove;
use crate::domain::location::{Bucket, ObjectName};
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::{Removal, Removed};

const ONE: &str = "DeleteObject";
const MANY: &str = "DeleteObjects";
/// Keys that go alone are asked for so many at once; the gate may let fewer pass.
const ALONE_AT_ONCE: usize = 64;
/// What an entry takes in a request, beside its key.
const ENTRY: usize = 100;

/// Removes the object that a job is about, which must be there.
pub(super) async fn remove(work: &Work, task: &Remove) -> Result<Outcome, JobError> {
    let (context, turn) = (&work.context, work.job.number);
    if task.size.is_none() {
        find(context, &task.object, turn).await?;
    }
    let removed = remove_one(context, &task.object.bucket, &removal_of(&task.object), turn).await?;
    Ok(Outcome::Removed(removed))
}

pub(super) fn removal_of(object: &ObjectName) -> Removal {
    Removal { version: object.version.clone(), ..Removal::new(object.key.clone()) }
}

/// Sees that there is what was named: some stores remove the only version there is, whatever version
/// was asked for, and those do not find it.
pub(super) async fn find(
    context: &Context,
    object: &ObjectName,
    turn: u64,
) -> Result<(), JobError> {
    let mut in_flight = context.pass(Class::Object, turn, 0).await?;
    let tries = Tries::new(context, format!("look at {object}")).under(&mut in_flight);
    let head = || context.in_time("HeadObject", 0, context.store.head(object));
    match until_done(tries, head).await {
        Err(JobError::Store { source, .. }) if may_be_there(object, &source) => Ok(()),
        found => found.map(drop),
    }
}

/// Whoever may remove need not be allowed to look, nor have the customer's key of the object; and
/// nobody may look at a delete marker. A version that nobody saw is not removed for all that: the
/// store might take another one for it.
fn may_be_there(object: &ObjectName, error: &StoreError) -> bool {
    let is_hidden =
        error.kind == Kind::Denied || error.kind == Kind::Refused && error.status == Some(400);
    error.status == Some(405) || is_hidden && object.version.is_none()
}

/// Whether a removal was sent. Where the run ends before its reply, nobody knows what became of it.
#[derive(Debug, Default)]
struct Sent(AtomicBool);

impl Sent {
    async fn by<T>(&self, request: impl Future<Output = T>) -> T {
        self.0.store(true, Relaxed);
        request.await
    }

    fn judge(&self, error: JobError) -> JobError {
        match error {
            JobError::Stopped if self.0.load(Relaxed) => JobError::Unheard,
            error => error,
        }
    }
}

/// Removes up to `MOST_REMOVED` objects of a bucket, and says of each, in the same order, what came
/// of it. `turn`: those with the lowest one go first.
pub async fn remove_many(
    context: &Context,
    bucket: &Bucket,
    removals: &[Removal],
    turn: u64,
) -> Vec<Result<Removed, JobError>> {
    let (alone, mut together): (Vec<_>, Vec<_>) =
        (0..removals.len()).partition(|at| removals.get(*at).is_none_or(Removal::goes_alone));
    let mut batch = Batch { context, bucket, removals, turn, ended: BTreeMap::new() };
    if together.len() > 1 {
        together = batch.remove_together(together).await;
    }
    together.extend(alone);
    batch.remove_each(together).await;
    batch.ended.into_values().collect()
}

/// Objects that go together, as far as may be.
struct Batch<'a> {
    context: &'a Context,
    bucket: &'a Bucket,
    removals: &'a [Removal],
    turn: u64,
    ended: BTreeMap<usize, Result<Removed, JobError>>,
}

impl Batch<'_> {
    /// Asks for all at once, and again for those that may go the next time. What is left is to be
    /// asked for one by one: this store takes no requests for many.
    async fn remove_together(&mut self, mut open: Vec<usize>) -> Vec<usize> {
        let Self { context, bucket, .. } = *self;
        let in_flight = context.pass(Class::Object, self.turn, 0).await;
        let Ok(mut in_flight) = in_flight else {
            self.stopped(open, &Sent::default());
            return Vec::new();
        };
        let sent = Sent::default();
        let first = open.first().and_then(|at| self.removals.get(*at));
        let first = first.map_or_else(String::new, |first| doing(bucket, first));
        let doing = format!("{first} and {} more", open.len() - 1);
        let mut tries = Tries::new(context, doing).under(&mut in_flight);
        while !open.is_empty() {
            let asked: Vec<_> =
                open.iter().filter_map(|at| self.removals.get(*at)).cloned().collect();
            let length = asked.iter().map(|removal| ENTRY + removal.key.as_str().len());
            let delete = context.store.delete_many(bucket, &asked);
            let delete = context.in_time(MANY, length.sum::<usize>() as u64, delete);
            let results = match context.or_stopped(sent.by(delete)).await {
                Ok(Ok(results)) => {
                    context.store_is_proven();
                    results
                }
                Ok(Err(error)) if is_unknown(&error) => return open,
                // What is wrong with the request is wrong with each.
                Ok(Err(error)) => open.iter().map(|_| Err(error.clone())).collect(),
                Err(_) => {
                    self.stopped(open, &sent);
                    return Vec::new();
                }
            };
            open = self.note(&open, results, &mut tries).await;
        }
        Vec::new()
    }

    /// Notes what ended. Waits, and gives those that are to be asked for again.
    async fn note(
        &mut self,
        asked: &[usize],
        results: Vec<Result<Removed, StoreError>>,
        tries: &mut Tries<'_>,
    ) -> Vec<usize> {
        let mut again = Vec::new();
        for (at, result) in asked.iter().copied().zip(results) {
            match result {
                Ok(removed) => {
                    self.ended.insert(at, Ok(removed));
                }
                Err(error) if error.kind.is_transient() => again.push((at, error)),
                Err(error) => self.failed(at, error, tries),
            }
        }
        // One wait for all of them; the store's wish goes first.
        let is_throttled = |(_, error): &&(usize, StoreError)| error.kind == Kind::Throttled;
        let error = again.iter().find(is_throttled).or(again.first());
        let Some(error) = error.map(|(_, error)| error.clone()) else { return Vec::new() };
        if tries.again(error).await.is_ok() {
            return again.into_iter().map(|(at, _)| at).collect();
        }
        for (at, error) in again {
            self.failed(at, error, tries);
        }
        Vec::new()
    }

    fn failed(&mut self, at: usize, error: StoreError, tries: &Tries<'_>) {
        if let Some(removal) = self.removals.get(at) {
            let error = tries.fatal_to(&doing(self.bucket, removal), error);
            self.ended.insert(at, Err(error));
        }
    }

    fn stopped(&mut self, open: Vec<usize>, sent: &Sent) {
        let stopped = |at| (at, Err(sent.judge(JobError::Stopped)));
        self.ended.extend(open.into_iter().map(stopped));
    }

    async fn remove_each(&mut self, open: Vec<usize>) {
        let Self { context, bucket, removals, turn, .. } = *self;
        let removing = stream::iter(open).map(|at| async move {
            let result = match removals.get(at) {
                Some(removal) => remove_one(context, bucket, removal, turn).await,
                None => Err(JobError::Internal("an object that nobody named".to_owned())),
            };
            (at, result)
        });
        let removed: Vec<_> = removing.buffer_unordered(ALONE_AT_ONCE).collect().await;
        self.ended.extend(removed);
    }
}

/// Removes one object, only if it still has this tag where one is given. `turn`: as above.
pub async fn remove_one(
    context: &Context,
    bucket: &Bucket,
    removal: &Removal,
    turn: u64,
) -> Result<Removed, JobError> {
    let mut in_flight = context.pass(Class::Object, turn, 0).await?;
    let tries = Tries::new(context, doing(bucket, removal)).under(&mut in_flight);
    let sent = Sent::default();
    let delete = || sent.by(context.in_time(ONE, 0, context.store.delete(bucket, removal)));
    until_done(tries, delete).await.map_err(|error| sent.judge(error))
}

/// Whether the store knows no requests for many.
fn is_unknown(error: &StoreError) -> bool {
    error.code.as_deref() == Some("NotImplemented") || matches!(error.status, Some(405 | 501))
}

fn doing(bucket: &Bucket, removal: &Removal) -> String {
    let object = ObjectName {
        bucket: bucket.clone(),
        key: removal.key.clone(),
        version: removal.version.clone(),
    };
    format!("remove {object}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::location::Key;
    use crate::storage::memory::{Failure, MemoryStore, Operation};
    use crate::transfer::context::Limits;

    fn bucket() -> Bucket {
        Bucket::new("bucket").expect("a name")
    }

    fn removal(key: &str) -> Removal {
        Removal::new(Key::new(key).expect("a key"))
    }

    fn store(keys: &[&str]) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::with_bucket("bucket"));
        for key in keys {
            let key = Key::new(key).expect("a key");
            store.seed(&ObjectName::new(bucket(), key), "bytes");
        }
        store
    }

    /// What came of each.
    async fn removed(store: &Arc<MemoryStore>, keys: &[&str]) -> Vec<Option<Kind>> {
        let (events, mut heard) = mpsc::channel(1);
        let limits = Limits::for_reading(Duration::from_secs(10));
        let store = Arc::clone(store);
        let context = Context::new(store, limits, Arc::default(), Arc::default(), events);
        let removals: Vec<_> = keys.iter().map(|key| removal(key)).collect();
        let removing = async {
            let removed = remove_many(&context, &bucket(), &removals, 1).await;
            drop(context);
            removed
        };
        let (removed, ()) = tokio::join!(removing, async { while heard.recv().await.is_some() {} });
        assert_eq!(removed.len(), keys.len());
        let kinds = removed.into_iter().map(|removed| match removed {
            Ok(_) => None,
            Err(error) => Some(error.store_kind().expect("of the store").clone()),
        });
        kinds.collect()
    }

    fn refused(kind: Kind) -> Failure {
        Failure::Refused(StoreError::new(MANY, kind))
    }

    fn left(store: &MemoryStore, keys: &[&str]) -> Vec<String> {
        let is_there = |key: &&&str| {
            let key = Key::new(key).expect("a key");
            store.bytes(&ObjectName::new(bucket(), key)).is_some()
        };
        keys.iter().filter(is_there).map(|key| (*key).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn many_go_with_one_request_and_odd_keys_with_one_of_their_own() {
        let keys = ["a", "b\n", "c", " d", "e"];
        let store = store(&keys);
        assert_eq!(removed(&store, &keys).await, [None, None, None, None, None]);
        assert_eq!(left(&store, &keys), [""; 0]);
        assert_eq!(
            (store.count(Operation::DeleteMany), store.count(Operation::Delete)),
            (1, 3 + 2)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_go_the_next_time_is_asked_for_again() {
        let keys = ["a", "b", "c", "d"];
        let store = store(&keys);
        store.fail_next(Operation::Delete, Some("b"), refused(Kind::Throttled));
        store.fail_next(Operation::Delete, Some("c"), refused(Kind::Denied));
        store.fail_next(Operation::Delete, Some("b"), refused(Kind::Transient));
        assert_eq!(removed(&store, &keys).await, [None, None, Some(Kind::Denied), None]);
        let times = (store.count(Operation::DeleteMany), store.count(Operation::Delete));
        assert_eq!(times, (3, 4 + 1 + 1));
        assert_eq!(left(&store, &keys), ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_reply_was_lost_goes_again_and_one_that_is_refused_fails_for_each() {
        let keys = ["a", "b"];
        let here = store(&keys);
        let lost = StoreError::new(MANY, Kind::Transient);
        here.fail_next(Operation::DeleteMany, None, Failure::LostReply(lost));
        assert_eq!(removed(&here, &keys).await, [None, None]);
        let here = store(&keys);
        here.fail_next(Operation::DeleteMany, None, refused(Kind::Denied));
        assert_eq!(removed(&here, &keys).await, [Some(Kind::Denied), Some(Kind::Denied)]);
        assert_eq!(left(&here, &keys), keys);
        for _ in 0..20 {
            here.fail_next(Operation::DeleteMany, None, refused(Kind::Transient));
        }
        assert_eq!(removed(&here, &keys).await, [Some(Kind::Transient), Some(Kind::Transient)]);
        assert_eq!(here.count(Operation::DeleteMany), 8, "seven tries, as of any request");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_takes_no_many_is_asked_one_by_one() {
        let keys = ["a", "b", "c"];
        let store = store(&keys);
        let mut error = StoreError::new(MANY, Kind::Refused);
        error.status = Some(501);
        store.fail_next(Operation::DeleteMany, None, Failure::Refused(error));
        assert_eq!(removed(&store, &keys).await, [None, None, None]);
        assert_eq!(store.count(Operation::Delete), 3);
    }
}
