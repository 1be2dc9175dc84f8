//! Many objects down and up again, round after round, while one request in twenty fails in one of
//! many ways. In the end all bytes are equal, and memory, descriptors and temporary files have not
//! grown. `tests/soak.sh` runs it for as long as it is told.
//! It must never pass without faults, nor judge growth by fewer samples than show it.

mod faults;
mod samples;
mod world;

use std::time::{Duration, Instant};

use samples::Samples;
use world::World;

const SEED: u64 = 20_261_124;
const LARGE_FROM: u64 = 10_000;

/// What one soak is.
#[derive(Debug, Clone, Copy)]
struct Soak {
    seed: u64,
    objects: u64,
    /// Rounds begin until then; the last one is finished.
    time: Duration,
}

#[test]
fn a_round_with_faults_moves_every_byte() {
    soak(Soak { seed: SEED, objects: 400, time: Duration::ZERO });
}

#[test]
#[ignore = "takes as long as it is told: run tests/soak.sh"]
fn hours_with_faults_move_every_byte_and_nothing_grows() {
    let minutes = variable("HAUL_SOAK_MINUTES").unwrap_or(30);
    let objects = variable("HAUL_SOAK_OBJECTS").unwrap_or(100_000);
    let seed = variable("HAUL_SOAK_SEED").unwrap_or(SEED);
    soak(Soak { seed, objects, time: Duration::from_secs(minutes * 60) });
}

#[expect(clippy::print_stdout, reason = "the table is what the long version is run for")]
fn soak(soak: Soak) {
    let world = World::new(soak.objects);
    let faults = faults::set(&world.testbed, soak.seed);
    println!("seed {}, {} objects, {} bytes", soak.seed, soak.objects, world.bytes());
    println!(
        "| round | way | seconds | samples | memory, peak of the halves (MiB) | descriptors | temporary files |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|");
    let began = Instant::now();
    let mut runs: Vec<[Samples; 2]> = Vec::new();
    for round in 1.. {
        let both = [world.download(), world.upload()];
        for (way, samples) in ["down", "up"].iter().zip(&both) {
            println!("| {round} | {way} | {samples} |");
            // In a short run nothing has a second half.
            if soak.objects >= LARGE_FROM {
                samples.must_be_flat();
            }
        }
        runs.push(both);
        world.forget_round();
        if began.elapsed() >= soak.time {
            break;
        }
    }
    if let [first, .., last] = &runs[..] {
        for (first, last) in first.iter().zip(last) {
            last.must_not_exceed(first);
        }
    }
    let requests = world.testbed.totals().requests;
    println!("\n{}", faults::report(&world.testbed, &faults, requests));
    faults::must_have_fired(&world.testbed, &faults, requests);
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}
