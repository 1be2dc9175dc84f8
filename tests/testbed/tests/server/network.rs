//! The testbed behind a network: delays, paces, and a rate of requests. Time is looked at for its
//! lower bounds alone: nothing is there sooner than the network allows.

use std::io::Write as _;
use std::time::{Duration, Instant};

use testbed::{Builder, Operation, Testbed};

use crate::client::Client;

const MB: usize = 1_000_000;

fn start(builder: Builder) -> (Testbed, Client) {
    let testbed = builder.spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    (testbed, client)
}

/// Bytes whose order shows.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).flat_map(u64::to_le_bytes).take(length).collect()
}

#[test]
fn no_reply_is_earlier_than_the_first_byte_delay() {
    let delay = Duration::from_millis(20);
    let (_testbed, client) = start(Testbed::builder().first_byte_delay(delay));
    for (method, path, body, status) in [
        ("PUT", "/bucket/k", "body", 200),
        ("GET", "/bucket/k", "", 200),
        ("HEAD", "/bucket/k", "", 200),
        ("GET", "/bucket/none", "", 404),
        ("GET", "/bucket?list-type=2", "", 200),
        ("PUT", "/nowhere/k", "body", 404),
        ("POST", "/bucket/k?uploads", "", 200),
        ("DELETE", "/bucket/k", "", 204),
    ] {
        let started = Instant::now();
        let reply = client.send(method, path, &[], body.as_bytes()).expect("a reply");
        assert!(started.elapsed() >= delay, "{method} {path}");
        assert_eq!(reply.status, status, "{method} {path}");
    }
}

#[test]
fn a_body_is_taken_in_while_its_reply_is_not_due() {
    let (testbed, client) = start(Testbed::builder().first_byte_delay(Duration::from_hours(1)));
    let mut connection = client.connect().expect("a connection");
    let put = client.signed("PUT", "/bucket/k", &[], MB);
    connection.0.get_mut().write_all(put.as_bytes()).expect("written");
    connection.0.get_mut().write_all(&bytes(MB)).expect("written");
    while testbed.object("bucket", "k").is_none() {
        std::thread::yield_now();
    }
    let put = &testbed.requests_of(Operation::PutObject)[0];
    assert_eq!((put.bytes_received, put.status), (MB as u64, None));
}

#[test]
fn a_page_of_a_listing_takes_its_own_time() {
    let delay = Duration::from_millis(20);
    let (_testbed, client) =
        start(Testbed::builder().listing_delay(delay).first_byte_delay(delay / 4));
    for path in ["/bucket", "/bucket?list-type=2"] {
        let started = Instant::now();
        assert_eq!(client.get(path, &[]).status, 200);
        assert!(started.elapsed() >= delay, "{path}");
    }
}

#[test]
fn each_way_has_a_pace_of_its_own() {
    let slow = 10 * MB as u64;
    let sent = bytes(MB);
    let due = Duration::from_millis(100);

    // What is not held back would take weeks at the other's pace.
    let (testbed, client) = start(Testbed::builder().put_bandwidth(slow).get_bandwidth(u64::MAX));
    let started = Instant::now();
    assert_eq!(client.put("/bucket/k", &[], &sent).status, 200);
    assert!(started.elapsed() >= due);
    assert_eq!(testbed.object("bucket", "k").expect("an object").bytes(), sent);

    let (testbed, client) = start(Testbed::builder().put_bandwidth(1).get_bandwidth(slow));
    testbed.put_object("bucket", "k", sent.clone());
    let started = Instant::now();
    assert_eq!(client.get("/bucket/k", &[]).body, sent);
    assert!(started.elapsed() >= due);
}

#[test]
fn all_bodies_share_one_pace_each_way() {
    let total = 20 * MB as u64;
    let (testbed, client) = start(Testbed::builder().total_bandwidth(total));
    let sent = bytes(MB);
    let together = |work: &(dyn Fn(usize) + Sync)| {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || work(number));
            }
        });
        // A line that lay idle is made up for, by 10 ms.
        assert!(started.elapsed() >= Duration::from_millis(200 - 10));
    };
    together(&|number| {
        assert_eq!(client.put(&format!("/bucket/{number}"), &[], &sent).status, 200);
    });
    assert_eq!(testbed.keys("bucket"), ["0", "1", "2", "3"]);
    together(&|number| assert_eq!(client.get(&format!("/bucket/{number}"), &[]).body, sent));
}

#[test]
fn requests_beyond_the_rate_are_refused_and_counted() {
    let (testbed, client) = start(Testbed::builder().request_rate(1));
    testbed.put_object("bucket", "k", "x");
    let mut connection = client.connect().expect("a connection");
    let started = Instant::now();
    let mut served = 0;
    for number in 0..20_u64 {
        let (method, body) = if number.is_multiple_of(2) { ("GET", "") } else { ("PUT", "y") };
        let request = client.signed(method, "/bucket/k", &[], body.len());
        let reply = connection.exchange(&request, body.as_bytes()).expect("a reply");
        if reply.status == 200 {
            served += 1;
        } else {
            reply.assert_error(503, "SlowDown");
        }
    }
    assert!(served >= 1);
    assert!(served <= 1 + started.elapsed().as_secs(), "{served}");
    let totals = testbed.totals();
    assert_eq!((totals.requests, totals.refused), (20, 20 - served));
    let refused = testbed.requests().iter().filter(|r| r.status == Some(503)).count();
    assert_eq!(refused as u64, totals.refused);
}

#[test]
fn synthetic_keys_are_many_objects_no_two_alike() {
    let (testbed, client) = start(Testbed::builder());
    testbed.put_synthetic_keys("bucket", "data/", 250, 1024);
    let keys = testbed.keys("bucket");
    assert_eq!(keys.len(), 250);
    assert_eq!((keys[0].as_str(), keys[249].as_str()), ("data/00/00000000", "data/99/00000199"));
    let mut bodies: Vec<_> =
        keys.iter().map(|key| client.get(&format!("/bucket/{key}"), &[]).body).collect();
    assert!(bodies.iter().all(|body| body.len() == 1024));
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 250);
    let listed = client.get("/bucket?delimiter=%2F&list-type=2&prefix=data%2F", &[]);
    assert_eq!(listed.text().matches("<CommonPrefixes>").count(), 100);
}
