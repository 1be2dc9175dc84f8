//! The one gate that every request passes: at most so many at once, fewer while the store asks for
//! a lower pace, and at most so many bytes in memory. Jobs pass oldest first, so that jobs finish
//! rather than all crawl.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::pace::{Pace, Slowed};

/// Hands out permits in the order of priority, then of arrival. A request that does not fit yet
/// holds back those behind it: otherwise small ones would starve a large one for ever.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    memory: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests: usize,
    pace: Pace,
    free_memory: u64,
    arrivals: u64,
    waiting: BinaryHeap<Reverse<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    priority: u64,
    arrival: u64,
    memory: u64,
    grant: oneshot::Sender<Permit>,
}

/// One request in flight, and the memory of its bytes. Lives as long as both are in use.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    request: usize,
    memory: u64,
}

impl Gate {
    /// `memory` in bytes.
    pub(super) fn new(requests: usize, memory: u64) -> Self {
        let state = State {
            requests: 0,
            pace: Pace::new(requests, Instant::now()),
            free_memory: memory,
            arrivals: 0,
            waiting: BinaryHeap::new(),
        };
        Self { shared: Arc::new(Shared { memory, state: Mutex::new(state) }) }
    }

    /// Waits for one request and `memory` bytes; the lowest `priority` is served first. More than
    /// the whole budget is granted when nothing else is in memory. Dropping the future gives up
    /// its place.
    pub(super) async fn pass(&self, priority: u64, memory: u64) -> Permit {
        let memory = memory.min(self.shared.memory);
        let (grant, granted) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            state.arrivals += 1;
            let arrival = state.arrivals;
            state.waiting.push(Reverse(Waiter { priority, arrival, memory, grant }));
            self.shared.serve(state);
        }
        let granted = self.while_slowed(granted).await;
        // A waiter is dropped only with the gate that this borrows.
        granted.unwrap_or_else(|_| Permit {
            shared: Arc::clone(&self.shared),
            request: 0,
            memory: 0,
        })
    }

    /// The store asked for a lower pace, in reply to a request that was sent at `sent`.
    pub(super) fn throttled(&self, sent: Instant) -> Option<Slowed> {
        self.shared.lock().pace.throttled(sent, Instant::now())
    }

    /// Waits for a grant. While the pace is low, those who wait are those who raise it again:
    /// where nobody waits, nobody needs it.
    async fn while_slowed<T>(&self, granted: impl Future<Output = T>) -> T {
        let mut granted = std::pin::pin!(granted);
        loop {
            let Some(step) = self.shared.recover() else { return granted.await };
            if let Ok(granted) = tokio::time::timeout(step, &mut granted).await {
                return granted;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves whom time lets pass; the time to look again, where the pace is still low.
    fn recover(self: &Arc<Self>) -> Option<Duration> {
        let state = self.lock();
        let step = state.pace.is_slowed().then(|| state.pace.step());
        if step.is_some() {
            self.serve(state);
        }
        step
    }

    /// Grants what fits, in order.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut refused = Vec::new();
        if state.pace.is_slowed() {
            state.pace.recover(Instant::now());
        }
        while let Some(Reverse(next)) = state.waiting.peek() {
            if next.grant.is_closed() {
                state.waiting.pop();
                continue;
            }
            if state.requests >= state.pace.allowed() || next.memory > state.free_memory {
                break;
            }
            let Some(Reverse(waiter)) = state.waiting.pop() else { break };
            state.requests += 1;
            state.free_memory -= waiter.memory;
            let permit = Permit { shared: Arc::clone(self), request: 1, memory: waiter.memory };
            if let Err(permit) = waiter.grant.send(permit) {
                // Its future was dropped this very moment. The permit must not be dropped under
                // the lock, so its counts go back by hand.
                state.requests -= 1;
                state.free_memory += permit.memory;
                refused.push(permit.disarmed());
            }
        }
        drop(state);
        drop(refused);
    }
}

impl Permit {
    /// The request is over; its bytes are still in memory.
    pub(super) fn end_request(&mut self) {
        if std::mem::take(&mut self.request) > 0 {
            let mut state = self.shared.lock();
            state.requests -= 1;
            self.shared.serve(state);
        }
    }

    fn disarmed(mut self) -> Self {
        self.request = 0;
        self.memory = 0;
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.request == 0 && self.memory == 0 {
            return;
        }
        let mut state = self.shared.lock();
        state.requests -= self.request;
        state.free_memory += self.memory;
        self.shared.serve(state);
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.priority, self.arrival).cmp(&(other.priority, other.arrival))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_oldest_job_passes_first() {
        let gate = Gate::new(1, 100);
        let held = gate.pass(5, 1).now_or_never().expect("free");
        let mut young = Box::pin(gate.pass(9, 1));
        let mut old = Box::pin(gate.pass(2, 1));
        assert!(young.as_mut().now_or_never().is_none() && old.as_mut().now_or_never().is_none());
        drop(held);
        let permit = old.as_mut().now_or_never().expect("the oldest is served");
        assert!(young.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(young.now_or_never().is_some());
    }

    #[test]
    fn memory_is_counted_until_the_permit_is_dropped() {
        let gate = Gate::new(10, 100);
        let mut first = gate.pass(1, 80).now_or_never().expect("fits");
        let mut second = Box::pin(gate.pass(2, 40));
        assert!(second.as_mut().now_or_never().is_none());
        first.end_request();
        assert!(second.as_mut().now_or_never().is_none(), "the bytes are still there");
        drop(first);
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn more_than_the_budget_passes_alone() {
        let gate = Gate::new(10, 100);
        let small = gate.pass(1, 1).now_or_never().expect("fits");
        let mut large = Box::pin(gate.pass(2, 1000));
        assert!(large.as_mut().now_or_never().is_none());
        drop(small);
        assert!(large.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_lower_pace_holds_back_the_next_and_takes_nothing_away() {
        let gate = Gate::new(4, 100);
        let pass = || gate.pass(1, 1).now_or_never();
        let mut held: Vec<_> = (0..4).filter_map(|_| pass()).collect();
        assert_eq!(held.len(), 4);
        assert_eq!(gate.throttled(Instant::now()), Some(Slowed { from: 4, to: 2 }));
        held.truncate(2);
        assert!(pass().is_none(), "two are still on their way");
        held.clear();
        held.extend((0..4).filter_map(|_| pass()));
        assert_eq!(held.len(), 2);
    }

    #[tokio::test]
    async fn who_waits_at_a_low_pace_is_served_when_it_recovers() {
        // So many that one comes back each ten milliseconds.
        let gate = Gate::new(2400, 10_000);
        gate.throttled(Instant::now());
        let mut held = Vec::new();
        for _ in 0..1200 {
            held.push(gate.pass(1, 1).await);
        }
        // Nobody left: only time lets it pass.
        let more = futures::future::join_all((0..10).map(|_| gate.pass(1, 1)));
        let patience = Duration::from_mins(1);
        let more = tokio::time::timeout(patience, more).await.expect("they are served");
        drop((held, more));
    }

    #[test]
    fn who_gave_up_waiting_holds_nobody_back() {
        let gate = Gate::new(1, 100);
        let held = gate.pass(1, 1).now_or_never().expect("free");
        let mut gone = Box::pin(gate.pass(2, 100));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut waiting = Box::pin(gate.pass(3, 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        assert!(waiting.now_or_never().is_some());
    }
}
