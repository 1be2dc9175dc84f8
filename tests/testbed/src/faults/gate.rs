//! A gate that holds requests, so that a test knows where everyone stands without sleeping.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Holds requests until it is opened. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    arrived: Mutex<usize>,
    arrival: Condvar,
    passes: Semaphore,
}

/// How long a test waits before it counts as failed; never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

impl Gate {
    /// A closed gate.
    #[expect(clippy::new_without_default, reason = "a gate that appears by default holds no one")]
    pub fn new() -> Self {
        Self(Arc::new(State {
            arrived: Mutex::new(0),
            arrival: Condvar::new(),
            passes: Semaphore::new(0),
        }))
    }

    /// Lets every request through, those to come too.
    pub fn open(&self) {
        self.0.passes.close();
    }

    /// Lets one request through: one that waits, or the next to come.
    pub fn let_one_pass(&self) {
        self.0.passes.add_permits(1);
    }

    /// How many requests have come to the gate so far.
    pub fn arrived(&self) -> usize {
        *self.lock()
    }

    /// Blocks until that many requests have come.
    ///
    /// # Panics
    ///
    /// If they have not come after half a minute.
    pub fn wait_for(&self, count: usize) {
        let waiting = self.0.arrival.wait_timeout_while(self.lock(), PATIENCE, |n| *n < count);
        let (arrived, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        assert!(*arrived >= count, "only {arrived} of {count} requests came to the gate");
    }

    pub(crate) async fn pass(&self) {
        *self.lock() += 1;
        self.0.arrival.notify_all();
        // An error says the gate was opened for good.
        if let Ok(permit) = self.0.passes.acquire().await {
            permit.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
