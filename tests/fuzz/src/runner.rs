//! Runs the targets on all processors, counts, and shows each failure so that it can be replayed.
//! It must never let a hang go unseen: an input that takes too long ends the program, named.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::targets::{self, Checked, Target};

const EXECUTIONS: u64 = 200_000;
const SEED: u64 = 20_261_124;
/// Nothing that is made here takes so long.
const LONGEST: Duration = Duration::from_secs(30);
/// Further failures of a target are counted, not shown.
const SHOWN: usize = 5;

pub(crate) struct Plan {
    pub(crate) executions: u64,
    pub(crate) seed: u64,
    pub(crate) target: Option<String>,
    pub(crate) replay: Option<(String, u64)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { executions: EXECUTIONS, seed: SEED, target: None, replay: None }
    }
}

thread_local! {
    /// Where and why the last panic of this thread was.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    /// Whether this thread is in a target, so that its panics are findings.
    static FUZZES: Cell<bool> = const { Cell::new(false) };
    static SHOWS: Cell<bool> = const { Cell::new(false) };
}

/// Whether all went well.
pub(crate) fn run(plan: Plan) -> Result<bool, String> {
    catch_panics();
    if let Some((name, seed)) = plan.replay {
        return Ok(replay(targets::named(&name)?, seed));
    }
    let chosen = match &plan.target {
        Some(name) => vec![targets::named(name)?],
        None => targets::ALL.iter().collect(),
    };
    let shares: u64 = chosen.iter().map(|target| target.share).sum();
    say(&format!("seed {}\n\n| target | executions | seconds | failures |", plan.seed));
    say("|---|--:|--:|--:|");
    let (mut executions, mut failures) = (0, 0);
    for target in chosen {
        let wanted = (plan.executions * target.share).div_ceil(shares.max(1));
        let since = Instant::now();
        let ran = Run::new(target, plan.seed, wanted).go();
        let took = since.elapsed().as_secs_f64();
        say(&format!("| {} | {} | {took:.1} | {} |", target.name, ran.executions, ran.failures));
        executions += ran.executions;
        failures += ran.failures;
    }
    say(&format!("\n{executions} executions, {failures} failures"));
    Ok(failures == 0)
}

/// A target's panics are kept for its report; all others are told as ever.
fn catch_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if FUZZES.get() {
            PANIC.with_borrow_mut(|text| *text = info.to_string());
        } else {
            usual(info);
        }
    }));
}

/// One input, by its own seed. Prints what it is if the target has a way to show it.
fn replay(target: &Target, seed: u64) -> bool {
    SHOWS.set(true);
    match execute(target, seed) {
        Ok(_) => {
            say(&format!("{}:{seed} is fine", target.name));
            true
        }
        Err(why) => {
            say(&format!("{}:{seed} fails: {why}", target.name));
            false
        }
    }
}

/// Shows an input where one is replayed.
pub(crate) fn show(input: impl FnOnce() -> String) {
    if SHOWS.get() {
        say(&input());
    }
}

struct Run<'a> {
    target: &'a Target,
    seed: u64,
    wanted: u64,
    next: AtomicU64,
    executions: AtomicU64,
    failures: Mutex<Vec<(u64, String)>>,
    ended: AtomicBool,
}

struct Ran {
    executions: u64,
    failures: u64,
}

