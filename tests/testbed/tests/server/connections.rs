//! Keep-alive, `Expect: 100-continue`, many connections, and the end of the server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use testbed::{Operation, Testbed};

use crate::client::Client;

fn start() -> (Testbed, Client) {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    (testbed, client)
}

#[test]
fn a_connection_is_used_again_and_again() {
    let (testbed, client) = start();
    let mut connection = client.connect().expect("a connection");
    for body in ["", "x", ""] {
        let put = client.signed("PUT", "/bucket/k", &[], body.len());
        assert_eq!(connection.exchange(&put, body.as_bytes()).expect("a reply").status, 200);
        let get = client.signed("GET", "/bucket/k", &[], 0);
        assert_eq!(connection.exchange(&get, b"").expect("a reply").text(), body);
        let head = client.signed("HEAD", "/bucket/none", &[], 0);
        assert_eq!(connection.exchange(&head, b"").expect("a reply").status, 404);
        let refused = client.signed("PUT", "/nowhere/k", &[], 300_000);
        let reply = connection.exchange(&refused, &vec![0; 300_000]).expect("a reply");
        reply.assert_error(404, "NoSuchBucket");
    }
    assert_eq!(testbed.totals().connections, 1);
    assert_eq!(testbed.requests().len(), 12);
    let put = &testbed.requests_of(Operation::PutObject)[2];
    assert_eq!((put.key.as_deref(), put.bytes_received, put.status), (Some("k"), 1, Some(200)));
    let get = &testbed.requests_of(Operation::GetObject)[1];
    assert_eq!((get.bytes_sent, get.connection), (1, 1));
    testbed.clear_requests();
    assert!(testbed.requests().is_empty());
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on_or_to_stop() {
    let (_testbed, client) = start();
    let mut connection = client.connect().expect("a connection");
    let put = client.signed("PUT", "/bucket/k", &[("expect", "100-continue")], 4);
    connection.0.get_mut().write_all(put.as_bytes()).expect("written");
    assert_eq!(connection.read(true).expect("an interim reply").status, 100);
    assert_eq!(connection.exchange("", b"body").expect("a reply").status, 200);
    let put = client.signed("PUT", "/nowhere/k", &[("expect", "100-continue")], 4);
    connection.0.get_mut().write_all(put.as_bytes()).expect("written");
    connection.read(false).expect("a reply").assert_error(404, "NoSuchBucket");
}

#[test]
fn hundreds_of_connections_are_served_at_once() {
    let (testbed, client) = start();
    testbed.put_object("bucket", "k", vec![7; 10_000]);
    let mut connections: Vec<_> =
        (0..256).map(|_| client.connect().expect("a connection")).collect();
    for connection in &mut connections {
        let get = client.signed("GET", "/bucket/k", &[], 0);
        connection.0.get_mut().write_all(get.as_bytes()).expect("written");
    }
    for connection in &mut connections {
        assert_eq!(connection.read(false).expect("a reply").body.len(), 10_000);
    }
    assert_eq!(testbed.totals().connections, 256);
    assert_eq!(testbed.totals().bytes_sent, 2_560_000);
}

#[test]
fn a_dropped_server_is_gone() {
    let (testbed, client) = start();
    let mut open = TcpStream::connect(("127.0.0.1", testbed.port())).expect("a connection");
    drop(testbed);
    assert!(client.connect().is_err());
    // Closed or reset, but over.
    assert!(!matches!(open.read(&mut [0]), Ok(1)));
}

#[test]
fn a_server_without_a_log_still_counts() {
    let testbed = Testbed::builder().without_log().md5_etags(false).spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    let client = Client::new(&testbed);
    let first = client.put("/bucket/k", &[], b"x");
    let second = client.put("/bucket/k", &[], b"x");
    assert_ne!(first.header("etag"), second.header("etag"));
    assert!(testbed.requests().is_empty());
    assert_eq!((testbed.totals().requests, testbed.totals().bytes_received), (2, 2));
}

#[test]
fn open_connections_are_counted_now_and_at_most() {
    let (testbed, client) = start();
    let mut connections: Vec<_> = (0..3).map(|_| client.connect().expect("a connection")).collect();
    for connection in &mut connections {
        let get = client.signed("GET", "/bucket/k", &[], 0);
        assert_eq!(connection.exchange(&get, b"").expect("a reply").status, 404);
    }
    assert_eq!((testbed.totals().open_connections, testbed.totals().max_open_connections), (3, 3));
    drop(connections.pop());
    while testbed.totals().open_connections == 3 {
        std::thread::yield_now();
    }
    assert_eq!(testbed.totals().max_open_connections, 3);
    testbed.clear_requests();
    assert_eq!(testbed.totals().max_open_connections, 2);
}
