//! Each fault, seen from a client.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use testbed::{Fault, FaultKind, Gate, Operation, Testbed, WrongRange};

use crate::client::{Client, Reply};

const SIZE: usize = 3_000_000;
const RANGE: (&str, &str) = ("range", "bytes=100-299");

fn start() -> (Testbed, Client, Vec<u8>) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let bytes: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    testbed.put_object("bucket", "k", bytes.clone());
    let client = Client::new(&testbed);
    (testbed, client, bytes)
}

/// Sets a fault of reads and reads the object.
fn read_with(kind: FaultKind, headers: &[(&str, &str)]) -> (Reply, Vec<u8>) {
    let (testbed, client, bytes) = start();
    let fault = testbed.fault(Fault::new(Operation::GetObject, kind));
    let reply = client.get("/bucket/k", headers);
    assert_eq!(testbed.hits(fault), 1);
    let clean = client.get("/bucket/k", &[]);
    assert_eq!((clean.status, clean.body == bytes, clean.cut), (200, true, None));
    (reply, bytes)
}

#[test]
fn errors_are_answered_as_often_as_told() {
    let (testbed, client, _) = start();
    let slow = FaultKind::Status {
        code: 503,
        s3_code: "SlowDown".to_owned(),
        message: "Reduce your <request> rate.".to_owned(),
        retry_after: Some(7),
    };
    let fault = testbed.fault(Fault::new(Operation::GetObject, slow).key("k").times(2));
    for _ in 0..2 {
        let reply = client.get("/bucket/k", &[]);
        reply.assert_error(503, "SlowDown");
        assert_eq!(reply.header("retry-after"), Some("7"));
    }
    assert_eq!(client.get("/bucket/k", &[]).status, 200);
    assert_eq!(testbed.fault_hits(), [2]);
    testbed.fault(Fault::any(FaultKind::expired_token()).always());
    client.get("/bucket/k", &[]).assert_error(400, "ExpiredToken");
    testbed.clear_faults();
    assert_eq!(client.get("/bucket/k", &[]).status, 200);
    assert_eq!(testbed.hits(fault), 2);
    let statuses: Vec<_> = testbed.requests().iter().filter_map(|r| r.status).collect();
    assert_eq!(statuses, [503, 503, 200, 400, 200]);
}

#[test]
fn a_part_is_picked_by_its_number_and_a_range_by_its_start() {
    let (testbed, client, _) = start();
    let denied = FaultKind::access_denied();
    testbed.fault(Fault::new(Operation::GetObject, denied).range_start(100).always());
    assert_eq!(client.get("/bucket/k", &[("range", "bytes=0-99")]).status, 206);
    assert_eq!(client.get("/bucket/k", &[RANGE]).status, 403);
    let missing = FaultKind::MissingETag;
    testbed.fault(Fault::new(Operation::UploadPart, missing).part(2).always());
    let id = client.post("/bucket/k?uploads", &[], "").element("UploadId").expect("an id");
    for (number, has_etag) in [(1, true), (2, false)] {
        let path = format!("/bucket/k?partNumber={number}&uploadId={id}");
        assert_eq!(client.put(&path, &[], b"x").header("etag").is_some(), has_etag);
    }
}

#[test]
fn connections_are_reset_where_told() {
    let (testbed, client, bytes) = start();
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::ResetBeforeHeaders));
    let error = client.send("GET", "/bucket/k", &[], b"").expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let reset = FaultKind::ResetInBody { after_bytes: 1_000_000 };
    testbed.fault(Fault::new(Operation::GetObject, reset));
    let reply = client.get("/bucket/k", &[]);
    assert_eq!((reply.status, reply.cut), (200, Some(ErrorKind::ConnectionReset)));
    assert_eq!((reply.body.len(), bytes.starts_with(&reply.body)), (1_000_000, true));
    assert_eq!(testbed.requests_of(Operation::GetObject)[1].bytes_sent, 1_000_000);

    let reset = FaultKind::ResetInRequest { after_bytes: 100_000 };
    testbed.fault(Fault::new(Operation::PutObject, reset));
    let put = client.send("PUT", "/bucket/new", &[], &bytes);
    let kind = put.expect_err("no reply").kind();
    assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind}");
    assert!(testbed.object("bucket", "new").is_none());
}

#[test]
fn a_lost_reply_leaves_the_work_done() {
    let (testbed, client, _) = start();
    testbed.fault(Fault::new(Operation::PutObject, FaultKind::LostReply));
    let error = client.send("PUT", "/bucket/new", &[], b"done").expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(testbed.object("bucket", "new").expect("it was put").bytes(), "done");
}

