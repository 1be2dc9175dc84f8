//! The way out that all bodies of a run share, by the clock. What it means that one of them is
//! silent is for `link` and `patience` to say.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::link::Link;
use super::patience::{Overdue, Sending};

#[derive(Debug)]
pub(super) struct Uplink {
    began: Instant,
    link: Mutex<Link>,
    /// Told when there may be room for one more.
    room: Notify,
}

impl Uplink {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), link: Mutex::default(), room: Notify::new() }
    }

    /// A body of `length` bytes that sets out, over a connection that may be silent for so long.
    /// Waits while the link is too thin for one more.
    pub(super) async fn start(&self, length: u64, silence: Duration) -> OnItsWay<'_> {
        loop {
            // Before the look, so that nothing that happens in between is missed.
            let room = self.room.notified();
            if let Some(sending) = self.try_start(length, silence) {
                return OnItsWay { uplink: self, sending };
            }
            room.await;
        }
    }

    fn try_start(&self, length: u64, silence: Duration) -> Option<Sending> {
        let mut link = self.lock();
        link.has_room().then(|| Sending::start(&mut link, self.now(), length, silence))
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
        self.uplink.room.notify_waiters();
    }
}
