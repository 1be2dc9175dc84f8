//! Two jobs, one destination: found when the second one arrives, before it could do harm.
//!
//! Every destination and every folder on its way is remembered for the whole run as sixteen bytes
//! of hash, so that ten million rows fit into memory; beyond a budget the memory goes to disk.

mod admission;
#[cfg(test)]
mod model;
mod name;
mod path;
mod run;
mod spill;
mod table;

pub use admission::{Admission, Destination, Guard, GuardError, Refusal};
pub use path::NameRule;
