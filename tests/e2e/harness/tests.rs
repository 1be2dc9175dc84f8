//! The harness itself: that it fails a test when it should, and stops what it started.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use super::{Moto, Sandbox, Server, content, haul};

const VERSION: &str = concat!("haul ", env!("CARGO_PKG_VERSION"), "\n");

#[test]
fn a_command_runs_and_tells_what_it_said() {
    haul().arg("--version").run().code(0).stdout_is(VERSION).stderr_lacks("error");
}

#[test]
fn stdout_can_go_to_a_file() {
    let sandbox = Sandbox::new();
    let file =
        File::create(sandbox.folder("logs").join("stdout")).expect("the test can set itself up");
    haul().arg("--version").stdout_to(file).run().code(0);
    assert_eq!(sandbox.read("logs/stdout"), VERSION.as_bytes());
}

#[test]
#[should_panic(expected = "wanted exit code 1")]
fn a_wrong_exit_code_fails_the_test() {
    haul().arg("--version").run().code(1);
}

#[test]
fn words_on_a_stream_can_be_waited_for() {
    let mut running = haul().arg("--no-such-flag").spawn();
    running.until_stderr_has("--no-such-flag");
    running.wait().code(2);
}

#[test]
#[should_panic(expected = "did not come to say")]
fn words_that_do_not_come_fail_the_test() {
    haul().arg("--version").spawn().until_stdout_has("something else");
}

#[test]
#[should_panic(expected = "still running")]
fn a_command_that_hangs_is_stopped() {
    // The system accepts the connection, and nobody ever answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the test can set itself up");
    let endpoint = format!("http://{}", silent.local_addr().expect("the test can set itself up"));
    let variables = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let ls = haul().envs(variables).env("AWS_ENDPOINT_URL", endpoint).args(["ls", "s3://b/"]);
    ls.limit(Duration::from_millis(100)).run();
}

#[test]
fn files_of_different_names_differ_and_those_of_one_name_do_not() {
    let sandbox = Sandbox::new();
    for size in [1, 100, 64 << 10, 200_000] {
        assert_eq!(content("a", size), content("a", size));
        assert_ne!(content("a", size), content("b", size));
        assert_eq!(content("a", size).len() as u64, size);
    }
    sandbox.fill("deep/below/a", 200_000);
    assert_eq!(sandbox.read("deep/below/a"), content("deep/below/a", 200_000));
}

#[test]
#[should_panic(expected = "2 files differ")]
fn trees_that_differ_fail_the_test() {
    let sandbox = Sandbox::new();
    sandbox.write("left/same", "same");
    sandbox.write("left/bytes", "one");
    sandbox.write("left/only", "here");
    sandbox.write("right/same", "same");
    sandbox.write("right/bytes", "two");
    sandbox.same("left", "right");
}

#[test]
#[should_panic(expected = "unfinished files")]
fn an_unfinished_download_fails_the_test() {
    let sandbox = Sandbox::new();
    sandbox.write("deep/.haul-a1b2c3.part", "half");
    sandbox.no_leftovers("");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_server_is_gone_when_it_is_dropped() {
    let server = Moto::start();
    let address = server.endpoint().replace("http://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
