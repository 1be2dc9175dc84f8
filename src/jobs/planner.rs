//! What every source of jobs ends in: numbers them, refuses those that would undo another, and
//! puts them into a bounded channel, so that planning is held back by the engine's pace.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::guard::{Admission, Destination, Guard, GuardError, NameRule};
use crate::domain::comparison::{Compare, Place, Presence};
use crate::domain::escape::Escaped;
use crate::domain::job::{
    Download, Expected, Fate, Job, LocalSource, LocalTarget, Refused, Standing, Task, Upload,
};
use crate::domain::location::ObjectName;
use crate::transfer::context::Context;
use crate::transfer::gauge::{Gauge, Plans};

/// What planning produces.
pub type Planned = Result<Job, Refused>;

/// Jobs that wait to be started. So many are seen ahead, so that totals are known early; some 400
/// bytes each.
const AHEAD: usize = 8192;
/// The same where there are hundreds of plans at once.
const AHEAD_OF_MANY: usize = 64;

/// Makes jobs of tasks.
#[derive(Debug)]
pub struct Planner {
    jobs: mpsc::Sender<Planned>,
    gauge: Arc<Gauge>,
    guard: Guard,
    planned: u64,
    fate: Fate,
    sides: Sides,
    altered: Altered,
}

/// Whether an object of one side of a copy may be one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    #[default]
    OneStore,
    TwoStores,
}

/// Whether what is written gets another customer's key than what is read has, or one where that has
/// none: then a copy onto itself is no idle one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CustomerKeys {
    #[default]
    Same,
    Different,
}

/// What a plan came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Jobs, those that were refused included.
    pub planned: u64,
    /// Jobs that were the same as one before, and so were left out.
    pub duplicates: u64,
    pub altered: Altered,
}

/// Keys whose files are called otherwise, because no file has such a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Altered {
    pub count: u64,
    /// The name of the first one, and its path.
    pub first: Option<(String, String)>,
}

impl Altered {
    fn push(&mut self, name: &str, path: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| (name.to_owned(), path.to_owned()));
    }

    /// What is worth saying of them.
    pub fn told(&self) -> Option<String> {
        let (name, path) = self.first.as_ref()?;
        let (name, path) = (Escaped(name), Escaped(path));
        let more = match self.count {
            1 => String::new(),
            count => format!(", and {} more like it", count - 1),
        };
        Some(format!(
            "no file can be called `{name}`: it is `{path}`{more}; --encode-names keeps such names"
        ))
    }
}

