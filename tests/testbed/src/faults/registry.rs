//! The faults a testbed holds, and what they make of a request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fault::Fault;
use super::kind::{FaultKind, Stage};
use crate::request::Target;

/// Names a fault that was set, to ask how often it fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(usize);

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Armed>>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matched: u64,
    hits: u64,
    /// Cleared faults keep their place so that ids stay true.
    live: bool,
}

/// What is to be done to one request.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) before: Vec<FaultKind>,
    pub(crate) instead: Option<FaultKind>,
    pub(crate) changes: Vec<FaultKind>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) -> FaultId {
        let mut faults = self.lock();
        faults.push(Armed { fault, matched: 0, hits: 0, live: true });
        FaultId(faults.len() - 1)
    }

    pub(crate) fn clear(&self) {
        self.lock().iter_mut().for_each(|armed| armed.live = false);
    }

    pub(crate) fn hits(&self) -> Vec<u64> {
        self.lock().iter().map(|armed| armed.hits).collect()
    }

    pub(crate) fn hits_of(&self, id: FaultId) -> u64 {
        self.lock().get(id.0).map_or(0, |armed| armed.hits)
    }

    /// Counts the request against every fault it matches, and collects those that fire. Of faults
    /// that take the place of the work only the first does.
    pub(crate) fn script(&self, target: &Target) -> Script {
        let mut script = Script::default();
        for armed in self.lock().iter_mut() {
            if !armed.live || !armed.fault.matches(target) {
                continue;
            }
            armed.matched += 1;
            if !armed.fault.fires_at(armed.matched) {
                continue;
            }
            let kind = armed.fault.what().clone();
            match kind.stage() {
                Stage::Before => script.before.push(kind),
                Stage::Instead if script.instead.is_some() => continue,
                Stage::Instead => script.instead = Some(kind),
                Stage::Change => script.changes.push(kind),
            }
            armed.hits += 1;
        }
        script
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Uri};

    use super::*;
    use crate::request::Operation;

    #[test]
    fn a_fault_fires_at_its_occurrences_only() {
        let faults = Faults::default();
        let fault = Fault::new(Operation::GetObject, FaultKind::slow_down());
        let id = faults.add(fault.key("k").occurrence(2..=3));
        let other = Target::new(&Method::GET, &Uri::from_static("/b/other"), &HeaderMap::new());
        let target = Target::new(&Method::GET, &Uri::from_static("/b/k"), &HeaderMap::new());
        let fired: Vec<bool> = (0..5)
            .map(|_| {
                assert!(faults.script(&other).instead.is_none());
                faults.script(&target).instead.is_some()
            })
            .collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert_eq!(faults.hits_of(id), 2);
    }
    #[test]
    fn a_seed_draws_its_share_and_the_same_numbers_each_time() {
        let drawn = |seed| {
            let faults = Faults::default();
            let fault = Fault::new(Operation::GetObject, FaultKind::slow_down());
            faults.add(fault.drawn(seed, 50));
            let target = Target::new(&Method::GET, &Uri::from_static("/b/k"), &HeaderMap::new());
            let numbers = (0..20_000_u32).filter(|_| faults.script(&target).instead.is_some());
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert!((850..1150).contains(&drawn(7).len()), "{}", drawn(7).len());
    }
}
