//! When a connection is too slow to be waited for. Pure: told how many bytes moved, and when.
//!
//! Silence is judged by the time that the network took, never by that of our own disk; and a thin
//! link that is shared by many requests must never be taken for a dead one.

use std::time::Duration;

/// The slowest connection that is still taken for alive, in bytes a second: 64 of them share the
/// thinnest link on which anybody would move objects.
const TRICKLE: u64 = 128;
/// The slowest link that is allowed for where nothing was measured.
const SLOWEST: u64 = 8 * 1024;
/// Bytes of a request that may be under way between us and the network: in the client's buffers
/// and in the kernel's.
const UNDER_WAY: u64 = 1024 * 1024;

/// Watches a body that comes in.
#[derive(Debug, Default)]
pub(super) struct Trickle {
    waited: Duration,
    came: u64,
}

impl Trickle {
    /// So many bytes came after the network was waited for so long. Says how many came in the last
    /// `window` of waiting if they were too few.
    pub(super) fn note(&mut self, waited: Duration, came: u64, window: Duration) -> Option<u64> {
        self.waited += waited;
        self.came += came;
        if self.waited < window {
            return None;
        }
        let came = std::mem::take(&mut self.came);
        let waited = std::mem::take(&mut self.waited);
        (came < TRICKLE * waited.as_secs()).then_some(came)
    }
}

/// Watches a request that carries a body.
#[derive(Debug)]
pub(super) struct Sending {
    length: u64,
    silence: Duration,
    taken: u64,
    /// When the last byte was taken, from the start of the request.
    moved_at: Duration,
    /// When more was taken than could be under way: from here on the pace is the network's.
    measured_from: Option<(Duration, u64)>,
}

/// Why a request is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The connection takes no more bytes.
    NotTaken { taken: u64, silence: Duration },
    /// All were taken, and no reply came.
    NoReply { silence: Duration },
}

impl Sending {
    /// A body of `length` bytes, and a connection that may be silent for so long.
    pub(super) fn new(length: u64, silence: Duration) -> Self {
        Self { length, silence, taken: 0, moved_at: Duration::ZERO, measured_from: None }
    }

    /// Looks at how many bytes the connection has taken by now.
    pub(super) fn look(&mut self, now: Duration, taken: u64) -> Option<Overdue> {
        if taken > self.taken {
            self.taken = taken;
            self.moved_at = now;
            if taken > UNDER_WAY && self.measured_from.is_none() {
                self.measured_from = Some((now, taken));
            }
        }
        let silence = now.saturating_sub(self.moved_at);
        if self.taken < self.length {
            let overdue = Overdue::NotTaken { taken: self.taken, silence };
            return (silence > self.silence).then_some(overdue);
        }
        (silence > self.silence + self.delivery()).then_some(Overdue::NoReply { silence })
    }

    /// Time for what is still under way when the last byte is taken.
    fn delivery(&self) -> Duration {
        let slowest = Duration::from_secs(self.length.min(UNDER_WAY) / SLOWEST);
        let Some((from, taken)) = self.measured_from else { return slowest };
        let bytes = u32::try_from(self.length.saturating_sub(taken)).unwrap_or(u32::MAX);
        if bytes == 0 {
            return slowest;
        }
        let under_way = u32::try_from(UNDER_WAY).unwrap_or(u32::MAX);
        let measured = self.moved_at.saturating_sub(from).mul_f64(f64::from(under_way));
        // The last bytes may well be slower than those before.
        slowest.min(measured.div_f64(f64::from(bytes)) * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);
    const PART: u64 = 8 << 20;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_byte_a_second_is_a_trickle_and_a_thin_link_is_not() {
        let mut loris = Trickle::default();
        let said: Vec<_> = (0..60).filter_map(|_| loris.note(seconds(1), 1, SILENCE)).collect();
        assert_eq!(said, [30, 30]);
        let mut thin = Trickle::default();
        assert!((0..60).all(|_| thin.note(seconds(1), 200, SILENCE).is_none()));
    }

    /// Whoever waits for a slow disk finds the next bytes there already.
    #[test]
    fn time_in_which_nothing_was_waited_for_does_not_count() {
        let mut trickle = Trickle::default();
        assert!((0..1_000_000).all(|_| trickle.note(Duration::ZERO, 0, SILENCE).is_none()));
    }

    #[test]
    fn a_stalled_part_is_found_after_the_silence_and_not_after_its_length() {
        let mut sending = Sending::new(PART, SILENCE);
        assert_eq!(sending.look(seconds(1), 700_000), None);
        assert_eq!(sending.look(seconds(31), 700_000), None);
        let overdue = Overdue::NotTaken { taken: 700_000, silence: seconds(31) };
        assert_eq!(sending.look(seconds(32), 700_000), Some(overdue));
    }

    #[test]
    fn a_reply_that_does_not_come_is_missed_soon_where_the_connection_was_fast() {
        let mut sending = Sending::new(PART, SILENCE);
        for (millisecond, taken) in [(10, 2 << 20), (20, 4 << 20), (40, PART)] {
            assert_eq!(sending.look(Duration::from_millis(millisecond), taken), None);
        }
        assert_eq!(sending.look(seconds(30), PART), None);
        assert!(matches!(sending.look(seconds(31), PART), Some(Overdue::NoReply { .. })));
    }

    #[test]
    fn what_is_under_way_on_a_slow_link_is_waited_for() {
        // 40 KB/s, a part of 2 MiB: when its last byte is taken, a megabyte is still on its way.
        let mut sending = Sending::new(2 << 20, SILENCE);
        for step in 0..=8 {
            let taken = (1 << 20) + step * (128 << 10);
            assert_eq!(sending.look(seconds(3 * (step + 1)), taken), None);
        }
        assert_eq!(sending.look(seconds(27 + 60), 2 << 20), None);
        assert!(sending.look(seconds(27 + 200), 2 << 20).is_some());
    }

    #[test]
    fn a_crawling_upload_goes_on_as_long_as_it_moves() {
        let mut sending = Sending::new(PART, SILENCE);
        let steps = PART / (128 << 10);
        assert!(
            (1..steps).all(|step| sending.look(seconds(25 * step), step * (128 << 10)).is_none())
        );
    }
}
