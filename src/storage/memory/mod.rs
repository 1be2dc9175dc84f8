//! Objects in memory, and failures on command: what tests of the engine run on.

mod copying;
mod listing;
mod removing;
mod store;
mod stored;

pub use store::{Failure, MIN_PART, MemoryStore, Operation};
