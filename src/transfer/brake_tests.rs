//! The brake on simulated stores: how much is refused, and how soon the pace is back.

use std::time::Duration;

use tokio::time::Instant;

use super::brake::{Brake, Slowed};

fn after(start: Instant, milliseconds: u64) -> Instant {
    start + Duration::from_millis(milliseconds)
}

#[test]
fn a_storm_halves_the_pace_once_a_round_trip() {
    let start = Instant::now();
    let mut brake = Brake::new(64);
    // Sixty-four requests went out together, and thirty came back throttled.
    let cuts: Vec<_> =
        (0..30).filter_map(|at| brake.throttled(start, after(start, 30 + at), 64)).collect();
    assert_eq!(cuts, [Slowed { from: 64, to: 32 }]);
    // One that was sent after the cut says that it was not enough.
    let cut = brake.throttled(after(start, 31), after(start, 61), 32);
    assert_eq!(cut, Some(Slowed { from: 32, to: 16 }));
}

#[test]
fn what_counts_is_what_was_in_flight_and_not_what_might_have_been() {
    let start = Instant::now();
    let mut brake = Brake::new(1024);
    assert_eq!(brake.throttled(start, after(start, 30), 40), Some(Slowed { from: 40, to: 20 }));
}

#[test]
fn the_pace_never_comes_to_nothing() {
    for (full, least) in [(1, 1), (2, 1), (8, 1), (32, 2), (64, 4), (4096, 4)] {
        let start = Instant::now();
        let mut brake = Brake::new(full);
        for round in 1..100 {
            let now = after(start, round * 100);
            brake.throttled(after(start, round * 100 - 50), now, brake.allowed(now));
        }
        assert_eq!(brake.allowed(after(start, 9901)), least, "{full}");
    }
}

#[test]
fn without_throttling_the_pace_is_back_in_half_a_minute() {
    for full in [2, 64, 4096] {
        let start = Instant::now();
        let mut brake = Brake::new(full);
        for round in 1..20 {
            let now = after(start, round * 100);
            brake.throttled(after(start, round * 100 - 50), now, brake.allowed(now));
        }
        let mut calm = 1900;
        let mut before = brake.allowed(after(start, calm));
        assert!(before < full, "{full}");
        while brake.is_on() {
            calm += 10;
            brake.recover(after(start, calm));
            let allowed = brake.allowed(after(start, calm));
            assert!(allowed >= before && allowed <= before + before.max(100) / 50 + 1);
            before = allowed;
        }
        assert!(calm < 1900 + 30_000, "{full}: {calm} ms");
        assert_eq!(before, full);
    }
}

#[test]
fn while_throttling_goes_on_the_pace_does_not_grow() {
    let start = Instant::now();
    let mut brake = Brake::new(64);
    brake.throttled(start, after(start, 1), 64);
    for at in 1..100 {
        brake.recover(after(start, at * 100));
        // Of a request that was sent long ago: no cut, but no calm either.
        brake.throttled(start, after(start, at * 100), 64);
    }
    assert_eq!(brake.allowed(after(start, 9900)), 32);
}

/// What a store served and what it refused, in so many seconds.
fn served(limit: f64, most: usize, seconds: u64) -> (f64, f64) {
    let last = simulated(limit, most, seconds).pop().expect("a second");
    (last.served, last.refused)
}

/// Requests in flight, and the share of what could be had that was used in the half second before,
/// every tenth of a second.
pub(super) fn course(limit: f64, most: usize, seconds: u64) -> Vec<(f64, f64, f64)> {
    let all = simulated(limit, most, seconds);
    let share = |(one, before): (&Look, &Look)| {
        let used = (one.served - before.served) / ((one.at - before.at) * limit);
        (one.at, one.allowed, used)
    };
    all.iter().skip(5).zip(&all).map(share).collect()
}

/// What has been by one moment.
struct Look {
    at: f64,
    allowed: f64,
    served: f64,
    refused: f64,
}

/// A store that bears so many requests a second, thirty milliseconds away, as tokens of which
/// it has saved up a tenth: every tenth of a second.
fn simulated(limit: f64, most: usize, seconds: u64) -> Vec<Look> {
    const LATENCY: u64 = 30;
    let mut looks = Vec::new();
    let start = Instant::now();
    let mut brake = Brake::new(most);
    let (mut tokens, mut served, mut refused) = (limit / 10.0, 0.0, 0.0);
    let mut in_flight = std::collections::VecDeque::new();
    for at in 1..=seconds * 1000 {
        tokens = (tokens + limit / 1000.0).min(limit / 10.0);
        let now = after(start, at);
        brake.recover(now);
        while let Some((sent, among)) = in_flight.front().copied()
            && sent + LATENCY <= at
        {
            in_flight.pop_front();
            if tokens >= 1.0 {
                tokens -= 1.0;
                served += 1.0;
            } else {
                refused += 1.0;
                brake.throttled(after(start, sent), now, among);
            }
        }
        while in_flight.len() < brake.allowed(now) {
            in_flight.push_back((at, in_flight.len() + 1));
        }
        if at.is_multiple_of(100) {
            let allowed = f64::from(u32::try_from(brake.allowed(now)).expect("a few"));
            let at = Duration::from_millis(at).as_secs_f64();
            looks.push(Look { at, allowed, served, refused });
        }
    }
    looks
}

#[test]
fn what_a_store_bears_is_used_and_little_is_refused() {
    for (limit, most) in [(1000.0, 64), (1000.0, 1024), (3500.0, 256), (200.0, 64)] {
        let (served, refused) = served(limit, most, 30);
        assert!(served > 0.92 * limit * 30.0, "{limit}: {served} of {}", limit * 30.0);
        assert!(refused < 0.05 * served, "{limit}: {refused} refused, {served} served");
    }
}
