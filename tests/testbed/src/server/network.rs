//! What the network between a client and the server adds: delays, paces, and a rate of requests.
//! Where none is asked for, it must cost nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::pace::{Pace, Paces};
use crate::request::Operation;
use crate::settings::Network;

/// How many requests may come at once, as time of their rate.
const BURST: Duration = Duration::from_millis(100);

/// The lines that all requests of a server share.
#[derive(Debug)]
pub(super) struct Lines {
    network: Network,
    inward: Option<Arc<Pace>>,
    outward: Option<Arc<Pace>>,
    requests: Option<Pace>,
}

impl Lines {
    pub(super) fn new(network: Network) -> Self {
        let shared = || network.total_bandwidth.map(|bandwidth| Arc::new(Pace::new(bandwidth)));
        Self {
            inward: shared(),
            outward: shared(),
            requests: network.request_rate.map(Pace::new),
            network,
        }
    }

    /// When a request whose head is here now may be replied to; none means at once.
    pub(super) fn reply_due(&self, operation: Operation) -> Option<Instant> {
        let network = &self.network;
        let delay = match operation {
            Operation::ListObjects | Operation::ListObjectsV2 => {
                network.first_byte_delay.max(network.listing_delay)
            }
            _ => network.first_byte_delay,
        };
        (!delay.is_zero()).then(|| Instant::now() + delay)
    }

    /// Whether one more request is within the rate.
    pub(super) fn admits(&self) -> bool {
        self.requests.as_ref().is_none_or(|rate| rate.admits(BURST))
    }

    /// What holds a request's body back, of `own` bytes a second if given.
    pub(super) fn inward(&self, own: Option<u64>) -> Paces {
        Paces::new(own.or(self.network.put_bandwidth), self.inward.clone())
    }

    /// What holds a reply's body back, of `own` bytes a second if given.
    pub(super) fn outward(&self, own: Option<u64>) -> Paces {
        Paces::new(own.or(self.network.get_bandwidth), self.outward.clone())
    }
}
