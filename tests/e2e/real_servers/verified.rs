//! `haul verify` on real servers: what went up is the same, and a flipped bit is found. A server
//! that keeps no checksum is never said to have proved anything by one.

use serde_json::Value;

use crate::harness::{Bucket, Moto, Output, Sandbox, Server, Weed, haul};

const MIB: u64 = 1 << 20;
const SIZES: [u64; 6] = [0, 1, 16 << 10, 8 * MIB, 8 * MIB + 1, 20 * MIB];

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_tree_on_seaweedfs_is_compared_by_its_checksums() {
    let trip = Trip::new(Weed::shared(), super::BUCKET);
    trip.upload();
    for sides in trip.directions() {
        let output = trip.verify(&sides, &[]);
        output.code(0);
        assert_eq!(compared(&output)["same_by"]["whole"], 2 * SIZES.len() - 2, "{output}");
    }
    trip.flipped_bits_are_found(&[]);
}

/// Its checksums of parts are none, so that its large objects have to be read.
#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_tree_on_moto_is_compared_by_reading_what_has_no_checksum() {
    let trip = Trip::new(Moto::shared(), super::BUCKET);
    trip.upload();
    let output = trip.verify(&trip.directions()[0], &[]);
    let counts = compared(&output);
    for kind in ["missing", "extra", "size", "content"] {
        assert_eq!(counts[kind], 0, "{output}");
    }
    for sides in trip.directions() {
        trip.verify(&sides, &["--read"]).code(0);
    }
    trip.flipped_bits_are_found(&["--read"]);
}

struct Trip<'a, S> {
    server: &'a S,
    uri: String,
    copy: String,
    bucket: Bucket,
    sandbox: Sandbox,
}

impl<'a, S: Server> Trip<'a, S> {
    fn new(server: &'a S, bucket: &str) -> Self {
        let sandbox = Sandbox::new();
        let bucket = Bucket::make(server, bucket);
        for prefix in ["verified/", "copied/"] {
            bucket.remove(prefix);
        }
        for size in SIZES {
            // Names whose order in a listing is not that of a directory.
            sandbox.fill(&format!("tree/{size}/file"), size);
            sandbox.fill(&format!("tree/{size}.file"), size);
        }
        std::fs::remove_file(sandbox.path("tree/0.file")).expect("it is there");
        let (uri, copy) = (bucket.uri("verified/"), bucket.uri("copied/"));
        Self { server, uri, copy, bucket, sandbox }
    }

    fn upload(&self) {
        for uri in [&self.uri, &self.copy] {
            let upload = haul().on(self.server).current_dir(self.sandbox.path(""));
            upload.args(["upload", "tree", uri]).run().code(0);
        }
    }

    fn directions(&self) -> [[String; 2]; 3] {
        let tree = || "tree".to_owned();
        [
            [tree(), self.uri.clone()],
            [self.uri.clone(), tree()],
            [self.uri.clone(), self.copy.clone()],
        ]
    }

    fn verify(&self, sides: &[String; 2], args: &[&str]) -> Output {
        let verify = haul().on(self.server).current_dir(self.sandbox.path(""));
        verify.args(["verify", "--json"]).args(sides).args(args).run()
    }

    fn flipped_bits_are_found(&self, args: &[&str]) {
        let names: Vec<_> = SIZES[1..].iter().map(|size| format!("{size}/file")).collect();
        for name in &names {
            let name = format!("tree/{name}");
            let mut bytes = self.sandbox.read(&name);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            self.sandbox.write(name, bytes);
        }
        self.sandbox.write("tree/extra", "x");
        self.bucket.put("verified/missing", "x");
        let sides = [self.uri.clone(), "tree".to_owned()];
        let output = self.verify(&sides, args);
        output.code(1);
        let counts = compared(&output);
        assert_eq!(counts["content"], names.len(), "{output}");
        assert_eq!((&counts["missing"], &counts["extra"]), (&1.into(), &1.into()), "{output}");
        assert_eq!((&counts["size"], &counts["not_comparable"]), (&0.into(), &0.into()));
    }
}

fn compared(output: &Output) -> Value {
    let last = output.json_lines().pop().expect("a last line");
    last["compared"].clone()
}
