//! Objects in memory, and failures on command: what tests of the engine run on.

mod copying;
mod listing;
mod removing;
mod restoring;
mod script;
mod store;
mod stored;

pub use listing::{Order, Pages};
pub use script::{Failure, Operation};
pub use store::{MIN_PART, MemoryStore};
