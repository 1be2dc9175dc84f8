//! Credentials that end in the middle of a run, or that nobody has.

use std::net::TcpListener;
use std::time::Duration;

use testbed::{Fault, FaultKind, Gate, Operation, Request, Testbed};

use super::vault::{Vault, answer};
use crate::harness::{Output, Sandbox, haul};
use crate::stage::BUCKET;

const OBJECTS: usize = 200;
/// Requests in flight when the credentials end.
const HELD: usize = 16;

#[test]
fn a_token_that_ends_in_the_middle_is_renewed_once_for_all_requests() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let vault = Vault::of_fresh_keys(&sandbox);
    let output = end_in_the_middle(&testbed, &vault, "KEY1");
    output.code(0);
    assert_eq!(vault.calls(), 2, "read once, and read again once\n{output}");
    assert_eq!(output.stderr.matches("were read again").count(), 1, "{output}");
    let refused = testbed.requests().iter().filter(|request| request.status == Some(400)).count();
    assert!(refused >= HELD, "the token never ended: {refused}");
    assert_eq!(sandbox.tree("out").len(), OBJECTS);
}

#[test]
fn a_token_that_can_not_be_renewed_ends_the_run_in_one_line() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let script = format!("if [ $n = 1 ]; then {}; else", answer("KEY$n", ""));
    let vault =
        Vault::new(&sandbox, &format!("{script} echo please sign in first >&2; exit 7; fi"));
    // Twice that long, the vault is waited for.
    let output = end_in_the_middle_within(&testbed, &vault, "KEY1", "3");
    assert_ended(&output, &testbed, &sandbox);
    output.stderr_has("waiting for credentials: ").stderr_has("please sign in first");
    assert!((3..=13).contains(&vault.calls()), "asked {} times\n{output}", vault.calls());
}

#[test]
fn a_vault_that_is_closed_for_a_while_is_waited_for() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    testbed.add_credentials("KEY4", "SECRET");
    let closed = "echo no network >&2; exit 7";
    let fresh = answer("KEY$n", "");
    let vault = Vault::new(&sandbox, &format!("case $n in 2|3) {closed};; *) {fresh};; esac"));
    let output = end_in_the_middle_within(&testbed, &vault, "KEY1", "6");
    output.code(0).stderr_has("waiting for credentials: ").stderr_has("no network");
    assert_eq!(vault.calls(), 4, "{output}");
    assert_eq!(output.stderr.matches("were read again").count(), 1, "{output}");
    assert_eq!(sandbox.tree("out").len(), OBJECTS);
}

#[test]
fn a_vault_that_was_never_open_is_told_at_once() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let vault = Vault::new(&sandbox, "echo please sign in first >&2; exit 7");
    let output = vault.haul(&testbed).args(["ls", "s3://bucket/"]).run();
    output.code(1).stderr_has("no usable credentials").stderr_has("please sign in first");
    assert_eq!(vault.calls(), 1, "{output}");
}

#[test]
fn a_token_that_is_the_same_again_ends_the_run_in_one_line() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let vault = Vault::new(&sandbox, &answer("KEY1", ""));
    let output = end_in_the_middle(&testbed, &vault, "KEY1");
    assert_ended(&output, &testbed, &sandbox);
    assert_eq!(vault.calls(), 2, "asked again and again\n{output}");
}

