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
    kind: FaultKind,
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
        self.occurrence.contains(&occurrence)
    }

    pub(super) fn what(&self) -> &FaultKind {
        &self.kind
    }
}
