//! Floor 0: plain values that every other floor speaks in. No I/O, no async, no clock.

pub mod allowance;
pub mod attributes;
pub mod bounds;
pub mod checksum;
pub mod comparison;
pub mod composite;
pub mod digest;
pub mod endpoint;
pub mod escape;
pub mod evidence;
pub mod job;
pub mod journal;
pub mod location;
pub mod naming;
pub mod object;
pub mod overwrite;
pub mod pattern;
pub mod period;
pub mod preserved;
pub mod quantity;
pub mod range;
pub mod record;
pub mod relative_path;
pub mod restore;
pub mod sieve;
pub mod words;
