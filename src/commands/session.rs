//! What a command gets from the floor above: whom to tell, how to stop, where data goes.

use std::io::Write;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::error::CommandError;
use super::options::{Connection, Failure, Speed, Transfer};
use crate::jobs::planner::Planned;
use crate::storage::s3::{self, Payload, Replies};
use crate::transfer::cancel::Cancel;
use crate::transfer::context::{Context, FileTimes, Limits, Scope, Verify};
use crate::transfer::engine;
use crate::transfer::event::Event;
use crate::transfer::gauge::Gauge;
use crate::transfer::outcome::Summary;

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
}

impl Session {
    /// Connects, and sets up what all jobs share.
    pub async fn context(&self, manner: &Manner<'_>) -> Result<Context, CommandError> {
        let typed = manner.transfer;
        let verify = typed.integrity.resolve();
        let replies = if verify == Verify::Off { Replies::Ignored } else { Replies::Compared };
        let payload = manner.payload;
        let connection = s3::Options { payload, replies, ..typed.connection.resolve()? };
        let store = s3::connect(&connection).await.map_err(CommandError::usage)?;
        let speed = typed.speed.resolve(self.open_files)?;
        let limits = Limits {
            requests: speed.requests,
            part_size: speed.part_size,
            part_choice: speed.part_choice,
            memory: speed.memory,
            max_attempts: speed.max_attempts,
            timeout: typed.connection.timeout(),
            overwrite: typed.overwriting.resolve(),
            file_times: manner.file_times,
            verify,
            tolerance: typed.failure.resolve(),
            scope: manner.scope,
        };
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        Ok(Context::new(Arc::new(store), limits, cancel, gauge, self.events.clone()))
    }

    /// For commands that only read: limits are the engine's usual ones.
    pub async fn reading_context(&self, connection: &Connection) -> Result<Context, CommandError> {
        let store = s3::connect(&connection.resolve()?).await.map_err(CommandError::usage)?;
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        let limits = Limits::for_reading(connection.timeout());
        Ok(Context::new(Arc::new(store), limits, cancel, gauge, self.events.clone()))
    }

    /// For comparisons: they write nothing, and take as many requests as transfers do.
    pub async fn comparing_context(
        &self,
        connection: &Connection,
        speed: &Speed,
        failure: &Failure,
        scope: Scope,
    ) -> Result<Context, CommandError> {
        let store = s3::connect(&connection.resolve()?).await.map_err(CommandError::usage)?;
        let speed = speed.resolve(self.open_files)?;
        let limits = Limits {
            requests: speed.requests,
            part_size: speed.part_size,
            part_choice: speed.part_choice,
            memory: speed.memory,
            max_attempts: speed.max_attempts,
            tolerance: failure.resolve(),
            scope,
            ..Limits::for_reading(connection.timeout())
        };
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        Ok(Context::new(Arc::new(store), limits, cancel, gauge, self.events.clone()))
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

    pub async fn notice(&self, text: String) {
        let _unheard = self.events.send(Event::Notice(text)).await;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}
