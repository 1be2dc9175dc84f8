//! How many threads the system lets this process have. Asked once, before any is needed: a runtime
//! that gets one too few does not fail, it waits for ever for the one that never comes.

use std::sync::{Arc, RwLock};
use std::thread::Builder;

/// Beside the runtime's workers: signals and the end that they bring, the screen, the planner,
/// names looked up, and files that are slow to read and to sync.
const OTHERS: usize = 8;
/// In bytes, for a thread that only waits.
const SMALL_STACK: usize = 64 * 1024;

/// As many workers as are wanted, or as there may be. `None` if not even one can be had with the
/// threads beside it.
pub(super) fn workers(wanted: usize) -> Option<usize> {
    match available(wanted + OTHERS).saturating_sub(OTHERS) {
        0 => None,
        workers => Some(workers),
    }
}

/// How many threads of `wanted` there can be at once, by having them.
fn available(wanted: usize) -> usize {
    let end = Arc::new(RwLock::new(()));
    let not_yet = end.write();
    let mut threads = Vec::with_capacity(wanted);
    while threads.len() < wanted {
        let end = Arc::clone(&end);
        // They do nothing but wait, all for one thing, and end together.
        let wait = move || drop(end.read());
        match Builder::new().stack_size(SMALL_STACK).spawn(wait) {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    drop(not_yet);
    let count = threads.len();
    for thread in threads {
        // It has nothing that could panic.
        thread.join().ok();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_process_has_the_workers_that_it_wants() {
        assert_eq!(workers(3), Some(3));
    }
}
