//! A raw TCP proxy that disturbs what passes through it: between a client and any HTTP/1.1 server,
//! it understands just enough of the framing to count requests and the bytes of their bodies.
//!
//! Must never decide by chance or by time: what a rule does to a request follows from the seed,
//! the rule and the request alone, so that the same seed gives the same faults however requests
//! overtake each other. Every fault is counted, and told on demand.

mod answer;
mod black_hole;
mod dice;
mod disruption;
mod exchange;
mod framing;
mod handle;
mod listen;
mod padding;
mod rule;
mod rules;
mod valve;

pub use black_hole::BlackHole;
pub use disruption::{Break, Disruption, Hook, Place, Verdict};
pub use exchange::Exchange;
pub use handle::Proxy;
pub use rule::Rule;
pub use rules::{Injected, RuleId};
