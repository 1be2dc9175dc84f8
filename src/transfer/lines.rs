//! Runs that are lines of one file of commands. They share whatever bounds a run, and whatever it
//! learns of its store; each knows its own line. Nothing here is of the run that is alone.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use super::context::{Context, Limits, Tolerance, Way};
use super::event::Event;
use super::gauge::Plans;
use super::outcome::{End, Failure};
use crate::domain::job::Job;
use crate::storage::object_store::ObjectStore;

/// Of its memory, a line may take one share in so many for what is remembered of its plan.
const SHARES: u64 = 16;

impl Context {
    /// The context of one line beside others: the pace, the memory, the retries and the number of
    /// failures are those of all lines together.
    #[must_use]
    pub fn of_line(&self, line: u64, store: Arc<dyn ObjectStore>, limits: &Limits) -> Self {
        let limits = Limits {
            concurrency: self.limits.concurrency,
            memory: self.limits.memory,
            bandwidth: self.limits.bandwidth,
            tolerance: self.limits.tolerance,
            ..limits.clone()
        };
        Self {
            gate: self.gate.shared(),
            health: Arc::clone(&self.health),
            hedge: Arc::clone(&self.hedge),
            discovery: Arc::clone(&self.discovery),
            buffers: self.buffers.clone(),
            uplink: Arc::clone(&self.uplink),
            left_records: Arc::clone(&self.left_records),
            are_tags_told: Arc::clone(&self.are_tags_told),
            failed: Arc::clone(&self.failed),
            under_way: Arc::clone(&self.under_way),
            cancel: Arc::clone(&self.cancel),
            gauge: Arc::clone(&self.gauge),
            events: self.events.clone(),
            line: Some(line),
            // Its own, as that of any run.
            source: Arc::clone(&store),
            store,
            limits,
            way: Way::OnServer,
            landing: None,
            state_folder: None,
            skips_archived: false,
            span: None,
            output: Mutex::default(),
            journal: OnceLock::new(),
            seen_buckets: Mutex::default(),
        }
    }

    /// Lines that are worth having under way: each has one object at least, and those that began
    /// before the run gave up are still done.
    pub fn lines_at_once(&self) -> usize {
        self.gate.jobs()
    }

    /// Does work of many lines, and lets more requests pass, or fewer, as they prove to be worth it.
    pub async fn driving<T>(&self, work: impl Future<Output = T>) -> T {
        self.gate.driving(work).await
    }

    /// Requests that were tried again, of all lines.
    pub fn retries(&self) -> u64 {
        self.health.retries()
    }

    /// What may be remembered of a plan, in bytes.
    pub fn plan_memory(&self) -> u64 {
        self.limits.memory / if self.line.is_some() { SHARES } else { 1 }
    }

    /// Says that no more jobs come, where that is known.
    pub(super) async fn plan_is_complete(&self) {
        self.gauge.complete_plan();
        if self.gauge.plans() == Plans::One {
            self.tell(Event::PlanComplete).await;
        }
    }

    /// Says that no line plans any more.
    pub async fn plans_are_complete(&self) {
        self.gauge.complete_plans();
        self.tell(Event::PlanComplete).await;
    }

    /// Tells of a failure that is no job's, such as a line that is no run at all.
    pub async fn line_failed(&self, failure: Failure) {
        let failed = self.failed.fetch_add(1, Relaxed) + 1;
        self.tell(Event::Failed { job: None, failure }).await;
        self.bear(failed);
    }

    /// Ends the run where so many failures are too many.
    pub(super) fn bear(&self, failed: u64) {
        match self.limits.tolerance {
            Tolerance::FailFast => self.cancel.stop(End::GaveUp),
            Tolerance::Errors(most) if failed >= most => self.cancel.drain(End::GaveUp),
            Tolerance::Errors(_) | Tolerance::Any => {}
        }
    }

    pub(super) fn on_its_line(&self, job: Job) -> Job {
        Job { line: self.line.or(job.line), ..job }
    }

    /// Whether one more job may start beside so many of the same run. A run that has none may
    /// always have one.
    pub(super) fn has_room_beside(&self, own: usize) -> bool {
        let most = self.gate.jobs();
        own < most && (own == 0 || self.under_way.load(Relaxed) < most)
    }

    /// Counts a job as long as the value lives.
    pub(super) fn job_begins(&self) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }
}

/// A job that is under way.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
