//! Copies between two servers that know nothing of each other: read here and written there, in
//! parts, each half checked. Attributes and tags come along.

use testbed::{
    Algorithm, Attributes, Fault, FaultKind, ObjectChecksum, Operation, PutOptions, Testbed,
};

use super::{MIB, full, put};
use crate::harness::{Haul, Output, content};
use crate::stage::{BUCKET, Stage};

const PARTS: [&str; 2] = ["--part-size", "5MiB"];

/// The stage's server is read from, another one is written to.
struct Pair {
    from: Stage,
    to: Testbed,
}

impl Pair {
    fn new() -> Self {
        let to = Testbed::spawn();
        to.create_bucket(BUCKET);
        Self { from: Stage::new(), to }
    }

    fn haul(&self, verb: &str) -> Haul {
        let command = self.from.haul().envs(self.to.env()).arg(verb).args(PARTS);
        // The environment's endpoint is the destination's.
        command.args(["--source-endpoint-url", &self.from.testbed.endpoint()])
    }

    fn copy(&self, more: &[&str]) -> Output {
        self.haul("cp").args(more).run()
    }

    #[track_caller]
    fn is_there(&self, key: &str, source: &str) {
        let object = self.to.object(BUCKET, key).unwrap_or_else(|| panic!("no {key}"));
        assert!(object.bytes() == self.from.object(source).bytes(), "{key}");
    }
}

#[test]
fn objects_go_from_one_server_to_another_with_all_that_belongs_to_them() {
    let pair = Pair::new();
    put(&pair.from, "p/small", 10);
    put(&pair.from, "p/q/large", 12 * MIB + 1);
    put(&pair.from, "p/empty", 0);
    let attributes = Attributes { storage_class: Some("STANDARD_IA".to_owned()), ..full() };
    let options = PutOptions { attributes, ..PutOptions::default() };
    pair.from.testbed.put_object_with(BUCKET, "p/classed", "classed", &options);
    let output = pair.copy(&["s3://bucket/p/", "s3://bucket/p/"]);
    output.code(0).stderr_has("4 verified end to end");
    for key in ["p/small", "p/q/large", "p/empty", "p/classed"] {
        pair.is_there(key, key);
        // But its class, which is that of a new object, by whatever name.
        assert_eq!(*pair.to.object(BUCKET, key).expect("there").attributes, full(), "{key}");
    }
    assert_eq!(pair.to.count(Operation::CopyObject), 0);
    assert_eq!(pair.to.count(Operation::UploadPart), 3);
    let more = ["--content-type", "a/b", "--tag", "x=y"];
    pair.copy(&[&["s3://bucket/p/q/large", "s3://bucket/typed"], &more[..]].concat()).code(0);
    let found = (*pair.to.object(BUCKET, "typed").expect("there").attributes).clone();
    let tags = [("x".to_owned(), "y".to_owned())].into();
    assert_eq!(found, Attributes { content_type: Some("a/b".to_owned()), tags, ..full() });
}

#[test]
fn what_was_read_is_held_against_whatever_checksum_the_source_has() {
    let pair = Pair::new();
    for (name, checksum, part_size, verified) in [
        ("crc32c", ObjectChecksum::FullObject(Algorithm::Crc32c), None, true),
        ("sha256", ObjectChecksum::FullObject(Algorithm::Sha256), None, true),
        ("parts", ObjectChecksum::Composite(Algorithm::Crc32), Some(5 * MIB), true),
        ("none", ObjectChecksum::None, None, false),
    ] {
        for size in [1000, 12 * MIB] {
            let options = PutOptions { checksum, part_size, ..PutOptions::default() };
            pair.from.testbed.put_object_with(BUCKET, name, content(name, size), &options);
            let output = pair.copy(&[&format!("s3://bucket/{name}"), "s3://bucket/copy"]);
            output.code(0);
            pair.is_there("copy", name);
            // A hash of all bytes in order can't be told by parts that come as they come.
            if verified && (name != "sha256" || size == 1000) {
                output.stderr_has("1 verified");
            } else {
                output.stderr_lacks("1 verified");
            }
        }
    }
    let require = ["--verify", "require", "s3://bucket/none", "s3://bucket/required"];
    pair.copy(&require).code(1).stderr_has("no checksum");
    assert!(pair.to.object(BUCKET, "required").is_none());
}

