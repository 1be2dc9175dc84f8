//! When a connection is too slow to be waited for. Pure: told how many bytes moved, and when.
//!
//! Silence is judged by the time that the network took, never by that of our own disk; and a thin
//! link that is shared by many requests must never be taken for a dead one.

use std::time::Duration;

use super::link::Link;

/// The slowest connection that is still taken for alive, in bytes a second: 64 of them share the
/// thinnest link on which anybody would move objects.
const TRICKLE: u64 = 128;
/// The slowest link that is allowed for where nothing was measured, in bytes a second. A thin uplink
/// is shared by all requests in flight; what is lost by patience is that a dead one is found late.
const SLOWEST: u64 = 8 * 1024;
/// Bytes of a request that may be under way between us and the network: in the client's buffers
/// and in the kernel's.
const UNDER_WAY: u64 = 1024 * 1024;
/// A connection is left behind by the others when each of them, on average, got so many times as
/// much through as it has under way, and it nothing.
const LEFT_BEHIND: u64 = 4;
/// Of small bodies, that much is taken to be under way: one lost packet may hold them up for long.
const LEAST_UNDER_WAY: u64 = 256 * 1024;

/// What so many bytes may take to be sent, where nothing was measured.
pub(super) fn at_slowest(length: u64) -> Duration {
    Duration::from_secs(length / SLOWEST)
}

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

/// Watches a request that carries a body. Times are of the clock of the link.
#[derive(Debug)]
pub(super) struct Sending {
    length: u64,
    silence: Duration,
    started: Duration,
    taken: u64,
    /// When the last byte was taken.
    moved_at: Duration,
    /// Fair share of the link's bytes at that time.
    share: u64,
    /// Bytes that the link was told of, which are known to have got through.
    told: u64,
    /// Whether the buffers between us and the network are full: what is taken now has got through.
    is_filled: bool,
    /// When more was taken than could be under way: from here on the pace is the network's.
    measured_from: Option<(Duration, u64)>,
    /// How often the patience is doubled, from the start of the request on.
    doublings: u32,
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
    /// A body of `length` bytes, and a connection that may be silent for so long. It is on the link
    /// until that is left.
    pub(super) fn start(link: &mut Link, now: Duration, length: u64, silence: Duration) -> Self {
        link.join();
        Self {
            length,
            silence,
            started: now,
            taken: 0,
            moved_at: now,
            share: link.share(),
            told: 0,
            is_filled: false,
            measured_from: None,
            doublings: link.doublings(),
        }
    }

    /// The body arrived: all of it has got through.
    pub(super) fn arrived(&mut self, link: &mut Link, now: Duration) {
        link.moved(now, self.length.saturating_sub(self.told));
        self.told = self.length;
        if now.saturating_sub(self.started) <= self.silence {
            link.arrived_in_time();
            if self.length >= UNDER_WAY {
                link.proved_fast();
            }
        }
    }

    /// Looks at how many bytes the connection has taken by now.
    pub(super) fn look(&mut self, link: &mut Link, now: Duration, taken: u64) -> Option<Overdue> {
        self.note(link, now, taken);
        let silence = now.saturating_sub(self.moved_at);
        let is_taken = self.taken >= self.length;
        let patience = if is_taken { self.silence + self.delivery() } else { self.silence };
        if silence <= patience || !self.is_dead(link, now, patience) {
            return None;
        }
        Some(if is_taken {
            Overdue::NoReply { silence }
        } else {
            Overdue::NotTaken { taken: self.taken, silence }
        })
    }

    fn note(&mut self, link: &mut Link, now: Duration, taken: u64) {
        if taken <= self.taken {
            self.is_filled |= self.taken > 0;
            return;
        }
        if self.is_filled {
            link.moved(now, taken - self.taken);
            self.told += taken - self.taken;
        }
        self.taken = taken;
        self.moved_at = now;
        self.share = link.share();
        if taken > UNDER_WAY && self.measured_from.is_none() {
            self.is_filled = true;
            self.measured_from = Some((now, taken));
        }
    }

