//! One trial: the program is started, dies, and is started again, every tenth time to die once
//! more. What is found after each step goes into the evidence.
//! It must never decide what is right: `evidence` does.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testbed::{Fault, FaultKind, Operation, Request};

use super::evidence::{Evidence, Look};
use super::plan::{Kill, Moments, When};
use super::scene::Scene;
use super::tracer::{self, Call, Stop, kill_and_see_dead};
use crate::harness::Output;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_mins(1);
/// Every so many reruns are killed, too.
const RERUN_DIES: u64 = 10;

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) number: u64,
    pub(super) scene: Scene,
    pub(super) kill: Kill,
    pub(super) seed: u64,
}

/// Where in the run a kill came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    BeforeTheFirstByte,
    InTransfer,
    AtPublish,
    InCleanup,
    /// It had ended by itself, or the moment did not come.
    Missed,
}

pub(super) struct Ended {
    pub(super) phase: Phase,
    /// Of the rerun, where one was killed.
    pub(super) rerun: Option<Phase>,
    pub(super) evidence: Evidence,
}

/// What it was doing when it died, where that is known.
enum Doing {
    Call(Call),
    Asking(Operation),
    Unknown,
    /// It did not die.
    Nothing,
}

impl Trial {
    pub(super) fn run(&self, moments: &Moments) -> Ended {
        let stage = self.scene.stage();
        let mut evidence = Evidence::new(self.scene, self.in_flight());
        let doing = self.kill_first(&stage);
        stage.testbed.clear_faults();
        let look = Look::at(self.scene, &stage);
        let phase = phase(&doing, &look);
        evidence.after_kill(&look);
        let mut rerun = None;
        if self.number % RERUN_DIES == RERUN_DIES - 1 {
            rerun = Some(self.kill_rerun(&stage, moments, &mut evidence));
        }
        let output = self.scene.command(&stage, self.concurrency()).run();
        evidence.after_rerun(&Look::at(self.scene, &stage), &output);
        Ended { phase, rerun, evidence }
    }

    fn concurrency(&self) -> usize {
        if matches!(self.kill, Kill::Random { .. }) { self.scene.several() } else { 1 }
    }

    /// Bytes that may be on their way at once.
    fn in_flight(&self) -> u64 {
        self.concurrency() as u64 * self.scene.part_size()
    }

    fn kill_first(&self, stage: &Stage) -> Doing {
        match self.kill {
            Kill::Random { request, delay } => self.die_at_random(stage, request, delay),
            Kill::Request { number, when } => self.die_asking(stage, number, when),
            Kill::Call { number, when } => {
                let root = stage.sandbox.path("");
                let command = self.scene.command(stage, 1);
                let traced = tracer::run(command, &root, Some(Stop { number, when }));
                match (traced.code, traced.calls.last()) {
                    (None, Some(call)) => Doing::Call(call),
                    _ => Doing::Nothing,
                }
            }
        }
    }

    fn die_at_random(&self, stage: &Stage, request: usize, delay: Duration) -> Doing {
        let (come, comes) = mpsc::channel();
        let tell = move |_: &Request| {
            come.send(()).ok();
        };
        let number = request as u64;
        stage.testbed.fault(Fault::any(FaultKind::callback(tell)).nth(number));
        let running = self.scene.command(stage, self.concurrency()).spawn();
        // A run that goes on with the work of another may end without so many requests.
        let mut asked = false;
        for _ in 0..PATIENCE.as_millis() / 5 {
            asked = comes.recv_timeout(Duration::from_millis(5)).is_ok();
            if asked || has_ended(running.id()) {
                break;
            }
        }
        if asked {
            // The moment itself, which is to be any: nothing is right because of it.
            std::thread::sleep(delay);
        }
        kill_and_see_dead(running.id()).ok();
        died(&running.wait(), Doing::Unknown)
    }

    fn die_asking(&self, stage: &Stage, number: usize, when: When) -> Doing {
        let victim: Arc<Mutex<Option<u32>>> = Arc::default();
        let asking = Arc::new(Mutex::new(Operation::Other));
        let (process, operation) = (Arc::clone(&victim), Arc::clone(&asking));
        let die = move |request: &Request| {
            *operation.lock().expect("no holder panics") = request.operation;
            let process = process.lock().expect("no holder panics").expect("it is started");
            kill_and_see_dead(process).expect("it can be killed");
        };
        let number = number as u64;
        if when == When::Before {
            stage.testbed.fault(Fault::any(FaultKind::callback(die)).nth(number));
            stage.testbed.fault(Fault::any(FaultKind::ResetBeforeHeaders).nth(number));
        } else {
            stage.testbed.fault(Fault::any(FaultKind::callback_after(die)).nth(number));
        }
        let mut started = victim.lock().expect("no holder panics");
        let running = self.scene.command(stage, 1).spawn();
        *started = Some(running.id());
        drop(started);
        let output = running.wait();
        let operation = *asking.lock().expect("no holder panics");
        died(&output, Doing::Asking(operation))
    }

    fn kill_rerun(&self, stage: &Stage, moments: &Moments, evidence: &mut Evidence) -> Phase {
        let seed = self.seed.wrapping_mul(31).wrapping_add(self.number);
        let Some(Kill::Random { request, delay }) = moments.random(seed, 1).pop() else {
            return Phase::Missed;
        };
        let doing = self.die_at_random(stage, request, delay);
        stage.testbed.clear_faults();
        let look = Look::at(self.scene, stage);
        evidence.after_kill(&look);
        phase(&doing, &look)
    }
}

fn has_ended(process: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_none_or(|rest| rest.starts_with('Z') || rest.is_empty())
}

fn died(output: &Output, doing: Doing) -> Doing {
    if output.signal == Some(9) { doing } else { Doing::Nothing }
}

fn phase(doing: &Doing, look: &Look) -> Phase {
    let by_state = match () {
        () if look.all_new() => Phase::InCleanup,
        () if look.all_moved() => Phase::AtPublish,
        () => Phase::InTransfer,
    };
    match doing {
        Doing::Nothing => Phase::Missed,
        _ if look.moved() == 0 => Phase::BeforeTheFirstByte,
        Doing::Call(call) if call.starts_with("unlink") => Phase::InCleanup,
        Doing::Call(call) if publishes(call) => Phase::AtPublish,
        Doing::Asking(Operation::CompleteMultipartUpload) => Phase::AtPublish,
        Doing::Asking(Operation::AbortMultipartUpload) => Phase::InCleanup,
        Doing::Call(_) | Doing::Asking(_) | Doing::Unknown => by_state,
    }
}

fn publishes(call: Call) -> bool {
    let steps = ["rename", "link", "fsync", "fdatasync", "utimens", "fchmod"];
    steps.iter().any(|step| call.starts_with(step))
}
