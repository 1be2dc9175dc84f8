//! Stores that ask for a lower pace, and stores that answer nothing but errors: how many requests
//! they still get.

use std::time::{Duration, Instant};

use testbed::{Disruption, Fault, FaultKind, Gate, Operation, Proxy, Rule, Testbed};

use super::scene::{BUCKET, OLD, Scene};
use crate::harness::{Output, haul};

const ENOUGH: Duration = Duration::from_mins(1);

/// Looks again and again until it is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < ENOUGH, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Three in ten requests are refused. The pace is what is in flight at once, as the store sees it.
#[test]
fn a_storm_halves_the_pace_and_half_a_minute_later_it_is_back() {
    let scene = Scene::on(Testbed::builder().without_log().spawn().expect("a free port"));
    let testbed = &scene.testbed;
    // One page, so that its listing is over.
    for number in 0..1000 {
        testbed.put_object(BUCKET, &format!("p/{number:03}"), "x");
    }
    let hold = || {
        let gate = Gate::new();
        testbed.fault(Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone())).always());
        gate
    };
    let calm = hold();
    let proxy = Proxy::before(testbed, 5);
    let haul = haul().on(&proxy).args(["download", "s3://bucket/p/"]);
    let haul = haul.arg(scene.sandbox.path("out/")).args(["--concurrency", "32"]);
    let mut running = haul.spawn();
    calm.wait_for(32);
    assert_eq!(testbed.totals().in_flight, 32);

    let storm = Rule::new(Disruption::error(503, "SlowDown")).method("GET").target("/p/");
    proxy.rule(storm.chance(0.3).always());
    calm.open();
    running.until_stderr_has("the store asks for a lower pace: ");
    running.until_stderr_has(" requests at once, where there were ");
    until("those that were on their way", || testbed.totals().in_flight <= 16);
    testbed.clear_requests();
    let before = testbed.totals().requests;
    until("more requests: the run came to a halt", || testbed.totals().requests >= before + 100);
    let stormy = testbed.totals().max_in_flight;
    assert!(stormy <= 16, "{stormy} requests at once in the storm");

    let after = hold();
    proxy.clear_rules();
    until("the old pace", || after.arrived() >= 32);
    after.open();
    running.interrupt();
    let output = running.wait();
    output.code(130).stderr_lacks("error: ");
    // Some of the first ones may be done by then, and their files on their way to the disk.
    let words = output.stderr.split_once("a lower pace: ").expect("it was said").1;
    let numbers = words.lines().next().unwrap_or_default().split(' ');
    let numbers: Vec<u32> = numbers.filter_map(|word| word.parse().ok()).collect();
    let [to, from] = numbers[..] else { panic!("{output}") };
    assert!(to == from / 2 && (17..=32).contains(&from), "{output}");
    assert_eq!(output.stderr.matches("lower pace").count(), 1, "it is said once\n{output}");
    assert!(testbed.totals().max_in_flight <= 32);
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
    output.code(1).stderr_has("503 SlowDown").stderr_has("(4 attempts");
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
