//! Floor 1: where bytes are. `s3` is the only place that knows the AWS SDK, `local` the only place
//! that writes files, `memory` what tests run on.

pub mod copying;
pub mod error;
pub mod local;
pub mod memory;
pub mod meter;
pub mod object_store;
pub mod removal;
pub mod s3;
