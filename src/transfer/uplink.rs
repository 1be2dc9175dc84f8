//! The way out that all bodies of a run share, by the clock. What it means that one of them is
//! silent is for `link` and `patience` to say.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::link::Link;
use super::patience::{Overdue, Sending};

#[derive(Debug)]
pub(super) struct Uplink {
    began: Instant,
    link: Mutex<Link>,
}

impl Uplink {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), link: Mutex::default() }
    }

    /// A body of `length` bytes that sets out now, over a connection that may be silent for so long.
    pub(super) fn start(&self, length: u64, silence: Duration) -> OnItsWay<'_> {
        let sending = Sending::start(&mut self.lock(), self.now(), length, silence);
        OnItsWay { uplink: self, sending }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One body. It has its share of the link until it is dropped.
#[derive(Debug)]
pub(super) struct OnItsWay<'a> {
    uplink: &'a Uplink,
    sending: Sending,
}

impl OnItsWay<'_> {
    /// The store has all of it.
    pub(super) fn arrived(&mut self) {
        let (mut link, now) = (self.uplink.lock(), self.uplink.now());
        self.sending.arrived(&mut link, now);
    }

    /// The connection has taken so many bytes by now.
    pub(super) fn look(&mut self, taken: u64) -> Option<Overdue> {
        let (mut link, now) = (self.uplink.lock(), self.uplink.now());
        self.sending.look(&mut link, now, taken)
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.uplink.lock().leave();
    }
}
