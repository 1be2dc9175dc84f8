//! Every kind of difference, in every direction, and nothing else. The largest test plants a
//! flipped bit in each of a thousand copies.

use testbed::{Algorithm, ObjectChecksum, PutOptions};

use super::{nothing_was_read, results, summary};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

/// All kinds of checksum that an object may have.
pub(super) const KINDS: [ObjectChecksum; 9] = [
    ObjectChecksum::FullObject(Algorithm::Crc64Nvme),
    ObjectChecksum::FullObject(Algorithm::Crc32),
    ObjectChecksum::FullObject(Algorithm::Crc32c),
    ObjectChecksum::FullObject(Algorithm::Sha1),
    ObjectChecksum::FullObject(Algorithm::Sha256),
    ObjectChecksum::Composite(Algorithm::Crc32),
    ObjectChecksum::Composite(Algorithm::Crc32c),
    ObjectChecksum::Composite(Algorithm::Sha1),
    ObjectChecksum::Composite(Algorithm::Sha256),
];

pub(super) fn options(kind: ObjectChecksum, part_size: u64) -> PutOptions {
    let options = PutOptions::new().checksum(kind);
    match kind {
        ObjectChecksum::Composite(_) => options.part_size(part_size),
        _ => options,
    }
}

/// Objects `p/NUMBER` and files `tree/NUMBER` of the same bytes, of all kinds of checksum and of
/// sizes from 1 to 5000.
fn copies(count: usize) -> Stage {
    let stage = Stage::new();
    let kinds = KINDS.iter().cycle();
    for (number, kind) in (0..count).zip(kinds) {
        let name = format!("{number:04}");
        let size = 1 + (number as u64 * 7919) % 5000;
        let file = format!("tree/{name}");
        stage.sandbox.fill(&file, size);
        let key = format!("p/{name}");
        stage.testbed.put_object_with(BUCKET, &key, content(&file, size), &options(*kind, 700));
    }
    stage
}

fn flip(stage: &Stage, name: &str, random: &mut fastrand::Rng) {
    let mut bytes = stage.sandbox.read(name);
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(..8);
    stage.sandbox.write(name, bytes);
}

