//! Which sizes and times are meant.

use std::time::SystemTime;

/// Bounds of what is moved. Each side of a bound that is not given is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// In bytes, itself included.
    pub min_size: Option<u64>,
    pub max_size: Option<u64>,
    pub newer_than: Option<SystemTime>,
    pub older_than: Option<SystemTime>,
}

impl Bounds {
    /// What has no known time is neither newer nor older than any.
    pub fn admit(&self, size: u64, modified: Option<SystemTime>) -> bool {
        let is_newer = |bound: SystemTime| modified.is_some_and(|modified| modified > bound);
        let is_older = |bound: SystemTime| modified.is_some_and(|modified| modified < bound);
        self.min_size.is_none_or(|least| size >= least)
            && self.max_size.is_none_or(|most| size <= most)
            && self.newer_than.is_none_or(is_newer)
            && self.older_than.is_none_or(is_older)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn sizes_are_included_and_times_are_not() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        let bounds =
            Bounds { min_size: Some(2), max_size: Some(4), newer_than: at(10), older_than: at(20) };
        for (size, seconds, wanted) in [
            (2, 11, true),
            (4, 19, true),
            (1, 15, false),
            (5, 15, false),
            (3, 10, false),
            (3, 20, false),
        ] {
            assert_eq!(bounds.admit(size, at(seconds)), wanted, "{size} {seconds}");
        }
        assert!(!bounds.admit(3, None) && Bounds::default().admit(3, None));
    }
}
