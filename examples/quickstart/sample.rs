//! A few hundred files of mixed sizes, and the manifest that names them. The same bytes on every
//! run; nothing is written outside the folder that was given.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// What the program cuts larger objects into.
const PART: u64 = 8 * MIB;

/// One file of the tree.
#[derive(Debug)]
pub(crate) struct SampleFile {
    /// Below the tree, with `/`.
    pub(crate) path: String,
    pub(crate) size: u64,
}

/// A tree of files on disk.
#[derive(Debug)]
pub(crate) struct Sample {
    folder: PathBuf,
    files: Vec<SampleFile>,
}

impl Sample {
    /// Writes the tree.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let files = plan();
        for (number, file) in files.iter().enumerate() {
            let path = folder.join(&file.path);
            write(&path, file.size, number as u64)
                .with_context(|| format!("could not write {}", path.display()))?;
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn files(&self) -> &[SampleFile] {
        &self.files
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    pub(crate) fn largest(&self) -> u64 {
        self.files.iter().map(|file| file.size).max().unwrap_or_default()
    }

    /// The manifest's lines: a header, then a row for each file. The sizes give the program its
    /// total before the first byte, and a size that does not hold would be an error.
    pub(crate) fn manifest_lines(&self, bucket: &str) -> impl Iterator<Item = String> {
        let rows = self.files.iter().map(move |file| {
            format!("s3://{bucket}/tree/{0},{1},{2}", file.path, renamed(&file.path), file.size)
        });
        std::iter::once("source,destination,size".to_owned()).chain(rows)
    }

    pub(crate) fn write_manifest(&self, path: &Path, bucket: &str) -> Result<()> {
        let lines: Vec<String> = self.manifest_lines(bucket).collect();
        fs::write(path, lines.join("\n")).context("could not write the manifest")
    }
}

/// The name that the manifest gives: `notes/note-001.txt` becomes `note-001/notes.txt`.
pub(crate) fn renamed(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    format!("{stem}/{}.{extension}", folder.replace('/', "-"))
}

fn plan() -> Vec<SampleFile> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut files = Vec::new();
    let mut add = |path: String, size| files.push(SampleFile { path, size });
    for number in 0..60 {
        // The first two are empty.
        add(format!("notes/note-{number:03}.txt"), number / 2 * random.u64(1..40));
    }
    for month in 1..=12 {
        for day in 1..=20 {
            let size = random.u64(KIB..100 * KIB);
            add(format!("readings/2024-{month:02}/day-{day:02}.csv"), size);
        }
    }
    for number in 0..10 {
        add(format!("scans/scan-{number:02}.tif"), random.u64(2 * MIB..7 * MIB));
    }
    add("scans/one-part-less-one-byte.tif".to_owned(), PART - 1);
    add("scans/one-part.tif".to_owned(), PART);
    add("scans/one-part-and-one-byte.tif".to_owned(), PART + 1);
    add("video/interview.mov".to_owned(), 64 * MIB);
    add("video/concert.mov".to_owned(), 96 * MIB + 12_345);
    add("video/lecture.mov".to_owned(), 128 * MIB);
    files
}

fn write(path: &Path, size: u64, seed: u64) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut file = BufWriter::new(File::create(path)?);
    let mut block = vec![0; 64 << 10];
    let mut left = size;
    while left > 0 {
        random.fill(&mut block);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..length])?;
        left -= length as u64;
    }
    file.flush()?;
    Ok(())
}
