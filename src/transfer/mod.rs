//! Floor 2: the engine. `engine::run` turns a stream of jobs into a `Summary`; it never prints,
//! draws or exits.

pub mod engine;

pub mod cancel;
pub mod context;
pub mod error;
pub mod event;
pub mod gauge;
pub mod landing;
pub mod listing;
pub mod outcome;
pub mod output;
pub mod part_size;
pub mod spool;

mod buffers;
mod compare;
mod download;
mod fetch;
mod gate;
mod multipart;
mod part_sums;
mod plan;
mod retry;
mod stream_in;
mod stream_out;
mod upload;
mod verify;

#[cfg(test)]
mod engine_tests;
