//! How a run ends before its time. A state that only moves forward: running → draining (no new
//! jobs, those under way go on) → stopping (what is under way is given up and cleaned away).

use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use super::outcome::End;

/// Shared by everything that may have to stop.
#[derive(Debug, Default)]
pub struct Cancel {
    draining: CancellationToken,
    stopping: CancellationToken,
    end: Mutex<End>,
}

impl Cancel {
    /// No new jobs from now on. The first reason that is given stays.
    pub fn drain(&self, why: End) {
        let mut end = self.lock();
        if *end == End::Complete {
            *end = why;
        }
        drop(end);
        self.draining.cancel();
    }

    /// Gives up what is under way, too.
    pub fn stop(&self, why: End) {
        self.drain(why);
        self.stopping.cancel();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends once no new job may start.
    pub async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// Ends once what is under way is to be given up.
    pub async fn stopped(&self) {
        self.stopping.cancelled().await;
    }

    /// How the run ended.
    pub fn end(&self) -> End {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let cancel = Cancel::default();
        assert_eq!(cancel.end(), End::Complete);
        cancel.drain(End::GaveUp);
        assert!(cancel.is_draining() && !cancel.is_stopping());
        cancel.stop(End::Interrupted(2));
        assert!(cancel.is_stopping());
        assert_eq!(cancel.end(), End::GaveUp);
    }
}
