//! What a dead program left, on the disk and in the bucket, and what of it must not be.
//! It must never take the program's word: bytes are compared, and the server's log is counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use testbed::{OpenUpload, Operation};
use walkdir::WalkDir;

use super::JOURNAL;
use super::scene::{Before, MANIFEST, OLD, OUT, RUN_JOURNAL, SOURCE, STATE, Scene, Target, UP};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Everything there is at one moment.
pub(super) struct Look {
    targets: Vec<Seen>,
    /// Files on their way, and their records.
    partial: Vec<String>,
    /// Files and objects that nobody asked for.
    strangers: Vec<String>,
    uploads: Vec<OpenUpload>,
    /// Files below the program's own state.
    records: Vec<String>,
    journaled: BTreeSet<String>,
}

struct Seen {
    target: Target,
    state: State,
    /// Bytes of it that crossed the network so far, in all runs.
    moved: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Old,
    New,
    /// Bytes of another target, or of two things.
    Mixed,
    /// Anything else.
    Corrupt,
}

impl Look {
    pub(super) fn at(scene: Scene, stage: &Stage) -> Self {
        let targets = scene.targets();
        let (partial, strangers) = local_files(stage, &targets);
        let mut look = Self {
            targets: Vec::new(),
            partial,
            strangers,
            uploads: stage.testbed.open_uploads(BUCKET),
            records: files_below(&stage.sandbox.path(STATE)),
            journaled: journaled(stage),
        };
        look.strangers.extend(strange_keys(scene, stage, &targets));
        let requests = stage.testbed.requests();
        for target in &targets {
            let key = target.moved_key(scene);
            let of_it = requests.iter().filter(|it| it.key.as_deref() == Some(key.as_str()));
            let moved = of_it.map(|request| match request.operation {
                Operation::GetObject => request.bytes_sent,
                Operation::PutObject | Operation::UploadPart => request.bytes_received,
                _ => 0,
            });
            let moved = moved.sum();
            let found = state(scene, stage, target, &targets);
            look.targets.push(Seen { target: target.clone(), state: found, moved });
        }
        look
    }

    pub(super) fn moved(&self) -> u64 {
        self.targets.iter().map(|seen| seen.moved).sum()
    }

    pub(super) fn all_moved(&self) -> bool {
        self.targets.iter().all(|seen| seen.moved >= seen.target.bytes.len() as u64)
    }

    pub(super) fn all_new(&self) -> bool {
        self.targets.iter().all(|seen| seen.state == State::New)
    }
}

/// What the looks of one trial come to.
pub(super) struct Evidence {
    scene: Scene,
    in_flight: u64,
    kills: u64,
    /// Bytes of whole objects, no larger than a part, that were all there at a kill but for the
    /// rename: their requests had ended, and nothing records them.
    unnamed: u64,
    /// What was not there in full at each kill so far.
    unfinished: BTreeSet<String>,
    journaled: BTreeSet<String>,
    moved_when_journaled: u64,
    pub(super) lost: u64,
    pub(super) corrupt: u64,
    pub(super) mixed: u64,
    pub(super) strangers: u64,
    /// After the last run.
    pub(super) partial_left: u64,
    pub(super) records_left: u64,
    pub(super) uploads_left: u64,
    /// Uploads that a kill inside `CreateMultipartUpload` left: nobody was told of them.
    pub(super) orphans: u64,
    /// Of unfinished targets, and how much it may be.
    pub(super) bytes_again: u64,
    pub(super) bytes_again_allowed: u64,
    pub(super) complaints: Vec<String>,
}

impl Evidence {
    /// `in_flight`: bytes that may be on their way at once.
    pub(super) fn new(scene: Scene, in_flight: u64) -> Self {
        Self {
            scene,
            in_flight,
            kills: 0,
            unnamed: 0,
            unfinished: BTreeSet::new(),
            journaled: BTreeSet::new(),
            moved_when_journaled: 0,
            lost: 0,
            corrupt: 0,
            mixed: 0,
            strangers: 0,
            partial_left: 0,
            records_left: 0,
            uploads_left: 0,
            orphans: 0,
            bytes_again: 0,
            bytes_again_allowed: 0,
            complaints: Vec::new(),
        }
    }

    /// Each name has nothing, the old bytes or the new ones; all else can be recognised.
    pub(super) fn after_kill(&mut self, look: &Look) {
        self.kills += 1;
        let mut unfinished = BTreeSet::new();
        for seen in &look.targets {
            let lost = seen.state == State::Absent && seen.target.before == Before::Old;
            self.count_bad(seen, lost, "after a kill");
            if seen.state != State::New {
                let size = seen.target.bytes.len() as u64;
                if size <= self.scene.part_size() && seen.moved >= size {
                    self.unnamed += size;
                }
                unfinished.insert(seen.target.name.clone());
            }
        }
        // What was done once and is begun again is not what the bound is about.
        let earlier = std::mem::take(&mut self.unfinished);
        self.unfinished = if self.kills == 1 { unfinished } else { &unfinished & &earlier };
        self.count_strangers(look);
        self.journaled.clone_from(&look.journaled);
        self.moved_when_journaled = moved_of(look, &self.journaled);
    }

