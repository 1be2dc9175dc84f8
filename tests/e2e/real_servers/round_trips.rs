//! Trees of files up and down again, by tree, by wildcard and by manifest, compared byte by byte.
//! It must never compare what `haul` says; only files with files and keys with names.

use std::collections::BTreeSet;
use std::time::Duration;

use testbed::Testbed;

use crate::harness::{Bucket, Moto, Sandbox, Server, Tree, Weed, haul};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const PART: u64 = 8 * MIB;

/// A gigabyte on a busy machine with two cores and a slow disk.
const LONG: Duration = Duration::from_mins(10);

#[test]
fn a_small_tree_survives_the_testbed_by_every_way() {
    every_way(&Testbed::spawn(), small_tree);
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_small_tree_survives_seaweedfs_by_every_way() {
    every_way(Weed::shared(), small_tree);
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_small_tree_survives_moto_by_every_way() {
    every_way(Moto::shared(), small_tree);
}

#[test]
#[ignore = "moves gigabytes: run tests/run.sh"]
fn a_large_tree_survives_the_testbed_by_every_way() {
    every_way(&Testbed::spawn(), large_tree);
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_large_tree_survives_seaweedfs_by_every_way() {
    every_way(Weed::shared(), large_tree);
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn unusual_names_survive_seaweedfs() {
    unusual_names(Weed::shared());
}

#[test]
fn unusual_names_survive_the_testbed() {
    unusual_names(&Testbed::spawn());
}

/// Legal in keys and in file names, and each mangled by some encoding on the way.
const UNUSUAL_NAMES: [&str; 10] = [
    "space in name",
    "plus+and%20percent%41",
    "#hash?question&ampersand",
    "quote\"and'apostrophe",
    "comma,semicolon;colon:",
    "naïve-日本語-🚚",
    "[brackets]{braces}",
    "star*and$dollar",
    ".hidden",
    "-leading-dash",
];

fn every_way(server: &impl Server, fill: fn(&Sandbox)) {
    let trip = Trip::new(server);
    fill(&trip.sandbox);
    trip.by_tree();
    trip.by_wildcard();
    trip.by_manifest();
}

fn unusual_names(server: &impl Server) {
    let trip = Trip::new(server);
    for name in UNUSUAL_NAMES {
        trip.sandbox.fill(&format!("tree/{name}"), 100);
    }
    trip.by_tree();
    trip.by_manifest();
}

/// One tree in a sandbox, on its way up below a prefix and back.
struct Trip<'a, S> {
    server: &'a S,
    bucket: Bucket,
    prefix: String,
    sandbox: Sandbox,
}

impl<'a, S: Server> Trip<'a, S> {
    fn new(server: &'a S) -> Self {
        let sandbox = Sandbox::new();
        // Two trips may be under way in one bucket; a sandbox's name is its own.
        let prefix = sandbox.path("").file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            server,
            bucket: Bucket::make(server, super::BUCKET),
            prefix: prefix.expect("a sandbox has a name"),
            sandbox,
        }
    }

    fn by_tree(&self) {
        let uri = self.uri("tree/");
        self.haul(&["upload", "tree", &uri]);
        self.went_up("tree");
        self.haul(&["download", &uri, "from-tree/"]);
        self.came_back("tree");
    }

    fn by_wildcard(&self) {
        let uri = self.uri("wildcard/");
        // A wildcard on the local side is the shell's or a filter's; every name has an extension.
        self.haul(&["upload", "tree", &uri, "--include", "*.bin"]);
        self.went_up("wildcard");
        self.haul(&["download", &format!("{uri}*.b?n"), "from-wildcard/"]);
        self.came_back("wildcard");
    }

    fn by_manifest(&self) {
        let uri = |name: &str| self.uri(&format!("manifest/{name}"));
        self.manifest("up.csv", |name| [format!("tree/{name}"), uri(name)]);
        self.manifest("down.csv", |name| [uri(name), format!("from-manifest/{name}")]);
        self.haul(&["upload", "--manifest", "up.csv"]);
        self.went_up("manifest");
        self.haul(&["download", "--manifest", "down.csv"]);
        self.came_back("manifest");
    }

    /// Writes one row a file of the tree.
    fn manifest(&self, file: &str, row: impl Fn(&str) -> [String; 2]) {
        let header = ["source", "destination"].map(str::to_owned);
        let rows = self.names().into_iter().map(|name| row(&name));
        let mut manifest = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(header).chain(rows) {
            manifest.write_record(row).expect("memory is writable");
        }
        let bytes = manifest.into_inner().expect("memory is writable");
        self.sandbox.write(file, bytes);
    }

    fn haul(&self, args: &[&str]) {
        let haul = haul().on(self.server).current_dir(self.sandbox.path(""));
        haul.args(args).limit(LONG).run().code(0).no_escapes();
    }

    fn went_up(&self, way: &str) {
        let prefix = format!("{}/{way}/", self.prefix);
        let keys: BTreeSet<_> = self.bucket.keys(&prefix).into_iter().collect();
        let wanted: BTreeSet<_> = self.names().iter().map(|name| prefix.clone() + name).collect();
        let differing: Vec<_> = keys.symmetric_difference(&wanted).take(5).collect();
        assert!(differing.is_empty(), "missing there, or not wanted: {differing:?}, …");
        assert_eq!(self.bucket.open_uploads(&prefix), Vec::<String>::new());
    }

    fn came_back(&self, way: &str) {
        let folder = format!("from-{way}");
        self.sandbox.same("tree", &folder);
        self.sandbox.no_leftovers("");
        // The next way down would find them there, and gigabytes would pile up.
        self.sandbox.remove(folder);
        self.bucket.remove(&format!("{}/{way}/", self.prefix));
    }

    fn uri(&self, below: &str) -> String {
        self.bucket.uri(&format!("{}/{below}", self.prefix))
    }

    /// Names of the files that should be there, in the order of a listing.
    fn names(&self) -> Vec<String> {
        let tree: Tree = self.sandbox.tree("tree");
        tree.into_keys().collect()
    }
}

fn small_tree(sandbox: &Sandbox) {
    for folder in 0..10 {
        for file in 0..30 {
            sandbox.fill(&format!("tree/folder-{folder}/{file:04}.bin"), 16 * KIB);
        }
    }
    edges(sandbox);
}

fn large_tree(sandbox: &Sandbox) {
    for folder in 0..50 {
        for file in 0..100 {
            sandbox.fill(&format!("tree/folder-{folder}/{file:04}.bin"), 16 * KIB);
        }
    }
    for file in 0..64 {
        sandbox.fill(&format!("tree/parts/{file:04}.bin"), PART);
    }
    sandbox.fill("tree/gigabyte.bin", 1 << 30);
    edges(sandbox);
}

/// Sizes at which a plan changes its mind.
fn edges(sandbox: &Sandbox) {
    for size in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1] {
        sandbox.fill(&format!("tree/edges/{size}.bin"), size);
    }
}
