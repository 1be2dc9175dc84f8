//! What is moved when the program dies: a large object or a tree, down or up, by command or by
//! manifest. A part of the destinations has something older already. It must never depend on
//! anything but the scene: all its trials are the same but for the moment of the kill.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use testbed::Bytes;

use super::{JOURNAL, RESUME_DOWNLOADS, RESUME_UPLOADS};
use crate::harness::{Haul, content};
use crate::stage::{BUCKET, Stage};

/// Where downloads land, in the sandbox.
pub(super) const OUT: &str = "out";
/// Where uploads land, in the bucket.
pub(super) const UP: &str = "up/";
/// Where the program keeps what it knows of unfinished uploads.
pub(super) const STATE: &str = "state";
pub(super) const SOURCE: &str = "src";
pub(super) const MANIFEST: &str = "list.csv";
pub(super) const RUN_JOURNAL: &str = "run.journal";
pub(super) const OLD: &[u8] = b"what was there before";

/// The smallest part that an upload may have, and one that makes a download's moments dense.
const UPLOAD_PART: u64 = 5 << 20;
const DOWNLOAD_PART: u64 = 128 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scene {
    LargeDownload,
    TreeDownload,
    Manifest,
    Journal,
    LargeUpload,
    TreeUpload,
}

/// One file or object that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Below the destination.
    pub(super) name: String,
    pub(super) bytes: Bytes,
    pub(super) before: Before,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Old,
}

impl Scene {
    const ALL: [Self; 6] = [
        Self::LargeDownload,
        Self::TreeDownload,
        Self::Manifest,
        Self::Journal,
        Self::LargeUpload,
        Self::TreeUpload,
    ];

