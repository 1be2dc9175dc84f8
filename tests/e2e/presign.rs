//! `haul presign`: a link does what it says, for whoever has it, and nothing else. The server checks
//! its signature.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Bucket, Moto, Server, Weed, haul};
use crate::stage::{BUCKET, Stage};

const ODD: [&str; 8] =
    ["plain", "a b+c", "d/é日/%41", "q?x=y&z#f", "..", "a//b/./c", "'\"<>", "e~f!(g)*"];

/// Status and body of a request by somebody who knows nothing but the link.
fn ask(method: &str, link: &str, body: &str) -> (u16, String, String) {
    let rest = link.strip_prefix("http://").expect("a link");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut connection = TcpStream::connect(host).expect("it listens");
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).expect("it takes the request");
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply).expect("it answers");
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, head.to_owned(), body.to_owned())
}

fn link(stage: &Stage, args: &[&str]) -> String {
    let output = stage.run(["presign"].iter().chain(args));
    output.code(0).stdout_text().trim_end().to_owned()
}

#[test]
fn a_link_reads_its_object_whatever_its_key_and_no_other() {
    let stage = Stage::with_keys(&ODD);
    for key in ODD {
        let link = link(&stage, &[&format!("s3://bucket/{key}")]);
        let (status, _, body) = ask("GET", &link, "");
        assert_eq!((status, body.as_str()), (200, key), "{link}");
        assert_eq!(ask("PUT", &link, "other").0, 403, "it writes: {link}");
    }
    let to_plain = link(&stage, &["s3://bucket/plain"]);
    assert_eq!(ask("GET", &to_plain.replace("/plain?", "/..?"), "").0, 403);
    assert_eq!(stage.object_text("plain"), "plain");
    let made = stage.testbed.requests().len();
    link(&stage, &["s3://bucket/not-there", "--expires", "7d"]);
    assert_eq!(stage.testbed.requests().len(), made, "nothing is sent");
}

#[test]
fn a_link_writes_its_object_and_reads_nothing() {
    let stage = Stage::with_keys(&["other"]);
    for key in ODD {
        let link = link(&stage, &[&format!("s3://bucket/{key}"), "--method", "put"]);
        assert_eq!(ask("GET", &link, "").0, 403, "it reads: {link}");
        assert_eq!(ask("PUT", &link, "written").0, 200, "{link}");
        assert_eq!(stage.object_text(key), "written");
    }
}

#[test]
fn a_link_is_for_a_version_and_says_what_it_was_told_to_say() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for bytes in ["old", "new"] {
        stage.testbed.put_object(BUCKET, "k", bytes);
    }
    let versions = stage.testbed.versions(BUCKET);
    for (wanted, (_, version)) in ["new", "old"].into_iter().zip(&versions) {
        let link = link(&stage, &["s3://bucket/k", "--version-id", version]);
        assert_eq!(ask("GET", &link, "").2, wanted);
    }
    let disposition = "attachment; filename=\"a b.txt\"";
    let args = ["s3://bucket/k", "--content-type", "text/x-test", "--response-content-disposition"];
    let link = link(&stage, &[args.as_slice(), &[disposition]].concat());
    let (status, head, _) = ask("GET", &link, "");
    assert_eq!(status, 200);
    let head = head.to_lowercase();
    assert!(head.contains("content-type: text/x-test") && head.contains(disposition), "{head}");
}

#[test]
fn links_are_lines_and_json_says_until_when() {
    let stage = Stage::new();
    let output = stage.run(["presign", "s3://bucket/a", "s3://bucket/b", "--expires", "15m"]);
    let lines: Vec<_> = output.code(0).stdout_text().lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.contains("X-Amz-Expires=900")), "{output}");
    assert_eq!(output.stderr, "", "keys that last are no news");
    let output = stage.run(["presign", "s3://bucket/a", "--method", "put", "--json"]);
    let line = output.code(0).json_lines().remove(0);
    assert_eq!((&line["event"], &line["method"]), (&"link".into(), &"PUT".into()));
    assert!(line["expires"].is_string() && line["url"].is_string(), "{output}");
    let temporary = stage.haul().env("AWS_SESSION_TOKEN", "token").args(["presign", "s3://b/k"]);
    temporary.run().code(0).stderr_has("the credentials are temporary");
}

#[test]
fn wrong_usage_makes_no_link() {
    let stage = Stage::new();
    stage.sandbox.write("key", "0123456789abcdef0123456789abcdef");
    let wrong: [&[&str]; 15] = [
        &[],
        &["file"],
        &["s3://bucket"],
        &["-"],
        &["https://bucket/k?X-Amz-Signature=x"],
        &["s3://bucket/k", "--expires", "8d"],
        &["s3://bucket/k", "--expires", "604801"],
        &["s3://bucket/k", "--expires", "0"],
        &["s3://bucket/k", "--expires", "soon"],
        &["s3://bucket/k", "--method", "delete"],
        &["s3://bucket/k", "--no-sign-request"],
        &["s3://bucket/k", "--request-payer"],
        &["s3://bucket/k", "--sse-c-key-file", "key"],
        &["s3://bucket/k", "--method", "put", "--version-id", "x"],
        &["s3://bucket/k", "s3://bucket/l", "--version-id", "x"],
    ];
    for args in wrong {
        let output = stage.run(["presign"].iter().chain(args));
        output.code(2).stdout_is("").stderr_lacks("Signature");
    }
    stage.run(["presign", "s3://bucket/k", "--request-payer"]).stderr_has("a link has none");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn links_work_on_real_servers() {
    for server in [Weed::shared() as &dyn Server, Moto::shared()] {
        let bucket = Bucket::make(server, crate::real_servers::BUCKET);
        for key in ["presign/plain", "presign/a b+c", "presign/é日%41"] {
            let presign = |method: &str| {
                let presign = haul().on(server).args(["presign", &bucket.uri(key), "--method"]);
                presign.arg(method).run().code(0).stdout_text().trim_end().to_owned()
            };
            let (status, _, said) = ask("PUT", &presign("put"), "written");
            assert_eq!(status, 200, "{key}: {said}");
            assert_eq!(bucket.get(key), b"written");
            let (status, _, body) = ask("GET", &presign("get"), "");
            assert_eq!((status, body.as_str()), (200, "written"), "{key}");
        }
        bucket.remove("presign/");
    }
}
