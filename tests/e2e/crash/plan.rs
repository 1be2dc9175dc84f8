//! When the program is to die: what moments a scene has, by one run that nobody disturbs, and
//! which of them are tried. It must never draw a moment that a seed does not give again.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use testbed::{Fault, FaultKind, Request};

use super::scene::Scene;
use super::tracer;

/// One moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kill {
    /// Some time after the server was asked for the n-th time.
    Random { request: usize, delay: Duration },
    /// At the n-th request.
    Request { number: usize, when: When },
    /// At the n-th call that changes files, of a run with one request at a time.
    Call { number: usize, when: When },
}

/// Whether what is asked of the server or of the system is still done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// All there are in one scene.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) scene: Scene,
    /// With one at a time.
    pub(super) requests: usize,
    pub(super) calls: usize,
    /// With several at a time: how many there are, and how far they are apart.
    several: usize,
    apart: Duration,
}

impl Moments {
    pub(super) fn of(scene: Scene) -> Self {
        let (requests, _) = watch(scene, 1);
        let (several, took) = watch(scene, scene.several());
        let stage = scene.stage();
        let traced = tracer::run(scene.command(&stage, 1), &stage.sandbox.path(""), None);
        assert_eq!(traced.code, Some(0), "{scene:?} fails under a tracer: {:?}", traced.calls);
        let apart = took / u32::try_from(several).expect("few requests");
        Self { scene, requests, calls: traced.calls.len(), several, apart }
    }

    /// Every call and every request, before and after the work.
    pub(super) fn all(&self) -> Vec<Kill> {
        let whens = [When::Before, When::After];
        let calls =
            (1..=self.calls).flat_map(|number| whens.map(|when| Kill::Call { number, when }));
        let requests = 1..=self.requests;
        let requests = requests.flat_map(|number| whens.map(|when| Kill::Request { number, when }));
        calls.chain(requests).collect()
    }

    pub(super) fn random(&self, seed: u64, count: usize) -> Vec<Kill> {
        let mut random = fastrand::Rng::with_seed(seed ^ self.scene as u64);
        let mut draw = || {
            let request = random.usize(1..=self.several);
            let most = self.apart * 2;
            Kill::Random { request, delay: most.mul_f64(random.f64()) }
        };
        (0..count).map(|_| draw()).collect()
    }

    /// `each` of each kind, spread evenly over the run.
    pub(super) fn some(&self, seed: u64, each: usize) -> Vec<Kill> {
        let (calls, requests): (Vec<_>, Vec<_>) =
            self.all().into_iter().partition(|kill| matches!(kill, Kill::Call { .. }));
        let mut random = fastrand::Rng::with_seed(seed ^ self.scene as u64);
        let mut spread = |of: &[Kill]| {
            let each = each.min(of.len());
            let slot = |index: usize| (index * of.len() / each)..((index + 1) * of.len() / each);
            (0..each).map(|index| of[random.usize(slot(index))]).collect::<Vec<_>>()
        };
        [spread(&calls), spread(&requests), self.random(seed, each)].concat()
    }
}

/// How many requests the scene makes, and how long it takes from the first one to the exit.
fn watch(scene: Scene, concurrency: usize) -> (usize, Duration) {
    let stage = scene.stage();
    let (first, heard) = mpsc::channel();
    let tell = move |_: &Request| {
        first.send(Instant::now()).ok();
    };
    stage.testbed.fault(Fault::any(FaultKind::callback(tell)));
    scene.command(&stage, concurrency).run().code(0);
    let began = heard.recv().expect("there was a request");
    (stage.testbed.requests().len(), began.elapsed())
}
