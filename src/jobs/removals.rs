//! What was named becomes batches of objects to remove. Nothing may get into one that was not
//! meant: a prefix ends at a slash, and a listing is believed only as far as it keeps to what it was
//! asked for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::listed::{nothing_found, unlisted};
use super::named::{self, Named};
use super::planner::{Closed, Plan};
use super::trees::{Source, Tree};
use crate::domain::job::{Job, Refused, Remove, Task};
use crate::domain::location::{Key, ObjectName, S3Uri};
use crate::domain::object::{ListedObject, ListedVersion};
use crate::domain::sieve::Sieve;
use crate::storage::error::Kind;
use crate::storage::object_store::{Depth, ListRequest, MOST_REMOVED, VersionsRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::gauge::Gauge;
use crate::transfer::listing::{self, Pages, VersionPages};
use crate::transfer::removals::Batch;

/// Which versions of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// What has the key now.
    Current,
    /// All there are, delete markers included.
    All,
}

/// What is removed of what was named.
#[derive(Debug, Clone)]
pub struct Selection {
    pub sieve: Sieve,
    pub versions: Versions,
}

/// Whose versions are meant.
#[derive(Debug, Clone, Copy)]
enum Within<'a> {
    Object(&'a Key),
    Tree(&'a Tree),
}

impl Within<'_> {
    /// What all names begin with.
    fn listed(&self) -> &str {
        match self {
            Self::Object(key) => key.as_str(),
            Self::Tree(tree) => tree.listed(),
        }
    }

    /// As filters see it; `None`: it is not meant.
    fn name<'a>(&self, key: &'a Key) -> Option<&'a str> {
        match self {
            Self::Object(object) => (*object == key).then(|| key.file_name()),
            Self::Tree(tree) => tree.name(key.as_str()),
        }
    }
}

/// Hands batches of jobs over, bounded.
#[derive(Debug)]
pub struct Removals {
    batches: mpsc::Sender<Batch>,
    gauge: Arc<Gauge>,
    batch: Vec<Job>,
    planned: u64,
}

/// Batches that wait.
const AHEAD: usize = 16;

impl Removals {
    pub fn new(gauge: Arc<Gauge>) -> (Self, mpsc::Receiver<Batch>) {
        let (batches, taken) = mpsc::channel(AHEAD);
        (Self { batches, gauge, batch: Vec::new(), planned: 0 }, taken)
    }

    /// Plans all that is to go, in order.
    pub async fn plan(
        mut self,
        context: Arc<Context>,
        sources: Vec<Source>,
        selection: Selection,
    ) -> Plan {
        let Selection { sieve, versions } = selection;
        for source in sources {
            let planned = match (source, versions) {
                (Source::Object(object), Versions::Current) => {
                    self.plan_object(&context, object, &sieve).await
                }
                (Source::Object(object), Versions::All) => {
                    let uri = S3Uri { bucket: object.bucket, rest: object.key.as_str().to_owned() };
                    let within = Within::Object(&object.key);
                    self.plan_versions(&context, &uri, within, &sieve).await
                }
                (Source::Tree(tree), Versions::Current) => {
                    self.plan_tree(&context, &tree, &sieve).await
                }
                (Source::Tree(tree), Versions::All) => {
                    let within = Within::Tree(&tree);
                    self.plan_versions(&context, &tree.uri, within, &sieve).await
                }
            };
            if planned == Err(Closed) {
                break;
            }
        }
        // Nobody takes it: then the run is over.
        self.flush().await.ok();
        self.gauge.complete_plan();
        Plan { planned: self.planned, ..Plan::default() }
    }

    async fn plan_object(
        &mut self,
        context: &Context,
        object: ObjectName,
        sieve: &Sieve,
    ) -> Result<(), Closed> {
        match named::judge(context, &object, object.key.file_name(), sieve).await {
            Ok(Named::LeftOut) => Ok(()),
            // Whoever removes it looks at it again: versions may have to be told apart.
            Ok(Named::Meant | Named::Seen(_)) => self.submit(object, None).await,
            Err(JobError::Stopped) => Err(Closed),
            Err(error) => self.refuse(named::unjudged(context, &object, &error).await).await,
        }
    }