#[test]
fn a_token_that_ends_while_the_bucket_is_listed_is_one_line_too() {
    let (list, get) = ((Operation::ListObjectsV2, 5), (Operation::GetObject, 20));
    // Whoever is told first: the one who lists, or one who reads.
    for (first, second) in [(list, get), (get, list)] {
        let builder = Testbed::builder().credentials("KEY1", "SECRET").page_size(10);
        let (testbed, sandbox) = (filled(builder), Sandbox::new());
        let vault = Vault::new(&sandbox, &answer("KEY1", ""));
        let hold = |(operation, from)| {
            let gate = Gate::new();
            let held = Fault::new(operation, FaultKind::Gate(gate.clone()));
            testbed.fault(held.occurrence(from..=u64::MAX));
            gate
        };
        let gates = [hold(first), hold(second)];
        // More than there are objects: those that are held leave room to go on with the plan.
        let download = ["download", "s3://bucket/", "out/", "--concurrency", "256"];
        let mut running = vault.haul(&testbed).args(download).spawn();
        gates[0].wait_for(1);
        gates[1].wait_for(1);
        testbed.expire_credentials("KEY1");
        gates[0].open();
        running.until_stderr_has("error: could not ");
        gates[1].open();
        let output = running.wait();
        output.code(1).stderr_has("expired").stderr_has("next: haul download").no_escapes();
        assert_eq!(error_lines(&output), 1, "not one line\n{output}");
        sandbox.no_leftovers("out");
    }
}

#[test]
fn a_token_that_ended_before_a_head_is_known_by_its_date() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    testbed.add_credentials("KEY2", "SECRET");
    testbed.expire_credentials("KEY1");
    let over = answer("KEY$n", ",\"Expiration\":\"2020-01-01T00:00:00Z\"");
    let vault = Vault::new(
        &sandbox,
        &format!("if [ $n = 1 ]; then {over}; else {}; fi", answer("KEY$n", "")),
    );
    sandbox.write("file", "bytes");
    let upload = ["upload", "file", "s3://bucket/key", "--overwrite", "never"];
    let output = vault.haul(&testbed).args(upload).run();
    output.code(0);
    let refused = testbed.requests_of(Operation::HeadObject);
    assert_eq!(refused.first().and_then(|request| request.status), Some(400), "no HEAD was sent");
    assert_eq!(vault.calls(), 2, "{output}");
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    for number in 2..100 {
        testbed.add_credentials(format!("KEY{number}"), "SECRET");
    }
    let over = "$(date -u -d '+7 seconds' +%Y-%m-%dT%H:%M:%SZ)";
    let vault = Vault::new(&sandbox, &answer("KEY$n", &format!(",\"Expiration\":\"'{over}'\"")));
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    testbed.fault(held.occurrence(20..=u64::MAX));
    let download = ["download", "s3://bucket/", "out/", "--concurrency", "16"];
    let running = vault.haul(&testbed).args(download).spawn();
    gate.wait_for(1);
    // One object after the other, until the token is old enough; they last for twice as long.
    for _ in 20..OBJECTS {
        if vault.calls() > 1 {
            break;
        }
        gate.let_one_pass();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(vault.calls() > 1, "it was never renewed");
    gate.open();
    let output = running.wait();
    output.code(0);
    let requests = testbed.requests_of(Operation::GetObject);
    let is_old = |request: &Request| {
        request.header("authorization").is_some_and(|signed| signed.contains("Credential=KEY1/"))
    };
    assert!(requests.first().is_some_and(is_old));
    // Those that were under way are long over.
    assert!(!requests.iter().rev().take(20).any(is_old), "the old one was used to its end");
}

/// Who waits for credentials is a task of its own, which must not hold up the last words.
#[test]
fn a_run_that_waits_for_credentials_is_interrupted_as_any_other() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let vault = Vault::new(
        &sandbox,
        &format!("if [ $n = 1 ]; then {}; else exit 7; fi", answer("KEY1", "")),
    );
    testbed.expire_credentials("KEY1");
    let download = ["download", "s3://bucket/", "out/"];
    let mut running = vault.haul(&testbed).args(download).spawn();
    running.until_stderr_has("waiting for credentials");
    running.interrupt();
    let output = running.wait_within(Duration::from_secs(5));
    output.code(130).stderr_has("interrupted: ").stderr_has("next: haul download");
}

