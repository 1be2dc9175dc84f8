//! Stores that ask for a lower pace, and stores that answer nothing but errors: how many requests
//! they still get.

use std::time::{Duration, Instant};

use testbed::{Disruption, Fault, FaultKind, Operation, Proxy, Rule, Testbed};

use super::scene::{BUCKET, OLD, Scene};
use crate::harness::{Output, haul};

/// Requests a second, those that are refused included.
fn rate(proxy: &Proxy, over: Duration) -> f64 {
    let (before, began) = (proxy.exchanges(), Instant::now());
    std::thread::sleep(over);
    let made = u32::try_from(proxy.exchanges() - before).expect("not that many");
    f64::from(made) / began.elapsed().as_secs_f64()
}

/// Waits until the rate is what is wanted; says how long that took.
#[track_caller]
fn until_rate(proxy: &Proxy, is_it: impl Fn(f64) -> bool, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let now = rate(proxy, Duration::from_secs(1));
        if is_it(now) {
            return began.elapsed();
        }
        assert!(began.elapsed() < within, "still {now} requests a second after {within:?}");
    }
}

/// Three in ten requests are refused. The rates are sampled while the run goes on.
#[test]
fn a_storm_halves_the_pace_and_half_a_minute_later_it_is_back() {
    // Each request takes longer than the wait for a retry, so that the rate follows from the number
    // of those in flight, and from nothing else.
    let testbed = Testbed::builder().first_byte_delay(Duration::from_millis(400)).without_log();
    let scene = Scene::on(testbed.spawn().expect("a free port on the loopback interface"));
    for number in 0..20_000 {
        scene.testbed.put_object(BUCKET, &format!("p/{number:05}"), "x");
    }
    let proxy = Proxy::before(&scene.testbed, 5);
    let haul = haul().on(&proxy).args(["download", "s3://bucket/p/"]);
    let haul = haul.arg(scene.sandbox.path("out/")).args(["--concurrency", "32"]);
    let mut running = haul.spawn();
    until_rate(&proxy, |now| now > 50.0, Duration::from_secs(30));
    let calm = rate(&proxy, Duration::from_secs(3));

    let storm = Rule::new(Disruption::error(503, "SlowDown")).method("GET").target("/p/");
    proxy.rule(storm.chance(0.3).always());
    running.until_stderr_has(
        "the store asks for a lower pace: 16 requests at once, where there were 32",
    );
    std::thread::sleep(Duration::from_secs(2));
    let stormy = rate(&proxy, Duration::from_secs(5));
    assert!(stormy < calm / 2.0, "{calm} requests a second became {stormy}");
    assert!(stormy > 1.0, "the run came to a halt");

    proxy.clear_rules();
    let back = until_rate(&proxy, |now| now > calm * 0.8, Duration::from_secs(40));
    assert!(back <= Duration::from_secs(31), "it took {back:?}");
    running.interrupt();
    let output = running.wait();
    output.code(130).stderr_lacks("error: ");
    assert_eq!(output.stderr.matches("lower pace").count(), 1, "it is said once\n{output}");
}

#[test]
fn a_store_that_never_stops_throttling_is_named_with_its_words() {
    let scene = Scene::new();
    scene.object("object", 3000);
    scene.sandbox.write("out/object", OLD);
    let slow = Fault::new(Operation::GetObject, FaultKind::slow_down()).always();
    let slow = scene.testbed.fault(slow);
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
    let output = haul.arg(scene.sandbox.path("out")).args(["--max-attempts", "4"]).run();
    output.code(1).stderr_has("503 SlowDown").stderr_has("(4 attempts in ");
    output.stderr_has("(request id ").stderr_has("s3://bucket/p/object");
    assert_eq!(scene.testbed.hits(slow), 4);
    assert!(scene.sandbox.read("out/object") == OLD);
    scene.sandbox.no_leftovers("");
}

#[test]
fn a_store_that_says_when_to_come_back_is_taken_at_its_word() {
    for code in [429, 503] {
        let scene = Scene::new();
        scene.object("object", 3000);
        let later = FaultKind::Status {
            code,
            s3_code: "SlowDown".to_owned(),
            message: "later".to_owned(),
            retry_after: Some(2),
        };
        let fault = scene.testbed.fault(Fault::new(Operation::GetObject, later).times(2));
        let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
        let output = haul.arg(scene.sandbox.path("object")).run();
        output.code(0);
        scene.fired(fault);
        assert!(output.took >= Duration::from_secs(4), "it came back too early\n{output}");
        assert!(output.took < Duration::from_secs(15), "{output}");
    }
}

/// A store that dies in the middle: each worker tries as long as it would alone, and then the run
/// ends, instead of all that are left being tried in vain.
#[test]
fn a_store_that_dies_is_not_asked_for_every_object_that_is_left() {
    let scene = Scene::new();
    for number in 0..2000 {
        scene.testbed.put_object(BUCKET, &format!("p/{number:04}"), "x");
    }
    let dead = Fault::new(Operation::GetObject, FaultKind::internal_error());
    let dead = scene.testbed.fault(dead.occurrence(51..=u64::MAX));
    let output = download_all(&scene, &["--concurrency", "16", "--max-attempts", "4"]);
    output.code(1).stderr_has("500 InternalError").stderr_has("no more are started");
    output.stderr_has("stopped early: ").stderr_has("next: haul download");
    // Sixteen workers with four tries each, and those that began before the tenth was lost.
    let asked = scene.testbed.hits(dead);
    assert!(asked <= 16 * 4 * 2, "it was asked {asked} times\n{output}");
    scene.sandbox.no_leftovers("");
}

/// A thousand workers have ten tries each, and all their retries one budget: see `budget`.
#[test]
fn a_thousand_workers_do_not_multiply_the_load_on_a_dead_store() {
    let scene = Scene::new();
    for number in 0..1500 {
        scene.testbed.put_object(BUCKET, &format!("p/{number:04}"), "x");
    }
    let dead = Fault::new(Operation::GetObject, FaultKind::internal_error()).always();
    let dead = scene.testbed.fault(dead);
    let output = download_all(&scene, &["--concurrency", "1000", "--max-memory", "2GiB"]);
    output.code(1).stderr_has("all retries of this run are used up").stderr_has("stopped early");
    let asked = scene.testbed.hits(dead);
    // Once each, the burst, and a trickle for as long as it took: without a budget, ten thousand.
    let trickle = 41 * (output.took.as_secs() + 1);
    assert!(asked <= 1500 + 640 + trickle, "it was asked {asked} times\n{output}");
    scene.sandbox.no_leftovers("");
}

/// One object that never works, among many that do, is no sign of a dead store.
#[test]
fn objects_that_fail_alone_do_not_end_a_run() {
    let scene = Scene::new();
    for number in 0..60 {
        scene.testbed.put_object(BUCKET, &format!("p/{number:02}"), "x");
    }
    for number in (0..60).step_by(3) {
        let broken = Fault::new(Operation::GetObject, FaultKind::internal_error());
        scene.testbed.fault(broken.key(format!("p/{number:02}")).always());
    }
    for concurrency in ["1", "8"] {
        let args = ["--concurrency", concurrency, "--max-attempts", "2", "--overwrite", "always"];
        let output = download_all(&scene, &args);
        output.code(1).stderr_has("20 failed").stderr_has("40 objects");
        output.stderr_lacks("stopped early");
    }
}

fn download_all(scene: &Scene, args: &[&str]) -> Output {
    let haul = haul().on(&scene.testbed).args(["download", "s3://bucket/p/"]);
    haul.arg(scene.sandbox.path("out/")).args(args).run()
}
