//! `haul` moves many objects in or out of S3.
