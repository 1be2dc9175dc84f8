//! How much at once.

use std::str::FromStr;

use clap::Args;

use super::machine;
use crate::commands::error::CommandError;
use crate::domain::quantity::{ByteSize, GIB, KIB, MIB};
use crate::transfer::gate::Concurrency;
use crate::transfer::part_size::{DEFAULT_PART, MAX_PART, PartChoice};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Speed")]
pub struct Speed {
    /// Requests in flight, at most; `auto` finds by itself how many are worth it
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    concurrency: AtOnce,

    /// Cut larger objects into parts of this size [default: 8MiB, more for large downloads, from 5MiB on for uploads]
    #[arg(long, value_name = "SIZE")]
    part_size: Option<ByteSize>,

    /// Hold at most this much in memory [default: a quarter of the machine's, at most 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<ByteSize>,

    /// Move at most this much a second, uploads and downloads together
    #[arg(long, value_name = "SIZE")]
    max_bandwidth: Option<Rate>,

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
    pub concurrency: Concurrency,
    pub part_size: u64,
    pub part_choice: PartChoice,
    pub memory: u64,
    /// Bytes a second.
    pub bandwidth: Option<u64>,
    pub max_attempts: u32,
}

/// What is typed for `--concurrency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtOnce {
    Found,
    Fixed(usize),
}

impl FromStr for AtOnce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Found);
        }
        let requests = text.parse().ok().filter(|requests| (1..=MOST_TYPED).contains(requests));
        requests.map(Self::Fixed).ok_or_else(|| format!("must be `auto`, or 1 to {MOST_TYPED}"))
    }
}

/// What is typed for `--max-bandwidth`: `10M`, or `10M/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate(ByteSize);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.strip_suffix("/s").unwrap_or(text).parse::<ByteSize>();
        let rate = size.map_err(|error| error.to_string())?;
        let is_enough = rate.bytes() >= LOWEST_RATE;
        let error = || format!("must be {} a second at least", ByteSize(LOWEST_RATE));
        is_enough.then_some(Self(rate)).ok_or_else(error)
    }
}

const LOWEST_RATE: u64 = KIB;
/// Where the rate is bounded, each connection has so much of it at least.
const RATE_OF_ONE: u64 = 512 * KIB;
const MOST_TYPED: usize = 4096;
/// Enough for small objects a tenth of a second away, and for large ones at 100 Gbit/s; one machine
/// gets no more done.
const MOST_FOUND: usize = 1024;
const SMALLEST_PART: u64 = 64 * KIB;
const SMALLEST_MEMORY: u64 = 16 * MIB;
/// What the program needs for itself: its runtime, connections, names.
const OWN_MEMORY: u64 = 8 * MIB;
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
        // What the system takes in beforehand of each connection is soon more than a low rate.
        let by_rate = self.max_bandwidth.map(|Rate(rate)| rate.bytes() / RATE_OF_ONE + 1);
        let by_rate = by_rate.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let concurrency = match self.concurrency {
            AtOnce::Found => {
                Concurrency::Found { most: MOST_FOUND.min(by_files).min(by_rate).max(1) }
            }
            AtOnce::Fixed(requests) => Concurrency::Fixed(requests.min(by_files).max(1)),
        };
        Ok(Resolved {
            concurrency,
            part_size,
            part_choice: if self.part_size.is_some() {
                PartChoice::Typed
            } else {
                PartChoice::Usual
            },
            memory: memory.saturating_sub(OWN_MEMORY).max(memory / 2).max(part_size),
            bandwidth: self.max_bandwidth.map(|Rate(rate)| rate.bytes()),
            max_attempts: self.max_attempts,
        })
    }
}

fn default_memory() -> u64 {
    machine::memory().map_or(GIB / 2, |memory| memory / 4).clamp(SMALLEST_MEMORY, GIB)
}