    async fn plan_tree(
        &mut self,
        context: &Arc<Context>,
        tree: &Tree,
        sieve: &Sieve,
    ) -> Result<(), Closed> {
        let bucket = &tree.uri.bucket;
        let mut found = false;
        if let Some(key) = tree.itself() {
            let object = ObjectName::new(bucket.clone(), key.clone());
            match listing::facts(context, &object).await {
                Ok(facts) => {
                    found = true;
                    if sieve.admits(key.file_name(), Some(facts.size), facts.last_modified) {
                        self.submit(object, Some(facts.size)).await?;
                    }
                }
                Err(JobError::Stopped) => return Err(Closed),
                Err(error) if error.store_kind() == Some(&Kind::MissingKey) => {}
                Err(error) => self.refuse(unlisted(&tree.uri, &error)).await?,
            }
        }
        let request = ListRequest::new(bucket.clone(), tree.prefix(), Depth::Everything);
        let mut pages = Pages::new(context, request);
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(JobError::Stopped) => return Err(Closed),
                Err(error) => return self.refuse(unlisted(&tree.uri, &error)).await,
            };
            for object in page.objects {
                let key = &object.key;
                // Never what was not asked for, whatever a store sends.
                if !key.as_str().starts_with(tree.prefix()) {
                    return self.refuse(astray(&tree.uri, key)).await;
                }
                let Some(relative) = tree.relative(key.as_str()) else { continue };
                found = true;
                if sieve.admits_listed(relative, &object) {
                    let ListedObject { key, size, .. } = object;
                    self.submit(ObjectName::new(bucket.clone(), key), Some(size)).await?;
                }
            }
        }
        if !found && !tree.uri.rest.is_empty() {
            return self.refuse(nothing_found(&tree.uri)).await;
        }
        Ok(())
    }

    async fn plan_versions(
        &mut self,
        context: &Arc<Context>,
        uri: &S3Uri,
        within: Within<'_>,
        sieve: &Sieve,
    ) -> Result<(), Closed> {
        let request = VersionsRequest::new(uri.bucket.clone(), within.listed());
        let mut pages = VersionPages::new(context, request);
        let mut found = false;
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(JobError::Stopped) => return Err(Closed),
                Err(error) => return self.refuse(unlisted(uri, &error)).await,
            };
            for listed in page.versions {
                let key = &listed.object.key;
                // Never what was not asked for, whatever a store sends.
                if !key.as_str().starts_with(within.listed()) {
                    return self.refuse(astray(uri, key)).await;
                }
                let Some(name) = within.name(key) else { continue };
                found = true;
                if sieve.admits_version(name, &listed) {
                    let ListedVersion { object: ListedObject { key, size, .. }, version, .. } =
                        listed;
                    let version = Some(version);
                    let object = ObjectName { version, ..ObjectName::new(uri.bucket.clone(), key) };
                    self.submit(object, Some(size)).await?;
                }
            }
        }
        if !found && !uri.rest.is_empty() {
            return self.refuse(nothing_found(uri)).await;
        }
        Ok(())
    }

    async fn submit(&mut self, object: ObjectName, size: Option<u64>) -> Result<(), Closed> {
        let is_elsewhere = |job: &Job| match &job.task {
            Task::Remove(task) => task.object.bucket != object.bucket,
            _ => false,
        };
        if self.batch.len() == MOST_REMOVED || self.batch.first().is_some_and(is_elsewhere) {
            self.flush().await?;
        }
        self.planned += 1;
        // No byte of them moves.
        self.gauge.plan(Some(0));
        let task = Task::Remove(Remove { object, size });
        self.batch.push(Job::new(self.gauge.next_number(), None, task));
        Ok(())
    }

    async fn refuse(&mut self, refused: Refused) -> Result<(), Closed> {
        self.batches.send(Err(refused)).await.map_err(|_| Closed)
    }

    async fn flush(&mut self) -> Result<(), Closed> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.batches.send(Ok(batch)).await.map_err(|_| Closed)
    }
}

/// A listing that has what it was not asked for: nothing more of it is believed.
fn astray(uri: &S3Uri, key: &Key) -> Refused {
    let reason = format!(
        "could not list {uri}: the store lists `{key}`, which is not below it; nothing more of \
         this listing is removed"
    );
    Refused::new(uri.to_string(), "a listing that can't be believed", reason)
}