    /// Everything is there, and nothing else.
    pub(super) fn after_rerun(&mut self, look: &Look, output: &Output) {
        if output.code != Some(0) {
            self.complaints.push(format!("the rerun failed\n{output}"));
        }
        for seen in &look.targets {
            let lost = matches!(seen.state, State::Absent | State::Old);
            self.count_bad(seen, lost, "after the rerun");
        }
        self.count_strangers(look);
        self.partial_left = look.partial.len() as u64;
        self.records_left = look.records.len() as u64;
        let (orphans, left): (Vec<_>, Vec<_>) =
            look.uploads.iter().partition(|upload| upload.parts.is_empty());
        (self.orphans, self.uploads_left) = (orphans.len() as u64, left.len() as u64);
        let unfinished = look.targets.iter().filter(|it| self.unfinished.contains(&it.target.name));
        let again = unfinished.map(|it| it.moved.saturating_sub(it.target.bytes.len() as u64));
        self.bytes_again = again.sum();
        let runs = self.kills + 1;
        self.bytes_again_allowed =
            self.kills * self.in_flight + self.unnamed + runs * self.scene.thrown_away();
        if self.scene.resumes() {
            self.must_have_resumed(look);
        }
        if JOURNAL && moved_of(look, &self.journaled) != self.moved_when_journaled {
            self.complaints.push("a row that the journal knew was moved again".to_owned());
        }
    }

    /// What holds only where the next run goes on with the work of the last one.
    fn must_have_resumed(&mut self, look: &Look) {
        if self.partial_left + self.records_left + self.uploads_left > 0 {
            let Look { partial, records, uploads, .. } = look;
            self.complaints.push(format!(
                "left after the last run: files {partial:?}, records {records:?}, {uploads:?}"
            ));
        }
        if self.orphans > self.kills {
            self.complaints.push(format!("uploads without parts are left: {:?}", look.uploads));
        }
        if self.bytes_again > self.bytes_again_allowed {
            self.complaints.push(format!(
                "{} bytes were moved again, {} may be",
                self.bytes_again, self.bytes_again_allowed
            ));
        }
    }

    fn count_bad(&mut self, seen: &Seen, lost: bool, when: &str) {
        match seen.state {
            State::Mixed => self.mixed += 1,
            State::Corrupt => self.corrupt += 1,
            _ if lost => self.lost += 1,
            _ => return,
        }
        self.complaints.push(format!("{} is {:?} {when}", seen.target.name, seen.state));
    }

    fn count_strangers(&mut self, look: &Look) {
        self.strangers += look.strangers.len() as u64;
        for name in &look.strangers {
            self.complaints.push(format!("nobody knows {name}"));
        }
    }
}

fn moved_of(look: &Look, sources: &BTreeSet<String>) -> u64 {
    let source = |seen: &Seen| format!("s3://{BUCKET}/{SOURCE}/{}", seen.target.name);
    let known = |seen: &&Seen| sources.contains(&source(seen));
    look.targets.iter().filter(known).map(|seen| seen.moved).sum()
}

fn state(scene: Scene, stage: &Stage, target: &Target, all: &[Target]) -> State {
    let found = if scene.is_upload() {
        stage.testbed.object(BUCKET, &target.key()).map(|object| object.bytes().to_vec())
    } else {
        fs::read(target.path(stage)).ok()
    };
    match found {
        None => State::Absent,
        Some(bytes) if bytes == OLD => State::Old,
        Some(bytes) if bytes == target.bytes => State::New,
        Some(bytes) => {
            let of_another = all.iter().any(|other| bytes == other.bytes);
            let has_old = bytes.windows(OLD.len()).any(|window| window == OLD);
            if of_another || has_old { State::Mixed } else { State::Corrupt }
        }
    }
}

/// Files in the sandbox that no one put there: those on their way, and strangers.
fn local_files(stage: &Stage, targets: &[Target]) -> (Vec<String>, Vec<String>) {
    let known = |name: &str| {
        let top = name.split('/').next().unwrap_or(name);
        let is_target = || targets.iter().any(|it| name == format!("{OUT}/{}", it.name));
        matches!(top, SOURCE | STATE | MANIFEST | RUN_JOURNAL) || is_target()
    };
    let files = files_below(&stage.sandbox.path("")).into_iter();
    files.filter(|name| !known(name)).partition(|name| is_on_its_way(name))
}

/// As the program's documentation describes them: not by asking the program.
fn is_on_its_way(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let token = name.strip_prefix(".haul-").and_then(|name| name.split_once('.'));
    token.is_some_and(|(digits, end)| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        // One asks the file system about names, of which an accent is one.
        let digits = digits.strip_suffix('\u{e9}').unwrap_or(digits);
        digits.len() == 16 && digits.bytes().all(is_digit) && matches!(end, "part" | "map")
    })
}

fn strange_keys(scene: Scene, stage: &Stage, targets: &[Target]) -> Vec<String> {
    let mut keys = stage.keys();
    let known: BTreeSet<String> = targets.iter().map(|target| target.moved_key(scene)).collect();
    keys.retain(|key| !known.contains(key));
    let uploads = stage.testbed.open_uploads(BUCKET).into_iter();
    let foreign = uploads.filter(|it| !known.contains(&it.key) || !it.key.starts_with(UP));
    keys.extend(foreign.map(|upload| format!("an upload of {}", upload.key)));
    keys
}

fn files_below(folder: &Path) -> Vec<String> {
    if !folder.exists() {
        return Vec::new();
    }
    let entries = WalkDir::new(folder).into_iter().map(|it| it.expect("the sandbox is readable"));
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    let relative = files.map(|entry| {
        let path = entry.path().strip_prefix(folder).expect("it was found below");
        path.to_string_lossy().into_owned()
    });
    relative.collect()
}

/// Sources of the rows that the journal says are done; a torn last line counts for nothing.
fn journaled(stage: &Stage) -> BTreeSet<String> {
    let text = fs::read(stage.sandbox.path(RUN_JOURNAL)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let done = |line: &serde_json::Value| line["outcome"] == "done";
    let lines = lines.filter(done);
    lines.filter_map(|line| line["source"].as_str().map(str::to_owned)).collect()
}
