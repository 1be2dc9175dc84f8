//! How many requests are in flight, which of them are made twice, and how much moves: as the store
//! sees it. Speed itself is measured in `benches`, never here.

use std::time::Duration;

use testbed::{Builder, Fault, FaultKind, Operation, Testbed};

use crate::harness::{Haul, Sandbox, content, haul};

const BUCKET: &str = "bucket";
const MIB: u64 = 1 << 20;

struct Scene {
    testbed: Testbed,
    sandbox: Sandbox,
}

impl Scene {
    fn new(builder: Builder) -> Self {
        let testbed = builder.spawn().expect("a free port");
        testbed.create_bucket(BUCKET);
        Self { testbed, sandbox: Sandbox::new() }
    }

    fn objects(&self, count: usize, size: u64) {
        for number in 0..count {
            let name = format!("p/{number:03}");
            self.testbed.put_object(BUCKET, &name, content(&name, size));
        }
    }

    fn download(&self, from: &str) -> Haul {
        haul().on(&self.testbed).args(["download", from]).arg(self.sandbox.path("out/"))
    }

    /// Keys of GETs, in the order in which they came.
    fn asked_for(&self) -> Vec<String> {
        let gets = self.testbed.requests_of(Operation::GetObject).into_iter();
        gets.filter_map(|get| get.key).collect()
    }
}

/// All of them take as long, but for one that never comes: without a second request the run would
/// wait for as long as `--timeout` says.
#[test]
fn a_reply_that_is_far_later_than_the_others_is_asked_for_once_more() {
    let scene = Scene::new(Testbed::builder().first_byte_delay(Duration::from_millis(5)));
    scene.objects(100, 1000);
    let stalled = Fault::new(Operation::GetObject, FaultKind::StallHeaders).key("p/060").once();
    let stalled = scene.testbed.fault(stalled);
    let output = scene.download("s3://bucket/p/").args(["--concurrency", "4", "--timeout", "300"]);
    let output = output.run();
    output.code(0).stderr_lacks("retr");
    assert_eq!(scene.testbed.hits(stalled), 1);
    assert!(output.took < Duration::from_secs(100), "{output}");
    let keys = scene.asked_for();
    assert_eq!(keys.iter().filter(|key| *key == "p/060").count(), 2);
    // Others may have been late as well: it is a busy machine. But never many.
    assert!(keys.len() <= 100 + 6, "{} requests for 100 objects", keys.len());
    assert!(scene.sandbox.read("out/060") == content("p/060", 1000));
}

/// A large object comes first, and its parts would be enough for all requests that there may be.
#[test]
fn small_objects_do_not_wait_for_a_large_one_to_end() {
    let scene = Scene::new(Testbed::builder().per_request_bandwidth(20 << 20));
    scene.testbed.put_synthetic(BUCKET, "p/-large", 64 * MIB, 1);
    scene.objects(40, 1000);
    let limits = ["--concurrency", "4", "--part-size", "1MiB"];
    scene.download("s3://bucket/p/").args(limits).run().code(0);
    let keys = scene.asked_for();
    let last = |of: &dyn Fn(&str) -> bool| keys.iter().rposition(|key| of(key)).expect("some");
    let large = last(&|key| key == "p/-large");
    assert!(last(&|key| key != "p/-large") < large, "the small ones had to wait: {keys:?}");
    // Nor does the large one wait for all the small ones.
    let first_small = keys.iter().position(|key| key != "p/-large").expect("some");
    assert!(keys[first_small..].iter().take(20).any(|key| key == "p/-large"), "{keys:?}");
}

/// The store is far away, and answers as many as are asked for.
#[test]
fn more_requests_are_made_at_once_where_that_pays_and_no_more_than_were_asked_for() {
    let scene = Scene::new(Testbed::builder().first_byte_delay(Duration::from_millis(100)));
    scene.objects(1500, 100);
    scene.download("s3://bucket/p/").run().code(0);
    let found = scene.testbed.totals().max_in_flight;
    assert!(found > 128, "{found} at once");
    scene.testbed.clear_requests();
    scene.download("s3://bucket/p/").args(["--concurrency", "8"]).run().code(0);
    // And the next page of the listing.
    let typed = scene.testbed.totals().max_in_flight;
    assert!((8..=9).contains(&typed), "{typed} at once");
}

/// Whoever holds a permit must not wait for another one.
#[test]
fn one_request_at_once_and_little_memory_are_enough_for_every_way() {
    let scene = Scene::new(Testbed::builder());
    let bytes = content("file", 22 * MIB);
    scene.sandbox.write("file", &bytes);
    let little = ["--concurrency", "1", "--max-memory", "16MiB"];
    let haul = |words: &[&str]| haul().on(&scene.testbed).args(words).args(little);
    let local = |name: &str| scene.sandbox.path(name).to_str().expect("UTF-8").to_owned();
    let (file, out) = (local("file"), local("out/file"));
    haul(&["upload", "-", "s3://bucket/p/stream"]).stdin(bytes.clone()).run().code(0);
    haul(&["upload", &file, "s3://bucket/p/file"]).run().code(0);
    haul(&["download", "s3://bucket/p/stream", &out]).run().code(0);
    assert!(scene.sandbox.read("out/file") == bytes);
    let output = haul(&["download", "s3://bucket/p/file", "-"]).run();
    output.code(0);
    assert!(output.stdout == bytes);
    let compare = ["verify", &out, "s3://bucket/p/stream", "--concurrency", "1"];
    crate::harness::haul().on(&scene.testbed).args(compare).run().code(0);
}

#[test]
fn a_run_keeps_to_its_bandwidth_both_ways() {
    let scene = Scene::new(Testbed::builder());
    let bytes = content("file", 3 * MIB);
    scene.sandbox.write("file", &bytes);
    let up = haul().on(&scene.testbed).arg("upload").arg(scene.sandbox.path("file"));
    let up = up.args(["s3://bucket/p/file", "--max-bandwidth", "1MiB"]).run();
    up.code(0);
    let down = scene.download("s3://bucket/p/").args(["--max-bandwidth", "1MiB/s"]).run();
    down.code(0);
    for output in [&up, &down] {
        assert!(output.took > Duration::from_millis(2800), "it was too fast\n{output}");
        assert!(output.took < Duration::from_secs(30), "{output}");
    }
    assert!(scene.sandbox.read("out/file") == bytes);
}

#[test]
fn a_number_or_a_rate_that_makes_no_sense_is_wrong_usage() {
    for (option, value, says) in [
        ("--concurrency", "many", "must be `auto`, or 1 to 4096"),
        ("--concurrency", "5000", "must be `auto`, or 1 to 4096"),
        ("--max-bandwidth", "1", "must be 1.0 KiB a second at least"),
        ("--max-bandwidth", "fast", "`fast` is not a size"),
    ] {
        let output = haul().args(["download", "s3://bucket/key", "out", option, value]).run();
        output.code(2).stderr_has(says);
    }
}
