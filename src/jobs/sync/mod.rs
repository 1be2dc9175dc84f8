//! Two trees, one of which is to become like the other: both are read in the order of their names,
//! met name by name, and what differs becomes jobs. What only the destination has is remembered
//! for the end, and worth something only where both sides are known whole.

mod coded;
mod entry;
mod extras;
mod finish;
mod in_the_way;
mod join;
mod later;
mod pairing;
mod plan;
mod rule;
mod sides;
mod sort;
mod stored;
mod task;
mod twin;

#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod scene;

pub use extras::{Extra, Extras};
pub use finish::{Finish, Known, finish};
pub use later::{Later, plan_later};
pub use pairing::{Pairing, Wanted};
pub use plan::{Knowledge, Plan, plan};
pub use rule::CompareBy;
pub use twin::{Buckets, TwinError, base};
