//! What all requests that carry bodies tell each other of the link that they share. Pure: told what
//! moved, and when.
//!
//! On a thin link each connection is silent for long while the others have their turn. It must
//! never be taken for dead because of that; nor may a dead one be taken for slow while the others
//! are served many times over.

use std::time::Duration;

/// Where nothing moves, this share of the bodies that were under way is sent at once from then on.
const FEWER: u64 = 4;
/// So many times the patience, at most, where nobody knows whether the link is thin or dead.
const MOST_DOUBLINGS: u32 = 3;

/// The times of all its methods are of one clock, which starts with the run.
#[derive(Debug, Default)]
pub(super) struct Link {
    senders: u64,
    /// There were at once, at most.
    most_senders: u64,
    /// Bytes that a connection would have got through by now which always had its fair share.
    share: u64,
    moved_at: Duration,
    /// The patience is doubled so often.
    doublings: u32,
    doubled_at: Duration,
    /// Bodies that may be under way at once; `None`: as many as there are.
    allowed: Option<u64>,
}

impl Link {
    pub(super) fn join(&mut self) {
        self.senders += 1;
        self.most_senders = self.most_senders.max(self.senders);
    }

    /// Whether one more body may set out.
    pub(super) fn has_room(&self) -> bool {
        self.allowed.is_none_or(|allowed| self.senders < allowed)
    }

    pub(super) fn leave(&mut self) {
        self.senders = self.senders.saturating_sub(1);
    }

    /// So many bytes got through. What only filled buffers at the start of a request did not.
    pub(super) fn moved(&mut self, now: Duration, bytes: u64) {
        // Bodies are often known to have arrived when many others have left already which had
        // their share of the time.
        self.share += bytes.div_ceil(self.most_senders.max(1));
        self.moved_at = self.moved_at.max(now);
    }

    pub(super) fn share(&self) -> u64 {
        self.share
    }

    pub(super) fn moved_at(&self) -> Duration {
        self.moved_at
    }

    pub(super) fn doublings(&self) -> u32 {
        self.doublings
    }

    /// Nothing moved at all until a request that started at `started` was given up. It may be that
    /// the link is dead, or that so many share it that nobody's turn came in time: the next ones
    /// are fewer, and have twice the time. What the system holds of a connection that was given up
    /// still goes over the link, so that the same again would be worse each time. Of those that
    /// were on their way together, the first one counts.
    pub(super) fn doubted(&mut self, started: Duration, now: Duration) {
        if self.senders > 1 && started >= self.doubled_at {
            self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
            self.doubled_at = now;
            self.allowed = Some((self.senders / FEWER).max(1));
        }
    }

    /// A body arrived within the usual patience: there is room for one more.
    pub(super) fn arrived_in_time(&mut self) {
        let more = self.allowed.map(|allowed| allowed + 1);
        self.allowed = more.filter(|allowed| *allowed < self.most_senders);
    }

