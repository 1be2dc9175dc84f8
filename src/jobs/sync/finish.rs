//! Whether what only the destination has may go. Pure.

use super::plan::Knowledge;
use crate::domain::allowance::Allowance;
use crate::transfer::outcome::Summary;

/// What is known when all transfers have ended.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub knowledge: Knowledge,
    pub summary: &'a Summary,
    pub removals: u64,
    /// Names at the destination that are meant.
    pub there: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Remove,
    /// Something else is not done, or not known.
    NotAllIsDone,
    TooMuch,
}

/// Decides. Invariant 3: both sides were read whole and in order, nothing was refused, every
/// transfer ended well, and nobody stopped the run.
pub fn finish(known: Known<'_>, most: Allowance) -> Finish {
    if known.knowledge == Knowledge::Cut || !known.summary.is_success() {
        Finish::NotAllIsDone
    } else if most.allows(known.removals, known.there) {
        Finish::Remove
    } else {
        Finish::TooMuch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::outcome::End;

    #[test]
    fn nothing_goes_unless_all_else_is_done() {
        let good = Summary { done: 3, skipped: 9, ..Summary::default() };
        let decide = |knowledge, summary: &Summary, removals| {
            finish(Known { knowledge, summary, removals, there: 10 }, Allowance::Percent(50))
        };
        assert_eq!(decide(Knowledge::Whole, &good, 5), Finish::Remove);
        assert_eq!(decide(Knowledge::Whole, &good, 6), Finish::TooMuch);
        assert_eq!(decide(Knowledge::Cut, &good, 5), Finish::NotAllIsDone);
        for bad in [
            Summary { failed: 1, ..good.clone() },
            Summary { stopped: 1, ..good.clone() },
            Summary { end: End::GaveUp, ..good.clone() },
            Summary { end: End::Interrupted(2), ..good.clone() },
        ] {
            assert_eq!(decide(Knowledge::Whole, &bad, 1), Finish::NotAllIsDone);
        }
    }
}
