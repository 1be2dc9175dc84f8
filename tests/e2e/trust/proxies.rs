//! Proxies as companies have them.

use std::io::Read as _;
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use testbed::{Certificate, HttpProxy, ProxyConduct, Testbed, TlsFront};

use super::giver::Giver;
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
        for more in [&[][..], &["--no-verify-ssl"]] {
            let haul = through(&stage, &proxy.url()).env("NO_PROXY", hosts);
            haul.args(["ls", "s3://bucket/"]).args(more).run().code(0);
        }
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

/// A bucket may have a host of its own below that of the endpoint.
#[test]
fn whether_a_proxy_is_needed_is_asked_for_each_host() {
    let stage = stage();
    let endpoint = stage.testbed.endpoint().replace("127.0.0.1", "localhost");
    let tunnel =
        format!("CONNECT {} HTTP/1.1", endpoint.replace("https://localhost", "bucket.localhost"));
    for more in [&[][..], &["--no-verify-ssl"]] {
        for (hosts, asked) in
            [("bucket.localhost", &[][..]), ("other.localhost", &[tunnel.as_str()])]
        {
            let proxy = HttpProxy::spawn(ProxyConduct::Refuse(502));
            let haul = through(&stage, &proxy.url()).env("NO_PROXY", hosts);
            let list = ["download", "s3://bucket/", "out/", "--max-attempts", "1"];
            let virtual_hosts = ["--addressing-style", "virtual", "--endpoint-url", &endpoint];
            // Whether the host is found is up to the system.
            haul.args(list).args(virtual_hosts).args(more).run();
            assert_eq!(proxy.asked(), asked, "NO_PROXY={hosts} {more:?}");
        }
    }
}

/// What is shown to whoever gives credentials, and what comes back, is for nobody else.
#[test]
fn who_gives_credentials_on_this_machine_is_asked_past_every_proxy() {
    let (stage, proxy) = (Stage::with_keys(&["a"]), HttpProxy::spawn(ProxyConduct::Forward));
    let giver = Giver::spawn();
    let haul = crate::harness::haul()
        .env("AWS_ENDPOINT_URL", stage.testbed.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", giver.url())
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush")
        .envs(["HTTP_PROXY", "ALL_PROXY"].map(|name| (name, proxy.url())));
    haul.args(["ls", "s3://bucket/"]).run().code(0).stdout_has("a");
    let asked = proxy.asked();
    let store = format!("{}/bucket", stage.testbed.endpoint());
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains(&store)), "{asked:?}");
    let heard = giver.heard();
    assert!(heard.len() == 1 && heard[0].contains("hush"), "{heard:?}");
}

#[test]
fn a_proxy_under_tls_has_its_password_under_tls() {
    // `name:hush` in base64.
    let proxy = HttpProxy::spawn(ProxyConduct::Demand("bmFtZTpodXNo".to_owned()));
    let certificate = Certificate::valid();
    let front = TlsFront::before(proxy.address(), &certificate);
    let url = front.url().replace("https://", "https://name:hush@");
    let plain = Stage::with_keys(&["a"]);
    for stage in [&stage(), &plain] {
        let before = proxy.asked().len();
        stage.sandbox.write("proxy.pem", {
            let store = stage.sandbox.path("authority.pem");
            certificate.authority().to_owned() + &std::fs::read_to_string(store).unwrap_or_default()
        });
        let haul = through(stage, &url).env("HTTP_PROXY", &url).env("AWS_CA_BUNDLE", "proxy.pem");
        haul.args(["download", "s3://bucket/a", "out"]).run().code(0);
        assert!(proxy.asked().len() > before, "it went around the proxy");
    }
    // Also where the store's certificate may be anyone's.
    let strangers = Stage::with_keys(&["a"]);
    let haul = strangers.haul().limit(SOON).env("HTTP_PROXY", &url).args(["ls", "s3://bucket/"]);
    let output = haul.arg("--no-verify-ssl").run();
    output.code(1).stderr_has("no connection to the proxy").stderr_has("not trusted here");
}

/// What is no TLS is never spoken to a proxy of an https:// URL.
#[test]
fn a_proxy_that_only_looks_like_one_under_tls_is_shown_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://name:hush@{}", listener.local_addr().expect("it is bound"));
    let heard = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut first = [0; 5];
        client.read_exact(&mut first).expect("some bytes");
        client.shutdown(Shutdown::Both).ok();
        first
    });
    let stage = stage();
    let download = ["download", "s3://bucket/a", "out", "--max-attempts", "1", "--no-verify-ssl"];
    through(&stage, &url).args(download).run().code(1);
    // A TLS record of a handshake.
    assert_eq!(heard.join().expect("a client came")[..2], [0x16, 0x03]);
}

#[test]
fn a_proxy_of_a_kind_that_is_not_spoken_is_told_at_once() {
    let stage = stage();
    let haul = through(&stage, "socks5://127.0.0.1:1").args(["ls", "s3://bucket/"]);
    haul.run().code(1).stderr_has("socks5:// proxies are not supported");
}

#[test]
fn a_proxy_that_is_silent_is_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    let stage = stage();
    let list = ["download", "s3://bucket/", "out/", "--timeout", "1", "--max-attempts", "2"];
    through(&stage, &url).args(list).run().code(1).stderr_has("error: ");
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
    output.code(1).stderr_has("cannot connect").stderr_has("no connection to the proxy");
}
