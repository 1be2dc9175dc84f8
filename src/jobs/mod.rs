//! Floor 3: where jobs come from. Sources become one bounded stream; nothing is collected, and a
//! job that can't be is refused before it does harm.

pub mod comparisons;
pub mod copies;
pub mod downloads;
pub mod listed;
pub mod manifested;
pub mod named;
pub mod planner;
pub mod removals;
mod row_names;
pub mod trees;
pub mod uploads;

pub mod guard;
pub mod manifest;
pub mod sync;
