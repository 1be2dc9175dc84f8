//! Journals: a line that is not as it was written is refused, whatever was done to it; one that was
//! written with care by somebody else is read or refused, and reads the same when written again.

use std::collections::BTreeMap;

use fastrand::Rng;
use haul::domain::checksum::Crc;
use haul::domain::journal::{Entry, Outcome, SourceIs, Want, parse, render};

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const TOKENS: [&[u8]; 14] = [
    b"\"",
    b",",
    b":",
    b"{",
    b"}",
    b"null",
    b"\"done\"",
    b"\"failed\"",
    b",\"sum\":\"",
    b"\\u0000",
    b"\\ud800",
    b"-1",
    b"1e999",
    b"\xff",
];
/// Of `,"sum":"01234567"}`.
const SUM_LENGTH: usize = 18;

pub(super) fn lines(random: &mut Rng) -> Checked {
    let entry = entry(random);
    let written = render(&entry).map_err(|error| error.to_string())?;
    let written = written.trim_end_matches('\n').as_bytes();
    if random.bool() { edited(random, &entry, written) } else { forged(random, written) }
}

fn edited(random: &mut Rng, entry: &Entry, written: &[u8]) -> Checked {
    let mut bytes = written.to_vec();
    mutate(random, &mut bytes, &TOKENS);
    show(|| bytes.escape_ascii().to_string());
    match parse::<Entry>(&bytes) {
        Ok(read) if bytes != written => Err(format!("an edited line is read as {read:?}")),
        Ok(read) if read != *entry => Err(format!("{entry:?} is read as {read:?}")),
        Err(_) if bytes == written => Err(format!("{entry:?} is refused")),
        Ok(_) | Err(_) => Ok(1),
    }
}

/// Edited, and given the sum that it then should have.
fn forged(random: &mut Rng, written: &[u8]) -> Checked {
    let mut bytes = written[..written.len() - SUM_LENGTH].to_vec();
    mutate(random, &mut bytes, &TOKENS);
    let sum = Crc::Crc32C.of(&bytes);
    bytes.extend_from_slice(format!(",\"sum\":\"{sum:08x}\"}}").as_bytes());
    show(|| bytes.escape_ascii().to_string());
    let Ok(read) = parse::<Entry>(&bytes) else { return Ok(1) };
    let again = render(&read).map_err(|error| error.to_string())?;
    match parse::<Entry>(again.trim_end_matches('\n').as_bytes()) {
        // The reader of numbers is not exact in the last digit, and nothing depends on it.
        Ok(second) if (Entry { seconds: read.seconds, ..second.clone() }) == read => Ok(1),
        second => Err(format!("{read:?} is written and read as {second:?}")),
    }
}

fn entry(random: &mut Rng) -> Entry {
    let number = |random: &mut Rng| random.u64(..) >> random.u32(0..64);
    let text = |random: &mut Rng| random.bool().then(|| words::text(random));
    let outcomes = [Outcome::Done, Outcome::Skipped, Outcome::Failed];
    let moved = [None, Some(SourceIs::There), Some(SourceIs::Removed)];
    let want = random.bool().then(|| Want {
        size: random.bool().then(|| number(random)),
        etag: text(random),
        metadata: BTreeMap::from([(words::text(random), words::text(random))]),
        ..Want::default()
    });
    Entry {
        number: Some(number(random)),
        line: random.bool().then(|| number(random)),
        digest: None,
        outcome: outcomes[random.usize(0..outcomes.len())],
        source: words::key(random),
        destination: text(random),
        version: text(random),
        size: random.bool().then(|| number(random)),
        etag: text(random),
        checksum: text(random),
        mtime: text(random),
        source_etag: text(random),
        source_mtime: text(random),
        source_is: moved[random.usize(0..moved.len())],
        verified: text(random),
        reason: text(random),
        cause: text(random),
        message: text(random),
        may_pass: random.bool().then(|| random.bool()),
        want,
        attempts: random.u32(..),
        seconds: f64::from(random.u32(..)) / 1000.0,
        time: words::text(random),
    }
}
