//! A fault: a matcher, an occurrence and a kind.

use std::ops::RangeInclusive;

use super::kind::FaultKind;
use crate::request::{Operation, Target};

/// One scripted fault. Hits the first matching request unless told otherwise.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: Option<Operation>,
    bucket: Option<String>,
    key: Option<String>,
    part_number: Option<u32>,
    range_start: Option<u64>,
    occurrence: RangeInclusive<u64>,
    lot: Option<Lot>,
    kind: FaultKind,
}

/// Which of the matching requests a seed draws.
#[derive(Clone, Copy, Debug)]
struct Lot {
    seed: u64,
    per_mille: u64,
}

impl Fault {
    /// A fault of requests for `operation`.
    pub fn new(operation: Operation, kind: FaultKind) -> Self {
        Self { operation: Some(operation), ..Self::any(kind) }
    }

    /// A fault of requests of any kind.
    pub fn any(kind: FaultKind) -> Self {
        Self {
            operation: None,
            bucket: None,
            key: None,
            part_number: None,
            range_start: None,
            occurrence: 1..=1,
            lot: None,
            kind,
        }
    }

    /// Only requests for this bucket.
    #[must_use]
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Only requests for exactly this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only this part of a multipart upload.
    #[must_use]
    pub fn part(mut self, number: u32) -> Self {
        self.part_number = Some(number);
        self
    }

    /// Only ranged reads that start at this byte.
    #[must_use]
    pub fn range_start(mut self, first: u64) -> Self {
        self.range_start = Some(first);
        self
    }

    /// Only the first matching request, as by default.
    #[must_use]
    pub fn once(self) -> Self {
        self.occurrence(1..=1)
    }

    /// The first `count` matching requests.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        self.occurrence(1..=count)
    }

    /// Only the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(self, number: u64) -> Self {
        self.occurrence(number..=number)
    }

    /// These of the matching requests, counted from 1.
    #[must_use]
    pub fn occurrence(mut self, numbers: RangeInclusive<u64>) -> Self {
        self.occurrence = numbers;
        self
    }

    /// Every matching request.
    #[must_use]
    pub fn always(self) -> Self {
        self.occurrence(1..=u64::MAX)
    }

    /// This share of all matching requests. Which ones follows from the seed and from how many
    /// came before: the same seed draws the same numbers.
    #[must_use]
    pub fn drawn(self, seed: u64, per_mille: u64) -> Self {
        let lot = Some(Lot { seed, per_mille });
        Self { lot, ..self.always() }
    }

    pub(super) fn matches(&self, target: &Target) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        is(self.operation.as_ref(), Some(&target.operation))
            && is(self.bucket.as_ref(), target.bucket.as_ref())
            && is(self.key.as_ref(), target.key.as_ref())
            && is(self.part_number.as_ref(), target.part_number.as_ref())
            && is(self.range_start.as_ref(), target.range_start().as_ref())
    }

    pub(super) fn fires_at(&self, occurrence: u64) -> bool {
        self.occurrence.contains(&occurrence) && self.lot.is_none_or(|lot| lot.draws(occurrence))
    }

    pub(super) fn what(&self) -> &FaultKind {
        &self.kind
    }
}

impl Lot {
    /// `SplitMix64`: neighbouring numbers and seeds are drawn as if by chance.
    fn draws(self, occurrence: u64) -> bool {
        let mut bits = self.seed.wrapping_add(occurrence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % 1000 < self.per_mille
    }
}
