//! Keys whose time is over, clocks that differ, TLS, and proxies, seen from a client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use testbed::{Certificate, HttpProxy, ProxyConduct, Testbed};

use crate::client::Client;

#[test]
fn a_key_whose_time_is_over_is_refused_and_others_are_not() {
    let testbed = Testbed::spawn();
    testbed.create_bucket("bucket");
    testbed.put_object("bucket", "k", "bytes");
    let client = Client::new(&testbed);
    assert_eq!(client.get("/bucket/k", &[]).status, 200);
    testbed.expire_credentials("AKIDTEST");
    let reply = client.get("/bucket/k", &[]);
    assert_eq!(reply.status, 400);
    assert!(String::from_utf8_lossy(&reply.body).contains("<Code>ExpiredToken</Code>"));
    let head = client.send("HEAD", "/bucket/k", &[], b"").expect("a reply");
    assert_eq!((head.status, head.body.len()), (400, 0));
    testbed.add_credentials("OTHER", "SECRET");
    let mut other = Client::new(&testbed);
    other.access_key = "OTHER".to_owned();
    assert_eq!(other.get("/bucket/k", &[]).status, 200);
}

#[test]
fn a_server_with_another_clock_refuses_requests_of_our_time_and_dates_its_replies() {
    for (ahead, status) in [(0, 200), (14 * 60, 200), (16 * 60, 403), (-16 * 60, 403)] {
        let testbed = Testbed::builder().clock(ahead).spawn().expect("a testbed");
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "k", "bytes");
        let reply = Client::new(&testbed).get("/bucket/k", &[]);
        assert_eq!(reply.status, status, "{ahead} s ahead");
        let dates = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("date"));
        assert_eq!(dates.count(), 1);
    }
}

#[test]
fn under_tls_plain_requests_are_not_answered() {
    let testbed = Testbed::builder().tls(Certificate::valid()).spawn().expect("a testbed");
    assert!(testbed.endpoint().starts_with("https://"));
    let reply = say(testbed.port(), "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(!reply.starts_with("HTTP/"), "{reply:?}");
    assert!(Certificate::expired().authority().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn a_proxy_does_as_it_was_told() {
    let testbed = Testbed::spawn();
    let port = testbed.port();
    let ask = |conduct, line: &str| {
        let proxy = HttpProxy::spawn(conduct);
        let proxy_port = proxy.url().rsplit(':').next().and_then(|port| port.parse().ok());
        let reply = say(proxy_port.expect("a port"), line);
        assert_eq!(proxy.asked(), [line.lines().next().expect("a line")]);
        reply
    };
    let get =
        format!("GET http://127.0.0.1:{port}/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(ask(ProxyConduct::Forward, &get).starts_with("HTTP/1.1 "));
    assert_eq!(testbed.totals().requests, 1);
    let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    assert!(ask(ProxyConduct::Refuse(502), &connect).starts_with("HTTP/1.1 502"));
    assert!(ask(ProxyConduct::Demand("word".to_owned()), &connect).starts_with("HTTP/1.1 407"));
    assert_eq!(testbed.totals().requests, 1);
}

/// Says something to a port of this machine, and takes what comes until its end.
fn say(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    stream.write_all(text.as_bytes()).expect("it takes them");
    let mut reply = Vec::new();
    // A reset is an end, too.
    stream.read_to_end(&mut reply).ok();
    String::from_utf8_lossy(&reply).into_owned()
}
