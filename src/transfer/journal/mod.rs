//! The journal of a run: what became of each job, and what of it need not be done again.
//!
//! Lines are written by one task, a batch at a time, each only after its object is durable. The
//! policy of syncs is in `writer`.

mod book;
mod entry;
mod index;
mod writer;

pub use book::{Journal, JournalError, RowCheck};
pub use entry::time_text;
pub(super) use entry::{Course, arrived, done, failed, refused, skipped, source_kept};
pub use index::Index;
