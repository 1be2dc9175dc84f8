//! Runs the `haul` binary as a user would: a clean environment, its own home, a time limit.
//! It must never let a test hang, nor let the settings of whoever runs the tests leak in.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::output::Output;
use super::running::{Purpose, Running};
use super::server::Server;

/// Generous: only a command that hangs gets there, also on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

/// Without these a program can't start, or writes where it should not.
const KEPT: [&str; 4] = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE", "SSL_CERT_FILE"];

/// A `haul` command to be built, then `run` or `spawn`ed.
pub(crate) fn haul() -> Haul {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Without it, a test on missing credentials would ask the cloud's metadata service for some.
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("HOME", home.path());
    for (name, folder) in [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_DATA_HOME", ".local/share"),
    ] {
        command.env(name, home.path().join(folder));
    }
    command.current_dir(home.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Haul { command, wrapper: Vec::new(), home, input: None, limit: LIMIT }
}

pub(crate) struct Haul {
    command: Command,
    wrapper: Vec<OsString>,
    home: TempDir,
    input: Option<Vec<u8>>,
    limit: Duration,
}

impl Haul {
    /// Adds what the command needs to reach `server`: endpoint, region and credentials.
    pub(crate) fn on(self, server: &(impl Server + ?Sized)) -> Self {
        self.envs(server.env())
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn envs<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.command.envs(variables);
        self
    }

    /// Runs it in `folder` instead of its empty home.
    pub(crate) fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it through another program, which gets its command line behind these words and runs
    /// it: with other limits, another user, a tracer. A second wrapper is put before the first.
    pub(crate) fn under<I>(mut self, words: I) -> Self
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        self.wrapper = words.chain(std::mem::take(&mut self.wrapper)).collect();
        self
    }

    /// What stands on stdin; nothing unless told.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Sends stdout to `target` (a file, a closed pipe) instead of capturing it.
    pub(crate) fn stdout_to(mut self, target: impl Into<Stdio>) -> Self {
        self.command.stdout(target);
        self
    }

    /// How long the command may take before the test fails.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command and its home, which must live as long, for a caller who starts it himself.
    pub(crate) fn into_parts(self) -> (Command, TempDir) {
        (self.command, self.home)
    }

    /// Runs the command to its end.
    pub(crate) fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts the command; the test goes on beside it.
    pub(crate) fn spawn(self) -> Running {
        let Self { command, wrapper, home, input, limit } = self;
        let line = describe(&command);
        let mut command = wrapped(command, &wrapper);
        command.stdin(match input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        });
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("could not start {line}: {error}"));
        if let (Some(bytes), Some(mut stdin)) = (input, child.stdin.take()) {
            // On a thread, since a command may well fill its stdout before it reads its stdin;
            // a command that ends without reading everything is for the test to judge.
            thread::spawn(move || stdin.write_all(&bytes).ok());
        }
        Running::new(child, Purpose { line, limit, _home: home })
    }
}

/// The command behind its wrapper's words. Its streams are set again, since they can't be asked for.
fn wrapped(command: Command, wrapper: &[OsString]) -> Command {
    let Some((program, words)) = wrapper.split_first() else { return command };
    let mut outer = Command::new(program);
    outer.args(words).arg(command.get_program()).args(command.get_args()).env_clear();
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

fn describe(command: &Command) -> String {
    let mut words = vec![OsString::from("haul")];
    words.extend(command.get_args().map(OsString::from));
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
