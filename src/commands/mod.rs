//! Floor 4: one file a verb. Arguments are what was typed; `run` makes of them what was meant.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of arguments are the help: text for a terminal"
)]

pub mod cat;
pub mod clean;
pub mod completions;
pub mod config;
pub mod cp;
pub mod download;
pub mod du;
pub mod ls;
pub mod man;
pub mod mb;
pub mod mv;
pub mod presign;
pub mod rb;
pub mod restore;
pub mod rm;
pub mod stat;
pub mod sync;
pub mod upload;
pub mod verify;

pub mod error;
pub mod options;
pub mod run;
pub mod session;
pub mod typed;

mod copying;
mod extras;
mod first_errors;
mod journal;
mod manifest;
mod rehearsal;
