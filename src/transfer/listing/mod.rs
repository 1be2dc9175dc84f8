//! Listings: pages of objects, in order and as many at once as pays; pages of unfinished uploads,
//! one after the other; and the single requests that go with them.

mod key_space;
mod pages;
mod ranges;
mod requests;
mod round;

mod uploads;
mod versions;

#[cfg(test)]
mod ranges_tests;

pub use pages::Pages;
pub use requests::{
    abort, buckets, details, facts, is_open, make_bucket, newest_part, page, remove_bucket, rest,
    restore, source_facts,
};
pub use uploads::UploadPages;
pub use versions::VersionPages;
