//! The pace on simulated networks: how soon it finds the right number of requests, and whether it
//! stays there.

use std::fmt::Write as _;
use std::time::Duration;

use super::pace::{Pace, Seen, Used, exact};

const MS: Duration = Duration::from_millis(1);
pub(super) const MB: f64 = 1e6;

/// A network and the store at its other end.
#[derive(Clone, Copy)]
pub(super) struct Network {
    pub(super) first_byte: Duration,
    /// Bytes a second of one connection, and of all.
    pub(super) stream: f64,
    pub(super) total: f64,
    /// Requests a second that the store, or the machine here, gets done.
    pub(super) requests: f64,
    /// One connection in so many goes to an address that is twenty times as slow.
    pub(super) slow: Option<usize>,
    /// How much the wire is disturbed, from 0 to 1.
    pub(super) noise: f64,
    /// Bytes of each body that count as moved once it is sent, though they have only got into
    /// buffers; `None` where bodies come.
    pub(super) buffer: Option<f64>,
}

pub(super) const REGION: Network = Network {
    first_byte: Duration::from_millis(30),
    stream: 60.0 * MB,
    total: 1250.0 * MB,
    requests: 8000.0,
    slow: None,
    noise: 0.0,
    buffer: None,
};

struct Request {
    answered_at: Duration,
    left: f64,
    stream: f64,
}

/// A run that always has more to do.
pub(super) struct Simulation {
    pub(super) network: Network,
    size: f64,
    pace: Pace,
    now: Duration,
    sent: usize,
    in_flight: Vec<Request>,
    /// Requests that the store may begin to answer.
    tokens: f64,
    dice: fastrand::Rng,
    seen: Seen,
    told_at: Duration,
    /// Each ten milliseconds: the level, and bytes moved by then.
    history: Vec<(Duration, usize, f64)>,
    moved: f64,
}

impl Simulation {
    pub(super) fn new(network: Network, size: f64, mut pace: Pace) -> Self {
        if network.buffer.is_some() {
            pace.answered_to_send(network.first_byte);
        }
        let seen = Seen { now: Duration::ZERO, bytes: 0, arrived: 0, requests: 0, used: Used::All };
        let (now, told_at, dice) = (Duration::ZERO, Duration::ZERO, fastrand::Rng::with_seed(7));
        let (in_flight, history) = (Vec::new(), Vec::new());
        let (sent, tokens, moved) = (0, 0.0, 0.0);
        Self {
            network,
            size,
            pace,
            now,
            sent,
            in_flight,
            tokens,
            dice,
            seen,
            told_at,
            history,
            moved,
        }
    }

    pub(super) fn run(mut self, time: Duration) -> Self {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
        self
    }