/// Without a tag, parts of two versions look like parts of one.
#[test]
fn parts_that_nothing_pins_are_taken_only_if_their_crc_can_tell() {
    let pair = Pair::new();
    for operation in [Operation::HeadObject, Operation::GetObject] {
        pair.from.testbed.fault(Fault::new(operation, FaultKind::MissingETag).always());
    }
    for (algorithm, code) in [(Algorithm::Crc32c, 0), (Algorithm::Sha256, 1)] {
        let checksum = ObjectChecksum::FullObject(algorithm);
        let options = PutOptions { checksum, ..PutOptions::default() };
        pair.from.testbed.put_object_with(BUCKET, "k", content("k", 12 * MIB), &options);
        let output = pair.copy(&["s3://bucket/k", &format!("s3://bucket/{code}")]);
        output.code(code);
        assert!(pair.to.object(BUCKET, "1").is_none(), "{output}");
    }
    pair.is_there("0", "k");
}

/// Parts that come as they come show a CRC alone: of the rest, the source's store must know.
#[test]
fn what_a_row_says_of_the_source_must_hold_here_as_well() {
    let (crc32, crc64) = (Algorithm::Crc32, Algorithm::Crc64Nvme);
    let (sha1, sha256) = (Algorithm::Sha1, Algorithm::Sha256);
    for size in [1000, 12 * MIB] {
        for (has, says, is_enough) in [
            (crc64, crc64, true),
            (crc32, crc32, true),
            (sha256, sha256, true),
            (crc64, crc32, false),
            (crc64, sha256, false),
            (sha256, sha1, false),
        ] {
            let pair = Pair::new();
            let put = |key, from, algorithm| {
                let options = PutOptions::new().checksum(ObjectChecksum::FullObject(algorithm));
                pair.from.testbed.put_object_with(BUCKET, key, content(from, size), &options);
            };
            put("k", "k", has);
            for (from, is_right) in [("k", true), ("other", false)] {
                put("sum", from, says);
                let sum = pair.from.object("sum").checksum.expect("a checksum").value;
                let says = says.name().to_lowercase();
                let row = format!("s3://bucket/k,s3://bucket/copy,{says}:{sum}");
                pair.from
                    .sandbox
                    .write("rows.csv", format!("source,destination,checksum\n{row}\n"));
                let output = pair.copy(&["--manifest", "rows.csv"]);
                // All bytes of a small one are seen.
                let is_copied = is_right && (is_enough || size == 1000);
                output.code(i32::from(!is_copied));
                assert_eq!(pair.to.object(BUCKET, "copy").is_some(), is_copied, "{output}");
                pair.to.delete_object(BUCKET, "copy");
            }
        }
    }
}

#[test]
fn a_flipped_bit_on_the_way_is_noticed_and_the_object_read_again() {
    for (key, size) in [("small", 1000), ("large", 12 * MIB)] {
        let pair = Pair::new();
        put(&pair.from, key, size);
        let source = format!("s3://bucket/{key}");
        let flip = Fault::new(Operation::GetObject, FaultKind::FlipBit { at_byte: 5 });
        pair.from.testbed.fault(flip.clone());
        let output = pair.copy(&[&source, "s3://bucket/copy"]);
        output.code(0).stderr_has("1 verified end to end");
        pair.is_there("copy", key);
        pair.to.delete_object(BUCKET, "copy");
        pair.from.testbed.fault(flip.always());
        let output = pair.copy(&[&source, "s3://bucket/copy"]);
        output.code(1).stderr_has(&source);
        assert!(pair.to.object(BUCKET, "copy").is_none(), "never the wrong bytes");
        assert!(pair.to.open_uploads(BUCKET).is_empty());
    }
}

#[test]
fn a_source_that_changes_in_the_middle_is_never_mixed() {
    let pair = Pair::new();
    put(&pair.from, "k", 12 * MIB);
    let change = FaultKind::replace_object(content("changed", 12 * MIB));
    pair.from.testbed.fault(Fault::new(Operation::GetObject, change).nth(2));
    pair.copy(&["s3://bucket/k", "s3://bucket/k"]).code(0);
    assert!(pair.to.object(BUCKET, "k").expect("there").bytes() == content("changed", 12 * MIB));
}

