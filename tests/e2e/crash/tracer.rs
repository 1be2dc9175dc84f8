//! Runs a command under ptrace and kills it at the n-th call that changes the file system, counted
//! over all its threads in the order in which they are made. It must never leave the process.
//!
//! `strace -e inject=…:when=N` counts for each thread and each kind of call by itself, and a task
//! of the runtime is now on this thread, now on that: not every call could be met.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::plan::When;
use crate::harness::Haul;

const LIMIT: Duration = Duration::from_mins(2);

/// A call that changes files, by its name.
pub(super) type Call = &'static str;

#[derive(Debug)]
pub(super) struct Traced {
    /// In their order, up to the one at which it was killed.
    pub(super) calls: Vec<Call>,
    /// None where a signal ended it.
    pub(super) code: Option<i32>,
}

/// The n-th call, counted from 1, and whether it is still done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) number: usize,
    pub(super) when: When,
}

/// Runs the command to its end or to `stop`. Files are those below `root`, an absolute path.
pub(super) fn run(haul: Haul, root: &Path, stop: Option<Stop>) -> Traced {
    let (command, home) = haul.into_parts();
    let leader = start_stopped(&command);
    let watchdog = Watchdog::over(leader);
    let seized = ptrace::seize(leader, options());
    seized.expect("this system lets a process trace its own child (ptrace)");
    let mut tracer = Tracer {
        leader,
        files: Files { root: root.canonicalize().expect("the root is there"), leader },
        within: HashMap::new(),
        calls: Vec::new(),
        stop,
    };
    let code = tracer.follow();
    drop(watchdog);
    drop(home);
    Traced { calls: tracer.calls, code }
}

fn options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL
}

/// The command in a process that stops before it becomes the command: from there on it is traced.
#[expect(clippy::zombie_processes, reason = "whoever traces it waits for it, by its id")]
fn start_stopped(command: &Command) -> Pid {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.envs(variables);
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Of its own, so that a stop of it concerns nobody else.
    shell.process_group(0);
    let child = shell.spawn().expect("there is a shell");
    let leader = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let stopped = waitpid(leader, Some(WaitPidFlag::WUNTRACED));
    assert!(matches!(stopped, Ok(WaitStatus::Stopped(..))), "the shell did not stop: {stopped:?}");
    leader
}

struct Tracer {
    leader: Pid,
    files: Files,
    /// Threads that are in a call, and whether they are to die behind it.
    within: HashMap<Pid, Then>,
    calls: Vec<Call>,
    stop: Option<Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Die,
}

impl Tracer {
    /// Lets it run from stop to stop until it is gone; gives its exit code.
    fn follow(&mut self) -> Option<i32> {
        // Only of this thread: other tests have children, too.
        let of_this_thread = WaitPidFlag::__WALL | WaitPidFlag::from_bits_retain(libc::__WNOTHREAD);
        loop {
            let status = match waitpid(None, Some(of_this_thread)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(error) => panic!("the traced process is lost: {error}"),
            };
            match status {
                WaitStatus::Exited(thread, code) if thread == self.leader => return Some(code),
                WaitStatus::Signaled(thread, ..) if thread == self.leader => return None,
                WaitStatus::PtraceSyscall(thread) => {
                    self.at_call(thread);
                    resume(thread, None);
                }
                WaitStatus::PtraceEvent(thread, Signal::SIGSTOP, libc::PTRACE_EVENT_STOP) => {
                    kill(self.leader, Signal::SIGCONT).ok();
                    resume(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..) => resume(thread, None),
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
                _ => {}
            }
        }
    }

    /// Called at the beginning and at the end of each call of each thread.
    fn at_call(&mut self, thread: Pid) {
        if let Some(then) = self.within.remove(&thread) {
            if then == Then::Die {
                self.kill();
            }
            return;
        }
        self.within.insert(thread, Then::GoOn);
        let Some(call) = self.files.changed_by(thread) else { return };
        if self.stop.is_some_and(|stop| self.calls.len() >= stop.number) {
            return;
        }
        self.calls.push(call);
        match self.stop {
            Some(stop) if stop.number == self.calls.len() => match stop.when {
                When::Before => self.kill(),
                When::After => drop(self.within.insert(thread, Then::Die)),
            },
            _ => {}
        }
    }

    /// A call that has not begun is not done: the signal is seen first.
    fn kill(&self) {
        kill(self.leader, Signal::SIGKILL).expect("it is not yet waited for");
    }
}

/// It may be gone already, by the signal: then there is nothing to resume.
fn resume(thread: Pid, signal: Option<Signal>) {
    match ptrace::syscall(thread, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("could not resume the traced process: {error}"),
    }
}

struct Files {
    root: PathBuf,
    leader: Pid,
}

impl Files {
    /// Which call the thread is about to make, if it changes files.
    fn changed_by(&self, thread: Pid) -> Option<Call> {
        let registers = ptrace::getregs(thread).ok()?;
        let number = i64::try_from(registers.orig_rax).ok()?;
        let creates = |flags: u64| flags & u64::from(libc::O_CREAT.cast_unsigned()) != 0;
        match number {
            libc::SYS_openat => creates(registers.rdx).then_some("openat"),
            libc::SYS_open => creates(registers.rsi).then_some("open"),
            libc::SYS_write => self.is_file(registers.rdi).then_some("write"),
            libc::SYS_writev => self.is_file(registers.rdi).then_some("writev"),
            _ => by_name(number),
        }
    }

