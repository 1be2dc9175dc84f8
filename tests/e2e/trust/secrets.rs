//! Secrets, and everything that every command writes anywhere while everything goes wrong, seen
//! from outside: each system call that writes. What goes to a server may hold what is meant for
//! it; a secret key goes nowhere.

use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use testbed::{Bytes, Certificate, Fault, FaultKind, HttpProxy, Operation, ProxyConduct, Testbed};

use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const SECRET: &str = "SENTINELsecret0123456789abcdefSENTINEL00";
const TOKEN: &str = "SENTINELtoken0123456789abcdef";
const CUSTOMER_KEY: &str = "SENTINELcustomerKey0123456789abc";
const PASSWORD: &str = "SENTINELproxypassword";

/// What the server does to one command.
type Trouble = fn() -> Vec<Fault>;

#[test]
fn no_secret_is_written_anywhere_whatever_goes_wrong() {
    if !is_strace_here() {
        return;
    }
    let mut calls = 0;
    for trouble in troubles() {
        let stage = stage(Testbed::builder());
        for words in COMMANDS {
            stage.testbed.clear_faults();
            // Listings are tried ten times: where that is so, a while of trouble is enough.
            let times = if words[0] == "ls" { 2 } else { u64::MAX };
            for fault in trouble() {
                stage.testbed.fault(fault.times(times));
            }
            let (writes, code) = assert_no_secret(&stage, words, &[]);
            assert!(matches!(code, Some(0 | 1)), "{words:?} was not tried: {code:?}");
            calls += writes;
        }
    }
    // A trace of nothing would prove nothing.
    assert!(calls > 1_000, "only {calls} writes were seen");
}

#[test]
fn no_secret_is_written_anywhere_when_nobody_can_be_trusted() {
    if !is_strace_here() {
        return;
    }
    let stage = stage(Testbed::builder().tls(Certificate::self_signed()));
    let proxy = HttpProxy::spawn(ProxyConduct::Demand("no such password".to_owned()));
    let proxy = proxy.url().replace("http://", &format!("http://name:{PASSWORD}@"));
    for words in COMMANDS {
        assert_no_secret(&stage, words, &[]);
        assert_no_secret(&stage, words, &[("AWS_ENDPOINT_URL", "http://nx.invalid")]);
        assert_no_secret(&stage, words, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
        assert_no_secret(&stage, words, &[("HTTPS_PROXY", &proxy)]);
        assert_no_secret(&stage, words, &[("AWS_ACCESS_KEY_ID", "nobody")]);
        assert_no_secret(&stage, words, &[("AWS_PROFILE", "no-such-profile")]);
        assert_no_secret(&stage, words, &[("AWS_REGION", "evil.example#")]);
        assert_no_secret(&stage, words, &[("AWS_CA_BUNDLE", "customer.key")]);
        let endpoint = format!("http://name:{PASSWORD}@127.0.0.1:1");
        assert_no_secret(&stage, words, &[("AWS_ENDPOINT_URL", &endpoint)]);
    }
}

#[test]
fn a_link_with_a_signature_in_it_is_not_shown() {
    let stage = Stage::new();
    let link =
        format!("https://host.example/b/k?X-Amz-Signature={SECRET}&X-Amz-Security-Token={TOKEN}");
    for words in [
        ["download", link.as_str(), "out"],
        ["upload", "file", link.as_str()],
        ["ls", link.as_str(), "-r"],
        ["cp", link.as_str(), "out"],
    ] {
        let output = stage.haul().args(words).run();
        assert_ne!(output.code, Some(0));
        output.stderr_lacks("SENTINEL").stderr_has("https://");
    }
    stage.sandbox.write("rows.csv", format!("source,destination\n{link},out\n"));
    let output = stage.run(["download", "--manifest", "rows.csv", ".", "--json"]);
    output.code(1).stderr_lacks("SENTINEL");
    assert!(!output.stdout_text().contains("SENTINEL"), "{output}");
}

#[test]
fn no_flag_takes_a_secret() {
    for verb in ["download", "upload", "cp", "ls"] {
        let help = crate::harness::haul().args([verb, "--help"]).run();
        let help = help.code(0).stdout_text().to_lowercase();
        for word in ["--secret", "--password", "--token", "--access-key", "--sse-c-key "] {
            assert!(!help.contains(word), "{verb} takes {word}");
        }
    }
}

/// Whoever can put a program, or a library, into the way must not be given a chance to.
#[test]
fn no_other_program_is_started() {
    if !is_strace_here() {
        return;
    }
    let stage = stage(Testbed::builder());
    for words in COMMANDS {
        let trace = stage.sandbox.path("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=execve,execveat", "-o"]).arg(&trace);
        command.arg(env!("CARGO_BIN_EXE_haul")).args(words);
        command.envs(stage.testbed.env()).current_dir(stage.sandbox.path(""));
        let output = command.stdin(Stdio::null()).output().expect("strace starts");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{words:?} was not tried");
        let programs = std::fs::read_to_string(&trace).expect("a trace was written");
        assert_eq!(programs.matches("exec").count(), 1, "{words:?}\n{programs}");
    }
}

