//! Servers that must prove who they are. Each certificate that does not is told as what it is.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use rustls::server::Acceptor;
use testbed::{Certificate, Fault, FaultKind, Gate, Operation, Testbed};

use crate::harness::{Haul, Sandbox, content};
use crate::stage::{BUCKET, Stage};

const SOON: Duration = Duration::from_secs(10);

fn stage(certificate: &Certificate) -> Stage {
    let testbed = Testbed::builder().tls(certificate.clone()).spawn().expect("a testbed");
    let stage = Stage::on(testbed);
    stage.testbed.put_object(BUCKET, "a", "the bytes");
    stage.sandbox.write("authority.pem", certificate.authority());
    stage
}

#[test]
fn a_certificate_that_proves_nothing_is_told_as_what_it_is() {
    for (certificate, trusted, said) in [
        (Certificate::valid(), false, "not trusted here"),
        (Certificate::self_signed(), false, "not trusted here"),
        (Certificate::expired(), true, "certificate has expired"),
        (Certificate::for_host("other.example"), true, "for another host"),
    ] {
        let stage = stage(&certificate);
        stage.sandbox.write("file", "bytes");
        for words in [
            ["download", "s3://bucket/a", "out"],
            ["upload", "file", "s3://bucket/key"],
            ["ls", "s3://bucket/", "-r"],
        ] {
            let mut haul = stage.haul().args(words);
            if trusted {
                haul = haul.args(["--ca-bundle", "authority.pem"]);
            }
            let output = haul.limit(SOON).run();
            output.code(1).stderr_has(said).stderr_has(&stage.testbed.endpoint());
            output.stderr_has("--ca-bundle").no_escapes();
            assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
        }
        assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
    }
}

#[test]
fn a_bundle_of_one_s_own_is_trusted() {
    let stage = stage(&Certificate::valid());
    let bundle = stage.sandbox.path("authority.pem");
    let output = stage.run(["download", "s3://bucket/a", "one", "--ca-bundle", "authority.pem"]);
    output.code(0);
    let variable = stage.haul().env("AWS_CA_BUNDLE", &bundle);
    variable.args(["download", "s3://bucket/a", "two"]).run().code(0);
    assert_eq!((stage.text("one"), stage.text("two")), ("the bytes".into(), "the bytes".into()));
    // The flag is nearer than the environment.
    let both = stage.haul().env("AWS_CA_BUNDLE", "no-such-file");
    both.args(["ls", "s3://bucket/", "--ca-bundle", "authority.pem"]).run().code(0);
}

#[test]
fn a_bundle_that_is_none_is_wrong_usage() {
    let stage = stage(&Certificate::valid());
    let pem = stage.text("authority.pem");
    stage.sandbox.write("empty.pem", "");
    stage.sandbox.write("broken.pem", pem.replace('M', "!"));
    stage.sandbox.write("cut.pem", &pem[..pem.len() / 2]);
    for file in ["empty.pem", "broken.pem", "cut.pem", "no-such.pem", "."] {
        let output = stage.run(["ls", "s3://bucket/", "--ca-bundle", file]);
        output.code(2).stderr_has(file).no_escapes();
        stage.haul().env("AWS_CA_BUNDLE", file).args(["ls", "s3://bucket/"]).run().code(2);
    }
}

#[test]
fn any_certificate_is_taken_where_that_was_asked_for() {
    for certificate in
        [Certificate::self_signed(), Certificate::expired(), Certificate::for_host("other.example")]
    {
        let stage = stage(&certificate);
        let large = content("large", 20 << 20);
        stage.sandbox.write("large", &large);
        let output = stage.run(["upload", "large", "s3://bucket/", "--no-verify-ssl"]);
        output.code(0).stderr_has("anyone between");
        let output = stage.run(["download", "s3://bucket/", "out/", "--no-verify-ssl"]);
        output.code(0).stderr_has("anyone between");
        assert!(stage.sandbox.read("out/large") == large);
        stage.run(["ls", "s3://bucket/", "-r", "--no-verify-ssl"]).code(0).stdout_has("large");
        let fault = Fault::new(Operation::GetObject, FaultKind::ResetInBody { after_bytes: 9 });
        let fault = stage.testbed.fault(fault);
        stage.run(["download", "s3://bucket/large", "again", "--no-verify-ssl"]).code(0);
        assert_eq!(stage.testbed.hits(fault), 1);
        assert!(stage.sandbox.read("again") == large);
    }
}

/// Over HTTP/2 all requests of a run would share one connection, to one address, and be lost as one.
#[test]
fn http_2_is_never_offered() {
    let (stage, download) = (Stage::new(), ["download", "s3://bucket/a", "out"]);
    let run = |haul: Haul, more: &[&str]| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("it is bound"));
        let offered = thread::spawn(move || first_offer(&listener));
        let haul = haul.env("AWS_ENDPOINT_URL", &url).limit(SOON).args(download);
        haul.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
            .args(["--max-attempts", "1", "--timeout", "2"])
            .args(more)
            .run()
            .code(1);
        assert_eq!(offered.join().expect("a client came"), ["http/1.1"], "{more:?}");
    };
    run(stage.haul(), &[]);
    run(stage.haul(), &["--no-verify-ssl"]);
    // Without credentials, these are asked for first.
    run(crate::harness::haul(), &[]);
}