#[test]
fn bodies_are_cut_short_where_told() {
    let (reply, bytes) = read_with(FaultKind::Truncate { after_bytes: 1234 }, &[]);
    assert_eq!(reply.header("content-length"), Some("3000000"));
    assert_eq!(
        (reply.body.as_slice(), reply.cut),
        (&bytes[..1234], Some(ErrorKind::UnexpectedEof))
    );

    let (reply, bytes) = read_with(FaultKind::ShortConsistent { length: 50 }, &[RANGE]);
    assert_eq!(reply.header("content-length"), Some("50"));
    assert_eq!(reply.header("content-range"), Some("bytes 100-299/3000000"));
    assert_eq!((reply.body.as_slice(), reply.cut), (&bytes[100..150], None));

    let (reply, bytes) = read_with(FaultKind::ExtraBytes { count: 10 }, &[RANGE]);
    assert_eq!((reply.body.len(), reply.header("content-length")), (210, Some("210")));
    assert_eq!(reply.body[..200], bytes[100..300]);

    let (reply, bytes) = read_with(FaultKind::FlipBit { at_byte: 2_000_000 }, &[]);
    let differing: Vec<_> = (0..SIZE).filter(|i| reply.body[*i] != bytes[*i]).collect();
    assert_eq!(differing, [2_000_000]);
}

#[test]
fn heads_lie_where_told() {
    let content_range = |kind| {
        let (reply, _) = read_with(kind, &[RANGE]);
        (reply.status, reply.header("content-range").map(str::to_owned))
    };
    let shifted = FaultKind::WrongContentRange(WrongRange::Shifted(1));
    assert_eq!(content_range(shifted), (206, Some("bytes 101-300/3000000".to_owned())));
    let total = FaultKind::WrongContentRange(WrongRange::Total(9));
    assert_eq!(content_range(total), (206, Some("bytes 100-299/9".to_owned())));
    assert_eq!(content_range(FaultKind::MissingContentRange), (206, None));

    let (reply, bytes) = read_with(FaultKind::WholeObjectForRange, &[RANGE]);
    assert_eq!(
        (reply.status, reply.header("content-range"), reply.body == bytes),
        (200, None, true)
    );

    let (reply, bytes) = read_with(FaultKind::ChangedETag, &[RANGE]);
    assert_eq!(reply.header("etag"), Some("\"ffffffffffffffffffffffffffffffff\""));
    assert!(reply.body.iter().zip(&bytes[100..]).all(|(a, b)| a != b));

    let (reply, _) = read_with(FaultKind::HtmlBody, &[]);
    assert_eq!((reply.status, reply.header("content-type")), (502, Some("text/html")));
}

#[test]
fn an_error_hides_behind_a_200() {
    let (testbed, client, _) = start();
    let error = FaultKind::error_in_ok("InternalError");
    testbed.fault(Fault::new(Operation::CopyObject, error));
    let source = [("x-amz-copy-source", "bucket/k")];
    client.put("/bucket/copy", &source, b"").assert_error(200, "InternalError");
    assert!(testbed.object("bucket", "copy").is_none());
}

#[test]
fn stalled_replies_stay_open() {
    let (testbed, client, bytes) = start();
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::Stall { after_bytes: 10 }));
    testbed.fault(Fault::new(Operation::HeadObject, FaultKind::StallHeaders));
    let mut stalled = client.connect().expect("a connection");
    let patience = Some(Duration::from_millis(200));
    stalled.0.get_mut().set_read_timeout(patience).expect("a timeout");
    let get = client.signed("GET", "/bucket/k", &[], 0);
    let reply = stalled.exchange(&get, b"").expect("a reply");
    assert_eq!((reply.body.as_slice(), reply.cut), (&bytes[..10], Some(ErrorKind::WouldBlock)));

    let mut silent = client.connect().expect("a connection");
    silent.0.get_mut().set_read_timeout(patience).expect("a timeout");
    let head = client.signed("HEAD", "/bucket/k", &[], 0);
    let error = silent.exchange(&head, b"").expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(testbed.totals().in_flight, 2);
}

#[test]
fn a_slow_body_takes_its_time_and_arrives_whole() {
    let started = std::time::Instant::now();
    let (reply, bytes) = read_with(FaultKind::SlowBody { bytes_per_second: 10_000_000 }, &[]);
    assert!(started.elapsed() > Duration::from_millis(200));
    assert_eq!((reply.body == bytes, reply.cut), (true, None));
}

#[test]
fn what_follows_a_reply_can_be_garbage_or_the_end() {
    let (testbed, client, bytes) = start();
    let garbage = FaultKind::GarbageAfterReply("garbage".into());
    testbed.fault(Fault::new(Operation::GetObject, garbage).nth(1));
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::CloseAfterReply).nth(2));
    let get = client.signed("GET", "/bucket/k", &[], 0);
    let mut connection = client.connect().expect("a connection");
    assert!(connection.exchange(&get, b"").expect("a reply").body == bytes);
    let mut rest = [0; 7];
    connection.0.read_exact(&mut rest).expect("the garbage");
    assert_eq!(&rest, b"garbage");
    assert!(connection.exchange(&get, b"").expect("a reply").body == bytes);
    assert_eq!(connection.0.read(&mut rest).expect("an orderly end"), 0);
}