/// Nobody takes jobs any more: planning ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Planner {
    /// `memory`: bytes that remembering destinations may take before it goes to disk.
    pub fn new(gauge: Arc<Gauge>, memory: u64) -> (Self, mpsc::Receiver<Planned>) {
        Self::with_names(gauge, memory, NameRule::of_system())
    }

    /// As `new`, for a file system that has this rule.
    pub fn with_names(
        gauge: Arc<Gauge>,
        memory: u64,
        names: NameRule,
    ) -> (Self, mpsc::Receiver<Planned>) {
        let ahead = if gauge.plans() == Plans::One { AHEAD } else { AHEAD_OF_MANY };
        let (jobs, taken) = mpsc::channel(ahead);
        let guard = Guard::new(usize::try_from(memory).unwrap_or(usize::MAX), names);
        let (fate, sides, altered) = (Fate::Kept, Sides::OneStore, Altered::default());
        (Self { jobs, gauge, guard, planned: 0, fate, sides, altered }, taken)
    }

    /// Whose jobs do this with their sources.
    #[must_use]
    pub fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// Whose copies go between these.
    #[must_use]
    pub fn between(self, sides: Sides) -> Self {
        Self { sides, ..self }
    }

    /// Hands one task over. Waits while enough jobs are waiting.
    pub async fn submit(&mut self, line: Option<u64>, task: Task) -> Result<(), Closed> {
        match self.admit(line, task) {
            Some(planned) => self.jobs.send(planned).await.map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// As `submit`, for a task that is not done where two places are proven the same.
    pub async fn submit_unless_same(
        &mut self,
        task: Task,
        pair: Option<Box<Compare>>,
    ) -> Result<(), Closed> {
        match self.admit(None, task) {
            Some(Ok(job)) => {
                let job = Job { unless_same: pair, ..job };
                self.jobs.send(Ok(job)).await.map_err(|_| Closed)
            }
            Some(refused) => self.jobs.send(refused).await.map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// As `submit`, for a move whose source is gone: it was done by an earlier run, or fails.
    pub async fn submit_unjudged(&mut self, task: Task) -> Result<(), Closed> {
        match self.admit(None, task) {
            Some(planned) => self.jobs.send(planned.map(unjudged)).await.map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// The same, from a thread that may block.
    pub fn submit_unjudged_blocking(&mut self, task: Task) -> Result<(), Closed> {
        match self.admit(None, task) {
            Some(planned) => self.jobs.blocking_send(planned.map(unjudged)).map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// Remembers that a key's file has another name.
    pub(super) fn tell_altered(&mut self, name: Option<&str>, path: &str) {
        if let Some(name) = name {
            self.altered.push(name, path);
        }
    }

    pub fn fate(&self) -> Fate {
        self.fate
    }

    /// As `submit`, from a thread that may block.
    pub fn submit_blocking(&mut self, line: Option<u64>, task: Task) -> Result<(), Closed> {
        match self.admit(line, task) {
            Some(planned) => self.jobs.blocking_send(planned).map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// Nothing is to be done, but no other task may have its destination.
    pub fn leave_out_blocking(&mut self, task: &Task) -> Result<(), Closed> {
        match admission(&mut self.guard, task) {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = crate::transfer::error::chain(&error);
                let cause = "the plan could not be checked";
                self.refuse_blocking(Refused::new(task.source(), cause, reason))
            }
        }
    }

    /// Another plan does it, and no task of this one may have its destination.
    pub async fn leave_for_later(&mut self, task: &Task) -> Result<(), Closed> {
        let refused = match admission(&mut self.guard, task) {
            Ok(Admission::Fresh | Admission::Duplicate) => return Ok(()),
            Ok(Admission::Refused(refusal)) => {
                let place = task.destination();
                let reason = format!("could not write {}: {refusal}", Escaped(&place));
                Refused::new(task.source(), "two jobs with one destination", reason)
            }
            Err(error) => {
                let reason = crate::transfer::error::chain(&error);
                Refused::new(task.source(), "the plan could not be checked", reason)
            }
        };
        self.refuse(refused).await
    }

    /// Whether jobs are moves, and a journal knows of some that an earlier run did.
    pub fn may_have_moved(&self, context: &Context) -> bool {
        let is_known = || context.journal.get().is_some_and(|journal| !journal.is_empty());
        self.fate == Fate::Removed && is_known()
    }

    pub async fn refuse(&self, refused: Refused) -> Result<(), Closed> {
        self.jobs.send(Err(refused)).await.map_err(|_| Closed)
    }

    pub fn refuse_blocking(&self, refused: Refused) -> Result<(), Closed> {
        self.jobs.blocking_send(Err(refused)).map_err(|_| Closed)
    }

    /// For plans that may find nothing to hand over for long.
    pub fn check_open(&self) -> Result<(), Closed> {
        if self.jobs.is_closed() { Err(Closed) } else { Ok(()) }
    }

    /// Ends the stream of jobs. From now on the totals are final, though most jobs may wait.
    pub fn finish(self) -> Plan {
        self.gauge.complete_plan();
        let (planned, duplicates) = (self.planned, self.guard.duplicates());
        Plan { planned, duplicates, altered: self.altered }
    }

    /// As a job, or refused; `None` for one that is the same as one before.
    pub(super) fn admit(&mut self, line: Option<u64>, task: Task) -> Option<Planned> {
        self.planned += 1;
        let number = self.gauge.next_number();
        let refuse = |task: &Task, cause: &str, reason: String| {
            Some(Err(Refused { line, ..Refused::new(task.source(), cause, reason) }))
        };
        match admission(&mut self.guard, &task) {
            Ok(Admission::Fresh) if !self.may_read(line, &task) => {
                let place = task.source();
                let reason = format!(
                    "could not copy {}: another row writes to it, or moves it elsewhere",
                    Escaped(&place)
                );
                refuse(&task, "a source is a destination, too", reason)
            }
            Ok(Admission::Fresh) => {
                self.gauge.plan(task.size());
                Some(Ok(Job { fate: self.fate, ..Job::new(number, line, task) }))
            }
            Ok(Admission::Duplicate) => None,
            // A source has it.
            Ok(Admission::Refused(_)) if is_extra(&task) => None,
            Ok(Admission::Refused(_)) if matches!(task, Task::Copy(_)) => {
                let place = task.destination();
                let reason = format!(
                    "could not write {}: another job writes there, or reads from there",
                    Escaped(&place)
                );
                refuse(&task, "two jobs with one destination", reason)
            }
            Ok(Admission::Refused(refusal)) => {
                let place = task.destination();
                let doing = if matches!(task, Task::Compare(_)) { "compare" } else { "write" };
                let reason = format!("could not {doing} {}: {refusal}", Escaped(&place));
                refuse(&task, "two jobs with one destination", reason)
            }
            Err(error) => {
                let reason = crate::transfer::error::chain(&error);
                refuse(&task, "the plan could not be checked", reason)
            }
        }
    }
}

impl Planner {
    /// Whether nobody writes to the source of a row's copy, nor moves it elsewhere. What a listing
    /// finds is known without remembering it.
    pub(super) fn may_read(&mut self, line: Option<u64>, task: &Task) -> bool {
        let Task::Copy(copy) = task else { return true };
        if line.is_none() || self.sides == Sides::TwoStores || copy.is_in_place() {
            return true;
        }
        let identity = match self.fate {
            Fate::Kept => b"\0is read".to_vec(),
            Fate::Removed => [b"\0is moved to ".as_slice(), copy.object.uri().as_bytes()].concat(),
        };
        let admitted = self.guard.admit(Destination::Object(&copy.source.uri()), &identity);
        // What the guard can no longer tell, it says of the next job.
        matches!(admitted, Ok(Admission::Fresh | Admission::Duplicate))
    }
}

fn unjudged(job: Job) -> Job {
    Job { standing: Standing::Unjudged, ..job }
}

/// Asks the guard. Two jobs with one destination are the same job if they have one source, and ask
/// the same of it: a row that gives another checksum is not done by doing the first.
fn admission(guard: &mut Guard, task: &Task) -> Result<Admission, GuardError> {
    match task {
        Task::Download(Download { object, target: LocalTarget::Below(path), expected, .. }) => {
            guard.admit(Destination::File(path.as_str()), &identity(object, expected))
        }
        Task::Upload(Upload {
            source: LocalSource::File { path, .. },
            object,
            attributes,
            expected,
        }) => {
            let mut identity = path.as_os_str().as_encoded_bytes().to_vec();
            identity.extend(digest(&(expected, attributes)));
            guard.admit(Destination::Object(&object.uri()), &identity)
        }
        Task::Copy(copy) => {
            let mut identity = identity(&copy.source, &copy.expected);
            identity.extend(digest(&copy.attributes));
            guard.admit(Destination::Object(&copy.object.uri()), &identity)
        }
        Task::Compare(pair) => {
            let identity = match &pair.source {
                Place::Object(object) => identity(object, &pair.expected),
                Place::File(path) => {
                    let mut identity = path.as_os_str().as_encoded_bytes().to_vec();
                    identity.extend(digest(&pair.expected));
                    identity
                }
            };
            guard.admit(Destination::Object(&pair.destination.exact()), &identity)
        }
        Task::MakeFolder { marker, folder, expected } => {
            let none = Expected::default();
            let identity = identity(marker, expected.as_ref().unwrap_or(&none));
            guard.admit(Destination::Folder(folder.as_str()), &identity)
        }
        // Only one job has such a source, or such a destination.
        Task::Download(_) | Task::Upload(_) | Task::Remove(_) => Ok(Admission::Fresh),
    }
}

/// Whether the job only says that no other one has its destination.
fn is_extra(task: &Task) -> bool {
    matches!(task, Task::Compare(pair) if pair.presence == Presence::OnlyAtDestination)
}

fn identity(object: &ObjectName, expected: &Expected) -> Vec<u8> {
    let mut identity = object.uri().into_bytes();
    identity.push(0);
    identity.extend(object.version.as_deref().unwrap_or_default().bytes());
    identity.extend(digest(expected));
    identity
}

fn digest(value: &impl Hash) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::location::{Bucket, Key};
    use crate::domain::relative_path::RelativePath;

    fn download(size: Option<u64>) -> Task {
        let object =
            ObjectName::new(Bucket::new("b").expect("a name"), Key::new("k").expect("a key"));
        let target = LocalTarget::Below(RelativePath::new("k").expect("a path"));
        let expected = Expected { size, ..Expected::default() };
        Task::Download(Download { object, size, etag: None, last_modified: None, target, expected })
    }

    #[test]
    fn a_row_that_asks_for_something_else_is_not_the_same_row() {
        let (mut planner, _jobs) = Planner::new(Arc::default(), 1 << 20);
        assert!(matches!(planner.admit(Some(1), download(Some(5))), Some(Ok(_))));
        assert!(planner.admit(Some(2), download(Some(5))).is_none(), "the same row again");
        assert!(matches!(planner.admit(Some(3), download(Some(6))), Some(Err(_))));
        let plan = planner.finish();
        assert_eq!((plan.planned, plan.duplicates), (3, 1));
    }
}
