//! The one gate that every request passes: as many at once as are worth having, fewer while the
//! store asks for a lower pace, and at most so many bytes in memory.
//!
//! Objects that move with one request and parts of larger ones are two classes, each with a pace of
//! its own. Where both wait, the class that has fewer requests in flight is served: an object of a
//! terabyte does not starve ten thousand small ones, nor they it. Within its class, the oldest job
//! passes first, so that jobs finish rather than all crawl.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::brake::{Brake, Slowed};
use super::pace::{Pace, Seen, Used};
use crate::storage::meter::{Bandwidth, Meter};

/// What a request moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A whole object, or nothing.
    Object,
    /// One of several parts of an object.
    Part,
}

const CLASSES: [Class; 2] = [Class::Object, Class::Part];

/// How many requests may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as prove to be worth it, and so many at most.
    Found { most: usize },
    /// So many.
    Fixed(usize),
}

impl Concurrency {
    /// The most requests there will ever be at once.
    pub fn most(self) -> usize {
        match self {
            Self::Found { most: requests } | Self::Fixed(requests) => requests.max(1),
        }
    }

    fn pace(self, class: Class) -> Pace {
        match (self, class) {
            (Self::Fixed(requests), _) => Pace::fixed(requests),
            (Self::Found { most }, Class::Object) => {
                Pace::found(OBJECTS_AT_FIRST, OBJECTS_FAR_AWAY, most)
            }
            (Self::Found { most }, Class::Part) => {
                Pace::found(PARTS_AT_FIRST, PARTS_FAR_AWAY, most)
            }
        }
    }
}

/// Requests in flight before anything was measured. On a fast network 8 to 64 objects at once are
/// equally fast, and on a slow one some are in flight for long.
const OBJECTS_AT_FIRST: usize = 32;
/// On a fast network 4 parts at once are as fast as 16, and an upload holds each of them in memory.
const PARTS_AT_FIRST: usize = 4;
/// The same where the store is far away: most of the time, a small object is waited for. Parts are
/// not, and on a thin link each that is under way may have to be sent again.
const OBJECTS_FAR_AWAY: usize = 256;
const PARTS_FAR_AWAY: usize = 16;
const JOBS_AHEAD: usize = 8;
/// How often to look where no pace asks for more.
const SELDOM: Duration = Duration::from_millis(50);

/// Hands out permits. A request that does not fit into memory yet holds back those behind it:
/// otherwise small ones would starve a large one for ever.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    shared: Arc<Shared>,
    driver: Driver,
}

/// Who looks at what is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Run,
    Elsewhere,
}

#[derive(Debug)]
struct Shared {
    memory: u64,
    began: Instant,
    state: Mutex<State>,
    moved: [Moved; 2],
}

/// What requests of one class have moved.
#[derive(Debug)]
struct Moved {
    meter: Arc<Meter>,
    /// Bytes of bodies, when the store has them.
    arrived: AtomicU64,
    requests: AtomicU64,
}

#[derive(Debug)]
struct State {
    most: usize,
    brake: Brake,
    lanes: [Lane; 2],
    free_memory: u64,
    arrivals: u64,
    /// Those that have been through, and have what they need in memory: they are served first, for
    /// others may be waiting for that memory.
    returning: VecDeque<Waiter>,
}

/// Requests of one class.
#[derive(Debug)]
struct Lane {
    pace: Pace,
    in_flight: usize,
    waiting: BinaryHeap<Reverse<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    class: Class,
    priority: u64,
    arrival: u64,
    memory: u64,
    grant: oneshot::Sender<Permit>,
}

/// One request in flight, and the memory of its bytes. Lives as long as both are in use.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    class: Class,
    /// So many were in flight with it when it passed; `None` once it is over.
    among: Option<usize>,
    memory: u64,
    /// Bytes of its body.
    sends: u64,
}

impl Gate {
    /// `memory` in bytes, `bandwidth` in bytes a second.
    pub(super) fn new(concurrency: Concurrency, memory: u64, bandwidth: Option<u64>) -> Self {
        let lane = |class| Lane {
            pace: concurrency.pace(class),
            in_flight: 0,
            waiting: BinaryHeap::new(),
        };
        let state = State {
            most: concurrency.most(),
            brake: Brake::new(concurrency.most()),
            lanes: CLASSES.map(lane),
            free_memory: memory,
            arrivals: 0,
            returning: VecDeque::new(),
        };
        let bandwidth = bandwidth.map(|rate| Arc::new(Bandwidth::new(rate)));
        let moved = CLASSES.map(|_| Moved {
            meter: Arc::new(Meter::new(bandwidth.clone())),
            arrived: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let began = Instant::now();
        let shared = Arc::new(Shared { memory, began, state: Mutex::new(state), moved });
        Self { shared, driver: Driver::Run }
    }

    /// The same gate, for one of several runs that share it: somebody else drives it.
    pub(super) fn shared(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), driver: Driver::Elsewhere }
    }

