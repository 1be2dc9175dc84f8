//! Whether an object moves whole or in parts. Pure.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::domain::range::ByteRange;

/// How a download starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DownloadPlan {
    /// One GET without a range: the reply carries the object's checksum.
    Whole,
    /// The size is known: this is the first of several ranges.
    Parts { first: ByteRange },
    /// The size is not known: the first reply tells it. `first` is the first part of an object that
    /// has several.
    Discover { first: ByteRange },
}

/// Decides by what a listing or a manifest says of the size. The reply to the first request has
/// the last word: an object may have grown since it was listed.
pub(super) fn download(size: Option<u64>, part_size: u64) -> DownloadPlan {
    let first = ByteRange::new(0, part_size.max(1));
    match (size, first) {
        (Some(size), Some(first)) if size > part_size => DownloadPlan::Parts { first },
        (None, Some(first)) => DownloadPlan::Discover { first },
        _ => DownloadPlan::Whole,
    }
}

/// How to ask for an object of unknown size.
///
/// Asked for without a range, a small one takes one request: that reply alone has the checksum of
/// the whole, and of a range it takes a HEAD. But of a large one, which is read in parts, all that
/// the store sent beyond the first is thrown away, and the connection with it. So the whole is asked
/// for only where so many in a row were small.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    small_in_a_row: AtomicU32,
}

/// Requests spared before megabytes may be thrown away.
const ENOUGH_SMALL: u32 = 16;

impl Discovery {
    /// What the first request asks for; `None`: all of it.
    pub(super) fn asks(&self, first: ByteRange) -> Option<ByteRange> {
        (self.small_in_a_row.load(Relaxed) < ENOUGH_SMALL).then_some(first)
    }

    /// An object had this size.
    pub(super) fn found(&self, size: u64, first: ByteRange) {
        let small = self.small_in_a_row.load(Relaxed);
        let small = if size > first.length() { 0 } else { (small + 1).min(ENOUGH_SMALL) };
        self.small_in_a_row.store(small, Relaxed);
    }
}

/// The ranges of an object's bytes from `done` on, each of `part_size` but the last.
pub(super) fn ranges(done: u64, size: u64, part_size: u64) -> impl Iterator<Item = ByteRange> {
    let step = part_size.max(1);
    (0..size.saturating_sub(done).div_ceil(step)).filter_map(move |index| {
        let start = done + index * step;
        ByteRange::new(start, step.min(size - start))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_size_decides() {
        let first = ByteRange::new(0, 8).expect("not empty");
        assert_eq!(download(Some(0), 8), DownloadPlan::Whole);
        assert_eq!(download(Some(8), 8), DownloadPlan::Whole);
        assert_eq!(download(Some(9), 8), DownloadPlan::Parts { first });
        assert_eq!(download(None, 8), DownloadPlan::Discover { first });
    }

    #[test]
    fn the_whole_is_asked_for_where_enough_in_a_row_were_small() {
        let first = ByteRange::new(0, 8).expect("not empty");
        let discovery = Discovery::default();
        let find = |sizes: &[u64]| sizes.iter().for_each(|size| discovery.found(*size, first));
        find(&[8; 15]);
        assert_eq!(discovery.asks(first), Some(first));
        find(&[0]);
        assert_eq!(discovery.asks(first), None);
        find(&[9]);
        assert_eq!(discovery.asks(first), Some(first));
        find(&[8; 100]);
        assert_eq!(discovery.asks(first), None);
    }

    proptest! {
        #[test]
        fn ranges_cover_each_byte_once(size in 0..10_000u64, done in 0..10_000u64, part_size in 1..500u64) {
            let mut next = done.min(size);
            for range in ranges(done, size, part_size) {
                prop_assert_eq!(range.start(), next);
                prop_assert!(range.length() <= part_size);
                next = range.end();
            }
            prop_assert_eq!(next, size.max(done.min(size)));
        }
    }
}
