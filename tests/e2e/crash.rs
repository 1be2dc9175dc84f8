//! Kill loops: the program dies by SIGKILL at moments of every kind, is looked at, is run again,
//! and is looked at once more. `tests/crash.sh` runs the long version and prints its table.
//! It must never count a kill that came before the first byte moved or after the exit.

mod evidence;
mod plan;
mod scene;
mod tally;
mod tracer;
mod trial;

use std::collections::BTreeMap;
use std::sync::Mutex;

use plan::When;
use scene::Scene;
use tally::Tally;
use tracer::Stop;
use trial::Trial;

use crate::harness::for_each;

/// Whether the next run goes on with the download, or the upload, that a killed one left. Off: what
/// is left of parts, records and uploads after the last run, and bytes moved twice, are counted but
/// fail nothing.
const RESUME_DOWNLOADS: bool = true;
const RESUME_UPLOADS: bool = true;
/// Whether there is `--journal`. Off: its scene is not played.
const JOURNAL: bool = true;

/// The size of the short version: some moments of each kind in each scene.
const EACH: usize = 20;
const SEED: u64 = 20_261_124;
/// Rounds of further random moments, until so many kills have counted as were asked for.
const ROUNDS: usize = 8;

#[test]
fn a_program_that_is_killed_loses_and_mixes_nothing() {
    let tally = play(SEED, |moments| moments.some(SEED, EACH));
    tally.print(SEED);
    let (kills, trials) = (tally.counted(), tally.trials());
    // Some moments miss: a run on a busy machine comes in other pieces.
    assert!(kills * 4 >= trials * 3, "only {kills} kills of {trials} were in the middle");
    tally.judge();
}

/// The tracer itself: the call is done or not, and the name shows it.
#[test]
fn a_kill_before_the_rename_leaves_the_old_file_and_one_after_it_the_new() {
    let scene = Scene::LargeDownload;
    let target = scene.targets().remove(0);
    let trace = |stop| {
        let stage = scene.stage();
        let traced = tracer::run(scene.command(&stage, 1), &stage.sandbox.path(""), stop);
        (traced, stage.sandbox.read(format!("{}/{}", scene::OUT, target.name)))
    };
    let (whole, bytes) = trace(None);
    assert!(whole.code == Some(0) && bytes == target.bytes, "{whole:?}");
    let rename = whole.calls.iter().position(|call| call.starts_with("rename"));
    let number = rename.expect("a download ends in a rename") + 1;
    for (when, left) in [(When::Before, scene::OLD), (When::After, &target.bytes[..])] {
        let (traced, bytes) = trace(Some(Stop { number, when }));
        assert_eq!((traced.code, traced.calls.len()), (None, number), "{when:?}");
        assert!(traced.calls.last().is_some_and(|call| call.starts_with("rename")), "{traced:?}");
        assert!(bytes == left, "{when:?}: {} bytes", bytes.len());
    }
}

#[test]
#[ignore = "takes some minutes: run tests/crash.sh"]
fn a_program_that_is_killed_at_every_moment_loses_and_mixes_nothing() {
    let seed = variable("HAUL_CRASH_SEED").unwrap_or(SEED);
    let wanted = variable("HAUL_CRASH_KILLS").unwrap_or(2000);
    let wanted = usize::try_from(wanted).expect("a number of kills");
    let mut tally = play(seed, plan::Moments::all);
    for round in 1..=ROUNDS as u64 {
        let missing = wanted.saturating_sub(tally.counted());
        if missing == 0 {
            break;
        }
        let each = missing.div_ceil(Scene::played().len()) + 1;
        tally.absorb(play(seed ^ (round << 32), |moments| moments.random(seed ^ round, each)));
    }
    tally.print(seed);
    assert!(tally.counted() >= wanted, "only {} kills were in the middle", tally.counted());
    tally.judge();
}

/// What a power cut leaves can't be seen here; that each step waits for the disk can.
#[test]
fn a_file_is_synced_between_its_last_write_and_its_rename_and_its_folder_after_it() {
    let scene = Scene::LargeDownload;
    let stage = scene.stage();
    let traced = tracer::run(scene.command(&stage, 1), &stage.sandbox.path(""), None);
    let calls = &traced.calls;
    let last = |is_it: fn(&str) -> bool| calls.iter().rposition(|call| is_it(call));
    let is_sync = |call: &tracer::Call| call.ends_with("sync");
    let write = last(|call| call.contains("write")).expect("bytes are written");
    let rename = last(|call| call.starts_with("rename")).expect("a download ends in a rename");
    assert!(calls[write..rename].iter().any(is_sync), "the bytes are not synced: {calls:?}");
    assert!(calls[rename..].iter().any(is_sync), "the folder is not synced: {calls:?}");
}

/// Plays all scenes once undisturbed, then each trial that `choose` makes of their moments.
fn play(seed: u64, choose: impl Fn(&plan::Moments) -> Vec<plan::Kill> + Sync) -> Tally {
    let references = Mutex::new(BTreeMap::new());
    for_each(&Scene::played(), |scene| {
        let moments = plan::Moments::of(*scene);
        references.lock().expect("no holder panics").insert(*scene, moments);
    });
    let references = references.into_inner().expect("no holder panics");
    let mut trials = Vec::new();
    for moments in references.values() {
        for kill in choose(moments) {
            let number = trials.len() as u64;
            trials.push(Trial { number, scene: moments.scene, kill, seed });
        }
    }
    let tally = Mutex::new(Tally::of(&references));
    for_each(&trials, |trial| {
        let ended = trial.run(&references[&trial.scene]);
        tally.lock().expect("no holder panics").add(trial, ended);
    });
    tally.into_inner().expect("no holder panics")
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}