    /// Waits for one request and `memory` bytes; the lowest `priority` is served first. More than
    /// the whole budget is granted when nothing else is in memory. Dropping the future gives up
    /// its place.
    pub(super) async fn pass(&self, class: Class, priority: u64, memory: u64) -> Permit {
        let memory = memory.min(self.shared.memory);
        let (grant, granted) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            state.arrivals += 1;
            let arrival = state.arrivals;
            let waiter = Waiter { class, priority, arrival, memory, grant };
            state.lane(class).waiting.push(Reverse(waiter));
            self.shared.serve(state);
        }
        // A waiter is dropped only with the gate that this borrows.
        granted.await.unwrap_or_else(|_| Permit::empty(Arc::clone(&self.shared), class))
    }

    /// The store asked for a lower pace, in reply to a request that was sent at `sent`, when it was
    /// one of so many in flight.
    pub(super) fn throttled(&self, sent: Instant, among: Option<usize>) -> Option<Slowed> {
        let mut state = self.shared.lock();
        // The first ones to pass were few, and those that were many may have come back by now.
        let among = among.unwrap_or(0).max(state.in_flight());
        state.brake.throttled(sent, Instant::now(), among)
    }

    /// Whether the store has asked for a lower pace, and did not have it for long.
    pub(super) fn is_slowed(&self) -> bool {
        self.shared.lock().brake.is_on()
    }

    /// The first byte of a reply to a request of this class took so long.
    pub(super) fn answered(&self, class: Class, first_byte: Duration) {
        self.shared.lock().lane(class).pace.answered(first_byte);
    }

    /// The same of parts that are sent: a reply to a request that had no body.
    pub(super) fn answered_to_send(&self, reply: Duration) {
        self.shared.lock().lane(Class::Part).pace.answered_to_send(reply);
    }

    /// Jobs that are worth having under way: one for each request, and some that have theirs behind
    /// them, or wait for it. Where the number of requests was asked for, so many jobs and no more.
    pub(super) fn jobs(&self) -> usize {
        let mut state = self.shared.lock();
        let objects = state.lane(Class::Object).pace.allowed();
        (objects + objects / 4 + JOBS_AHEAD).min(state.most)
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> usize {
        self.shared.lock().lane(Class::Part).pace.allowed()
    }

    /// Does work, and looks now and then how much of it is moved: then more may pass, or fewer.
    pub(super) async fn driving<T>(&self, work: impl Future<Output = T>) -> T {
        if self.driver == Driver::Elsewhere {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(self.shared.tick(), &mut work).await {
                return done;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, class: Class) -> &Moved {
        let [objects, parts] = &self.moved;
        match class {
            Class::Object => objects,
            Class::Part => parts,
        }
    }

    /// Tells each pace what was seen, and serves whom that lets pass; when to look again.
    fn tick(self: &Arc<Self>) -> Duration {
        let now = self.began.elapsed();
        let mut next = SELDOM;
        let mut state = self.lock();
        for class in CLASSES {
            let moved = self.moved(class);
            let (bytes, arrived) = (moved.meter.bytes(), moved.arrived.load(Relaxed));
            let requests = moved.requests.load(Relaxed);
            let lane = state.lane(class);
            let used = match lane.in_flight.cmp(&lane.pace.allowed()) {
                Ordering::Greater => Used::More,
                Ordering::Equal if !lane.waiting.is_empty() => Used::All,
                _ => Used::Some,
            };
            let before = lane.pace.allowed();
            lane.pace.tick(Seen { now, bytes, arrived, requests, used });
            let allowed = lane.pace.allowed();
            if allowed != before {
                tracing::debug!(?class, allowed, before, "pace");
            }
            // A lane that nobody uses has nothing to find.
            if let Some(period) = lane.pace.period().filter(|_| lane.in_flight > 0) {
                next = next.min(period);
            }
        }
        state.brake.recover(Instant::now());
        self.serve(state);
        next
    }

    /// Grants what fits, in order.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let allowed = state.brake.allowed(Instant::now());
        while state.in_flight() < allowed
            && let Some(waiter) = state.next()
        {
            let lane = state.lane(waiter.class);
            lane.in_flight += 1;
            state.free_memory -= waiter.memory;
            let among = Some(state.in_flight());
            let (class, memory) = (waiter.class, waiter.memory);
            let permit = Permit { shared: Arc::clone(self), class, among, memory, sends: 0 };
            if let Err(permit) = waiter.grant.send(permit) {
                // Its future was dropped this very moment. Dropping the permit would take the lock
                // once more, so its counts go back by hand.
                state.lane(class).in_flight -= 1;
                state.free_memory += memory;
                permit.disarm();
            }
        }
    }
}

impl State {
    fn lane(&mut self, class: Class) -> &mut Lane {
        let [objects, parts] = &mut self.lanes;
        match class {
            Class::Object => objects,
            Class::Part => parts,
        }
    }

    fn in_flight(&self) -> usize {
        self.lanes.iter().map(|lane| lane.in_flight).sum()
    }

    /// Who passes next, if anybody may.
    fn next(&mut self) -> Option<Waiter> {
        while let Some(waiter) = self.returning.pop_front() {
            if !waiter.grant.is_closed() {
                return Some(waiter);
            }
        }
        let [objects, parts] = &mut self.lanes;
        let turn = |lane: &mut Lane| {
            let in_flight = lane.in_flight;
            lane.first().map(|first| (in_flight, first.priority, first.arrival))
        };
        let lane = match (turn(objects), turn(parts)) {
            (None, None) => return None,
            (Some(_), None) => objects,
            (Some(object), Some(part)) if object < part => objects,
            (_, Some(_)) => parts,
        };
        let fits = lane.first().is_some_and(|first| first.memory <= self.free_memory);
        let Reverse(waiter) = fits.then(|| lane.waiting.pop()).flatten()?;
        Some(waiter)
    }
}

impl Lane {
    /// The first of those who wait, if one more may pass.
    fn first(&mut self) -> Option<&Waiter> {
        while self.waiting.peek().is_some_and(|Reverse(first)| first.grant.is_closed()) {
            self.waiting.pop();
        }
        let is_open = self.in_flight < self.pace.allowed();
        self.waiting.peek().filter(|_| is_open).map(|Reverse(first)| first)
    }
}

impl Permit {
    fn empty(shared: Arc<Shared>, class: Class) -> Self {
        Self { shared, class, among: None, memory: 0, sends: 0 }
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// So many were in flight with it when it passed.
    pub(super) fn among(&self) -> Option<usize> {
        self.among
    }

    /// Counts bytes of all requests of this class as they move.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.shared.moved(self.class).meter
    }

    /// The request carries so many bytes.
    pub(super) fn sends(&mut self, bytes: u64) {
        self.sends = bytes;
    }

    /// The request is over; its bytes are still in memory.
    pub(super) fn end_request(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.give_back();
        self.memory = memory;
    }

    /// Gives back what it still has of both.
    fn give_back(&mut self) {
        let (was_in_flight, memory) = (self.among.take().is_some(), self.memory);
        if !was_in_flight && memory == 0 {
            return;
        }
        self.memory = 0;
        if was_in_flight {
            let moved = self.shared.moved(self.class);
            moved.requests.fetch_add(1, Relaxed);
            moved.arrived.fetch_add(std::mem::take(&mut self.sends), Relaxed);
        }
        let mut state = self.shared.lock();
        state.lane(self.class).in_flight -= usize::from(was_in_flight);
        state.free_memory += memory;
        self.shared.serve(state);
    }

    /// Lets others have its turn for so long, and waits for the next one. What it has in memory it
    /// keeps.
    pub(super) async fn rest(&mut self, wait: Duration) {
        let Some(_) = self.among.take() else { return tokio::time::sleep(wait).await };
        let (shared, class) = (Arc::clone(&self.shared), self.class);
        {
            let mut state = shared.lock();
            state.lane(class).in_flight -= 1;
            shared.serve(state);
        }
        tokio::time::sleep(wait).await;
        let (grant, granted) = oneshot::channel();
        {
            let mut state = shared.lock();
            let waiter = Waiter { class, priority: 0, arrival: 0, memory: 0, grant };
            state.returning.push_back(waiter);
            shared.serve(state);
        }
        if let Ok(mut permit) = granted.await {
            self.among = permit.among.take();
        }
    }

    fn disarm(mut self) {
        self.among = None;
        self.memory = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.priority, self.arrival).cmp(&(other.priority, other.arrival))
    }
}
