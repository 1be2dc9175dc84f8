//! The testbed as a program: what it announces, what it says of what it served, and its end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::client::Client;

struct Program {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    endpoint: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_testbed-server"))
            .args(["--port", "0", "--stats"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut endpoint = String::new();
        stdout.read_line(&mut endpoint).expect("an endpoint");
        let mut last = String::new();
        while !last.starts_with("export AWS_SHARED_CREDENTIALS_FILE=") {
            last.clear();
            stdout.read_line(&mut last).expect("the environment");
        }
        Self { child, stdin, stdout, endpoint: endpoint.trim().to_owned() }
    }

    fn stats(&mut self) -> String {
        self.stdin.write_all(b"\n").expect("it listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it answers");
        line
    }

    /// Closes its stdin, and waits for it.
    fn end(mut self) {
        drop(self.stdin);
        assert!(self.child.wait().expect("it ends").success());
    }
}

#[test]
fn the_program_says_what_it_served_since_it_was_last_asked() {
    let mut program = Program::start(&["--no-log", "--synthetic-keys", "bucket/data/=10"]);
    let client = Client::at(&program.endpoint);
    let mut connection = client.connect().expect("a connection");
    for _ in 0..2 {
        let get = client.signed("GET", "/bucket/data/07/00000007", &[], 0);
        assert_eq!(connection.exchange(&get, b"").expect("a reply").body.len(), 1024);
    }
    let expected = "{\"requests\": 2, \"refused\": 0, \"max_in_flight\": 1, \"connections\": 1, \
                    \"max_open_connections\": 1, \"bytes_received\": 0, \"bytes_sent\": 2048}\n";
    assert_eq!(program.stats(), expected);
    let second = program.stats();
    assert!(second.contains("\"requests\": 0, ") && second.contains("\"bytes_sent\": 0}"));
    program.end();
}

#[test]
fn the_program_serves_https_and_leaves_what_to_trust() {
    let path = std::env::temp_dir().join(format!("testbed-{}.pem", std::process::id()));
    let program = Program::start(&["--tls", path.to_str().expect("a path of text")]);
    let trusted = std::fs::read_to_string(&path).expect("a certificate");
    std::fs::remove_file(&path).expect("it is there");
    assert!(program.endpoint.starts_with("https://"));
    assert!(trusted.starts_with("-----BEGIN CERTIFICATE-----"));
    program.end();
}

#[test]
fn the_program_refuses_what_it_does_not_know() {
    for arguments in [["--bandwith", "1"], ["--synthetic-keys", "bucket=1"], ["--port", "many"]] {
        let ended = Command::new(env!("CARGO_BIN_EXE_testbed-server")).args(arguments).output();
        assert!(!ended.expect("it runs").status.success());
    }
}
