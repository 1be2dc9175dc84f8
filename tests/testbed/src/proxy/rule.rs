//! A rule: a matcher, an occurrence and a disruption.

use std::ops::RangeInclusive;

use super::disruption::Disruption;
use super::exchange::Exchange;

/// What is done to which exchanges. Hits the first that matches unless told otherwise.
#[derive(Clone, Debug)]
pub struct Rule {
    method: Option<String>,
    target: Option<String>,
    range: Option<String>,
    connection: Reuse,
    occurrence: RangeInclusive<u64>,
    chance: f64,
    disruption: Disruption,
}

/// Which requests of a connection are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    Any,
    /// Not the first one.
    Reused,
}

impl Rule {
    pub fn new(disruption: Disruption) -> Self {
        Self {
            method: None,
            target: None,
            range: None,
            connection: Reuse::Any,
            occurrence: 1..=1,
            chance: 1.0,
            disruption,
        }
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path and query contain this.
    #[must_use]
    pub fn target(mut self, part: &str) -> Self {
        self.target = Some(part.to_owned());
        self
    }

    /// Only requests with this `Range`.
    #[must_use]
    pub fn range(mut self, range: &str) -> Self {
        self.range = Some(range.to_owned());
        self
    }

    /// Only requests that are not the first of their connection.
    #[must_use]
    pub fn reused(mut self) -> Self {
        self.connection = Reuse::Reused;
        self
    }

    /// The first `count` of the matching requests.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        self.occurrence(1..=count)
    }

    /// Only the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(self, number: u64) -> Self {
        self.occurrence(number..=number)
    }

    /// These of the matching requests, counted from 1 in the order of their arrival.
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

    /// Of those, only such a share, from 0 to 1: which ones is the seed's to say. It goes by what
    /// is asked for, and how often it was before, not by the order of arrival.
    #[must_use]
    pub fn chance(mut self, share: f64) -> Self {
        self.chance = share;
        self
    }

    pub(super) fn matches(&self, exchange: &Exchange) -> bool {
        self.method.as_ref().is_none_or(|method| *method == exchange.method)
            && self.target.as_ref().is_none_or(|part| exchange.target.contains(part))
            && self.range.as_ref().is_none_or(|range| exchange.range.as_ref() == Some(range))
            && (self.connection == Reuse::Any || exchange.nth_on_connection > 1)
    }

    pub(super) fn fires_at(&self, occurrence: u64) -> bool {
        self.occurrence.contains(&occurrence)
    }

    pub(super) fn share(&self) -> f64 {
        self.chance
    }

    pub(super) fn disruption(&self) -> &Disruption {
        &self.disruption
    }
}
