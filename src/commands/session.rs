//! What a command gets from the floor above: whom to tell, how to stop, where data goes.

use std::io::Write;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::error::CommandError;
use super::options::{self, Connection, Copies, Speed, Transfer};
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
}

/// Whether a command does what it plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Transfer,
    DryRun,
}

/// What decides how a run moves its jobs.
#[derive(Debug)]
pub struct Manner<'a> {
    pub transfer: &'a Transfer,
    pub payload: Payload,
    pub file_times: FileTimes,
    pub scope: Scope,
    /// Of copies between objects.
    pub copies: Option<&'a Copies>,
}

impl Session {
    /// Connects, and sets up what all jobs share.
    pub async fn context(&self, manner: &Manner<'_>) -> Result<Context, CommandError> {
        let typed = manner.transfer;
        let verify = typed.integrity.resolve();
        let replies = if verify == Verify::Off { Replies::Ignored } else { Replies::Compared };
        let payload = manner.payload;
        let source_key = manner.copies.map(Copies::source_key).transpose()?.flatten();
        let connection =
            s3::Options { payload, replies, source_key, ..typed.connection.resolve()? };
        let source = match manner.copies {
            Some(copies) if copies.names_a_source() => {
                let reading = copies.source(&typed.connection)?;
                Some((copies.way(&typed.connection), self.connect(reading).await?))
            }
            _ => None,
        };
        let store = self.connect(connection).await?;
        let speed = typed.speed.resolve(self.open_files)?;
        let limits = Limits {
            concurrency: speed.concurrency,
            part_size: speed.part_size,
            part_choice: speed.part_choice,
            copy_whole: manner.copies.map_or(MAX_PART, Copies::copy_whole),
            memory: speed.memory,
            bandwidth: speed.bandwidth,
            max_attempts: speed.max_attempts,
            timeout: typed.connection.timeout(),
            overwrite: typed.overwriting.resolve(),
            file_times: manner.file_times,
            resume: typed.resuming.resolve(),
            verify,
            tolerance: typed.failure.resolve(),
            scope: manner.scope,
        };
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        let store = Arc::new(store);
        let mut context = Context::new(store, limits, cancel, gauge, self.events.clone());
        context.state_folder = state_folder();
        if let Some((way, source)) = source {
            context.way = way;
            context.source = Arc::new(source);
        }
        Ok(context)
    }

    /// For commands that only read: limits are the engine's usual ones.
    pub async fn reading_context(&self, connection: &Connection) -> Result<Context, CommandError> {
        let store = self.connect(connection.resolve()?).await?;
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        let limits = Limits::for_reading(connection.timeout());
        let mut context = Context::new(Arc::new(store), limits, cancel, gauge, self.events.clone());
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
        let store = self.connect(connection.resolve()?).await?;
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
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        Ok(Context::new(Arc::new(store), limits, cancel, gauge, self.events.clone()))
    }

    /// For what needs no request.
    pub async fn store(&self, connection: &Connection) -> Result<S3Store, CommandError> {
        self.connect(connection.resolve()?).await
    }

    async fn connect(&self, options: s3::Options) -> Result<S3Store, CommandError> {
        // Weak: a task of the store's may outlive the run, and must not hold up its last words.
        let events = self.events.downgrade();
        // From the middle of a request, which must not wait: where nobody has read the last
        // thousand events, a note is what can be left out.
        let listener = Listener::new(move |notice: Notice| {
            let Some(events) = events.upgrade() else { return };
            let _unheard = events.try_send(Event::Notice(notice.to_string()));
        });
        let options = s3::Options { listener, ..options };
        s3::connect(&options).await.map_err(CommandError::usage)
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
                summary.failed += 1;
                let failure = Failure {
                    line: None,
                    source: String::new(),
                    destination: None,
                    cause: "internal error".to_owned(),
                    message: format!(
                        "not everything could be planned: internal error: {error}; please report this"
                    ),
                    hint: None,
                    may_pass: false,
                };
                let _unheard = self.events.send(Event::Failed { job: None, failure }).await;
                None
            }
        }
    }

    pub async fn notice(&self, text: String) {
        let _unheard = self.events.send(Event::Notice(text)).await;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}
