//! The record of a file on its way, damaged by a crash or by somebody: what is torn off is gone,
//! what was recorded for another object counts for nothing, and reading it twice says the same.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use haul::storage::local::{Partial, Recorded, Spot};
use tempfile::TempDir;

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const TOKENS: [&[u8]; 6] = [b"\n", b" ", b"haul-partial 1 ", b"\0", b"ffffffffffffffff", b"-1"];

thread_local! {
    /// One folder a thread: to make one costs more than all the rest.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

pub(super) fn records(random: &mut Rng) -> Checked {
    let folder = FOLDER.with_borrow_mut(|folder| {
        let made = folder.take().map_or_else(tempfile::tempdir, Ok);
        made.map(|made| folder.insert(made).path().to_owned())
    });
    let folder = folder.map_err(|error| error.to_string())?;
    let checked = check(random, &folder);
    // Whatever it left is not the next one's.
    for (path, _) in files(&folder) {
        fs::remove_file(path).ok();
    }
    checked
}

fn check(random: &mut Rng, folder: &Path) -> Checked {
    let identity = words::text(random);
    let written: Vec<_> = (0..random.u64(0..6)).map(|_| recorded(random)).collect();
    let partial = open(folder, &identity)?;
    for record in &written {
        partial.record(*record).map_err(|error| error.to_string())?;
    }
    partial.keep().ok_or("it can't be kept")?;
    let map = files(folder).into_iter().find(|(path, _)| path.extension() == Some("map".as_ref()));
    let (map, mut bytes) = map.ok_or("there is no record")?;
    let before = bytes.clone();
    mutate(random, &mut bytes, &TOKENS);
    if random.u8(0..3) == 0 {
        bytes.extend_from_slice(claim(random).as_bytes());
    }
    show(|| format!("{identity:?}: {}", bytes.escape_ascii()));
    fs::write(&map, &bytes).map_err(|error| error.to_string())?;
    let first = take(folder, &identity)?;
    if before.starts_with(&bytes) && !written.starts_with(&first) {
        return Err(format!("of {written:?}, torn, there is {first:?}"));
    }
    if bytes == before && first != written {
        return Err(format!("{written:?} is read as {first:?}"));
    }
    if let Some(bad) = first.iter().find(|it| it.offset.checked_add(it.length).is_none()) {
        return Err(format!("{bad:?} has no end"));
    }
    let second = take(folder, &identity)?;
    if first != second {
        return Err(format!("first there is {first:?}, then {second:?}"));
    }
    let others = take(folder, &format!("{identity}.")).map(|records| records.len())?;
    if others == 0 { Ok(1) } else { Err(format!("{others} records of another object")) }
}

/// A line as somebody could have written it who means harm: in form, with any numbers.
fn claim(random: &mut Rng) -> String {
    let number = |random: &mut Rng| match random.u8(0..3) {
        0 => u64::MAX - random.u64(0..3),
        1 => random.u64(..),
        _ => random.u64(0..100),
    };
    let end = ["\n", " 7\n", ""][random.usize(0..3)];
    format!("{} {} {:016x}{end}", number(random), number(random), number(random))
}

/// What is recorded, and leaves it there.
fn take(folder: &Path, identity: &str) -> Result<Vec<Recorded>, String> {
    let partial = open(folder, identity)?;
    let recorded = partial.recorded().to_vec();
    partial.keep().ok_or("it can't be kept")?;
    Ok(recorded)
}

fn open(folder: &Path, identity: &str) -> Result<Partial, String> {
    let spot = Spot::exact(&folder.join("f")).map_err(|error| error.to_string())?;
    Partial::open(spot, identity).map_err(|error| error.to_string())
}

fn recorded(random: &mut Rng) -> Recorded {
    let offset = random.u64(..) >> random.u32(1..64);
    Recorded { offset, length: random.u64(..) >> random.u32(1..64), crc: random.u64(..) }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_temp = |name: OsString| name.to_string_lossy().starts_with(".haul-");
    let files = entries.filter(|entry| is_temp(entry.file_name()));
    files.map(|entry| (entry.path(), fs::read(entry.path()).unwrap_or_default())).collect()
}
