//! What a command gets from the floor above: whom to tell, how to stop, where data goes.

use std::io::Write;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::error::CommandError;
use super::options::{self, Connection, Copies, Speed, Transfer};
use crate::domain::overwrite::Overwrite;
use crate::jobs::planner::Planned;
use crate::storage::local::state_folder;
use crate::storage::s3::{self, Listener, Notice, Payload, Replies, S3Store};
use crate::transfer::cancel::Cancel;
use crate::transfer::context::{Context, FileTimes, Limits, Scope, Verify};
use crate::transfer::engine;
use crate::transfer::event::Event;
use crate::transfer::gauge::Gauge;
use crate::transfer::outcome::{End, Failure, Summary};
use crate::transfer::part_size::MAX_PART;

/// One call of the program.
pub struct Session {
    pub cancel: Arc<Cancel>,
    pub gauge: Arc<Gauge>,
    pub events: mpsc::Sender<Event>,
    /// Opens standard output for an object's bytes.
    pub object_output: fn() -> Box<dyn Write + Send>,
    /// Open files that the system allows.
    pub open_files: Option<u64>,
    /// Of a command that is a line of a file: which, and what it shares with the others.
    pub line: Option<Line>,
}

/// One line of a file of commands.
#[derive(Debug, Clone)]
pub struct Line {
    /// From 1.
    pub number: u64,
    pub pool: Arc<Pool>,
}

/// What all lines of a file share.
#[derive(Debug)]
pub struct Pool {
    /// Whatever bounds the run.
    pub run: Arc<Context>,
    /// How lines reach their store that say nothing of it.
    pub connection: s3::Options,
    /// Stores that lines have asked for: those that ask for the same get the same.
    pub stores: tokio::sync::Mutex<Vec<(s3::Options, Arc<S3Store>)>>,
}

/// Whether a command does what it plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Transfer,
    DryRun,
}

/// What of a run `--sse-c-key-file` is the key of, where nothing else is said of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyIs {
    /// Of what is written: all jobs go from S3 to S3.
    OfWritten,
    /// Of what is read, too: objects may go to files.
    OfBoth,
}

/// What decides how a run moves its jobs.
#[derive(Debug)]
pub struct Manner<'a> {
    pub transfer: &'a Transfer,
    pub payload: Payload,
    pub file_times: FileTimes,
    pub scope: Scope,
    /// Of copies between objects.
    pub copies: Option<(&'a Copies, KeyIs)>,
}

/// What a context is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    pub connection: &'a Connection,
    pub speed: &'a Speed,
    pub integrity: &'a options::Integrity,
    pub failure: &'a options::Failure,
    pub resuming: &'a options::Resuming,
    pub preserving: options::Preserving,
    pub overwrite: Overwrite,
    pub payload: Payload,
    pub file_times: FileTimes,
    pub scope: Scope,
    /// Of copies between objects.
    pub copies: Option<(&'a Copies, KeyIs)>,
}

impl Session {
    /// Connects, and sets up what all jobs share.
    pub async fn context(&self, manner: &Manner<'_>) -> Result<Context, CommandError> {
        let typed = manner.transfer;
        self.context_of(&Parts {
            connection: &typed.connection,
            speed: &typed.speed,
            integrity: &typed.integrity,
            failure: &typed.failure,
            resuming: &typed.resuming,
            preserving: typed.preserving,
            overwrite: typed.overwriting.resolve(),
            payload: manner.payload,
            file_times: manner.file_times,
            scope: manner.scope,
            copies: manner.copies,
        })
        .await
    }

    /// The same for a command that has no use for all that transfers are told.
    pub async fn context_of(&self, parts: &Parts<'_>) -> Result<Context, CommandError> {
        let verify = parts.integrity.resolve();
        let replies = if verify == Verify::Off { Replies::Ignored } else { Replies::Compared };
        let payload = parts.payload;
        let mut connection = s3::Options { payload, replies, ..parts.connection.resolve()? };
        let mut scope = self.scope(parts.scope, &connection);
        let source = match parts.copies {
            Some((copies, key_is)) => {
                let reading = copies.source(connection.clone(), key_is)?;
                connection.source_key.clone_from(&reading.customer_key);
                if copies.names_a_source() || reading.customer_key != connection.customer_key {
                    scope = self.scope(scope, &reading);
                    Some((copies.way(parts.connection), self.connect(reading).await?))
                } else {
                    None
                }
            }
            None => None,
        };
        let store = self.connect(connection).await?;
        let speed = parts.speed.resolve(self.open_files)?;
        let limits = Limits {
            concurrency: speed.concurrency,
            part_size: speed.part_size,
            part_choice: speed.part_choice,
            copy_whole: parts.copies.map_or(MAX_PART, |(copies, _)| copies.copy_whole()),
            memory: speed.memory,
            bandwidth: speed.bandwidth,
            max_attempts: speed.max_attempts,
            timeout: parts.connection.timeout(),
            overwrite: parts.overwrite,
            file_times: parts.file_times,
            preserve: parts.preserving.resolve(),
            resume: parts.resuming.resolve(),
            verify,
            tolerance: parts.failure.resolve(),
            scope,
        };
        let mut context = self.new_context(store, limits);
        context.state_folder = state_folder();
        if let Some((way, source)) = source {
            context.way = way;
            context.source = source;
        }
        Ok(context)
    }