/// The promise in full: each of a thousand flipped bits is found, among as many that are right.
#[test]
fn every_flipped_bit_of_a_thousand_copies_is_found_and_nothing_else() {
    const SEED: u64 = 20_260_917;
    let stage = copies(2000);
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut wanted: Vec<_> = (0..2000).collect();
    random.shuffle(&mut wanted);
    wanted.truncate(1000);
    wanted.sort_unstable();
    for number in &wanted {
        flip(&stage, &format!("tree/{number:04}"), &mut random);
    }
    let directions = [["s3://bucket/p/", "tree"], ["tree", "s3://bucket/p/"]];
    for (direction, sources) in directions.into_iter().zip(["s3://bucket/p/", "tree/"]) {
        let output = stage.haul().args(["verify", "--json"]).args(direction).run();
        output.code(1);
        let lines = output.json_lines();
        let found = |result: &str| {
            let lines = lines.iter().filter(|line| line["result"] == result);
            let names = lines.map(|line| line["source"].as_str().expect("a text"));
            let mut numbers: Vec<u32> = names
                .map(|name| {
                    name.strip_prefix(sources).expect("a source").parse().expect("a number")
                })
                .collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(found("content"), wanted, "{output}");
        assert_eq!(found("same").len(), 1000, "{output}");
        let compared = &summary(&output)["compared"];
        assert_eq!(compared["content"], 1000, "{output}");
        assert_eq!((&compared["missing"], &compared["extra"]), (&0.into(), &0.into()));
        assert_eq!((&compared["size"], &compared["not_comparable"]), (&0.into(), &0.into()));
    }
    nothing_was_read(&stage);
}

#[test]
fn one_flipped_bit_among_a_thousand_copies_is_found() {
    let stage = copies(1000);
    stage.run(["verify", "s3://bucket/p/", "tree"]).code(0).stdout_is("");
    flip(&stage, "tree/0617", &mut fastrand::Rng::with_seed(1));
    let output = stage.run(["verify", "s3://bucket/p/", "tree"]);
    output.code(1).stdout_has("content         s3://bucket/p/0617 -> tree/0617  ");
    assert_eq!(output.stdout_text().lines().count(), 1, "{output}");
    output.stderr_has("1000 objects").stderr_has("999 the same").stderr_has("1 of other content");
    nothing_was_read(&stage);
}

/// Source first, then destination: `None` where it is not there.
const PAIRS: [(&str, Option<&str>, Option<&str>, &str); 7] = [
    ("content", Some("0123456789"), Some("01234x6789"), "content"),
    ("empty", Some(""), Some(""), "same"),
    ("extra", None, Some("there"), "extra"),
    ("folder/same", Some("the same bytes"), Some("the same bytes"), "same"),
    ("missing", Some("there"), None, "missing"),
    ("size", Some("longer"), Some("short"), "size"),
    ("size-empty", Some(""), Some("x"), "size"),
];

#[test]
fn each_difference_is_told_by_its_kind_in_every_direction() {
    let sides = ["s3://bucket/a/p/", "s3://other/p/", "local/p"];
    for (source, destination) in
        [(0, 1), (1, 0), (0, 2), (2, 0)].map(|(one, two)| (sides[one], sides[two]))
    {
        let stage = Stage::new();
        stage.testbed.create_bucket("other");
        for (name, one, two, _) in PAIRS {
            put(&stage, source, name, one);
            put(&stage, destination, name, two);
        }
        let output = stage.run(["verify", "--json", source, destination]);
        output.code(1);
        let wanted = PAIRS.map(|(name, _, _, result)| (name.to_owned(), result.to_owned()));
        assert_eq!(results(&output), wanted.into(), "{output}");
        assert_eq!(summary(&output)["success"], false);
        nothing_was_read(&stage);

        let text = stage.run(["verify", source, destination]);
        let kinds: Vec<_> = text.code(1).stdout_text().lines().collect();
        assert_eq!(kinds.len(), 5, "{text}");
        text.stderr_has("7 objects").stderr_has("2 the same (1 by whole checksums, 1 empty)");
        text.stderr_has("1 missing, 1 extra, 2 of another size, 1 of other content");
        text.no_escapes();
    }
}

fn put(stage: &Stage, side: &str, name: &str, bytes: Option<&str>) {
    let Some(bytes) = bytes else { return };
    match side.strip_prefix("s3://").and_then(|side| side.split_once('/')) {
        Some((bucket, prefix)) => {
            stage.testbed.put_object(bucket, &format!("{prefix}{name}"), bytes.to_owned());
        }
        None => drop(stage.sandbox.write(format!("{side}/{name}"), bytes)),
    }
}

#[test]
fn differences_are_lines_with_both_names_and_what_each_has() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/size", "1234");
    stage.sandbox.write("tree/size", "123");
    stage.testbed.put_object(BUCKET, "p/gone\u{1b}[2J", "1234");
    let output = stage.run(["verify", "s3://bucket/p/", "tree"]);
    output.code(1).no_escapes();
    let mut lines: Vec<_> = output.stdout_text().lines().collect();
    lines.sort_unstable();
    let wanted = [
        "missing         s3://bucket/p/gone\\u{1b}[2J -> tree/gone\\u{1b}[2J",
        "size            s3://bucket/p/size -> tree/size  4 bytes, 3 bytes",
    ];
    assert_eq!(lines, wanted);
    // Exact for programs.
    let json = stage.run(["verify", "s3://bucket/p/", "tree", "--json"]);
    let missing = json.json_lines().into_iter().find(|line| line["result"] == "missing");
    assert_eq!(missing.expect("it is told")["destination"], "tree/gone\u{1b}[2J");
}

#[test]
fn what_is_the_same_is_silent_and_exits_with_0() {
    let stage = Stage::new();
    stage.sandbox.write("tree/a", "a");
    stage.sandbox.write("tree/b/c", "c");
    stage.run(["upload", "tree", "s3://bucket/p/"]).code(0);
    for args in [["tree", "s3://bucket/p/"], ["s3://bucket/p/", "tree"]] {
        let output = stage.haul().arg("verify").args(args).run();
        output.code(0).stdout_is("").stderr_has("2 objects").stderr_has("2 the same");
        let all = stage.haul().args(["verify", "-vv"]).args(args).run();
        all.code(0).stdout_has("same            ").stdout_has("  crc64nvme\n");
    }
    nothing_was_read(&stage);
}
