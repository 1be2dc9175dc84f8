//! Objects in memory, and failures on command: what tests of the engine run on.

mod assembly;
mod listing;
mod removing;
mod store;

pub use store::{Failure, MIN_PART, MemoryStore, Operation};
