//! Continuation tokens that come round again, which would make a listing without an end.

use crate::storage::error::{Kind, StoreError};

/// Notices when tokens come round again, and remembers one of them only: that of the last page
/// whose number is a power of two (Brent's way to find a cycle).
#[derive(Debug)]
pub(super) struct Round<T> {
    seen: u64,
    marked: Option<T>,
}

impl<T> Default for Round<T> {
    fn default() -> Self {
        Self { seen: 0, marked: None }
    }
}

impl<T: Clone + PartialEq> Round<T> {
    pub(super) fn is_closed_by(&mut self, token: &T) -> bool {
        if self.marked.as_ref() == Some(token) {
            return true;
        }
        self.seen += 1;
        if self.seen.is_power_of_two() {
            self.marked = Some(token.clone());
        }
        false
    }
}

/// What a listing comes to whose tokens do.
pub(super) fn repeats(operation: &'static str) -> StoreError {
    let text = "the server repeats its continuation tokens";
    StoreError::new(operation, Kind::Malformed).with_message(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_come_round_are_noticed_and_others_are_not() {
        for before in 0..20 {
            for cycle in 1..20_u64 {
                let mut round = Round::default();
                let token = |page: u64| match page.checked_sub(before) {
                    Some(page) => format!("round {}", page % cycle),
                    None => format!("once {page}"),
                };
                let closed = (0..200).find(|page| round.is_closed_by(&token(*page)));
                let closed = closed.expect("it is noticed");
                assert!(closed >= before + cycle, "{before} {cycle}: {closed}");
                assert!(closed <= 3 * (before + cycle) + 3, "{before} {cycle}: {closed}");
            }
        }
        let mut round = Round::default();
        assert!((0..10_000).all(|page: u32| !round.is_closed_by(&page)));
    }
}
