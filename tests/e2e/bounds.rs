//! `--min-size`, `--max-size`, `--newer-than`, `--older-than`: the same for every verb, for objects as
//! for files. What they leave out is never moved, and never removed.

use std::fs::File;
use std::time::{Duration, SystemTime};

use testbed::{Fault, FaultKind, Operation, PutOptions};

use crate::stage::{BUCKET, Stage};

/// Bounds, and what of `old-large`, `old-small`, `young-large` and `young-small` is within them.
const CASES: [(&[&str], &[&str]); 6] = [
    (&["--min-size", "1KiB"], &["old-large", "young-large"]),
    (&["--max-size", "1000"], &["old-small", "young-small"]),
    (&["--newer-than", "1d"], &["young-large", "young-small"]),
    (&["--older-than", "1d12h"], &["old-large", "old-small"]),
    (&["--older-than", "1d", "--max-size", "5", "--exclude", "x"], &["old-small"]),
    (&["--min-size", "1GiB"], &[]),
];

const ALL: [(&str, u64, usize); 4] = [
    ("old-large", 10, 3000),
    ("old-small", 10, 5),
    ("young-large", 0, 3000),
    ("young-small", 0, 5),
];

fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_hours(24 * days)
}

fn put(stage: &Stage, key: &str, days: u64, size: usize) {
    let options = PutOptions::new().last_modified(days_ago(days));
    stage.testbed.put_object_with(BUCKET, key, "x".repeat(size), &options);
}

fn with_objects() -> Stage {
    let stage = Stage::new();
    for (name, days, size) in ALL {
        put(&stage, &format!("p/{name}"), days, size);
    }
    stage
}

fn with_files() -> Stage {
    let stage = Stage::new();
    for (name, days, size) in ALL {
        let path = stage.sandbox.write(format!("p/{name}"), "x".repeat(size));
        let file = File::options().write(true).open(path).expect("a file");
        file.set_modified(days_ago(days)).expect("a time");
    }
    stage
}

fn below(names: &[&str], prefix: &str) -> Vec<String> {
    names.iter().map(|name| format!("{prefix}{name}")).collect()
}

/// What of all is not among these.
fn others(names: &[&str]) -> Vec<String> {
    let others = ALL.iter().map(|(name, ..)| *name).filter(|name| !names.contains(name));
    others.map(|name| format!("p/{name}")).collect()
}

/// The command with the bounds behind it; it is right, whatever it does.
fn run(stage: &Stage, command: &[&str], bounds: &[&str]) -> crate::harness::Output {
    let output = stage.haul().args(command).args(bounds).run();
    output.code(0);
    output
}

#[test]
fn objects_are_judged_by_their_sizes_and_times_whatever_is_done_to_them() {
    for (bounds, wanted) in CASES {
        let stage = with_objects();
        run(&stage, &["download", "s3://bucket/p/", "down"], bounds);
        assert_eq!(stage.files("down"), wanted, "{bounds:?}");
        run(&stage, &["cp", "s3://bucket/p/*", "s3://bucket/q/"], bounds);
        let copied = || stage.keys().into_iter().filter(|key| key.starts_with("q/"));
        assert!(copied().eq(below(wanted, "q/")), "{bounds:?} {:?}", stage.keys());
        let list = run(&stage, &["ls", "-r", "s3://bucket/p/", "--json"], bounds);
        let keys: Vec<_> = list.json_lines().iter().map(|line| line["key"].to_string()).collect();
        let quoted: Vec<_> = wanted.iter().map(|name| format!("\"p/{name}\"")).collect();
        assert_eq!(keys, quoted, "{bounds:?}");
        let sum = run(&stage, &["du", "s3://bucket/p", "--json"], bounds).json_lines().remove(0);
        assert_eq!(sum["objects"], wanted.len(), "{bounds:?}");
        run(&stage, &["mv", "s3://bucket/p/", "moved/"], bounds);
        assert_eq!(stage.files("moved"), wanted, "{bounds:?}");
        let left = stage.keys().into_iter().filter(|key| key.starts_with("p/"));
        assert!(left.eq(others(wanted)), "{bounds:?} {:?}", stage.keys());
    }
}

