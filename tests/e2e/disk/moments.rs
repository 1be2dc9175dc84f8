//! Signals at any moment: from the first one to the exit it takes less than five seconds, whatever
//! was under way and whether the network answers, is silent, or is not there at all.
//!
//! `HAUL_INTERRUPTS=200 HAUL_SEED=1 cargo test --test e2e disk::moments -- --nocapture`
//! is the long run. The moments follow from the seed; what they meet also from the machine.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Testbed};

use super::lab::{MIB, OLD, count, everything, is_unfinished, tell};
use crate::harness::{Haul, Output, content, for_each};
use crate::stage::{BUCKET, Stage};

const LIMIT: Duration = Duration::from_secs(5);
const FILES: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// At a pace that lets a run last for a second or two.
    Answers,
    /// From some request on, for ever silent.
    Stalls,
    /// Connections are never made.
    BlackHole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Download,
    DownloadMany,
    DownloadRows,
    Upload,
    UploadMany,
    UploadRows,
}

const NETWORKS: [Network; 3] = [Network::Answers, Network::Stalls, Network::BlackHole];
const WORKS: [Work; 6] = [
    Work::Download,
    Work::DownloadMany,
    Work::DownloadRows,
    Work::Upload,
    Work::UploadMany,
    Work::UploadRows,
];

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

#[derive(Debug, Clone, Copy)]
struct Case {
    work: Work,
    network: Network,
    signal: (Signal, i32),
    moment: Duration,
    silent_from: u64,
}

/// A listener whose queue is full: the kernel drops what knocks.
struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut queued = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(stream) = TcpStream::connect_timeout(&address, patience) {
            queued.push(stream);
            assert!(queued.len() < 5000, "the queue has no end");
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

fn stage(case: &Case) -> Stage {
    let testbed = Testbed::builder().per_request_bandwidth(4 * MIB).spawn().expect("a free port");
    let stage = Stage::on(testbed);
    let (mut down, mut up) =
        (vec!["source,destination".to_owned()], vec!["source,destination".to_owned()]);
    for number in 0..FILES {
        let name = format!("many/{number}");
        let bytes = content(&name, MIB / 4);
        stage.testbed.put_object(BUCKET, &format!("p/{number}"), bytes.clone());
        stage.sandbox.write(&name, bytes);
        down.push(format!("s3://bucket/p/{number},{number}"));
        up.push(format!("many/{number},s3://bucket/q/{number}"));
    }
    stage.sandbox.write("down.csv", down.join("\n"));
    stage.sandbox.write("up.csv", up.join("\n"));
    let large = content("large", 16 * MIB);
    stage.testbed.put_object(BUCKET, "large", large.clone());
    stage.sandbox.write("large", large);
    stage.testbed.put_object(BUCKET, "q/large", OLD);
    stage.sandbox.write("out/large", OLD);
    if case.network == Network::Stalls {
        let silence = Fault::any(FaultKind::StallHeaders);
        stage.testbed.fault(silence.occurrence(case.silent_from..=u64::MAX));
    }
    stage
}

fn command(case: &Case, stage: &Stage, hole: &BlackHole) -> Haul {
    let words: &[&str] = match case.work {
        Work::Download => &["download", "s3://bucket/large", "out/", "--part-size", "2MiB"],
        Work::DownloadMany => &["download", "s3://bucket/p/", "out/"],
        Work::DownloadRows => &["download", "--manifest", "down.csv", "out/"],
        Work::Upload => &["upload", "large", "s3://bucket/q/", "--part-size", "5MiB"],
        Work::UploadMany => &["upload", "many", "s3://bucket/q/"],
        Work::UploadRows => &["upload", "--manifest", "up.csv"],
    };
    let haul = stage.haul().args(words).args(["--concurrency", "4"]);
    if case.network == Network::BlackHole {
        haul.env("AWS_ENDPOINT_URL", format!("http://{}", hole.address))
    } else {
        haul
    }
}

/// From the signal to the exit. `None`: it had ended before.
fn interrupt(case: &Case, hole: &BlackHole) -> Option<(Duration, Output)> {
    let stage = stage(case);
    let running = command(case, &stage, hole).spawn();
    thread::sleep(case.moment);
    let (signal, code) = case.signal;
    let sent = Instant::now();
    running.signal(signal);
    let output = running.wait_within(2 * LIMIT);
    let took = sent.elapsed();
    let names_are_whole = |root: &str, size: u64| {
        for (path, bytes) in everything(&stage.sandbox.path(root)) {
            let is_whole = bytes.len() as u64 == size || bytes == content("large", 16 * MIB);
            let may_be = is_whole || bytes == OLD || bytes == b"folder" || is_unfinished(&path);
            assert!(may_be, "{} is half\n{output}", path.display());
        }
    };
    names_are_whole("out", MIB / 4);
    for key in stage.keys() {
        let bytes = stage.object(&key).bytes();
        let number = key.trim_start_matches("q/").trim_start_matches("p/");
        let name = if number == "large" { number.to_owned() } else { format!("many/{number}") };
        assert!(bytes == OLD || bytes == stage.sandbox.read(name), "{key}\n{output}");
    }
    match (output.code, output.signal) {
        (Some(0), _) => None,
        // Before it could listen: the system's own way to end it.
        (None, Some(ended)) if ended + 128 == code => Some((took, output)),
        (Some(ended), _) if ended == code => Some((took, output)),
        _ => panic!("another end\n{output}"),
    }
}

#[test]
fn a_signal_at_any_moment_ends_a_run_in_time() {
    let runs = count("HAUL_INTERRUPTS", 36);
    let seed = u64::try_from(count("HAUL_SEED", 1)).expect("small");
    let mut random = fastrand::Rng::with_seed(seed);
    let hole = BlackHole::new();
    let cases: Vec<_> = (0..runs)
        .map(|number| Case {
            work: WORKS[number % WORKS.len()],
            network: NETWORKS[number / WORKS.len() % NETWORKS.len()],
            signal: SIGNALS[random.usize(0..SIGNALS.len())],
            moment: Duration::from_millis(random.u64(0..900)),
            silent_from: random.u64(1..30),
        })
        .collect();
    let times = Mutex::new(Vec::new());
    for_each(&cases, |case| {
        let mut case = *case;
        // Sooner, where the run had ended already.
        while let moment @ 1.. = case.moment.as_millis() {
            if let Some((took, output)) = interrupt(&case, &hole) {
                assert!(took < LIMIT, "{took:?} in {case:?}\n{output}");
                times.lock().expect("no holder panics").push((took, case.network));
                return;
            }
            case.moment = Duration::from_millis(u64::try_from(moment / 2).unwrap_or(0));
        }
    });
    let mut times = times.into_inner().expect("no holder panics");
    times.sort_by_key(|(took, _)| *took);
    tell(&format!("seed {seed}: {}", figures("all", &times)));
    for network in NETWORKS {
        let of_one: Vec<_> = times.iter().copied().filter(|(_, it)| *it == network).collect();
        tell(&figures(&format!("{network:?}"), &of_one));
    }
    assert!(times.len() * 10 >= runs * 9, "only {} of {runs} were interrupted", times.len());
}

fn figures(name: &str, times: &[(Duration, Network)]) -> String {
    let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) else {
        return format!("{name}: none");
    };
    format!("{name}: {} signals, median {:.2?}, maximum {:.2?}", times.len(), median.0, longest.0)
}
