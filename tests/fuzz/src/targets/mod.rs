//! What is fuzzed, one file a reader.

mod content_range;
mod journal;
mod list;
mod listing;
mod manifest;
mod partial;
mod path;
mod uri;

pub(crate) use list::{ALL, Checked, Target, named};