#[test]
fn the_object_changes_at_exactly_the_request_told() {
    let (testbed, client, bytes) = start();
    let replace = FaultKind::replace_object("new");
    testbed.fault(Fault::new(Operation::GetObject, replace).nth(2));
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::DeleteObject).nth(3));
    assert!(client.get("/bucket/k", &[]).body == bytes);
    assert_eq!(client.get("/bucket/k", &[]).text(), "new");
    client.get("/bucket/k", &[]).assert_error(404, "NoSuchKey");
}

#[test]
fn a_callback_runs_before_the_request_is_served() {
    let (testbed, client, _) = start();
    let seen = Arc::new(AtomicU64::new(0));
    let seen_by_callback = Arc::clone(&seen);
    let callback = FaultKind::callback(move |request| {
        assert_eq!(request.key.as_deref(), Some("k"));
        seen_by_callback.store(request.range_start().unwrap_or(0), Ordering::SeqCst);
    });
    testbed.fault(Fault::new(Operation::GetObject, callback));
    assert_eq!(client.get("/bucket/k", &[RANGE]).status, 206);
    assert_eq!(seen.load(Ordering::SeqCst), 100);
}

#[test]
fn a_gate_holds_requests_until_it_is_opened() {
    let (testbed, client, _) = start();
    let gate = Gate::new();
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone())).always());
    let (sender, replies) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (sender, client) = (sender.clone(), &client);
            scope.spawn(move || sender.send(client.get("/bucket/k", &[RANGE]).status));
        }
        gate.wait_for(3);
        assert!(replies.try_recv().is_err());
        assert_eq!(testbed.totals().max_in_flight, 3);
        gate.let_one_pass();
        assert_eq!(replies.recv(), Ok(206));
        gate.open();
        assert_eq!((replies.recv(), replies.recv()), (Ok(206), Ok(206)));
    });
}

#[test]
fn requests_wait_and_bodies_are_paced_where_the_builder_says_so() {
    let testbed = Testbed::builder()
        .first_byte_delay(Duration::from_millis(50))
        .per_request_bandwidth(10_000_000)
        .spawn()
        .expect("a testbed");
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    let started = std::time::Instant::now();
    assert_eq!(client.put("/bucket/k", &[], &vec![1; 1_000_000]).status, 200);
    assert!(started.elapsed() > Duration::from_millis(100));
    assert_eq!(client.get("/bucket/k", &[]).body.len(), 1_000_000);
    assert!(started.elapsed() > Duration::from_millis(250));
    let mut raw = client.connect().expect("a connection");
    raw.0.get_mut().write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("written");
    raw.read(false).expect("a reply").assert_error(403, "AccessDenied");
}

#[test]
fn a_reply_can_say_anything() {
    let (testbed, client, _) = start();
    testbed.fault(Fault::new(
        Operation::ListObjectsV2,
        FaultKind::xml("<ListBucketResult><Key>../made/up</Key></ListBucketResult>"),
    ));
    let reply = client.get("/bucket?list-type=2", &[]);
    assert_eq!(reply.elements("Key"), ["../made/up"]);
    testbed.fault(Fault::new(
        Operation::GetObject,
        FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
    ));
    let reply = client.get("/bucket/k", &[]);
    assert_eq!(reply.header("x-amz-checksum-crc64nvme"), Some("AAAAAAAAAAA="));
    let name = "last-modified".to_owned();
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::RemoveHeader { name }));
    assert_eq!(client.get("/bucket/k", &[]).header("last-modified"), None);
}

#[test]
fn a_request_is_taken_in_slowly_or_not_at_all() {
    let (testbed, client, bytes) = start();
    let slow = FaultKind::SlowRequest { bytes_per_second: 10_000_000 };
    testbed.fault(Fault::new(Operation::PutObject, slow));
    let started = std::time::Instant::now();
    assert_eq!(client.put("/bucket/new", &[], &bytes).status, 200);
    assert!(started.elapsed() > Duration::from_millis(150));

    let stall = FaultKind::StallInRequest { after_bytes: 100_000 };
    testbed.fault(Fault::new(Operation::PutObject, stall));
    let mut stalled = client.connect().expect("a connection");
    let patience = Some(Duration::from_millis(200));
    let stream = stalled.0.get_mut();
    stream.set_read_timeout(patience).expect("a timeout");
    stream.set_write_timeout(patience).expect("a timeout");
    let put = client.signed("PUT", "/bucket/stalled", &[], bytes.len());
    let error = stalled.exchange(&put, &bytes).expect_err("no reply");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(testbed.object("bucket", "stalled").is_none());
}

#[test]
fn a_function_runs_when_the_work_is_done_and_before_its_reply() {
    let (testbed, client, _) = start();
    let testbed = Arc::new(testbed);
    let stored = Arc::new(AtomicU64::new(0));
    let (looks, sees) = (Arc::clone(&testbed), Arc::clone(&stored));
    let look = FaultKind::callback_after(move |_| {
        let size = looks.object("bucket", "new").map_or(0, |object| object.len());
        sees.store(size, Ordering::Relaxed);
    });
    testbed.fault(Fault::new(Operation::PutObject, look));
    assert_eq!(client.put("/bucket/new", &[], b"four").status, 200);
    assert_eq!(stored.load(Ordering::Relaxed), 4);
    testbed.clear_faults();
}
