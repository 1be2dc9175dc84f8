//! How much at once.

use clap::Args;

use super::machine;
use crate::commands::error::CommandError;
use crate::domain::quantity::{ByteSize, GIB, KIB, MIB};
use crate::transfer::part_size::{DEFAULT_PART, MAX_PART, PartChoice};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Speed")]
pub struct Speed {
    /// Requests in flight, at most
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,

    /// Cut larger objects into parts of this size [default: 8MiB, more for large objects]
    #[arg(long, value_name = "SIZE")]
    part_size: Option<ByteSize>,

    /// Hold at most this much in memory [default: a quarter of the machine's, at most 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<ByteSize>,

    /// Try each request this many times at most
    ///
    /// All requests share a budget of retries, so that a store that is down is not asked for ever:
    /// many at once reach its end after less than a minute in which hardly a request succeeds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_attempts: u32,
}

/// What the flags mean here.
#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    pub requests: usize,
    pub part_size: u64,
    pub part_choice: PartChoice,
    pub memory: u64,
    pub max_attempts: u32,
}

const SMALLEST_PART: u64 = 64 * KIB;
const SMALLEST_MEMORY: u64 = 16 * MIB;
/// A request has a connection and may have a file; the rest is for the program itself.
const FILES_A_REQUEST: u64 = 3;
const OWN_FILES: u64 = 24;

impl Speed {
    pub fn resolve(&self, open_files: Option<u64>) -> Result<Resolved, CommandError> {
        let part_size = self.part_size.map_or(DEFAULT_PART, ByteSize::bytes);
        if !(SMALLEST_PART..=MAX_PART).contains(&part_size) {
            return Err(CommandError::misuse(format!(
                "--part-size must be from {} to {}",
                ByteSize(SMALLEST_PART),
                ByteSize(MAX_PART)
            )));
        }
        let memory = self.max_memory.map_or_else(default_memory, ByteSize::bytes);
        if memory < SMALLEST_MEMORY {
            return Err(CommandError::misuse(format!(
                "--max-memory must be {} at least",
                ByteSize(SMALLEST_MEMORY)
            )));
        }
        if part_size > memory {
            return Err(CommandError::misuse("--part-size must fit into --max-memory"));
        }
        let by_files = open_files.map(|files| files.saturating_sub(OWN_FILES) / FILES_A_REQUEST);
        let by_files = by_files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        Ok(Resolved {
            requests: usize::from(self.concurrency).min(by_files).max(1),
            part_size,
            part_choice: if self.part_size.is_some() {
                PartChoice::Typed
            } else {
                PartChoice::Usual
            },
            memory,
            max_attempts: self.max_attempts,
        })
    }
}

fn default_memory() -> u64 {
    machine::memory().map_or(GIB / 2, |memory| memory / 4).clamp(SMALLEST_MEMORY, GIB)
}
