//! The one gate that every request passes: at most so many at once, and at most so many bytes in
//! memory. Jobs pass oldest first, so that jobs finish rather than all crawl.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

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
    free_requests: usize,
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
            free_requests: requests.max(1),
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
        // A waiter is dropped only with the gate that this borrows.
        granted.await.unwrap_or_else(|_| Permit {
            shared: Arc::clone(&self.shared),
            request: 0,
            memory: 0,
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants what fits, in order.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut refused = Vec::new();
        while let Some(Reverse(next)) = state.waiting.peek() {
            if next.grant.is_closed() {
                state.waiting.pop();
                continue;
            }
            if state.free_requests == 0 || next.memory > state.free_memory {
                break;
            }
            let Some(Reverse(waiter)) = state.waiting.pop() else { break };
            state.free_requests -= 1;
            state.free_memory -= waiter.memory;
            let permit = Permit { shared: Arc::clone(self), request: 1, memory: waiter.memory };
            if let Err(permit) = waiter.grant.send(permit) {
                // Its future was dropped this very moment. The permit must not be dropped under
                // the lock, so its counts go back by hand.
                state.free_requests += 1;
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
            state.free_requests += 1;
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
        state.free_requests += self.request;
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
