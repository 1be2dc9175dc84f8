//! Floor 2: the engine. `engine::run` turns a stream of jobs into a `Summary`; it never prints,
//! draws or exits.

pub mod event;
pub mod gauge;
pub mod outcome;
