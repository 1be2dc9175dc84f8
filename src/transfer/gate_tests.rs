//! The gate: who passes, and when.

use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;

use super::brake::Slowed;
use super::gate::{Class, Concurrency, Gate, Permit};

fn pass(gate: &Gate, priority: u64, memory: u64) -> impl Future<Output = Permit> {
    gate.pass(Class::Object, priority, memory)
}

#[test]
fn the_oldest_job_passes_first() {
    let gate = Gate::new(Concurrency::Fixed(1), 100, None);
    let held = pass(&gate, 5, 1).now_or_never().expect("free");
    let mut young = Box::pin(pass(&gate, 9, 1));
    let mut old = Box::pin(pass(&gate, 2, 1));
    assert!(young.as_mut().now_or_never().is_none() && old.as_mut().now_or_never().is_none());
    drop(held);
    let permit = old.as_mut().now_or_never().expect("the oldest is served");
    assert!(young.as_mut().now_or_never().is_none());
    drop(permit);
    assert!(young.now_or_never().is_some());
}

#[test]
fn memory_is_counted_until_the_permit_is_dropped() {
    let gate = Gate::new(Concurrency::Fixed(10), 100, None);
    let mut first = pass(&gate, 1, 80).now_or_never().expect("fits");
    let mut second = Box::pin(pass(&gate, 2, 40));
    assert!(second.as_mut().now_or_never().is_none());
    first.end_request();
    assert!(second.as_mut().now_or_never().is_none(), "the bytes are still there");
    drop(first);
    assert!(second.now_or_never().is_some());
}

#[test]
fn more_than_the_budget_passes_alone() {
    let gate = Gate::new(Concurrency::Fixed(10), 100, None);
    let small = pass(&gate, 1, 1).now_or_never().expect("fits");
    let mut large = Box::pin(pass(&gate, 2, 1000));
    assert!(large.as_mut().now_or_never().is_none());
    drop(small);
    assert!(large.now_or_never().is_some());
}

#[tokio::test]
async fn a_lower_pace_holds_back_the_next_and_takes_nothing_away() {
    let gate = Gate::new(Concurrency::Fixed(4), 100, None);
    let pass = || pass(&gate, 1, 1).now_or_never();
    let mut held: Vec<_> = (0..4).filter_map(|_| pass()).collect();
    assert_eq!(held.len(), 4);
    assert_eq!(gate.throttled(Instant::now(), Some(4)), Some(Slowed { from: 4, to: 2 }));
    held.truncate(2);
    assert!(pass().is_none(), "two are still on their way");
    held.clear();
    held.extend((0..4).filter_map(|_| pass()));
    assert_eq!(held.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_a_low_pace_is_served_when_it_recovers() {
    let gate = Gate::new(Concurrency::Fixed(64), 10_000, None);
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(pass(&gate, 1, 1).await);
    }
    assert_eq!(gate.throttled(Instant::now(), Some(64)), Some(Slowed { from: 64, to: 32 }));
    // Nobody leaves: only time lets them pass, and there is room for so many already.
    held.truncate(32);
    let more = futures::future::join_all((0..32).map(|_| pass(&gate, 1, 1)));
    let patience = Duration::from_mins(1);
    let more = tokio::time::timeout(patience, gate.driving(more)).await;
    drop(more.expect("they are served"));
}

#[test]
fn who_gave_up_waiting_holds_nobody_back() {
    let gate = Gate::new(Concurrency::Fixed(1), 100, None);
    let held = pass(&gate, 1, 1).now_or_never().expect("free");
    let mut gone = Box::pin(pass(&gate, 2, 100));
    assert!(gone.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(pass(&gate, 3, 1));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(gone);
    drop(held);
    assert!(waiting.now_or_never().is_some());
}

#[test]
fn objects_and_parts_have_half_of_the_requests_each() {
    let gate = Gate::new(Concurrency::Fixed(4), 1000, None);
    // A large object came first, and wants more than there is.
    let mut parts: Vec<_> = (0..8).map(|_| Box::pin(gate.pass(Class::Part, 1, 1))).collect();
    let mut held: Vec<_> =
        parts.iter_mut().filter_map(|part| part.as_mut().now_or_never()).collect();
    assert_eq!(held.len(), 4, "nobody else wants any");
    let mut objects: Vec<_> = (2..8).map(|job| Box::pin(pass(&gate, job, 1))).collect();
    assert!(objects.iter_mut().all(|object| object.as_mut().now_or_never().is_none()));
    held.truncate(2);
    let served = objects.iter_mut().filter_map(|object| object.as_mut().now_or_never());
    let served: Vec<_> = served.collect();
    assert_eq!(served.len(), 2, "those who have fewer are served first");
    drop(held);
    let parts = parts[4..].iter_mut().filter_map(|part| part.as_mut().now_or_never());
    assert_eq!(parts.collect::<Vec<_>>().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_try_lets_others_pass_and_then_comes_first() {
    let gate = Gate::new(Concurrency::Fixed(1), 100, None);
    let mut failed = pass(&gate, 1, 100).await;
    let mut others = [Box::pin(pass(&gate, 2, 0)), Box::pin(pass(&gate, 3, 0))];
    let mut rest = Box::pin(failed.rest(Duration::from_secs(1)));
    assert!(rest.as_mut().now_or_never().is_none());
    let second = others[0].as_mut().now_or_never().expect("its turn");
    assert!(others[1].as_mut().now_or_never().is_none());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(rest.as_mut().now_or_never().is_none(), "somebody has its turn");
    drop(second);
    assert!(others[1].as_mut().now_or_never().is_none());
    assert!(rest.as_mut().now_or_never().is_some());
    drop(rest);
    assert!(others[1].as_mut().now_or_never().is_none());
    drop(failed);
    assert!(others[1].as_mut().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_not_held_back_by_those_who_wait_for_its_memory() {
    let gate = Gate::new(Concurrency::Fixed(2), 100, None);
    let mut failed = pass(&gate, 5, 80).await;
    let mut rest = Box::pin(failed.rest(Duration::from_secs(1)));
    assert!(rest.as_mut().now_or_never().is_none());
    let mut older = Box::pin(pass(&gate, 1, 80));
    assert!(older.as_mut().now_or_never().is_none());
    rest.await;
    assert!(older.as_mut().now_or_never().is_none());
    drop(failed);
    assert!(older.now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_while_it_rests_leaves_nothing_behind() {
    let gate = Gate::new(Concurrency::Fixed(1), 100, None);
    let mut failed = pass(&gate, 1, 100).await;
    assert!(failed.rest(Duration::from_secs(1)).now_or_never().is_none());
    drop(failed);
    let again = pass(&gate, 2, 100).now_or_never().expect("all is free");
    drop(again);
}

#[tokio::test(start_paused = true)]
async fn more_pass_where_more_is_moved() {
    let gate = Gate::new(Concurrency::Found { most: 256 }, 10_000, None);
    // Each of them moves a megabyte in ten milliseconds, however many there are.
    let one = async || loop {
        let permit = gate.pass(Class::Part, 1, 1).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(permit.meter().add(1_000_000).is_zero());
    };
    let most = async {
        while gate.parts() < 256 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let all = futures::future::join_all((0..300).map(|_| one()));
    tokio::select! {
        _ = gate.driving(all) => {}
        most = tokio::time::timeout(Duration::from_secs(10), most) => most.expect("all of them"),
    }
}