    /// For commands that only read: limits are the engine's usual ones.
    pub async fn reading_context(&self, connection: &Connection) -> Result<Context, CommandError> {
        let store = self.connect(connection.resolve()?).await?;
        let mut context = self.new_context(store, Limits::for_reading(connection.timeout()));
        context.state_folder = state_folder();
        Ok(context)
    }

    /// For comparisons: they write nothing, and take as many requests as transfers do.
    pub async fn comparing_context(
        &self,
        connection: &Connection,
        speed: &Speed,
        failure: &options::Failure,
        scope: Scope,
    ) -> Result<Context, CommandError> {
        let connecting = connection.resolve()?;
        let scope = self.scope(scope, &connecting);
        let store = self.connect(connecting).await?;
        let speed = speed.resolve(self.open_files)?;
        let limits = Limits {
            concurrency: speed.concurrency,
            part_size: speed.part_size,
            part_choice: speed.part_choice,
            memory: speed.memory,
            bandwidth: speed.bandwidth,
            max_attempts: speed.max_attempts,
            tolerance: failure.resolve(),
            scope,
            ..Limits::for_reading(connection.timeout())
        };
        Ok(self.new_context(store, limits))
    }

    fn new_context(&self, store: Arc<S3Store>, limits: Limits) -> Context {
        if let Some(line) = &self.line {
            return line.pool.run.of_line(line.number, store, &limits);
        }
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        Context::new(store, limits, cancel, gauge, self.events.clone())
    }

    /// How far a refusal speaks. A line's bucket says nothing of the others, and nor does its store
    /// where that is not theirs.
    fn scope(&self, alone: Scope, reached: &s3::Options) -> Scope {
        match &self.line {
            None => alone,
            Some(_) if alone == Scope::ManyStores => alone,
            Some(line) if reached.reach_the_same(&line.pool.connection) => Scope::ManyBuckets,
            Some(_) => Scope::ManyStores,
        }
    }

    /// For what needs no request.
    pub async fn store(&self, connection: &Connection) -> Result<Arc<S3Store>, CommandError> {
        self.connect(connection.resolve()?).await
    }

    async fn connect(&self, options: s3::Options) -> Result<Arc<S3Store>, CommandError> {
        let Some(line) = &self.line else { return self.connect_anew(options).await };
        let mut stores = line.pool.stores.lock().await;
        if let Some((_, store)) = stores.iter().find(|(of, _)| *of == options) {
            return Ok(Arc::clone(store));
        }
        let store = self.connect_anew(options.clone()).await?;
        stores.push((options, Arc::clone(&store)));
        Ok(store)
    }

    async fn connect_anew(&self, options: s3::Options) -> Result<Arc<S3Store>, CommandError> {
        // Weak: a task of the store's may outlive the run, and must not hold up its last words.
        let events = self.events.downgrade();
        // From the middle of a request, which must not wait: where nobody has read the last
        // thousand events, a note is what can be left out.
        let listener = Listener::new(move |notice: Notice| {
            let Some(events) = events.upgrade() else { return };
            let _unheard = events.try_send(Event::Notice(notice.to_string()));
        });
        let options = s3::Options { listener, ..options };
        s3::connect(&options).await.map(Arc::new).map_err(CommandError::usage)
    }

    /// Does what the plan says, or only tells it.
    pub async fn run(
        &self,
        context: Arc<Context>,
        jobs: mpsc::Receiver<Planned>,
        purpose: Purpose,
    ) -> Summary {
        let jobs = ReceiverStream::new(jobs);
        match purpose {
            Purpose::Transfer => engine::run(context, jobs).await,
            Purpose::DryRun => engine::dry_run(context, jobs).await,
        }
    }

    /// What planning came to. A plan that broke off must not pass for one that is complete. Where
    /// the engine ended first, nobody waits for it: a pipe may say nothing for ever.
    pub async fn planned<T>(&self, planning: JoinHandle<T>, summary: &mut Summary) -> Option<T> {
        if self.cancel.is_draining() && !planning.is_finished() {
            // Nothing but the plan is under way any more. The reason that was given first stays.
            self.cancel.stop(End::GaveUp);
            planning.abort();
            return None;
        }
        match planning.await {
            Ok(plan) => Some(plan),
            // The engine ended first: nobody takes jobs any more.
            Err(error) if error.is_cancelled() => None,
            Err(error) => {
                let message = format!(
                    "not everything could be planned: internal error: {error}; please report this"
                );
                let failure = Failure::of_run("internal error", message);
                self.fail(summary, failure).await;
                None
            }
        }
    }

    /// Tells a failure of the run as a whole.
    pub async fn fail(&self, summary: &mut Summary, failure: Failure) {
        let line = self.line.as_ref().map(|line| line.number);
        let failure = Failure { line: line.or(failure.line), ..failure };
        summary.failed += 1;
        let _unheard = self.events.send(Event::Failed { job: None, failure }).await;
    }

    pub async fn notice(&self, text: String) {
        let text = match &self.line {
            Some(line) => format!("line {}: {text}", line.number),
            None => text,
        };
        let _unheard = self.events.send(Event::Notice(text)).await;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}
