//! What the end-to-end tests share: run the binary with a time limit and look at what it said
//! (`command`, `output`), folders with known bytes (`sandbox`), S3 servers made by others
//! (`weed`, `moto`), and a look into a bucket that does not go through `haul` (`bucket`).
//! It must never know what a command of `haul` means: that is for the tests to say.

mod bucket;
mod command;
mod moto;
mod output;
mod parallel;
mod running;
mod sandbox;
mod server;
mod supervised;
#[cfg(test)]
mod tests;
mod weed;

pub(crate) use bucket::Bucket;
pub(crate) use command::{Haul, haul};
pub(crate) use moto::Moto;
pub(crate) use output::Output;
pub(crate) use parallel::for_each;
pub(crate) use running::Running;
pub(crate) use sandbox::{Sandbox, Tree, content};
pub(crate) use server::{ACCESS_KEY, SECRET_KEY, Server};
pub(crate) use weed::Weed;