    /// It was a large one: whatever is silent now is dead.
    pub(super) fn proved_fast(&mut self) {
        self.doublings = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::patience::{Overdue, Sending};

    const SILENCE: Duration = Duration::from_secs(30);
    const FRAME: u64 = 32 << 10;
    /// What the client holds of each body.
    const HELD: u64 = 16 * FRAME;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A connection, and the request that it carries.
    struct Connection {
        sending: Sending,
        length: u64,
        /// What the system holds of it. It takes more when a third of that is free.
        buffer: u64,
        taken: u64,
        through: u64,
        retries: u32,
        is_alive: bool,
        is_over: bool,
        is_waiting: bool,
    }

    /// Many uploads over one link, second by second.
    struct Wire {
        link: Link,
        now: Duration,
        /// Bytes a second, which all connections that have any share fairly.
        rate: u64,
        connections: Vec<Connection>,
        /// What the system still sends of connections that were given up.
        given_up: Vec<u64>,
        overdue: Vec<(usize, Overdue, Duration)>,
    }

    impl Wire {
        fn new(rate: u64, uploads: usize, length: u64) -> Self {
            let (mut link, now) = (Link::default(), Duration::ZERO);
            let start = |number: usize| Connection {
                sending: Sending::start(&mut link, now, length, SILENCE),
                length,
                buffer: (64 + 8 * number as u64) << 10,
                taken: 0,
                through: 0,
                retries: 0,
                is_alive: true,
                is_over: false,
                is_waiting: false,
            };
            let connections = (0..uploads).map(start).collect();
            Self { link, now, rate, connections, given_up: Vec::new(), overdue: Vec::new() }
        }

        /// One second. Whoever is given up starts again; so does who is done, on a busy wire.
        fn second(&mut self, is_busy: bool) {
            let is_at_work = |one: &&Connection| one.is_alive && one.taken > one.through;
            let at_work = self.connections.iter().filter(is_at_work).count();
            let turn = self.rate / (at_work + self.given_up.len()).max(1) as u64;
            self.given_up.iter_mut().for_each(|rest| *rest = rest.saturating_sub(turn));
            self.given_up.retain(|rest| *rest > 0);
            for (number, one) in self.connections.iter_mut().enumerate() {
                if one.is_waiting && self.link.has_room() {
                    one.is_waiting = false;
                    one.sending = Sending::start(&mut self.link, self.now, one.length, SILENCE);
                }
                if one.is_over || one.is_waiting {
                    continue;
                }
                if one.is_alive {
                    one.through = one.taken.min(one.through + turn);
                }
                let room = HELD + one.buffer - (one.taken - one.through);
                if room >= FRAME.max(one.buffer / 3) {
                    one.taken = one.length.min(one.taken + room / FRAME * FRAME);
                }
                let overdue = one.sending.look(&mut self.link, self.now, one.taken);
                let is_done = one.through == one.length;
                if is_done {
                    one.sending.arrived(&mut self.link, self.now);
                    one.is_over = !is_busy;
                } else if let Some(overdue) = overdue {
                    one.retries += 1;
                    self.overdue.push((number, overdue, self.now));
                    if one.is_alive {
                        self.given_up.push((one.taken - one.through).min(one.buffer));
                    }
                }
                if is_done || overdue.is_some() {
                    self.link.leave();
                    (one.taken, one.through) = (0, 0);
                    one.is_waiting = !one.is_over;
                }
            }
            self.now += seconds(1);
        }

        fn run_to_the_end(&mut self) {
            while self.connections.iter().any(|one| !one.is_over) {
                self.second(false);
                assert!(self.now < Duration::from_hours(100), "it comes to no end");
            }
        }

        fn most_retries(&self) -> u32 {
            self.connections.iter().map(|one| one.retries).max().unwrap_or(0)
        }
    }

    #[test]
    fn a_thin_link_that_many_share_is_not_dead() {
        let mut wire = Wire::new(150_000, 64, 8_000_000);
        wire.run_to_the_end();
        assert!(wire.overdue.is_empty(), "first {:?}", wire.overdue.first());
        assert!(wire.now > Duration::from_mins(55), "it is no thin link");
    }

    #[test]
    fn a_link_on_which_nobody_moves_in_time_is_given_more_of_it() {
        for (rate, uploads, length) in [
            // The first frame moves after a minute and more.
            (40_000, 64, 8_000_000),
            (12_000, 64, 2_000_000),
            // All of them are under way from the start, and the first one arrives with the last.
            (100_000, 64, 512 << 10),
            (50_000, 256, 4096),
        ] {
            let mut wire = Wire::new(rate, uploads, length);
            wire.run_to_the_end();
            let retries = wire.most_retries();
            assert!(retries <= 5, "{rate}: {retries} retries");
        }
    }

    #[test]
    fn a_dead_connection_among_fast_ones_is_found_after_the_silence() {
        let mut wire = Wire::new(20_000_000, 16, 8_000_000);
        wire.connections[5].is_alive = false;
        while wire.now < seconds(60) {
            wire.second(true);
        }
        let [(5, Overdue::NotTaken { .. }, when)] = wire.overdue[..] else {
            panic!("{:?}", wire.overdue)
        };
        assert!(when <= seconds(32), "{when:?}");
    }

    #[test]
    fn a_dead_connection_among_slow_ones_is_found_too_and_no_other() {
        let mut wire = Wire::new(200_000, 8, 2_000_000);
        wire.connections[5].is_alive = false;
        while wire.now < Duration::from_mins(10) {
            wire.second(true);
        }
        assert!(wire.overdue.iter().all(|(number, ..)| *number == 5), "{:?}", wire.overdue);
        assert!(wire.overdue.len() >= 2, "{:?}", wire.overdue);
    }

    #[test]
    fn a_link_that_dies_is_found_dead_after_the_silence() {
        let mut wire = Wire::new(20_000_000, 16, 8_000_000);
        while wire.now < seconds(600) {
            wire.second(true);
        }
        assert!(wire.overdue.is_empty(), "first {:?}", wire.overdue.first());
        wire.connections.iter_mut().for_each(|one| one.is_alive = false);
        while wire.overdue.len() < 16 {
            wire.second(true);
            assert!(wire.now < seconds(600 + 33), "only {:?}", wire.overdue);
        }
    }

    #[test]
    fn one_alone_is_given_no_more_time_however_often_it_fails() {
        let mut wire = Wire::new(1, 1, 8_000_000);
        wire.connections[0].is_alive = false;
        while wire.now < seconds(32 * 10) {
            wire.second(true);
        }
        assert!(wire.overdue.len() >= 9, "{:?}", wire.overdue);
    }

    #[test]
    fn patience_is_doubled_once_for_all_that_were_under_way_together() {
        let mut link = Link::default();
        link.join();
        link.join();
        for _ in 0..10 {
            link.doubted(seconds(0), seconds(31));
        }
        assert_eq!(link.doublings(), 1);
        for round in 1..10 {
            link.doubted(seconds(31 * round), seconds(31 * (round + 1)));
        }
        assert_eq!(link.doublings(), MOST_DOUBLINGS);
        link.proved_fast();
        assert_eq!(link.doublings(), 0);
    }

    #[test]
    fn fewer_set_out_where_nothing_moved_and_more_as_soon_as_they_arrive() {
        let mut link = Link::default();
        (0..64).for_each(|_| link.join());
        assert!(link.has_room());
        link.doubted(seconds(0), seconds(31));
        (0..49).for_each(|_| link.leave());
        assert!(link.has_room(), "fifteen are left, and there may be sixteen");
        link.join();
        assert!(!link.has_room());
        link.arrived_in_time();
        assert!(link.has_room());
        (0..64).for_each(|_| link.arrived_in_time());
        (0..64).for_each(|_| link.join());
        assert!(link.has_room(), "it is as it was");
    }
}