    fn step(&mut self) {
        let network = self.network;
        while self.in_flight.len() < self.pace.allowed() {
            self.sent += 1;
            let is_slow = network.slow.is_some_and(|one_in| self.sent.is_multiple_of(one_in));
            let stream = network.stream / if is_slow { 20.0 } else { 1.0 };
            let answered_at = self.now + network.first_byte;
            self.in_flight.push(Request { answered_at, left: self.size, stream });
        }
        self.now += MS;
        let disturbed = 1.0 + network.noise * (self.dice.f64() * 2.0 - 1.0);
        let at_work = |one: &Request| one.answered_at <= self.now;
        let streams = self.in_flight.iter().filter(|one| at_work(one)).count().max(1);
        let streams = f64::from(u32::try_from(streams).expect("a few"));
        self.tokens = (self.tokens + network.requests / 1000.0).min(network.requests / 100.0);
        let mut moved = 0.0;
        for one in self.in_flight.iter_mut().filter(|one| one.answered_at <= self.now) {
            let begins = one.left >= self.size;
            if begins && self.tokens < 1.0 {
                continue;
            }
            if begins {
                self.tokens -= 1.0;
                if network.buffer.is_none() {
                    let late = self.now.saturating_sub(one.answered_at);
                    self.pace.answered(late + network.first_byte);
                }
            }
            let turn = one.stream.min(network.total / streams) / 1000.0 * disturbed;
            let bytes = turn.min(one.left);
            one.left -= bytes;
            moved += bytes;
        }
        self.moved += moved;
        let before = self.in_flight.len();
        self.in_flight.retain(|one| one.left > 0.0);
        self.seen.requests += (before - self.in_flight.len()) as u64;
        self.tell();
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below 2^53")]
    fn tell(&mut self) {
        if self.now.as_millis().is_multiple_of(10) {
            self.history.push((self.now, self.pace.allowed(), self.moved));
        }
        let Some(period) = self.pace.period() else { return };
        if self.now >= self.told_at + period {
            self.told_at = self.now;
            self.seen.now = self.now;
            self.seen.bytes = (self.moved + self.in_buffers()) as u64;
            self.seen.arrived = (exact(self.seen.requests) * self.size) as u64;
            let is_over = self.in_flight.len() > self.pace.allowed();
            self.seen.used = if is_over { Used::More } else { Used::All };
            self.pace.tick(self.seen);
        }
    }

    fn in_buffers(&self) -> f64 {
        let Some(buffer) = self.network.buffer else { return 0.0 };
        self.in_flight.iter().map(|one| one.left.min(buffer)).sum()
    }

    /// Bytes a second from one moment to another.
    pub(super) fn rate(&self, from: Duration, to: Duration) -> f64 {
        let at = |moment| self.history.iter().find(|(when, ..)| *when >= moment);
        let last = self.history.last();
        let (Some(from), Some(to)) = (at(from), at(to).or(last)) else { return 0.0 };
        (to.2 - from.2) / to.0.saturating_sub(from.0).as_secs_f64()
    }

    /// At one moment.
    pub(super) fn level(&self, at: Duration) -> f64 {
        let seen = self.history.iter().find(|(when, ..)| *when >= at);
        seen.map_or(0.0, |(_, level, _)| f64::from(u32::try_from(*level).unwrap_or(u32::MAX)))
    }

    /// The least and the largest level from one moment on.
    fn levels(&self, from: Duration) -> (usize, usize) {
        let levels =
            || self.history.iter().filter(|(when, ..)| *when >= from).map(|(_, level, _)| *level);
        (levels().min().unwrap_or(0), levels().max().unwrap_or(0))
    }

    fn course(&self) -> String {
        let mut text = String::new();
        let mut last = 0;
        for (when, level, _) in &self.history {
            if *level != last {
                let _ = write!(text, " {}:{level}", when.as_millis());
                last = *level;
            }
        }
        text
    }
}

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(super) const PART: f64 = 32.0 * 1024.0 * 1024.0;
pub(super) const SMALL: f64 = 16.0 * 1024.0;

pub(super) fn parts() -> Pace {
    Pace::found(4, 16, 1024)
}

pub(super) fn objects() -> Pace {
    Pace::found(32, 256, 1024)
}

#[test]
fn large_parts_in_the_region_fill_the_wire_in_a_quarter_of_a_second() {
    for (stream, most) in [(60.0 * MB, 80), (20.0 * MB, 160)] {
        let network = Network { stream, ..REGION };
        let run = Simulation::new(network, PART / 4.0, parts()).run(seconds(20.0));
        let (early, late) =
            (run.rate(seconds(0.3), seconds(1.0)), run.rate(seconds(1.0), seconds(20.0)));
        assert!(early > 0.85 * network.total, "{early}{}", run.course());
        assert!(late > 0.92 * network.total, "{late}{}", run.course());
        let levels = run.levels(seconds(1.0));
        assert!(levels.1 <= most, "{levels:?}{}", run.course());
    }
}

#[test]
fn a_fast_network_needs_few() {
    let network = Network {
        first_byte: Duration::from_micros(300),
        stream: 1500.0 * MB,
        total: 2000.0 * MB,
        ..REGION
    };
    let run = Simulation::new(network, PART, parts()).run(seconds(10.0));
    let (rate, levels) = (run.rate(Duration::ZERO, seconds(10.0)), run.levels(seconds(0.2)));
    assert!(rate > 0.95 * network.total && levels.1 <= 10, "{rate} {levels:?}{}", run.course());
}

/// Megabytes of each part are gone at once, whoever reads them at the other end.
#[test]
fn buffers_that_take_in_all_at_once_do_not_mislead() {
    let near = Network {
        first_byte: Duration::from_millis(1),
        stream: 1000.0 * MB,
        total: 1000.0 * MB,
        buffer: Some(3.0 * MB),
        ..REGION
    };
    let part = PART / 6.0;
    for (noise, total) in [(0.0, 1000.0), (0.6, 1000.0), (0.3, 300.0), (0.3, 110.0), (0.0, 20.0)] {
        let network = Network { noise, total: total * MB, ..near };
        let run = Simulation::new(network, part, parts()).run(seconds(20.0));
        let (rate, levels) = (run.rate(Duration::ZERO, seconds(20.0)), run.levels(Duration::ZERO));
        assert!(rate > 0.95 * network.total, "{rate}{}", run.course());
        assert!(levels.1 <= 6, "{levels:?}{}", run.course());
    }
    // Where each connection is slow, more of them are better, near or far.
    for first_byte in [1, 30] {
        let network = Network {
            first_byte: Duration::from_millis(first_byte),
            stream: 20.0 * MB,
            buffer: Some(1.0 * MB),
            ..REGION
        };
        let run = Simulation::new(network, part, parts()).run(seconds(20.0));
        let rate = run.rate(seconds(3.0), seconds(20.0));
        assert!(rate > 0.9 * network.total, "{rate}{}", run.course());
    }
}

#[test]
fn small_objects_are_as_many_as_the_machine_gets_done() {
    let run = Simulation::new(REGION, SMALL, objects()).run(seconds(20.0));
    let (early, late) =
        (run.rate(seconds(0.3), seconds(1.0)), run.rate(seconds(1.0), seconds(20.0)));
    let limit = REGION.requests * SMALL;
    assert!(early > 0.85 * limit, "{early}{}", run.course());
    assert!(late > 0.93 * limit, "{late}{}", run.course());
    let levels = run.levels(seconds(1.0));
    assert!(levels.1 <= 800, "{levels:?}{}", run.course());
}

#[test]
fn far_away_it_takes_more_of_them() {
    let network = Network { first_byte: Duration::from_millis(150), ..REGION };
    let run = Simulation::new(network, SMALL, objects()).run(seconds(20.0));
    let rate = run.rate(seconds(1.5), seconds(20.0));
    // So many can be had: a thousand in flight.
    let limit = 1024.0 / 0.151 * SMALL;
    assert!(rate > 0.85 * limit, "{rate} of {limit}{}", run.course());
}

#[test]
fn a_thin_link_is_not_crowded() {
    let network = Network { stream: 1.25 * MB, total: 1.25 * MB, ..REGION };
    let run = Simulation::new(network, PART / 4.0, parts()).run(seconds(60.0));
    let (rate, levels) = (run.rate(Duration::ZERO, seconds(60.0)), run.levels(seconds(5.0)));
    assert!(rate > 0.98 * network.total && levels.1 <= 16, "{rate} {levels:?}{}", run.course());
    let run = Simulation::new(network, SMALL, objects()).run(seconds(60.0));
    let (rate, levels) = (run.rate(Duration::ZERO, seconds(60.0)), run.levels(seconds(15.0)));
    assert!(rate > 0.95 * network.total && levels.1 <= 400, "{rate} {levels:?}{}", run.course());
}

#[test]
fn one_slow_address_does_not_mislead() {
    let network = Network { slow: Some(8), ..REGION };
    let run = Simulation::new(network, PART / 4.0, parts()).run(seconds(20.0));
    let rate = run.rate(seconds(1.0), seconds(20.0));
    // Most of those in flight are slow ones before long, and more of them are hardly a gain.
    assert!(rate > 0.45 * network.total, "{rate}{}", run.course());
}

#[test]
fn a_disturbed_wire_does_not_mislead() {
    let network = Network { noise: 0.6, ..REGION };
    for (size, pace, limit) in
        [(PART / 4.0, parts(), network.total), (SMALL, objects(), network.requests * SMALL)]
    {
        let run = Simulation::new(network, size, pace).run(seconds(30.0));
        let rate = run.rate(seconds(1.0), seconds(30.0));
        assert!(rate > 0.88 * limit, "{rate} of {limit}{}", run.course());
    }
}

#[test]
fn a_network_that_changes_is_followed() {
    let mut run = Simulation::new(REGION, PART / 4.0, parts()).run(seconds(10.0));
    // Somebody else takes most of it, and leaves again.
    run.network.total = 200.0 * MB;
    run = run.run(seconds(20.0));
    let rate = run.rate(seconds(11.0), seconds(30.0));
    assert!(rate > 0.9 * 200.0 * MB, "{rate}{}", run.course());
    run.network.total = REGION.total;
    run = run.run(seconds(40.0));
    let rate = run.rate(seconds(45.0), seconds(70.0));
    assert!(rate > 0.9 * REGION.total, "{rate}{}", run.course());
}

#[test]
fn who_does_not_use_what_is_allowed_is_allowed_no_more() {
    let mut pace = objects();
    for at in 0..1000u64 {
        let now = Duration::from_millis(at * 10);
        pace.tick(Seen {
            now,
            bytes: at * 1_000_000,
            arrived: 0,
            requests: at,
            used: if at % 2 == 0 { Used::All } else { Used::Some },
        });
    }
    assert_eq!(pace.allowed(), 32);
}

#[test]
fn what_was_asked_for_is_what_there_is() {
    let run = Simulation::new(REGION, SMALL, Pace::fixed(17)).run(seconds(3.0));
    assert_eq!(run.levels(Duration::ZERO), (17, 17));
    assert_eq!(Pace::found(32, 256, 1).allowed(), 1);
}
