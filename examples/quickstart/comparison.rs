//! Whether what came down is what went up: every name and every byte, both ways. It trusts no
//! size, time or checksum, and never what the program said of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{MAIN_SEPARATOR_STR, Path};

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

use crate::sample::SampleFile;

/// Names below the downloaded folder, and the files whose bytes they must have.
pub(crate) type Expected<'a> = BTreeMap<String, &'a SampleFile>;

/// One line for each file that is missing, that should not be there, or that has other bytes.
pub(crate) fn differences(
    expected: &Expected,
    uploaded: &Path,
    downloaded: &Path,
) -> Result<Vec<String>> {
    let mut missing = expected.clone();
    let mut differences = Vec::new();
    for entry in WalkDir::new(downloaded).sort_by_file_name() {
        let entry = entry.context("could not walk what came down")?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path().strip_prefix(downloaded)?;
        let name = path.to_string_lossy().replace(MAIN_SEPARATOR_STR, "/");
        match missing.remove(&name) {
            None => differences.push(format!("{name} was not expected")),
            Some(file) if same(&uploaded.join(&file.path), entry.path())? => {}
            Some(file) => differences.push(format!("{name} differs from {}", file.path)),
        }
    }
    differences.extend(missing.keys().map(|name| format!("{name} is missing")));
    Ok(differences)
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("could not read {}", path.display()));
        file.map(|file| BufReader::with_capacity(1 << 20, file))
    };
    let (mut one, mut other) = (open(one)?, open(other)?);
    let (mut a, mut b) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    loop {
        let (read_a, read_b) = (fill(&mut one, &mut a)?, fill(&mut other, &mut b)?);
        if a[..read_a] != b[..read_b] {
            return Ok(false);
        }
        if read_a == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
