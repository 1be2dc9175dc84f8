//! `haul` moves many objects in or out of S3: fast, verified, and honest about what it did.
//!
//! # The house
//!
//! A floor uses only the floors below it; `tests/e2e/tidy.rs` proves it.
//!
//! | floor | rooms |
//! |---|---|
//! | 5 | [`app`]: arguments → settings → runtime → reporter → command → exit code |
//! | 4 | [`commands`]: one file a verb · [`ui`]: events → bars, lines, JSON. Neither knows the other |
//! | 3 | [`jobs`]: where jobs come from: listings, directories, manifests → a stream of jobs |
//! | 2 | [`transfer`]: the engine: plan, schedule, retry, verify; events and gauges |
//! | 1 | [`storage`]: `s3`, the only place that knows the AWS SDK; `local`, the only one that writes files |
//! | 0 | [`domain`]: plain values. No I/O, no async |
//!
//! # One job's way
//!
//! A command makes a bounded stream of jobs (`jobs::expand` or `jobs::manifest`, then
//! `jobs::destination` and `jobs::guard`). `transfer::engine::run` takes a permit, then a job;
//! `transfer::plan` decides whether it moves whole or in parts; each part is one task. A download
//! reaches its name only through `storage::local::staged_file`, after its bytes were counted,
//! checked and synced. Facts go to the reporter as events, quantities as gauges, and the summary
//! becomes the exit code.

pub mod app;

pub mod commands;
pub mod ui;

pub mod jobs;

pub mod transfer;

pub mod storage;

pub mod domain;