/// What the first client that comes would speak over TLS.
fn first_offer(listener: &TcpListener) -> Vec<String> {
    let (mut client, _) = listener.accept().expect("a client");
    let mut hello = Acceptor::default();
    loop {
        hello.read_tls(&mut client).expect("bytes");
        if let Some(accepted) = hello.accept().map_err(|(error, _)| error).expect("a handshake") {
            let offered = accepted.client_hello().alpn().into_iter().flatten();
            return offered.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        }
    }
}

#[test]
fn requests_at_once_have_a_connection_each_under_tls() {
    const MANY: usize = 8;
    let stage = stage(&Certificate::valid());
    for number in 0..MANY {
        stage.testbed.put_object(BUCKET, &format!("many/{number}"), "bytes");
    }
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.always());
    let download = ["download", "s3://bucket/many/", "out/", "--ca-bundle", "authority.pem"];
    let running = stage.haul().args(download).spawn();
    gate.wait_for(MANY);
    gate.open();
    running.wait().code(0);
    let requests = stage.testbed.requests_of(Operation::GetObject);
    let connections: HashSet<_> = requests.iter().map(|request| request.connection).collect();
    assert_eq!(connections.len(), MANY);
}

#[test]
fn who_gives_credentials_has_to_prove_who_it_is_all_the_same() {
    let (stage, giver) = (stage(&Certificate::self_signed()), stage(&Certificate::self_signed()));
    let uri = format!("{}/credentials", giver.testbed.endpoint());
    let output = crate::harness::haul()
        .env("AWS_ENDPOINT_URL", stage.testbed.endpoint())
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .args(["ls", "s3://bucket/", "--no-verify-ssl"])
        .run();
    output.code(1).stderr_has("no usable credentials").stderr_has("not trusted here");
    assert_eq!(giver.testbed.totals().requests, 0, "a stranger was asked for credentials");
    assert_eq!(stage.testbed.totals().requests, 0);
}

#[test]
fn a_server_that_speaks_no_tls_is_told_so() {
    let stage = Stage::with_keys(&["a"]);
    let https = stage.testbed.endpoint().replace("http://", "https://");
    let endpoint = ["--endpoint-url", https.as_str()];
    for more in [&[][..], &["--no-verify-ssl"]] {
        let list = stage.haul().limit(SOON).args(["ls", "s3://bucket/"]).args(endpoint);
        let output = list.args(more).run();
        output.code(1).stderr_has("does not speak TLS").stderr_has(&https);
    }
}

#[test]
fn a_server_that_speaks_tls_to_a_client_that_does_not_is_an_error() {
    let stage = stage(&Certificate::valid());
    let http = stage.testbed.endpoint().replace("https://", "http://");
    let list = ["download", "s3://bucket/", "out/", "--endpoint-url", &http, "--max-attempts", "2"];
    let output = stage.haul().limit(SOON).args(list).run();
    output.code(1).stderr_has("error: ").no_escapes();
}

#[test]
fn a_handshake_that_never_ends_is_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("https://{}", silent.local_addr().expect("it is bound"));
    let stage = Stage::new();
    let list = ["download", "s3://bucket/", "out/", "--timeout", "1", "--max-attempts", "2"];
    let output = stage.haul().limit(SOON).args(list).args(["--endpoint-url", &endpoint]).run();
    output.code(1).stderr_has("error: ");
}

#[test]
fn garbage_for_a_handshake_is_told() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("https://{}", server.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for client in server.incoming().flatten() {
            (&client).write_all(&[0xff; 4096]).ok();
        }
    });
    let sandbox = Sandbox::new();
    let stage = Stage::new();
    let list =
        ["download", "s3://bucket/", "out/", "--endpoint-url", &endpoint, "--max-attempts", "3"];
    let output = stage.haul().current_dir(sandbox.path("")).limit(SOON).args(list).run();
    output.code(1).stderr_has("error: ").no_escapes();
}

#[test]
fn a_stream_that_is_cut_under_tls_is_continued() {
    // No end of the stream was agreed on: the connection closes, or is reset.
    for kind in [
        FaultKind::Truncate { after_bytes: 1 << 20 },
        FaultKind::ResetInBody { after_bytes: 1 << 20 },
        FaultKind::Truncate { after_bytes: 0 },
    ] {
        let stage = stage(&Certificate::valid());
        let large = content("large", 8 << 20);
        stage.testbed.put_object(BUCKET, "large", large.clone());
        let fault = stage.testbed.fault(Fault::new(Operation::GetObject, kind));
        let download = ["download", "s3://bucket/large", "out", "--ca-bundle", "authority.pem"];
        stage.run(download).code(0);
        assert_eq!(stage.testbed.hits(fault), 1);
        assert!(stage.sandbox.read("out") == large);
        stage.sandbox.no_leftovers("");
    }
}
