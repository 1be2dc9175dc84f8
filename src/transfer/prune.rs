//! Takes away what a destination has too much, once all that is missing there has come. Whoever
//! calls this knows both sides whole (invariant 3); here each name is looked at once more, as far as
//! that costs no request, and what can't go is a failure of its own.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};

use super::context::Context;
use super::error::{JobError, chain};
use super::event::{Event, IsDone, Pruned};
use super::outcome::{End, Failure, Summary};
use super::remove::remove_many;
use crate::domain::location::{Bucket, Key};
use crate::domain::naming::Naming;
use crate::domain::relative_path::RelativePath;
use crate::storage::local::{AsListed, exact};
use crate::storage::object_store::{MOST_REMOVED, Removal};

/// One name that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Below the destination.
    pub name: String,
    /// As it was listed.
    pub size: u64,
    pub modified: Option<SystemTime>,
    /// So many bytes of the name are folders that stay, though they may become empty.
    pub kept: usize,
}

/// Where names go from.
#[derive(Debug, Clone)]
pub enum From {
    /// Below a prefix. Nothing goes that has since come to the folder that is the source.
    Objects { bucket: Bucket, prefix: String, source: Option<(PathBuf, Naming)> },
    /// Below the run's own folder.
    Files,
}

/// Requests on their way at once, each for many objects.
const AT_ONCE: usize = 8;

/// Removes all of them, and adds to the summary what became of it. An interrupt ends it between two
/// requests; so does a store that refuses all of one request, which ends the run, too, unless that is
/// one line of many.
pub async fn prune(
    context: &Arc<Context>,
    from: &From,
    leaving: impl Iterator<Item = io::Result<Leaving>> + Send,
    summary: &mut Summary,
) {
    let before = summary.elapsed;
    let started = std::time::Instant::now();
    let mut pruning = Pruning { context, from, summary, has_given_up: false };
    context.gate.driving(pruning.work_off(leaving)).await;
    summary.elapsed = before + started.elapsed();
    summary.retries = context.health.retries();
    summary.end = context.cancel.end();
}

/// Tells what `prune` would do, and does nothing.
pub async fn tell(
    context: &Arc<Context>,
    from: &From,
    leaving: impl Iterator<Item = io::Result<Leaving>> + Send,
    summary: &mut Summary,
) {
    let mut pruning = Pruning { context, from, summary, has_given_up: false };
    for leaving in leaving {
        if context.cancel.is_draining() {
            break;
        }
        match leaving {
            Ok(leaving) => pruning.removed(&leaving, IsDone::Planned).await,
            Err(error) => return pruning.unreadable(&error).await,
        }
    }
}

struct Pruning<'a> {
    context: &'a Arc<Context>,
    from: &'a From,
    summary: &'a mut Summary,
    /// The store refused all of a request, as it would the others.
    has_given_up: bool,
}

/// What became of each name of a batch. `Ok(false)`: it was gone, or is to stay.
type Gone = Vec<(Leaving, Result<bool, JobError>)>;