    fn is_file(&self, descriptor: u64) -> bool {
        let link = format!("/proc/{}/fd/{descriptor}", self.leader);
        fs::read_link(link).is_ok_and(|path| path.starts_with(&self.root))
    }
}

/// Calls that change files whatever they are told.
fn by_name(number: i64) -> Option<Call> {
    Some(match number {
        libc::SYS_creat => "creat",
        libc::SYS_pwrite64 => "pwrite64",
        libc::SYS_pwritev => "pwritev",
        libc::SYS_pwritev2 => "pwritev2",
        libc::SYS_copy_file_range => "copy_file_range",
        libc::SYS_truncate => "truncate",
        libc::SYS_ftruncate => "ftruncate",
        libc::SYS_fallocate => "fallocate",
        libc::SYS_fsync => "fsync",
        libc::SYS_fdatasync => "fdatasync",
        libc::SYS_sync_file_range => "sync_file_range",
        libc::SYS_rename => "rename",
        libc::SYS_renameat => "renameat",
        libc::SYS_renameat2 => "renameat2",
        libc::SYS_link => "link",
        libc::SYS_linkat => "linkat",
        libc::SYS_unlink => "unlink",
        libc::SYS_unlinkat => "unlinkat",
        libc::SYS_mkdir => "mkdir",
        libc::SYS_mkdirat => "mkdirat",
        libc::SYS_fchmod => "fchmod",
        libc::SYS_fchmodat => "fchmodat",
        libc::SYS_utimensat => "utimensat",
        _ => return None,
    })
}

/// Kills a process that does not end by itself.
struct Watchdog {
    _called_off: mpsc::Sender<()>,
}

impl Watchdog {
    fn over(process: Pid) -> Self {
        let (called_off, calls) = mpsc::channel::<()>();
        thread::spawn(move || {
            if calls.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                kill(process, Signal::SIGKILL).ok();
            }
        });
        Self { _called_off: called_off }
    }
}

/// Waits until a process is dead, though its parent may not know it yet.
pub(super) fn kill_and_see_dead(process: u32) -> io::Result<()> {
    let pid = Pid::from_raw(i32::try_from(process).map_err(io::Error::other)?);
    kill(pid, Signal::SIGKILL).map_err(io::Error::from)?;
    for _ in 0..10_000 {
        let state = fs::read_to_string(format!("/proc/{process}/stat"));
        let is_dead = |text: &str| text.rsplit(") ").next().is_some_and(|it| it.starts_with('Z'));
        if state.map_or(true, |text| is_dead(&text)) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::other("it does not die"))
}
