//! A `haul` that is under way: what it wrote so far, signals to it, and its end.
//! It must never outlive its test, and a test must never wait for it without a limit.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::output::Output;

const POLL: Duration = Duration::from_millis(5);

pub(crate) struct Running {
    child: Child,
    purpose: Purpose,
    started: Instant,
    stdout: Option<Capture>,
    stderr: Option<Capture>,
}

/// What was started, for messages, and for how long it may run.
pub(super) struct Purpose {
    pub(super) line: String,
    pub(super) limit: Duration,
    /// Only held: it is removed after the process has ended.
    pub(super) _home: TempDir,
}

impl Running {
    pub(super) fn new(mut child: Child, purpose: Purpose) -> Self {
        let stdout = child.stdout.take().map(Capture::start);
        let stderr = child.stderr.take().map(Capture::start);
        Self { child, purpose, started: Instant::now(), stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .unwrap_or_else(|error| panic!("could not signal {}: {error}", self.purpose.line));
    }

    /// Returns when stdout contains `text`; fails the test when the command ends without it.
    pub(crate) fn until_stdout_has(&mut self, text: &str) {
        self.until(text, |running| &running.stdout);
    }

    /// Returns when stderr contains `text`; fails the test when the command ends without it.
    pub(crate) fn until_stderr_has(&mut self, text: &str) {
        self.until(text, |running| &running.stderr);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.ended().is_some()
    }

    /// Waits for the end, at most as long as the command's own limit allows.
    pub(crate) fn wait(self) -> Output {
        let rest = self.purpose.limit.saturating_sub(self.started.elapsed());
        self.wait_within(rest)
    }

    /// Waits for the end; one that does not come within `limit` fails the test.
    pub(crate) fn wait_within(mut self, limit: Duration) -> Output {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.ended() {
                break status;
            }
            if since.elapsed() > limit {
                self.stop();
                let output = self.output(None);
                panic!("still running after {limit:?}, so it was stopped\n{output}");
            }
            thread::sleep(POLL);
        };
        self.output(Some(status))
    }

    fn until(&mut self, text: &str, stream: impl Fn(&Self) -> &Option<Capture>) {
        let limit = self.purpose.limit;
        loop {
            // Asked before looking: what a process wrote before it ended must be found.
            let ended = self.ended().is_some();
            let seen = stream(self).as_ref().map(|capture| capture.so_far(ended));
            let seen = seen.expect("this stream is not captured");
            if String::from_utf8_lossy(&seen).contains(text) {
                return;
            }
            if ended || self.started.elapsed() > limit {
                self.stop();
                let status = self.ended();
                let output = self.output(status);
                panic!("did not come to say {text:?}\n{output}");
            }
            thread::sleep(POLL);
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|error| panic!("could not wait for {}: {error}", self.purpose.line))
    }

    fn stop(&mut self) {
        // Both fail only on a process that has ended, which is what they are for.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    fn output(&mut self, status: Option<ExitStatus>) -> Output {
        let bytes = |capture: &Option<Capture>| {
            let capture = capture.as_ref();
            capture.map(|it| it.so_far(true)).unwrap_or_default()
        };
        Output {
            line: self.purpose.line.clone(),
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            stdout: bytes(&self.stdout),
            stderr: String::from_utf8_lossy(&bytes(&self.stderr)).into_owned(),
            took: self.started.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One stream of the command, read on a thread of its own so that no pipe ever fills.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Capture {
    fn start(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let mut sink = sink.lock().expect("no reader panics");
                sink.extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader: Mutex::new(Some(reader)) }
    }

    /// What was read by now; everything when the process has ended.
    fn so_far(&self, ended: bool) -> Vec<u8> {
        if ended {
            let reader = self.reader.lock().expect("no waiter panics").take();
            if let Some(reader) = reader {
                reader.join().expect("the reader does not panic");
            }
        }
        self.bytes.lock().expect("no reader panics").clone()
    }
}