    /// Those that the program can play.
    pub(super) fn played() -> Vec<Self> {
        let can = |scene: &Self| JOURNAL || *scene != Self::Journal;
        Self::ALL.into_iter().filter(can).collect()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LargeDownload => "download of a large object",
            Self::TreeDownload => "download of a tree",
            Self::Manifest => "download by manifest",
            Self::Journal => "the same with a journal",
            Self::LargeUpload => "upload of a large file",
            Self::TreeUpload => "upload of a tree",
        }
    }

    pub(super) fn is_upload(self) -> bool {
        matches!(self, Self::LargeUpload | Self::TreeUpload)
    }

    /// Whether the next run goes on with what a killed one left.
    pub(super) fn resumes(self) -> bool {
        if self.is_upload() { RESUME_UPLOADS } else { RESUME_DOWNLOADS }
    }

    pub(super) fn part_size(self) -> u64 {
        if self.is_upload() { UPLOAD_PART } else { DOWNLOAD_PART }
    }

    /// Requests at once of runs that die at random moments: something else is under way when one
    /// part is done, and what may be on its way is still much less than the whole.
    pub(super) fn several(self) -> usize {
        if self.is_upload() { 2 } else { 4 }
    }

    /// What is to be there in the end; made once, since megabytes take their time.
    pub(super) fn targets(self) -> Vec<Target> {
        static MADE: OnceLock<Mutex<BTreeMap<Scene, Vec<Target>>>> = OnceLock::new();
        let mut made = MADE.get_or_init(Mutex::default).lock().expect("no holder panics");
        made.entry(self).or_insert_with(|| self.make_targets()).clone()
    }

    /// Bytes that a run may be sent in vain: behind many small ones, the whole of a large object is
    /// asked for where a manifest does not tell its size, and read in parts all the same.
    pub(super) fn thrown_away(self) -> u64 {
        if !matches!(self, Self::Manifest | Self::Journal) {
            return 0;
        }
        let sizes = self.targets().into_iter().map(|target| target.bytes.len() as u64);
        sizes.filter(|size| *size > self.part_size()).sum()
    }

    fn make_targets(self) -> Vec<Target> {
        let mut sizes: Vec<(String, u64)> = Vec::new();
        match self {
            Self::LargeDownload => sizes.push(("large".to_owned(), (3 << 20) + 12_345)),
            Self::LargeUpload => sizes.push(("large".to_owned(), 5 * UPLOAD_PART + 12_345)),
            Self::TreeDownload | Self::Manifest | Self::Journal => {
                sizes.extend(small_files());
                sizes.push(("parts/one".to_owned(), 5 * DOWNLOAD_PART + 1));
                sizes.push(("parts/two".to_owned(), 3 * DOWNLOAD_PART));
            }
            Self::TreeUpload => {
                sizes.extend(small_files());
                sizes.push(("parts/one".to_owned(), 2 * UPLOAD_PART + 1));
            }
        }
        let targets = sizes.into_iter().enumerate().map(|(index, (name, size))| Target {
            bytes: content(&name, size).into(),
            name,
            before: if index % 3 == 0 { Before::Old } else { Before::Nothing },
        });
        targets.collect()
    }

    /// Everything as it is before the first run.
    pub(super) fn stage(self) -> Stage {
        let stage = Stage::new();
        let mut rows = String::from("source,destination\n");
        for Target { name, bytes, before } in self.targets() {
            if self.is_upload() {
                stage.sandbox.write(format!("{SOURCE}/{name}"), &bytes);
                if before == Before::Old {
                    stage.testbed.put_object(BUCKET, &format!("{UP}{name}"), OLD);
                }
            } else {
                stage.testbed.put_object(BUCKET, &format!("{SOURCE}/{name}"), bytes);
                writeln!(rows, "s3://{BUCKET}/{SOURCE}/{name},{name}").expect("a string takes all");
                if before == Before::Old {
                    stage.sandbox.write(format!("{OUT}/{name}"), OLD);
                }
            }
        }
        if matches!(self, Self::Manifest | Self::Journal) {
            stage.sandbox.write(MANIFEST, rows);
        }
        stage
    }

    /// The command, the same for the first run and for all after it.
    pub(super) fn command(self, stage: &Stage, concurrency: usize) -> Haul {
        let haul = stage.haul().env("XDG_STATE_HOME", stage.sandbox.path(STATE));
        let from = format!("s3://{BUCKET}/{SOURCE}");
        let to = format!("s3://{BUCKET}/{UP}");
        let haul = match self {
            Self::LargeDownload => {
                haul.args(["download", &format!("{from}/large"), &format!("{OUT}/large")])
            }
            Self::TreeDownload => haul.args(["download", &format!("{from}/"), OUT]),
            Self::Manifest => haul.args(["download", "--manifest", MANIFEST, OUT]),
            Self::Journal => {
                haul.args(["download", "--manifest", MANIFEST, "--journal", RUN_JOURNAL, OUT])
            }
            Self::LargeUpload => haul.args(["upload", &format!("{SOURCE}/large"), &to]),
            Self::TreeUpload => haul.args(["upload", SOURCE, &to]),
        };
        let concurrency = concurrency.to_string();
        let part = self.part_size().to_string();
        haul.args(["--concurrency", &concurrency, "--part-size", &part, "--progress", "none"])
    }
}

impl Target {
    pub(super) fn path(&self, stage: &Stage) -> PathBuf {
        stage.sandbox.path(OUT).join(&self.name)
    }

    pub(super) fn key(&self) -> String {
        format!("{UP}{}", self.name)
    }

    /// The key under which its bytes are moved, in either direction.
    pub(super) fn moved_key(&self, scene: Scene) -> String {
        if scene.is_upload() { self.key() } else { format!("{SOURCE}/{}", self.name) }
    }
}

fn small_files() -> impl Iterator<Item = (String, u64)> {
    let folder = |index: u64| ["", "a/", "a/b/", "c/"][usize::try_from(index % 4).unwrap_or(0)];
    (0..16_u64).map(move |index| (format!("{}file-{index}", folder(index)), index * 2_500))
}
