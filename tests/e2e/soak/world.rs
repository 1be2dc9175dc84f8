//! What a soak moves: many small objects and some large ones, in a server that fails on command.
//! It must never compare with anything but the objects that were there first.

use std::fs;

use testbed::Testbed;

use super::samples::{Samples, watch};
use crate::harness::{Haul, Sandbox, content, haul};

const BUCKET: &str = "bucket";
const SOURCE: &str = "src/";
const UP: &str = "up/";
const OUT: &str = "out";
const CONCURRENCY: &str = "32";
/// Of one in so many: in parts, down and up.
const LARGE_EVERY: u64 = 250;
const LARGE: u64 = (5 << 20) + 4321;

pub(super) struct World {
    pub(super) testbed: Testbed,
    sandbox: Sandbox,
    names: Vec<String>,
}

impl World {
    pub(super) fn new(objects: u64) -> Self {
        let testbed = Testbed::builder().md5_etags(false).without_log().spawn();
        let testbed = testbed.expect("a free port on the loopback interface");
        testbed.create_bucket(BUCKET);
        let names: Vec<_> =
            (0..objects).map(|index| format!("{}/object-{index}", index / 1000)).collect();
        for (index, name) in (0..).zip(&names) {
            let size = if index % LARGE_EVERY == 7 { LARGE } else { index * 7919 % 8192 };
            testbed.put_object(BUCKET, &format!("{SOURCE}{name}"), content(name, size));
        }
        Self { testbed, sandbox: Sandbox::new(), names }
    }

    pub(super) fn bytes(&self) -> u64 {
        let objects = self.names.iter().map(|name| self.object(SOURCE, name));
        objects.map(|object| object.map_or(0, |bytes| bytes.len() as u64)).sum()
    }

    /// Everything to files, which are then compared.
    pub(super) fn download(&self) -> Samples {
        let from = format!("s3://{BUCKET}/{SOURCE}");
        let command = self.haul("download").args([&from, OUT, "--part-size", "1MiB"]);
        let samples = watch(command, &self.sandbox.path(OUT));
        for name in &self.names {
            let file = fs::read(self.sandbox.path(OUT).join(name)).ok();
            let object = self.object(SOURCE, name).expect("it is never removed");
            assert!(file.is_some_and(|file| object == file), "{name} differs on the disk");
        }
        assert_eq!(self.sandbox.tree(OUT).len(), self.names.len(), "files that nobody asked for");
        samples
    }

    /// The files to other keys, which are then compared.
    pub(super) fn upload(&self) -> Samples {
        let to = format!("s3://{BUCKET}/{UP}");
        let command = self.haul("upload").args([OUT, &to, "--part-size", "5MiB"]);
        let samples = watch(command, &self.sandbox.path(OUT));
        for name in &self.names {
            let object = self.object(SOURCE, name).expect("it is never removed");
            let copy = self.object(UP, name);
            assert!(copy.is_some_and(|copy| object == copy), "{name} differs in the bucket");
        }
        let keys = self.testbed.keys(BUCKET).len();
        assert_eq!(keys, 2 * self.names.len(), "objects that nobody asked for");
        let open = self.testbed.open_uploads(BUCKET);
        let used = open.iter().filter(|upload| !upload.parts.is_empty()).count();
        assert_eq!(used, 0, "uploads are left: {open:?}");
        samples
    }

    /// Removes what a round made.
    pub(super) fn forget_round(&self) {
        self.sandbox.remove(OUT);
        for name in &self.names {
            self.testbed.delete_object(BUCKET, &format!("{UP}{name}"));
        }
    }

    fn haul(&self, command: &str) -> Haul {
        let haul = haul().on(&self.testbed).current_dir(self.sandbox.path(""));
        haul.arg(command).args(["--concurrency", CONCURRENCY, "--progress", "none"])
    }

    fn object(&self, folder: &str, name: &str) -> Option<testbed::Bytes> {
        let object = self.testbed.object(BUCKET, &format!("{folder}{name}"))?;
        Some(object.bytes())
    }
}
