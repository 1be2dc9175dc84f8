//! Proxies as companies have them.

use std::time::Duration;

use testbed::{Certificate, HttpProxy, ProxyConduct, Testbed};

use crate::harness::Haul;
use crate::stage::{BUCKET, Stage};

const SOON: Duration = Duration::from_mins(1);

/// A store under TLS: requests to it go through a tunnel.
fn stage() -> Stage {
    let certificate = Certificate::valid();
    let testbed = Testbed::builder().tls(certificate.clone()).spawn().expect("a testbed");
    let stage = Stage::on(testbed);
    stage.testbed.put_object(BUCKET, "a", "the bytes");
    stage.sandbox.write("authority.pem", certificate.authority());
    stage
}

fn through(stage: &Stage, proxy: &str) -> Haul {
    stage.haul().limit(SOON).env("AWS_CA_BUNDLE", "authority.pem").env("HTTPS_PROXY", proxy)
}

#[test]
fn https_goes_through_a_tunnel() {
    let (stage, proxy) = (stage(), HttpProxy::spawn(ProxyConduct::Forward));
    through(&stage, &proxy.url()).args(["download", "s3://bucket/a", "out"]).run().code(0);
    assert_eq!(stage.text("out"), "the bytes");
    let tunnel = format!("CONNECT {} HTTP/1.1", stage.testbed.endpoint().replace("https://", ""));
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == tunnel), "{asked:?}");
    let unchecked = through(&stage, &proxy.url()).env("AWS_CA_BUNDLE", "");
    unchecked.args(["ls", "s3://bucket/", "--no-verify-ssl"]).run().code(0);
    assert!(proxy.asked().len() > asked.len(), "--no-verify-ssl went around the proxy");
}

#[test]
fn http_goes_through_a_proxy() {
    let (stage, proxy) = (Stage::with_keys(&["a"]), HttpProxy::spawn(ProxyConduct::Forward));
    let haul = stage.haul().env("HTTP_PROXY", proxy.url());
    haul.args(["download", "s3://bucket/a", "out"]).run().code(0);
    assert_eq!(stage.text("out"), "a");
    let asked = proxy.asked();
    let uri = format!(" {}/bucket/a", stage.testbed.endpoint());
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains(&uri)), "{asked:?}");
    let connections = usize::try_from(stage.testbed.totals().connections).expect("a few");
    assert_eq!(asked.len(), connections, "some went around the proxy");
}

#[test]
fn no_proxy_names_hosts_that_need_none() {
    let (stage, proxy) = (stage(), HttpProxy::spawn(ProxyConduct::Refuse(502)));
    for hosts in ["127.0.0.1", "example.com,127.0.0.0/8", "*"] {
        let haul = through(&stage, &proxy.url()).env("NO_PROXY", hosts);
        haul.args(["ls", "s3://bucket/"]).run().code(0);
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn name_and_password_go_to_the_proxy_and_nowhere_else() {
    // `name:hush` in base64.
    let proxy = HttpProxy::spawn(ProxyConduct::Demand("bmFtZTpodXNo".to_owned()));
    let stage = stage();
    let url = proxy.url().replace("http://", "http://name:hush@");
    let output = through(&stage, &url).args(["download", "s3://bucket/a", "out", "-vv"]).run();
    output.code(0).stderr_lacks("hush").stderr_lacks("bmFtZTpodXNo");
    let requests = stage.testbed.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.header("proxy-authorization"), None, "the store got the password");
    }
    let wrong = url.replace("hush", "wrong-hush");
    let output = through(&stage, &wrong).args(["ls", "s3://bucket/", "-vv"]).run();
    output.code(1).stderr_has("the proxy requires authentication").stderr_lacks("wrong-hush");
}

#[test]
fn a_proxy_that_wants_a_password_is_told_at_once() {
    let plain = Stage::with_keys(&["a"]);
    plain.sandbox.write("authority.pem", Certificate::valid().authority());
    for stage in [stage(), plain] {
        let proxy = HttpProxy::spawn(ProxyConduct::Demand("password".to_owned()));
        let haul = through(&stage, &proxy.url()).env("HTTP_PROXY", proxy.url());
        let output = haul.args(["download", "s3://bucket/a", "out"]).run();
        output.code(1).stderr_has("407").stderr_has("HTTPS_PROXY=").no_escapes();
        assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
        assert_eq!(proxy.asked().len(), 1, "it was asked again");
    }
}

#[test]
fn a_proxy_out_of_order_is_tried_again_and_told() {
    let stage = stage();
    let proxy = HttpProxy::spawn(ProxyConduct::Refuse(502));
    let list = ["download", "s3://bucket/", "out/", "--max-attempts", "3"];
    let output = through(&stage, &proxy.url()).args(list).run();
    output.code(1).stderr_has("error: ").stderr_has("tunnel");
    assert_eq!(proxy.asked().len(), 3);
}

#[test]
fn a_proxy_whose_headers_never_end_takes_no_memory() {
    let stage = stage();
    let proxy = HttpProxy::spawn(ProxyConduct::EndlessHeaders);
    let list = ["download", "s3://bucket/", "out/", "--max-attempts", "3"];
    let output = through(&stage, &proxy.url()).args(list).run();
    output.code(1).stderr_has("error: ").stderr_has("too long");
    // What the kernels buffer between the two counts as taken.
    assert!(proxy.flood() < 64 << 20, "{} bytes of headers were taken", proxy.flood());
}

#[test]
fn a_proxy_that_is_gone_is_told() {
    let stage = stage();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = format!("http://{}", free.local_addr().expect("it is bound"));
    drop(free);
    let list = ["download", "s3://bucket/", "out/", "--max-attempts", "3"];
    let output = through(&stage, &closed).args(list).run();
    output.code(1).stderr_has("cannot connect").stderr_has("proxies");
}
