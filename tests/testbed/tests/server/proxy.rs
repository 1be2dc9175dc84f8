//! The fault proxy, seen from a client.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use testbed::{Break, Bytes, Disruption, Operation, Place, Proxy, Rule, Testbed, Verdict};

use crate::client::Client;

const SIZE: usize = 3_000_000;

struct Scene {
    testbed: Testbed,
    proxy: Proxy,
    client: Client,
    bytes: Vec<u8>,
}

fn start() -> Scene {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let bytes: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    testbed.put_object("bucket", "k", bytes.clone());
    let proxy = Proxy::before(&testbed, 7);
    let client = Client::through(&proxy, &testbed);
    Scene { testbed, proxy, client, bytes }
}

fn reply(how: Break, place: Place) -> Rule {
    Rule::new(Disruption::Reply(how, place))
}

fn request(how: Break, place: Place) -> Rule {
    Rule::new(Disruption::Request(how, place))
}

#[test]
fn without_rules_everything_passes_over_kept_connections() {
    let Scene { testbed, proxy, client, bytes } = start();
    let mut connection = client.connect().expect("a connection");
    for _ in 0..3 {
        let put = client.signed("PUT", "/bucket/new", &[], bytes.len());
        assert_eq!(connection.exchange(&put, &bytes).expect("a reply").status, 200);
        let get = client.signed("GET", "/bucket/new", &[], 0);
        assert!(connection.exchange(&get, b"").expect("a reply").body == bytes);
        let head = client.signed("HEAD", "/bucket/none", &[], 0);
        assert_eq!(connection.exchange(&head, b"").expect("a reply").status, 404);
    }
    assert_eq!((proxy.exchanges(), proxy.connections()), (9, 1));
    assert_eq!(testbed.totals().connections, 1);
    assert!(proxy.injected().is_empty());
    assert!(proxy.env().contains(&("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint())));
}

#[test]
fn a_client_that_waits_for_100_gets_it_through_the_proxy() {
    let Scene { testbed: _testbed, proxy: _proxy, client, .. } = start();
    let mut connection = client.connect().expect("a connection");
    let put = client.signed("PUT", "/bucket/new", &[("expect", "100-continue")], 4);
    connection.0.get_mut().write_all(put.as_bytes()).expect("written");
    assert_eq!(connection.read(true).expect("an interim reply").status, 100);
    assert_eq!(connection.exchange("", b"body").expect("a reply").status, 200);
}

#[test]
fn replies_break_behind_exactly_the_byte_told() {
    for (how, kind) in
        [(Break::Reset, ErrorKind::ConnectionReset), (Break::Close, ErrorKind::UnexpectedEof)]
    {
        for after in [0, 1, 1_234_567, SIZE - 1] {
            let Scene { testbed: _testbed, proxy, client, bytes } = start();
            let rule = proxy.rule(reply(how, Place::Body(after as u64)).method("GET"));
            let reply = client.get("/bucket/k", &[]);
            assert_eq!((reply.status, reply.body.len(), reply.cut), (200, after, Some(kind)));
            assert!(bytes.starts_with(&reply.body));
            assert_eq!(proxy.hits(rule), 1);
            assert!(client.get("/bucket/k", &[]).body == bytes);
        }
    }
    let Scene { testbed: _testbed, proxy, client, .. } = start();
    proxy.rule(reply(Break::Reset, Place::Head(0)));
    proxy.rule(reply(Break::Close, Place::BeforeEnd(10)).nth(2));
    let error = client.send("GET", "/bucket/k", &[], b"").expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(client.get("/bucket/k", &[]).body.len(), SIZE - 10);
}

#[test]
fn requests_break_and_the_server_never_sees_the_rest() {
    for how in [Break::Reset, Break::Close] {
        let Scene { testbed, proxy, client, bytes } = start();
        proxy.rule(request(how, Place::Body(100_000)).method("PUT"));
        client.send("PUT", "/bucket/new", &[], &bytes).expect_err("no reply");
        // It may not even have looked at the request by now.
        let came = testbed.requests_of(Operation::PutObject);
        assert!(came.iter().all(|put| put.bytes_received <= 100_000), "{came:?}");
        assert!(testbed.object("bucket", "new").is_none());
        assert_eq!(client.put("/bucket/new", &[], b"x").status, 200);
    }
}

#[test]
fn a_lost_reply_leaves_the_work_done() {
    let Scene { testbed, proxy, client, .. } = start();
    proxy.rule(Rule::new(Disruption::lost_reply()).method("PUT"));
    let error = client.send("PUT", "/bucket/new", &[], b"done").expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(testbed.object("bucket", "new").expect("it was put").bytes(), "done");
}

#[test]
fn what_stalls_stays_open_and_silent() {
    for place in [Place::Head(0), Place::Head(20), Place::Body(500)] {
        let Scene { testbed: _testbed, proxy, client, .. } = start();
        proxy.rule(reply(Break::Stall, place));
        let mut connection = client.connect().expect("a connection");
        let get = client.signed("GET", "/bucket/k", &[("range", "bytes=0-999")], 0);
        let stream = connection.0.get_mut();
        stream.write_all(get.as_bytes()).expect("written");
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out");
        let mut came = Vec::new();
        let error = connection.0.read_to_end(&mut came).expect_err("it stays open");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        match place {
            Place::Head(length) => assert_eq!(came.len() as u64, length),
            _ => assert!(came.len() > 500 && came.len() < 1500, "{} bytes", came.len()),
        }
    }
}

#[test]
fn what_drips_takes_its_time_and_arrives_whole() {
    let Scene { testbed, proxy, client, .. } = start();
    let slow = Break::Drip { bytes_per_second: 1000 };
    proxy.rule(reply(slow, Place::Head(0)).method("GET"));
    proxy.rule(request(slow, Place::Body(0)).method("PUT"));
    let began = Instant::now();
    assert_eq!(client.get("/bucket/k", &[("range", "bytes=0-99")]).body.len(), 100);
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(client.put("/bucket/new", &[], &[7; 300]).status, 200);
    assert!(began.elapsed() > Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(testbed.object("bucket", "new").expect("it was put").bytes().len(), 300);
}

#[test]
fn latency_comes_before_the_server_is_asked() {
    let Scene { testbed: _testbed, proxy, client, .. } = start();
    proxy.rule(Rule::new(Disruption::Latency(Duration::from_millis(150))).always());
    let began = Instant::now();
    client.get("/bucket/k", &[]);
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[test]
fn answers_of_its_own_never_reach_the_server() {
    let Scene { testbed, proxy, client, .. } = start();
    proxy.rule(Rule::new(Disruption::error(503, "SlowDown")));
    proxy.rule(Rule::new(Disruption::Answer(Bytes::from_static(b"\x16\x03garbage"))).nth(2));
    proxy.rule(Rule::new(Disruption::OversizedError { status: 500, bytes: 200_000 }).nth(3));
    proxy.rule(Rule::new(Disruption::HeaderBomb { headers: 500, length: 1000 }).nth(4));
    client.put("/bucket/new", &[], b"body").assert_error(503, "SlowDown");
    client.send("GET", "/bucket/k", &[], b"").expect_err("no HTTP");
    let oversized = client.get("/bucket/k", &[]);
    oversized.assert_error(500, "InternalError");
    assert!(oversized.body.len() > 200_000);
    let bomb = client.get("/bucket/k", &[]);
    assert_eq!((bomb.status, bomb.headers.len()), (200, 501));
    assert!(testbed.requests().is_empty());
    assert_eq!(proxy.injected().len(), 4);
    assert!((700_000..900_000).contains(&proxy.answered_bytes()), "{}", proxy.answered_bytes());
}

#[test]
fn interim_replies_come_before_the_real_one() {
    let Scene { testbed: _testbed, proxy, client, bytes } = start();
    proxy.rule(Rule::new(Disruption::Interim(3)));
    let mut connection = client.connect().expect("a connection");
    let get = client.signed("GET", "/bucket/k", &[], 0);
    for _ in 0..3 {
        let head = if connection.0.buffer().is_empty() { get.as_str() } else { "" };
        connection.0.get_mut().write_all(head.as_bytes()).expect("written");
        assert_eq!(connection.read(true).expect("an interim reply").status, 103);
    }
    assert!(connection.read(false).expect("a reply").body == bytes);
}

/// A raw look: the little client reads no chunks.
#[test]
fn white_space_comes_before_the_result() {
    let Scene { testbed: _testbed, proxy, client, .. } = start();
    let pause = Duration::from_millis(20);
    proxy.rule(Rule::new(Disruption::Whitespace { spaces: 5, pause }));
    let began = Instant::now();
    let mut connection = client.connect().expect("a connection");
    let stream = connection.0.get_mut();
    let list = client.signed("GET", "/bucket?list-type=2", &[("connection", "close")], 0);
    stream.write_all(list.as_bytes()).expect("written");
    let mut text = String::new();
    connection.0.read_to_string(&mut text).expect("a reply");
    assert!(began.elapsed() >= pause * 5);
    assert!(text.contains("\r\n1\r\n \r\n1\r\n \r\n"), "{text}");
    assert!(text.contains("<Key>k</Key>") && text.ends_with("0\r\n\r\n"), "{text}");
    assert!(!text.to_lowercase().contains("content-length"), "{text}");
}

#[test]
fn a_kept_connection_ends_between_requests_or_under_one() {
    let Scene { testbed: _testbed, proxy, client, .. } = start();
    proxy.rule(Rule::new(Disruption::CloseBehindReply));
    let mut connection = client.connect().expect("a connection");
    let get = client.signed("GET", "/bucket/k", &[], 0);
    assert_eq!(connection.exchange(&get, b"").expect("a reply").body.len(), SIZE);
    assert_eq!(connection.0.read(&mut [0]).expect("a good end"), 0);

    let rule = proxy.rule(request(Break::Close, Place::Head(0)).reused());
    let mut connection = client.connect().expect("a connection");
    assert_eq!(connection.exchange(&get, b"").expect("a reply").status, 200);
    connection.exchange(&get, b"").expect_err("no reply");
    assert_eq!(proxy.hits(rule), 1);
}

#[test]
fn hooks_run_before_and_after_the_server_did_its_work() {
    let Scene { testbed, proxy, client, .. } = start();
    let (told, heard) = mpsc::channel();
    let before = told.clone();
    proxy.rule(
        Rule::new(Disruption::before(move |exchange| {
            before.send(("before", exchange.number)).expect("somebody listens");
            if exchange.number == 1 { Verdict::HangUp } else { Verdict::GoOn }
        }))
        .always(),
    );
    proxy.rule(
        Rule::new(Disruption::after(move |exchange| {
            told.send(("after", exchange.number)).expect("somebody listens");
            if exchange.number == 2 { Verdict::HangUp } else { Verdict::GoOn }
        }))
        .always(),
    );
    for (number, is_done) in [(1, false), (2, true), (3, true)] {
        let key = format!("/bucket/{number}");
        let put = client.send("PUT", &key, &[], b"x");
        assert_eq!(put.is_ok(), number == 3, "{number}");
        assert_eq!(testbed.object("bucket", &number.to_string()).is_some(), is_done, "{number}");
    }
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(heard, [("before", 1), ("before", 2), ("after", 2), ("before", 3), ("after", 3)]);
}

#[test]
fn the_same_seed_breaks_the_same_requests_at_the_same_byte() {
    let run = |seed| {
        let Scene { testbed, proxy: _, .. } = start();
        let proxy = Proxy::before(&testbed, seed);
        let client = Client::through(&proxy, &testbed);
        proxy.rule(reply(Break::Close, Place::Somewhere).chance(0.5).always());
        let lengths: Vec<_> = (0..20)
            .map(|start| {
                let range = format!("bytes={start}-999999");
                client.get("/bucket/k", &[("range", &range)]).body.len()
            })
            .collect();
        lengths
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    let whole = first.iter().zip(0..).filter(|(length, start)| **length == 1_000_000 - start);
    assert!((3..18).contains(&whole.count()), "{first:?}");
}