/// What a worker is at, for who watches it.
#[derive(Default)]
struct Desk {
    seed: AtomicU64,
    /// Since the run began, in milliseconds.
    since: AtomicU64,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, seed: u64, wanted: u64) -> Self {
        Self {
            target,
            seed,
            wanted,
            next: AtomicU64::new(0),
            executions: AtomicU64::new(0),
            failures: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    fn go(self) -> Ran {
        let began = Instant::now();
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let desks: Vec<Desk> = (0..workers).map(|_| Desk::default()).collect();
        thread::scope(|scope| {
            let watch = scope.spawn(|| self.watch(&desks, began));
            let working: Vec<_> =
                desks.iter().map(|desk| scope.spawn(|| self.work(desk, began))).collect();
            for worker in working {
                worker.join().expect("a worker catches what panics");
            }
            self.ended.store(true, Ordering::Relaxed);
            watch.thread().unpark();
        });
        let failures = self.failures.into_inner().expect("no holder panics");
        for (seed, why) in failures.iter().take(SHOWN) {
            let name = self.target.name;
            say(&format!("FAILED: fuzz --replay {name}:{seed}\n  {}", why.replace('\n', "\n  ")));
        }
        Ran { executions: self.executions.into_inner(), failures: failures.len() as u64 }
    }

    fn work(&self, desk: &Desk, began: Instant) {
        while self.executions.load(Ordering::Relaxed) < self.wanted {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let seed = seed_of(self.seed, self.target.name, number);
            desk.seed.store(seed, Ordering::Relaxed);
            desk.since.store(millis(began), Ordering::Relaxed);
            let inputs = match execute(self.target, seed) {
                Ok(inputs) => inputs,
                Err(why) => {
                    self.failures.lock().expect("no holder panics").push((seed, why));
                    1
                }
            };
            self.executions.fetch_add(inputs, Ordering::Relaxed);
        }
        desk.since.store(u64::MAX, Ordering::Relaxed);
    }

    fn watch(&self, desks: &[Desk], began: Instant) {
        while !self.ended.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(200));
            for desk in desks {
                let since = desk.since.load(Ordering::Relaxed);
                let took = Duration::from_millis(millis(began).saturating_sub(since));
                if since != u64::MAX && took > LONGEST {
                    let seed = desk.seed.load(Ordering::Relaxed);
                    say(&format!("HANGS: fuzz --replay {}:{seed}", self.target.name));
                    // Its thread can't be stopped in any other way.
                    std::process::abort();
                }
            }
        }
    }
}

fn execute(target: &Target, seed: u64) -> Checked {
    let mut random = Rng::with_seed(seed);
    let run = AssertUnwindSafe(|| (target.run)(&mut random));
    FUZZES.set(true);
    let checked = panic::catch_unwind(run);
    FUZZES.set(false);
    checked.unwrap_or_else(|_| Err(PANIC.take()))
}

/// Neighbouring executions and targets of one name's beginning have nothing in common.
fn seed_of(seed: u64, name: &str, number: u64) -> u64 {
    let name = name.bytes().fold(seed, |hash, byte| hash.rotate_left(7) ^ u64::from(byte));
    Rng::with_seed(name ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
}

#[expect(clippy::print_stdout, reason = "a program of its own, and this is what it is run for")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails for one input in about a hundred, in both ways.
    fn flawed(random: &mut Rng) -> Checked {
        match random.u8(0..200) {
            0 => panic!("a slip"),
            1 => Err("a lie".to_owned()),
            _ => Ok(1),
        }
    }

    const FLAWED: Target = Target { name: "flawed", share: 1, run: flawed };

    #[test]
    fn what_fails_is_counted_and_fails_again_by_its_seed() {
        let ran = Run::new(&FLAWED, 1, 10_000).go();
        assert!((50..200).contains(&ran.failures), "{} failures", ran.failures);
        assert!(ran.executions >= 10_000);
        let seeds = (0..10_000).map(|number| seed_of(1, FLAWED.name, number));
        let failing: Vec<u64> = seeds.filter(|seed| execute(&FLAWED, *seed).is_err()).collect();
        assert!(!failing.is_empty());
        assert!(failing.iter().all(|seed| !replay(&FLAWED, *seed)));
    }

    #[test]
    fn all_targets_stand_some_inputs() {
        let plan = Plan { executions: 20_000, ..Plan::default() };
        assert_eq!(run(plan), Ok(true));
    }

    #[test]
    fn a_name_that_is_no_target_is_refused() {
        let plan = Plan { target: Some("no such".to_owned()), ..Plan::default() };
        assert!(run(plan).is_err());
    }
}
