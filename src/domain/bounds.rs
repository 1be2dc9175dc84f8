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
    /// What has no known time is neither newer nor older than any, and what has no known size, such
    /// as a delete marker, neither smaller nor larger.
    pub fn admit(&self, size: Option<u64>, modified: Option<SystemTime>) -> bool {
        let is_enough = |least: u64| size.is_some_and(|size| size >= least);
        let is_little = |most: u64| size.is_some_and(|size| size <= most);
        let is_newer = |bound: SystemTime| modified.is_some_and(|modified| modified > bound);
        let is_older = |bound: SystemTime| modified.is_some_and(|modified| modified < bound);
        self.min_size.is_none_or(is_enough)
            && self.max_size.is_none_or(is_little)
            && self.newer_than.is_none_or(is_newer)
            && self.older_than.is_none_or(is_older)
    }

    /// Whether everything is within them, whatever its size and time.
    pub fn are_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a size is needed to judge by them.
    pub fn ask_for_size(&self) -> bool {
        self.min_size.is_some() || self.max_size.is_some()
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
            assert_eq!(bounds.admit(Some(size), at(seconds)), wanted, "{size} {seconds}");
        }
        let open = Bounds::default();
        assert!(open.are_open() && !bounds.are_open());
        assert!(!bounds.admit(Some(3), None) && open.admit(Some(3), None));
        assert!(!bounds.admit(None, at(15)) && open.admit(None, None));
        let most = Bounds { max_size: Some(9), ..open };
        assert!(!most.admit(None, None), "what has no size is not small");
    }
}
