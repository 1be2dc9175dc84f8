//! Signals, on a thread of their own: they are heard, and the program ends, also when a write to a
//! hung file system blocks every worker of the runtime.
//!
//! The first one drains: no new jobs, and a second for those under way to finish; then they are
//! given up and cleaned away. The second one ends the program at once.

use std::sync::Arc;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use crate::transfer::cancel::Cancel;
use crate::transfer::outcome::End;

/// The same signal again, so soon, is no second one.
#[cfg(unix)]
const SAME_WISH: Duration = Duration::from_millis(50);
/// What may still finish by itself after the first signal.
const GRACE: Duration = Duration::from_secs(1);
/// The longest that cleaning up may take after that; more than the engine needs for it.
const CLEAN_UP: Duration = Duration::from_millis(3500);

/// Fails where there is no thread to listen on: nothing could end the program then.
#[cfg(unix)]
pub(super) fn listen(cancel: Arc<Cancel>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(heard)?;
    let listener = std::thread::Builder::new().spawn(move || {
        let mut pending = signals.forever();
        let Some(signal) = pending.next() else { return };
        let ender = Arc::clone(&cancel);
        cancel.drain(End::Interrupted(signal));
        let ending = std::thread::Builder::new().spawn(move || end_in_time(&ender, signal));
        if ending.is_err() {
            // The end counts for more than that a second signal is heard before it.
            end_in_time(&cancel, signal);
        }
        let first = Instant::now();
        // Some senders, `timeout` among them, signal a process and then its group: the same wish,
        // heard twice.
        let is_another = |next: &i32| *next != signal || first.elapsed() > SAME_WISH;
        if let Some(signal) = pending.find(is_another) {
            end_now(signal);
        }
    });
    listener.map(drop)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
pub(super) fn listen(cancel: Arc<Cancel>) -> std::io::Result<()> {
    const SIGINT: i32 = 2;
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        let ender = Arc::clone(&cancel);
        cancel.drain(End::Interrupted(SIGINT));
        std::thread::spawn(move || end_in_time(&ender, SIGINT));
        if tokio::signal::ctrl_c().await.is_ok() {
            end_now(SIGINT);
        }
    });
    Ok(())
}

fn end_in_time(cancel: &Cancel, signal: i32) {
    std::thread::sleep(GRACE);
    cancel.stop(End::Interrupted(signal));
    std::thread::sleep(CLEAN_UP);
    // The program has ended long ago, unless something hangs that nothing here can end.
    end_now(signal);
}

#[expect(
    clippy::exit,
    reason = "the second signal, or a hung file system: nothing else can end the program"
)]
fn end_now(signal: i32) {
    std::process::exit(super::exit::Exit::Interrupted(signal).code().into());
}

/// A signal that was ignored when the program started stays so: `nohup haul …` outlives its
/// terminal.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|bit| mask >> bit & 1 == 1)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_ignored(_signal: i32) -> bool {
    false
}