#[test]
fn both_halves_try_again_where_a_connection_breaks() {
    let pair = Pair::new();
    put(&pair.from, "k", 12 * MIB);
    let broken = FaultKind::ResetInBody { after_bytes: 1 << 20 };
    pair.from.testbed.fault(Fault::new(Operation::GetObject, broken).nth(2));
    pair.to.fault(Fault::new(Operation::UploadPart, FaultKind::ResetBeforeHeaders));
    pair.to.fault(Fault::new(Operation::CompleteMultipartUpload, FaultKind::LostReply));
    let output = pair.copy(&["s3://bucket/k", "s3://bucket/k"]);
    output.code(0).stderr_has("1 verified end to end");
    pair.is_there("k", "k");
    assert!(pair.to.open_uploads(BUCKET).is_empty());
}

/// The server could copy by itself, but these credentials see only one side.
#[test]
fn other_credentials_go_through_here_too() {
    let stage = Stage::new();
    put(&stage, "k", 10);
    stage.testbed.add_credentials("reader", "reader-secret");
    stage.sandbox.write(
        "credentials",
        "[there]\naws_access_key_id = reader\naws_secret_access_key = reader-secret\n",
    );
    let command =
        stage.haul().env("AWS_SHARED_CREDENTIALS_FILE", stage.sandbox.path("credentials"));
    let output = command
        .args(["cp", "--source-profile", "there", "s3://bucket/k", "s3://bucket/copy"])
        .run();
    output.code(0).stderr_has("1 verified end to end");
    assert!(stage.object("copy").bytes() == stage.object("k").bytes());
    assert_eq!(stage.testbed.count(Operation::CopyObject), 0);
    let by = |operation, name: &str| {
        let requests = stage.testbed.requests_of(operation);
        let headers = requests.iter().flat_map(|request| request.headers.clone());
        headers.into_iter().any(|(found, value)| found == "authorization" && value.contains(name))
    };
    assert!(by(Operation::GetObject, "reader/") && !by(Operation::PutObject, "reader/"));
}

#[test]
fn each_side_may_have_a_key_of_its_own() {
    let stage = Stage::new();
    stage.sandbox.write("one", [1; 32]);
    stage.sandbox.write("two", [2; 32]);
    stage.sandbox.fill("file", 12 * MIB);
    let upload = ["upload", "file", "s3://bucket/k", "--sse-c-key-file", "one"];
    stage.run(upload).code(0);
    let cp = |more: &[&str]| {
        let command = stage.haul().args(["cp", "s3://bucket/k", "s3://bucket/copy"]);
        command.args(["--source-sse-c-key-file", "one", "--part-size", "5MiB"]).args(more).run()
    };
    let download = |key: &[&str]| {
        let command = stage.haul().args(["download", "s3://bucket/copy", "back"]).args(key);
        command.run().code(0);
        assert!(stage.sandbox.read("back") == stage.sandbox.read("file"));
    };
    for more in [&[][..], &["--copy-parts-above", "5MiB"]] {
        cp(&[&["--sse-c-key-file", "two"], more].concat()).code(0);
        download(&["--sse-c-key-file", "two"]);
        cp(more).code(0);
        download(&[]);
    }
    let without = stage.run(["cp", "s3://bucket/k", "s3://bucket/other"]);
    without.code(1).stderr_has("s3://bucket/k");
}