#[test]
fn files_are_judged_as_objects_are() {
    for (bounds, wanted) in CASES {
        let stage = with_files();
        run(&stage, &["upload", "p", "s3://bucket/"], bounds);
        assert_eq!(stage.keys(), wanted, "{bounds:?}");
        for name in ALL.map(|(name, ..)| format!("p/{name}")) {
            run(&stage, &["cp", &name, "s3://bucket/one/"], bounds);
        }
        let one = || stage.keys().into_iter().filter(|key| key.starts_with("one/"));
        assert!(one().eq(below(wanted, "one/")), "{bounds:?} {:?}", stage.keys());
        run(&stage, &["mv", "p/", "s3://bucket/moved/"], bounds);
        let left: Vec<_> = stage.files("p").iter().map(|name| format!("p/{name}")).collect();
        assert_eq!(left, others(wanted), "{bounds:?}");
    }
}

/// No listing says what they are: they are looked at, and only where that is needed.
#[test]
fn single_objects_are_looked_at_first() {
    for (bounds, wanted) in CASES {
        let stage = with_objects();
        for (name, ..) in ALL {
            let uri = format!("s3://bucket/p/{name}");
            run(&stage, &["cp", &uri, "out/"], bounds);
            run(&stage, &["cp", &uri, "s3://bucket/q/"], bounds);
            let sum = run(&stage, &["du", &uri, "--json"], bounds).json_lines().remove(0);
            assert_eq!(sum["objects"], i32::from(wanted.contains(&name)), "{bounds:?} {name}");
            run(&stage, &["restore", &uri, "--json"], bounds)
                .stdout_has(if wanted.contains(&name) { "readable" } else { "" });
            run(&stage, &["rm", &uri], bounds);
        }
        assert_eq!(stage.files("out"), wanted, "{bounds:?}");
        let mut keys = others(wanted);
        keys.extend(below(wanted, "q/"));
        assert_eq!(stage.keys(), keys, "{bounds:?}");
    }
    let stage = with_objects();
    for (bounds, looks) in [(["--include", "old*"], 0), (["--max-size", "9"], 1)] {
        stage.testbed.clear_requests();
        run(&stage, &["cp", "s3://bucket/p/old-small", "s3://bucket/to/"], bounds.as_slice());
        assert_eq!(stage.testbed.count(Operation::HeadObject), 1 + looks, "{bounds:?}");
    }
    let missing = ["cp", "s3://bucket/p", "out/", "--min-size", "1"];
    stage.run(missing).code(1).stderr_has("s3://bucket/p/ is a prefix").stderr_has("404");
}

#[test]
fn what_is_left_out_of_a_removal_stays() {
    for (bounds, wanted) in CASES {
        let stage = with_objects();
        let plan = run(&stage, &["rm", "-r", "s3://bucket/p/", "--dry-run"], bounds);
        assert_eq!(plan.stdout_text().lines().count(), wanted.len(), "{plan}");
        run(&stage, &["rm", "-r", "s3://bucket/p"], bounds);
        assert_eq!(stage.keys(), others(wanted), "{bounds:?}");
    }
    // Nobody can tell what it is, so that it might be left out.
    let stage = with_objects();
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::access_denied()).always());
    let one = ["rm", "s3://bucket/p/old-small", "--older-than", "1d"];
    stage.run(one).code(1).stderr_has("could not look at s3://bucket/p/old-small");
    assert_eq!((stage.keys().len(), stage.testbed.count(Operation::DeleteObject)), (4, 0));
    stage.run(["rm", "s3://bucket/p/old-small"]).code(0);
}

