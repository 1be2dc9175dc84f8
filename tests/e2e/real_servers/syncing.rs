//! Trees made alike on real servers: up, across, down, with removals, and a second time for nothing.
//! What is there is looked at past `haul`.

use std::collections::BTreeSet;

use super::BUCKET;
use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, haul};

/// All that the tests here put is below it.
const OWN: &str = "sync/";

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn trees_become_alike_on_seaweedfs() {
    trees_become_alike(Weed::shared());
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn trees_become_alike_on_moto() {
    trees_become_alike(Moto::shared());
}

/// More than a page of each, in an order that is not that of a plain walk.
fn names() -> BTreeSet<String> {
    let many = (0..1200).map(|number| format!("many/{}/{number}", number % 7));
    let odd = ["a-", "a.b", "a/x", "a/y.z/1", "a0", "c d/ü", "plus+and%20percent"];
    many.chain(odd.map(str::to_owned)).collect()
}

fn trees_become_alike(server: &(impl Server + ?Sized)) {
    let bucket = Bucket::make(server, BUCKET);
    bucket.remove(OWN);
    let sandbox = Sandbox::new();
    let names = names();
    for name in &names {
        sandbox.fill(&format!("tree/{name}"), 100);
    }
    bucket.put("sync/up/extra", "x");
    bucket.put("sync/up/a/y", "of another length");
    let sync = |source: &str, destination: &str| {
        let haul = haul().on(server).current_dir(sandbox.path(""));
        haul.args(["sync", source, destination, "--delete", "--max-delete", "100%"]).run()
    };
    let below = |prefix: &str| -> BTreeSet<String> {
        bucket.keys(prefix).iter().map(|key| key[prefix.len()..].to_owned()).collect()
    };
    let (up, across) = (bucket.uri("sync/up/"), bucket.uri("sync/across/"));
    sync("tree/", &up).code(0).stderr_has("1207 objects, ").stderr_has("2 removed");
    assert_eq!(below("sync/up/"), names);
    sync(&up, &across).code(0).stderr_has("1207 objects, ");
    assert_eq!(below("sync/across/"), names);
    sandbox.write("out/old/extra", "x");
    sync(&across, "out").code(0).stderr_has("1207 objects, ").stderr_has("1 removed");
    sandbox.same("tree", "out");
    for (source, destination) in [("tree", &*up), (&*up, &*across), (&*across, "out")] {
        let again = sync(source, destination);
        again.code(0).stderr_has("0 objects, ").stderr_has("1207 skipped").stderr_lacks("removed");
    }
}
