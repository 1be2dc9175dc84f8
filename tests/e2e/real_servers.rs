//! The real binary against S3 servers that others wrote (and the testbed, where it is about bytes
//! alone): what goes up comes down byte-equal, and what can't work says so. It must never lean on
//! what only our own testbed does; a disagreement is settled by what S3 documents.

mod copies;
mod long_listings;
mod refusals;
mod removals;
mod restoring;
mod resuming;
mod round_trips;
mod scripts;
mod single_objects;
mod syncing;
mod verified;
mod versions;

/// One for all, each test below a prefix of its own: SeaweedFS gives each bucket seven of its
/// twenty volumes, so a third one would find none.
pub(crate) const BUCKET: &str = "haul-tests";
