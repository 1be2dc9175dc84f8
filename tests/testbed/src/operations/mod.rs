//! The S3 operations: from `s3s`'s parsed requests to the store and back, one file a concern.
//!
//! Must never inject a fault: what a fault script asks for happens around this, in `server`.

mod access;
mod attributes;
mod backend;
mod buckets;
mod checksums;
mod conditions;
mod copy;
mod delete;
mod list;
mod list_uploads;
mod list_versions;
mod multipart;
mod read;
mod receive;
mod restore;
mod tagging;
mod write;

use backend::Answer;
pub(crate) use backend::{Backend, IgnoreRange, KeyFaults, service};
pub(crate) use copy::etag_of;
pub(crate) use receive::opaque_etag;