/// A copy onto itself that changes nothing else is one by its key.
#[test]
fn an_object_is_written_anew_under_another_key_where_it_is() {
    let stage = Stage::new();
    stage.sandbox.write("one", [1; 32]);
    stage.sandbox.write("two", [2; 32]);
    stage.sandbox.fill("file", 12 * MIB);
    let kept = ["--metadata", "a=b", "--storage-class", "STANDARD_IA", "--tag", "t=u"];
    let upload = ["upload", "file", "s3://bucket/p/k", "--sse-c-key-file", "one"];
    stage.run([&upload[..], &kept].concat()).code(0);
    let (from_one, to_two) = (["--source-sse-c-key-file", "one"], ["--sse-c-key-file", "two"]);
    let (from_two, to_one) = (["--source-sse-c-key-file", "two"], ["--sse-c-key-file", "one"]);
    stage.sandbox.write("rows.txt", "p/k\n");
    let object: &[&str] = &["cp", "s3://bucket/p/k", "s3://bucket/p/k"];
    let tree: &[&str] = &["cp", "s3://bucket/p/", "s3://bucket/p/"];
    let rows: &[&str] = &["cp", "--manifest", "rows.txt", "s3://bucket/", "s3://bucket/"];
    let parts: &[&str] = &["--copy-parts-above", "5MiB", "--part-size", "5MiB"];
    let readable = |key: &[&str]| {
        let back = stage.haul().args(["download", "s3://bucket/p/k", "back"]).args(key).run();
        let is_whole = back.code == Some(0);
        assert!(!is_whole || stage.sandbox.read("back") == stage.sandbox.read("file"));
        is_whole
    };
    for (command, more) in [(object, &[][..]), (object, parts), (tree, &[]), (rows, &[])] {
        let cp = |keys: &[&str]| stage.run([command, keys, more].concat());
        cp(&[from_one, to_two].concat()).code(0).stderr_has("1 object,");
        assert!(readable(&to_two) && !readable(&to_one), "{command:?}");
        // Without one, and with the first one again.
        cp(&from_two).code(0).stderr_has("1 object,");
        assert!(readable(&[]), "{command:?}");
        cp(&to_one).code(0).stderr_has("1 object,");
        assert!(readable(&to_one) && !readable(&[]), "{command:?}");
        let attributes = stage.object("p/k").attributes.clone();
        assert_eq!(attributes.metadata.get("a").map(String::as_str), Some("b"));
        assert_eq!(attributes.storage_class.as_deref(), Some("STANDARD_IA"));
        // One key is no change, and what is moved onto itself would be gone.
        let requests = stage.testbed.count(Operation::CopyObject);
        let same = [command, &from_one, &to_one, more].concat();
        let output = stage.run(same);
        output.stderr_has("is where it is to go already");
        assert_ne!(output.code, Some(0), "{output}");
        if command != rows {
            let moved = [&["mv"], &command[1..], &from_one, &to_two].concat();
            stage.run(moved).code(2).stderr_has("is where it is to go already");
        }
        assert_eq!(stage.testbed.count(Operation::CopyObject), requests);
    }
    assert_eq!(stage.object("p/k").attributes.tags, [("t".to_owned(), "u".to_owned())].into());
}

/// S3 refuses a key that an object does not have.
#[test]
fn the_key_of_what_is_written_is_not_shown_to_what_is_read() {
    let stage = Stage::new();
    stage.sandbox.write("one", [1; 32]);
    stage.sandbox.fill("file", 12 * MIB);
    stage.run(["upload", "file", "s3://bucket/p/k"]).code(0);
    let (key, both) = (["--sse-c-key-file", "one"], ["--source-sse-c-key-file", "one"]);
    let is_back = |from: &str| {
        stage.haul().args(["download", from, "back"]).args(key).run().code(0);
        assert!(stage.sandbox.read("back") == stage.sandbox.read("file"));
    };
    for more in [&[][..], &["--copy-parts-above", "5MiB", "--part-size", "5MiB"]] {
        let copy = |verb, from, to, keys: &[&str]| {
            stage.haul().args([verb, from, to]).args(keys).args(more).run().code(0);
        };
        copy("cp", "s3://bucket/p/k", "s3://bucket/copy", &key);
        is_back("s3://bucket/copy");
        copy("cp", "s3://bucket/copy", "s3://bucket/again", &[key, both].concat());
        is_back("s3://bucket/again");
        copy("mv", "s3://bucket/again", "s3://bucket/moved", &[key, both].concat());
        is_back("s3://bucket/moved");
    }
    stage.haul().args(["sync", "s3://bucket/p/", "s3://bucket/q/"]).args(key).run().code(0);
    is_back("s3://bucket/q/k");
    stage.haul().args(["sync", "s3://bucket/q/", "tree"]).args(key).run().code(0);
    assert!(stage.sandbox.read("tree/k") == stage.sandbox.read("file"));
    // Rows may be downloads: there it is the key of both sides.
    let rows = "source,destination\ns3://bucket/q/k,down\ns3://bucket/q/k,s3://bucket/across\n\
                file,s3://bucket/up\n";
    stage.sandbox.write("rows.csv", rows);
    stage.haul().args(["cp", "--manifest", "rows.csv"]).args(key).run().code(0);
    assert!(stage.sandbox.read("down") == stage.sandbox.read("file"));
    is_back("s3://bucket/across");
    is_back("s3://bucket/up");
}

/// What comes through a pipe is there once.
#[cfg(unix)]
#[test]
fn a_key_is_read_once() {
    let stage = Stage::new();
    stage.sandbox.write("one", [1; 32]);
    stage.testbed.put_object(BUCKET, "k", "k");
    let cp = ["cp", "s3://bucket/k", "s3://bucket/copy", "--sse-c-key-file", "/dev/stdin"];
    stage.haul().args(cp).stdin([1; 32]).run().code(0);
    stage.run(["download", "s3://bucket/copy", "back", "--sse-c-key-file", "one"]).code(0);
}
