//! Floor 2: the engine. `engine::run` turns a stream of jobs into a `Summary`; it never prints,
//! draws or exits.

pub mod engine;

pub mod cancel;
pub mod context;
pub mod error;
pub mod event;
pub mod gate;
pub mod gauge;
pub mod journal;
pub mod landing;
pub mod lines;
pub mod listing;
mod original;
pub mod outcome;
pub mod output;
pub mod part_size;
pub mod prune;
pub mod removals;
pub mod remove;
pub mod resume;
pub mod spool;

mod ask;
mod brake;
mod budget;
mod buffers;
mod compare;
mod completion;
mod copy;
mod copy_parts;
mod download;
mod fetch;
mod head;
mod health;
mod hedge;
mod link;
mod marker;
mod moving;
mod multipart;
mod own_journal;
mod pace;
mod part_sums;
mod parts;
mod patience;
mod plan;
mod relay;
mod retry;
mod sending;
mod still_done;
mod stream_in;
mod stream_out;
mod time_limit;
mod unfinished;
mod uplink;
mod upload;
pub mod upload_record;
mod verify;

#[cfg(test)]
mod brake_tests;
#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod pace_plot;
#[cfg(test)]
mod pace_tests;