impl Pruning<'_> {
    async fn work_off(&mut self, leaving: impl Iterator<Item = io::Result<Leaving>> + Send) {
        let mut leaving = leaving.fuse();
        let mut running = FuturesUnordered::new();
        loop {
            let mut batch = Vec::new();
            while batch.len() < MOST_REMOVED && !self.is_over() {
                match leaving.next() {
                    Some(Ok(one)) => batch.push(one),
                    Some(Err(error)) => {
                        self.unreadable(&error).await;
                        break;
                    }
                    None => break,
                }
            }
            let is_last = batch.len() < MOST_REMOVED;
            if !batch.is_empty() {
                let (context, from) = (Arc::clone(self.context), self.from.clone());
                running.push(async move { remove_batch(&context, &from, batch).await }.boxed());
            }
            let most = if is_last { 0 } else { AT_ONCE - 1 };
            while running.len() > most {
                if let Some(gone) = running.next().await {
                    self.note(gone).await;
                }
            }
            if is_last {
                break;
            }
        }
        // Behind its end, or what could not be read.
        self.summary.stopped += leaving.flatten().count() as u64;
    }

    fn is_over(&self) -> bool {
        self.has_given_up || self.context.cancel.is_draining()
    }

    async fn note(&mut self, gone: Gone) {
        let many = gone.len() > 1;
        let is_refused = gone.iter().all(|(_, result)| result.is_err());
        for (leaving, result) in gone {
            match result {
                Ok(true) => self.removed(&leaving, IsDone::Yes).await,
                Ok(false) => {}
                Err(error) if error.is_stop() => {
                    self.summary.stopped += 1;
                    self.summary.unconfirmed += u64::from(matches!(error, JobError::Unheard));
                }
                Err(error) => self.failed(&leaving, &error).await,
            }
        }
        if is_refused && many {
            self.has_given_up = true;
            // What one line may not remove says nothing of the others.
            if self.context.line.is_none() {
                self.context.cancel.drain(End::GaveUp);
            }
        }
    }

    async fn removed(&mut self, leaving: &Leaving, is_done: IsDone) {
        if is_done == IsDone::Yes {
            self.summary.removed += 1;
        }
        let name = match self.from {
            From::Objects { .. } => self.place(leaving),
            // Relative, as the destinations of downloads are.
            From::Files => leaving.name.clone(),
        };
        self.context.tell(Event::Pruned(Pruned { name, size: leaving.size, is_done })).await;
    }

    /// Exact.
    fn place(&self, leaving: &Leaving) -> String {
        match self.from {
            From::Objects { bucket, prefix, .. } => {
                format!("s3://{bucket}/{prefix}{}", leaving.name)
            }
            From::Files => match self.context.landing.as_ref() {
                Some(landing) => exact(&landing.path().join(&leaving.name)),
                None => leaving.name.clone(),
            },
        }
    }

    async fn failed(&mut self, leaving: &Leaving, error: &JobError) {
        let message = match error {
            JobError::Store { .. } | JobError::Local(_) | JobError::Io { .. } => chain(error),
            _ => format!("could not remove {}: {}", self.place(leaving), chain(error)),
        };
        self.tell_failure(Failure {
            line: self.context.line,
            source: self.place(leaving),
            hint: error.hint(),
            may_pass: error.may_pass(),
            ..Failure::of_run(error.cause(), message)
        })
        .await;
    }

    async fn unreadable(&mut self, error: &io::Error) {
        let message = format!("could not read what is to be removed: {error}");
        self.tell_failure(Failure {
            line: self.context.line,
            may_pass: true,
            ..Failure::of_run("the plan could not be kept", message)
        })
        .await;
    }

    async fn tell_failure(&mut self, failure: Failure) {
        self.summary.failed += 1;
        self.context.line_failed(failure).await;
    }
}

async fn remove_batch(context: &Arc<Context>, from: &From, batch: Vec<Leaving>) -> Gone {
    match from {
        From::Objects { bucket, prefix, source } => {
            remove_objects(context, (bucket, prefix), source.as_ref(), batch).await
        }
        From::Files => remove_files(context, batch).await,
    }
}

async fn remove_objects(
    context: &Context,
    (bucket, prefix): (&Bucket, &str),
    source: Option<&(PathBuf, Naming)>,
    batch: Vec<Leaving>,
) -> Gone {
    let mut gone = Vec::with_capacity(batch.len());
    let (mut leaving, mut removals) = (Vec::new(), Vec::new());
    for one in batch {
        if source.is_some_and(|source| has_come(source, &one.name)) {
            gone.push((one, Ok(false)));
            continue;
        }
        match Key::new(&format!("{prefix}{}", one.name)) {
            Ok(key) => {
                leaving.push(one);
                removals.push(Removal::new(key));
            }
            Err(error) => gone.push((one, Err(JobError::Impossible(error.to_string())))),
        }
    }
    let results = remove_many(context, bucket, &removals, 1).await;
    let results = results.into_iter().map(|result| result.map(|_| true));
    gone.extend(leaving.into_iter().zip(results));
    gone
}

/// Whether the source has the name now.
fn has_come((source, naming): &(PathBuf, Naming), name: &str) -> bool {
    naming.path(name).is_ok_and(|path| {
        let is_its_own = naming.name(path.as_str()).is_ok_and(|own| own == name);
        is_its_own && source.join(path.to_path()).symlink_metadata().is_ok()
    })
}

async fn remove_files(context: &Arc<Context>, batch: Vec<Leaving>) -> Gone {
    let context = Arc::clone(context);
    let count = batch.len();
    let removing = tokio::task::spawn_blocking(move || {
        batch
            .into_iter()
            .map(|leaving| {
                let removed = remove_file(&context, &leaving);
                (leaving, removed)
            })
            .collect::<Gone>()
    });
    removing.await.unwrap_or_else(|error| {
        let error = error.to_string();
        let nobody = Leaving { name: String::new(), size: 0, modified: None, kept: 0 };
        (0..count).map(|_| (nobody.clone(), Err(JobError::Internal(error.clone())))).collect()
    })
}

fn remove_file(context: &Context, leaving: &Leaving) -> Result<bool, JobError> {
    if context.cancel.is_draining() {
        return Err(JobError::Stopped);
    }
    let path = RelativePath::new(&leaving.name)
        .map_err(|error| JobError::Impossible(error.to_string()))?;
    let listed = AsListed { size: leaving.size, modified: leaving.modified };
    Ok(context.destination()?.prune(&path, listed, leaving.kept)?)
}
