//! Floor 4, the screen side: events and gauges become bars, lines and JSON. It decides nothing
//! about the run, and commands do not know it.

// Who listens.
pub mod options;
pub mod report;
pub mod reporter;
pub mod setting;

// What is known.
pub mod progress;
pub mod rate;
pub mod state;

// What it looks like.
pub mod bars;
pub mod comparison;
pub mod failure;
pub mod lines;
pub mod listing;
pub mod look;
pub mod style;
pub mod summary;

// Where it goes.
pub mod data;
pub mod screen;
pub mod streams;

#[cfg(test)]
mod documented;