#[test]
fn no_credentials_and_a_silent_metadata_service_are_told_within_seconds() {
    // Connections are taken by the system, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let testbed = Testbed::spawn();
    let output = haul()
        .env("AWS_ENDPOINT_URL", testbed.endpoint())
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}"))
        .args(["ls", "s3://bucket/"])
        .run();
    output.code(1).stderr_has("no usable credentials").stderr_has("~/.aws/credentials");
    output.stderr_has("metadata").stderr_has("--no-sign-request");
    assert_eq!(error_lines(&output), 1, "{output}");
    assert!(output.took < Duration::from_secs(5), "too slow\n{output}");
    silent.set_nonblocking(true).expect("a socket");
    assert!(silent.accept().is_ok(), "it was never asked");
    assert_eq!(testbed.totals().requests, 0);
}

#[test]
fn a_program_that_never_answers_is_not_waited_for_without_end() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    let vault = Vault::new(&sandbox, "sleep 20");
    let list = ["ls", "s3://bucket/", "--timeout", "1"];
    let output = vault.haul(&testbed).limit(Duration::from_secs(15)).args(list).run();
    output.code(1).stderr_has("no usable credentials").stderr_has("no answer within 2 s");
    assert_eq!(vault.calls(), 1);
}

#[test]
fn a_program_that_answers_nonsense_is_told_without_what_it_said() {
    let (testbed, sandbox) = (busy_testbed(), Sandbox::new());
    for said in
        ["{\"SecretAccessKey\":\"hush\"}", "hush", "{\"Version\":1,\"Expiration\":\"hush\"}"]
    {
        let vault = Vault::new(&sandbox, &format!("echo '{said}'"));
        let output = vault.haul(&testbed).args(["ls", "s3://bucket/", "-vv"]).run();
        output.code(1).stderr_has("no usable credentials").stderr_lacks("hush");
        assert_eq!(error_lines(&output), 1, "{output}");
    }
}

fn busy_testbed() -> Testbed {
    filled(Testbed::builder().credentials("KEY1", "SECRET"))
}

fn filled(builder: testbed::Builder) -> Testbed {
    let testbed = builder.spawn().expect("a testbed");
    testbed.create_bucket(BUCKET);
    testbed.add_credentials("KEY2", "SECRET");
    for number in 0..OBJECTS {
        testbed.put_object(BUCKET, &format!("{number}"), format!("object {number}"));
    }
    testbed
}

/// Downloads everything; while many requests are under way, the key that they are signed with ends.
fn end_in_the_middle(testbed: &Testbed, vault: &Vault<'_>, key: &str) -> Output {
    end_in_the_middle_within(testbed, vault, key, "30")
}

fn end_in_the_middle_within(
    testbed: &Testbed,
    vault: &Vault<'_>,
    key: &str,
    timeout: &str,
) -> Output {
    let gate = Gate::new();
    let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
    testbed.fault(held.occurrence(50..=u64::MAX));
    let download = ["download", "s3://bucket/", "out/", "--concurrency", "16"];
    let running = vault.haul(testbed).args(download).args(["--timeout", timeout]).spawn();
    gate.wait_for(HELD);
    testbed.expire_credentials(key);
    gate.open();
    running.wait()
}

/// One line says that the credentials have expired; then how much is done, and how to go on.
#[track_caller]
fn assert_ended(output: &Output, testbed: &Testbed, sandbox: &Sandbox) {
    output.code(1).stderr_has("expired").stderr_has("sign in").no_escapes();
    assert_eq!(error_lines(output), 1, "not one line\n{output}");
    let done = sandbox.tree("out").len();
    assert!((1..OBJECTS).contains(&done), "{done} objects\n{output}");
    output.stderr_has(&format!("stopped early: {done} of {OBJECTS} objects done"));
    output.stderr_has("next: haul download s3://bucket/ out/ --concurrency 16 --timeout ");
    sandbox.no_leftovers("out");
    let refused = testbed.requests().iter().filter(|request| request.status == Some(400)).count();
    assert!(refused <= 3 * HELD, "{refused} requests with a token that has ended\n{output}");
}

fn error_lines(output: &Output) -> usize {
    output.stderr.lines().filter(|line| line.starts_with("error: ")).count()
}
