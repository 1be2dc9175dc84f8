//! What all trials come to, as a table and as a verdict. It must never drop a complaint.

use std::collections::BTreeMap;

use super::plan::{Kill, Moments};
use super::scene::Scene;
use super::trial::{Ended, Phase, Trial};
use super::{JOURNAL, RESUME_DOWNLOADS, RESUME_UPLOADS};

const TOLD_EVERY: usize = 200;

#[derive(Default)]
pub(super) struct Tally {
    rows: BTreeMap<Scene, Row>,
    complaints: Vec<String>,
}

#[derive(Default)]
struct Row {
    calls: usize,
    requests: usize,
    trials: u64,
    phases: BTreeMap<Phase, u64>,
    kinds: [u64; 3],
    reruns: u64,
    lost: u64,
    corrupt: u64,
    mixed: u64,
    strangers: u64,
    partial_left: u64,
    records_left: u64,
    uploads_left: u64,
    orphans: u64,
    most_again: u64,
    allowed: u64,
}

impl Tally {
    pub(super) fn of(references: &BTreeMap<Scene, Moments>) -> Self {
        let row = |moments: &Moments| Row {
            calls: moments.calls,
            requests: moments.requests,
            ..Row::default()
        };
        let rows = references.iter().map(|(scene, moments)| (*scene, row(moments)));
        Self { rows: rows.collect(), complaints: Vec::new() }
    }

    pub(super) fn add(&mut self, trial: &Trial, ended: Ended) {
        let row = self.rows.entry(trial.scene).or_default();
        row.trials += 1;
        for phase in [Some(ended.phase), ended.rerun].into_iter().flatten() {
            *row.phases.entry(phase).or_default() += 1;
        }
        if ended.phase.counts() {
            row.kinds[kind(trial.kill)] += 1;
        }
        row.reruns += u64::from(ended.rerun.is_some_and(Phase::counts));
        let evidence = ended.evidence;
        row.lost += evidence.lost;
        row.corrupt += evidence.corrupt;
        row.mixed += evidence.mixed;
        row.strangers += evidence.strangers;
        row.partial_left += evidence.partial_left;
        row.records_left += evidence.records_left;
        row.uploads_left += evidence.uploads_left;
        row.orphans += evidence.orphans;
        if evidence.bytes_again >= row.most_again {
            (row.most_again, row.allowed) = (evidence.bytes_again, evidence.bytes_again_allowed);
        }
        let complaints = evidence.complaints.into_iter();
        self.complaints.extend(complaints.map(|text| format!("{trial:?}: {text}")));
        if self.trials().is_multiple_of(TOLD_EVERY) {
            self.tell_progress();
        }
    }

    /// A long run may be cut short: then this is what is known of it.
    #[expect(clippy::print_stdout, reason = "the long version is run to be read")]
    fn tell_progress(&self) {
        let (trials, kills) = (self.trials(), self.counted());
        println!("{trials} trials, {kills} kills counted, {} complaints", self.complaints.len());
    }

    pub(super) fn absorb(&mut self, other: Self) {
        for (scene, row) in other.rows {
            self.rows.entry(scene).or_default().absorb(row);
        }
        self.complaints.extend(other.complaints);
    }

    /// Kills between the first byte moved and the exit, those of reruns included.
    pub(super) fn counted(&self) -> usize {
        let kills: u64 = self.rows.values().map(|row| row.counted() + row.reruns).sum();
        usize::try_from(kills).expect("few kills")
    }

    /// Runs that were to be killed, reruns not included.
    pub(super) fn trials(&self) -> usize {
        let trials: u64 = self.rows.values().map(|row| row.trials).sum();
        usize::try_from(trials).expect("few trials")
    }

    #[expect(clippy::print_stdout, reason = "the table is what the long version is run for")]
    pub(super) fn print(&self, seed: u64) {
        let switch = |on| if on { "on" } else { "off" };
        println!(
            "seed {seed}; resume of downloads {}, of uploads {}, journal {}",
            switch(RESUME_DOWNLOADS),
            switch(RESUME_UPLOADS),
            switch(JOURNAL)
        );
        println!();
        println!(
            "| scene | kills | at a call | at a request | at random | of reruns | in transfer | at publish | in cleanup | not counted: before the first byte | missed |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        for (scene, row) in &self.rows {
            let phase = |phase| row.phases.get(&phase).copied().unwrap_or_default();
            println!(
                "| {} | {} | {} ({} calls) | {} ({} requests) | {} | {} | {} | {} | {} | {} | {} |",
                scene.name(),
                row.counted() + row.reruns,
                row.kinds[0],
                row.calls,
                row.kinds[1],
                row.requests,
                row.kinds[2],
                row.reruns,
                phase(Phase::InTransfer),
                phase(Phase::AtPublish),
                phase(Phase::InCleanup),
                phase(Phase::BeforeTheFirstByte),
                phase(Phase::Missed),
            );
        }
        println!();
        println!(
            "| scene | lost | corrupt | mixed | unrecognised | left after the last run: partial files | records | uploads | uploads nobody was told of | bytes moved again at most | may be |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        for (scene, row) in &self.rows {
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                scene.name(),
                row.lost,
                row.corrupt,
                row.mixed,
                row.strangers,
                row.partial_left,
                row.records_left,
                row.uploads_left,
                row.orphans,
                row.most_again,
                row.allowed,
            );
        }
        println!("\n{} kills counted", self.counted());
    }

    /// Fails if anything was wrong.
    #[track_caller]
    pub(super) fn judge(&self) {
        let shown = self.complaints.iter().take(20).map(String::as_str).collect::<Vec<_>>();
        let count = self.complaints.len();
        assert!(count == 0, "{count} complaints, the first:\n{}", shown.join("\n"));
    }
}

impl Row {
    fn counted(&self) -> u64 {
        self.kinds.iter().sum()
    }

    fn absorb(&mut self, other: Self) {
        self.trials += other.trials;
        for (phase, count) in other.phases {
            *self.phases.entry(phase).or_default() += count;
        }
        for (kind, count) in self.kinds.iter_mut().zip(other.kinds) {
            *kind += count;
        }
        self.reruns += other.reruns;
        self.lost += other.lost;
        self.corrupt += other.corrupt;
        self.mixed += other.mixed;
        self.strangers += other.strangers;
        self.partial_left += other.partial_left;
        self.records_left += other.records_left;
        self.uploads_left += other.uploads_left;
        self.orphans += other.orphans;
        if other.most_again >= self.most_again {
            (self.most_again, self.allowed) = (other.most_again, other.allowed);
        }
    }
}

impl Phase {
    fn counts(self) -> bool {
        matches!(self, Self::InTransfer | Self::AtPublish | Self::InCleanup)
    }
}

fn kind(kill: Kill) -> usize {
    match kill {
        Kill::Call { .. } => 0,
        Kill::Request { .. } => 1,
        Kill::Random { .. } => 2,
    }
}