const COMMANDS: [&[&str]; 6] = [
    &["download", "s3://bucket/p/", "out/", "--json"],
    &["download", "s3://bucket/p/large", "-", "--sse-c-key-file", "customer.key"],
    &["download", "--manifest", "rows.csv", "out/"],
    &["upload", "files", "s3://bucket/up/", "--sse-c-key-file", "customer.key"],
    &["cp", "files/small", "s3://bucket/up/small", "--overwrite", "never"],
    &["ls", "s3://bucket/", "-r"],
];

fn troubles() -> Vec<Trouble> {
    vec![
        Vec::new,
        || vec![Fault::any(FaultKind::access_denied())],
        || vec![Fault::any(FaultKind::status(403, "SignatureDoesNotMatch"))],
        || vec![Fault::any(FaultKind::expired_token())],
        || vec![Fault::any(FaultKind::request_time_too_skewed())],
        || vec![Fault::any(FaultKind::internal_error())],
        || vec![Fault::any(FaultKind::HtmlBody)],
        || vec![Fault::any(FaultKind::ResetBeforeHeaders)],
        || vec![Fault::any(FaultKind::xml("<nonsense"))],
        || vec![Fault::any(reply(301, "x-amz-bucket-region", "evil.example#"))],
        || vec![Fault::any(reply(307, "location", "https://evil.example/"))],
        || {
            [Operation::GetObject, Operation::PutObject, Operation::UploadPart]
                .map(|operation| Fault::new(operation, FaultKind::LostReply))
                .into()
        },
        || vec![Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 0 })],
        || vec![Fault::new(Operation::GetObject, FaultKind::ResetInBody { after_bytes: 1 })],
    ]
}

fn reply(status: u16, name: &str, value: &str) -> FaultKind {
    let headers = vec![(name.to_owned(), value.to_owned())];
    FaultKind::Reply { status, headers, body: Bytes::new() }
}

fn stage(builder: testbed::Builder) -> Stage {
    let stage = Stage::on(builder.credentials("AKIDSENTINEL", SECRET).spawn().expect("a testbed"));
    stage.testbed.put_object(BUCKET, "p/small", "small");
    stage.testbed.put_object(BUCKET, "p/large", content("large", 9 << 20));
    stage.sandbox.write("customer.key", CUSTOMER_KEY);
    stage.sandbox.write("files/small", "small");
    stage.sandbox.write("files/large", content("files/large", 9 << 20));
    stage.sandbox.write("rows.csv", "source\ns3://bucket/p/small\ns3://bucket/p/large\nnonsense\n");
    stage
}

/// Runs a command, as talkative as it can be, and looks at all that it wrote; gives how many
/// writes that were, and the exit code.
#[track_caller]
fn assert_no_secret(stage: &Stage, words: &[&str], env: &[(&str, &str)]) -> (usize, Option<i32>) {
    let trace = stage.sandbox.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "99999", "-o"]).arg(&trace);
    command.args(["-e", "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg"]);
    command.arg(env!("CARGO_BIN_EXE_haul")).args(words);
    command.args(["-vv", "--timeout", "20"]);
    if words[0] != "ls" {
        command.args(["--max-attempts", "2"]);
    }
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", stage.sandbox.folder("home"));
    command.envs(stage.testbed.env());
    command.env("AWS_SESSION_TOKEN", TOKEN).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    command.envs(env.iter().copied());
    command.current_dir(stage.sandbox.path("")).stdin(Stdio::null());
    let output = command.output().expect("strace starts");
    let line = format!("{words:?} {env:?}");
    for stream in [&output.stdout, &output.stderr] {
        assert_clean(&String::from_utf8_lossy(stream), &line);
    }
    let writes = std::fs::read(&trace).expect("a trace was written");
    let writes = String::from_utf8_lossy(&writes).into_owned();
    for write in writes.lines() {
        assert!(!holds_secret_key(write), "the secret key was written\n{line}\n{write}");
        // A token, and a customer's key, are for the server.
        if !is_to_a_socket(write) {
            assert_clean(write, &line);
        }
    }
    for file in ["out", "home"] {
        assert_clean_below(&stage.sandbox.path(file), &line);
    }
    (writes.lines().count(), output.status.code())
}

#[track_caller]
fn assert_clean(text: &str, line: &str) {
    let key = BASE64.encode(CUSTOMER_KEY);
    for secret in [SECRET, TOKEN, CUSTOMER_KEY, PASSWORD, &key, &BASE64.encode(SECRET)] {
        assert!(!text.contains(secret), "{secret} in what was written\n{line}\n{text}");
        // Nor a good part of it.
        assert!(!text.contains(&secret[..16]), "a part of {secret}\n{line}\n{text}");
    }
}

fn holds_secret_key(write: &str) -> bool {
    write.contains(&SECRET[..16]) || write.contains(&BASE64.encode(SECRET)[..16])
}

fn is_to_a_socket(write: &str) -> bool {
    let descriptor = write.split_once('(').and_then(|(_, rest)| rest.split_once('>'));
    descriptor.is_some_and(|(name, _)| name.contains("<socket:") || name.contains("<TCP:"))
}

#[track_caller]
fn assert_clean_below(folder: &Path, line: &str) {
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).expect("it is readable");
            assert_clean(&String::from_utf8_lossy(&bytes), line);
        }
    }
}

/// It is no part of every system, and not allowed on some.
fn is_strace_here() -> bool {
    let status = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    status.is_ok_and(|status| status.success())
}