/// A key whose old versions are small and whose new one is large, with a marker on top.
#[test]
fn each_version_is_judged_by_what_it_is_itself() {
    let versioned = || {
        let stage = Stage::new();
        stage.testbed.keep_versions(BUCKET);
        put(&stage, "p/k", 10, 5);
        put(&stage, "p/k", 5, 3000);
        put(&stage, "p/k", 0, 7);
        stage.testbed.delete_object(BUCKET, "p/k");
        let ids: Vec<_> = stage.testbed.versions(BUCKET).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 4);
        (stage, ids)
    };
    // By place, the newest first: the marker, 7, 3000 and 5 bytes.
    for (bounds, left) in [
        (["--older-than", "1d"].as_slice(), [0, 1].as_slice()),
        (&["--newer-than", "1d"], &[2, 3]),
        (&["--max-size", "100"], &[0, 2]),
        (&["--min-size", "100"], &[0, 1, 3]),
        (&["--min-size", "0"], &[0]),
        (&["--older-than", "7d", "--min-size", "100"], &[0, 1, 2, 3]),
    ] {
        for uri in ["s3://bucket/p/k", "s3://bucket/p/*"] {
            let (stage, ids) = versioned();
            let sum = run(&stage, &["du", "s3://bucket/p", "--all-versions", "--json"], bounds);
            let sum = sum.json_lines().remove(0);
            let number = |name: &str| sum[name].as_u64().unwrap_or_default();
            let told = number("objects") + number("delete_markers");
            assert_eq!(told, 4 - left.len() as u64, "{bounds:?} {sum}");
            let list = run(&stage, &["ls", "-r", uri, "--all-versions", "--json"], bounds);
            assert_eq!(list.json_lines().len(), 4 - left.len(), "{bounds:?} {list}");
            run(&stage, &["rm", uri, "--all-versions"], bounds);
            let found: Vec<_> = stage.testbed.versions(BUCKET).into_iter().map(|of| of.1).collect();
            let left: Vec<_> = left.iter().map(|at| ids[*at].clone()).collect();
            assert_eq!(found, left, "{bounds:?} {uri}");
        }
    }
    let (stage, ids) = versioned();
    for (bounds, files) in [(["--newer-than", "1d"], 0), (["--max-size", "5"], 1)] {
        run(&stage, &["cp", "s3://bucket/p/k", "out/", "--version-id", &ids[3]], &bounds);
        assert_eq!(stage.sandbox.tree(".").len(), files, "{bounds:?}");
    }
    let one = ["rm", "s3://bucket/p/k", "--version-id", &ids[3], "--newer-than", "1d"];
    stage.run(one).code(0).stderr_has("nothing to do");
    assert_eq!(stage.testbed.versions(BUCKET).len(), 4);
}

#[test]
fn a_comparison_leaves_both_sides_out_and_takes_neither_for_extra() {
    let stage = with_objects();
    // Of other sizes there, and of today.
    for (name, _, size) in ALL {
        stage.sandbox.write(format!("p/{name}"), "x".repeat(3005 - size));
    }
    stage.sandbox.write("p/extra-small", "x");
    stage.sandbox.write("p/extra-large", "x".repeat(3000));
    let verify = |bounds: &[&str]| {
        let sides = ["verify", "s3://bucket/p/", "p", "--json"];
        let output = stage.haul().args(sides).args(bounds).run();
        let found = output.json_lines().into_iter().filter(|line| line["event"] == "compared");
        let name = |line: &serde_json::Value| {
            let place = line["destination"].as_str().unwrap_or_default().to_owned();
            let name = place.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{} {name}", line["result"].as_str().unwrap_or_default())
        };
        let mut found: Vec<_> = found.map(|line| name(&line)).collect();
        found.sort();
        found
    };
    let both = ["size old-large", "size old-small", "size young-large", "size young-small"];
    assert_eq!(verify(&["--exclude", "extra*"]), both);
    let small = ["extra extra-small", "size old-small", "size young-small"];
    assert_eq!(verify(&["--max-size", "1000"]), small);
    assert_eq!(verify(&["--older-than", "1d"]), ["size old-large", "size old-small"]);
    let single = ["verify", "s3://bucket/p/old-small", "p/old-small"];
    stage.run(single).code(1);
    stage.haul().args(single).args(["--newer-than", "1d"]).run().code(0);
    stage.haul().args(single).args(["--exclude", "old*"]).run().code(0);
    let single = ["verify", "p/old-small", "s3://bucket/p/old-small"];
    stage.haul().args(single).args(["--max-size", "10"]).run().code(0);
    stage.haul().args(single).args(["--max-size", "3000"]).run().code(1);
}