    /// Whether a connection that was silent for longer than its patience is to be given up.
    fn is_dead(&self, link: &mut Link, now: Duration, patience: Duration) -> bool {
        if self.taken == 0 {
            return true;
        }
        let under_way = self.taken.clamp(LEAST_UNDER_WAY, UNDER_WAY);
        if link.share() - self.share > LEFT_BEHIND * under_way {
            return true;
        }
        // The others are no faster, and somebody's bytes move: it is the link that is slow.
        let still = now.saturating_sub(link.moved_at().max(self.moved_at));
        if still <= patience * 2u32.pow(self.doublings) {
            return false;
        }
        link.doubted(self.started, now);
        true
    }

    /// Time for what is still under way when the last byte is taken.
    fn delivery(&self) -> Duration {
        let slowest = at_slowest(self.length.min(UNDER_WAY));
        let Some((from, taken)) = self.measured_from else { return slowest };
        let bytes = u32::try_from(self.length.saturating_sub(taken)).unwrap_or(u32::MAX);
        if bytes == 0 {
            return slowest;
        }
        let under_way = u32::try_from(UNDER_WAY).unwrap_or(u32::MAX);
        let measured = self.moved_at.saturating_sub(from).mul_f64(f64::from(under_way));
        let measured = measured.div_f64(f64::from(bytes));
        // The last bytes may well be slower than those before; and where many share a thin link,
        // all of them may be slower than any link is taken to be.
        slowest.min(measured * 4).max(measured * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);
    const PART: u64 = 8 << 20;

    /// A request that has its link for itself.
    struct Alone(Link, Sending);

    impl Alone {
        fn new(length: u64) -> Self {
            let mut link = Link::default();
            let sending = Sending::start(&mut link, Duration::ZERO, length, SILENCE);
            Self(link, sending)
        }

        fn look(&mut self, now: Duration, taken: u64) -> Option<Overdue> {
            self.1.look(&mut self.0, now, taken)
        }
    }

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
        let mut sending = Alone::new(PART);
        assert_eq!(sending.look(seconds(1), 700_000), None);
        assert_eq!(sending.look(seconds(31), 700_000), None);
        let overdue = Overdue::NotTaken { taken: 700_000, silence: seconds(31) };
        assert_eq!(sending.look(seconds(32), 700_000), Some(overdue));
    }

    #[test]
    fn a_reply_that_does_not_come_is_missed_soon_where_the_connection_was_fast() {
        let mut sending = Alone::new(PART);
        for (millisecond, taken) in [(10, 2 << 20), (20, 4 << 20), (40, PART)] {
            assert_eq!(sending.look(Duration::from_millis(millisecond), taken), None);
        }
        assert_eq!(sending.look(seconds(30), PART), None);
        assert!(matches!(sending.look(seconds(31), PART), Some(Overdue::NoReply { .. })));
    }

    #[test]
    fn what_is_under_way_on_a_slow_link_is_waited_for() {
        // 40 KB/s, a part of 2 MiB: when its last byte is taken, a megabyte is still on its way.
        let mut sending = Alone::new(2 << 20);
        for step in 0..=8 {
            let taken = (1 << 20) + step * (128 << 10);
            assert_eq!(sending.look(seconds(3 * (step + 1)), taken), None);
        }
        assert_eq!(sending.look(seconds(27 + 60), 2 << 20), None);
        assert!(sending.look(seconds(27 + 200), 2 << 20).is_some());
    }

    #[test]
    fn a_crawling_upload_goes_on_as_long_as_it_moves() {
        let mut sending = Alone::new(PART);
        let steps = PART / (128 << 10);
        assert!(
            (1..steps).all(|step| sending.look(seconds(25 * step), step * (128 << 10)).is_none())
        );
    }
}
