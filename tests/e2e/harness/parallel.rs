//! A table of cases, several at a time: most of them wait for a server that was told to stall.
//! It must never let one failed case hide the others.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// At once; each is a server and a process, and some do nothing but wait.
const WORKERS: usize = 6;

/// Runs `test` on every case and fails with the list of those that failed.
#[track_caller]
pub(crate) fn for_each<C: Debug + Sync>(cases: &[C], test: impl Fn(&C) + Sync) {
    assert!(!cases.is_empty(), "there is no case");
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A failed case is told; nothing of it is looked at again.
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(case))) {
                        let report = format!("== {case:?}\n{}", words(panic.as_ref()));
                        failed.lock().expect("no holder panics").push(report);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no holder panics");
    let list = failed.join("\n");
    assert!(failed.is_empty(), "{} of {} cases failed:\n{list}", failed.len(), cases.len());
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