#[test]
fn rows_are_judged_by_the_sizes_that_they_say() {
    let stage = with_objects();
    stage.sandbox.write(
        "rows.csv",
        "source,destination,size\ns3://bucket/p/old-large,a,3000\ns3://bucket/p/old-small,b,5\n\
         s3://bucket/p/young-small,c,\n",
    );
    let output = stage.run(["download", "--manifest", "rows.csv", "out", "--max-size", "100"]);
    output.code(1).stderr_has("it says no size").stderr_has("line 4");
    assert_eq!(stage.files("out"), ["b"]);
    let strict = ["cp", "--manifest", "rows.csv", "strict", "--max-size", "100", "--strict"];
    stage.run(strict).code(2).stderr_has("refused as a whole");
    assert!(stage.files("strict").is_empty());
    for verb in ["download", "upload", "cp", "mv", "verify"] {
        let output = stage.run([verb, "--manifest", "rows.csv", "out", "--older-than", "1d"]);
        output.code(2).stderr_has("cannot be used with").stderr_has("--manifest");
    }
    assert_eq!(stage.keys().len(), 4);
}

#[test]
fn what_can_not_be_judged_is_wrong_usage() {
    let stage = with_objects();
    for (bounds, said) in [
        (["--min-size", "2KiB", "--max-size", "1KiB"], "no size is between"),
        (["--newer-than", "1d", "--older-than", "2d"], "no time is after"),
    ] {
        let output = stage.haul().args(["rm", "-r", "s3://bucket/p/"]).args(bounds).run();
        output.code(2).stderr_has(said);
    }
    for bounds in [["--min-size", "1"], ["--newer-than", "1d"]] {
        let mut haul = stage.haul().stdin("bytes").args(["upload", "-", "s3://bucket/stream"]);
        haul = haul.args(bounds);
        haul.run().code(2).stderr_has("neither size nor time");
    }
    stage.sandbox.write("patterns", "*.tmp\n");
    for rule in ["--include=s*", "--exclude=stream", "--include-from=patterns"] {
        for verb in ["upload", "cp"] {
            let haul = stage.haul().stdin("bytes").args([verb, "-", "s3://bucket/stream", rule]);
            haul.run().code(2).stderr_has("standard input has no name").stderr_has("leave them");
        }
    }
    assert_eq!(stage.testbed.count(Operation::PutObject), 0);
    // Rules for all commands are about names, where there are any.
    let haul = stage.haul().env("HAUL_EXCLUDE", "*.tmp").stdin("bytes");
    haul.args(["upload", "-", "s3://bucket/p/stream"]).run().code(0);
    stage.run(["rm", "s3://bucket/p/stream"]).code(0);
    for filter in [["--min-size", "1"], ["--include", "*"]] {
        stage
            .haul()
            .arg("ls")
            .args(filter)
            .run()
            .code(2)
            .stderr_has("required")
            .stderr_has("S3_URI");
    }
    // What is set for all commands is no mistake of one that has no use for it.
    stage.haul().env("HAUL_MIN_SIZE", "1").arg("ls").run().code(0).stdout_has("bucket");
    for bad in ["-1d", "soon", "1y", "2026-13-01"] {
        let bad = format!("--older-than={bad}");
        stage.run(["rm", "-r", "s3://bucket/p/", &bad]).code(2).stderr_has("must be a date");
    }
    assert_eq!(stage.keys().len(), 4);
}
