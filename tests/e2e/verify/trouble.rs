//! What can't be looked at is neither missing nor extra nor different; wrong usage starts
//! nothing; a signal ends it.

use std::time::Duration;

use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use super::{results, summary};
use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

const OBJECTS: usize = 30;

/// As many objects on three sides, in pages of ten.
fn stage() -> Stage {
    let stage = Stage::on(Testbed::builder().page_size(10).spawn().expect("a free port"));
    for number in 0..OBJECTS {
        let name = format!("{number:02}");
        stage.testbed.put_object(BUCKET, &format!("a/p/{name}"), name.clone());
        stage.testbed.put_object(BUCKET, &format!("b/p/{name}"), name.clone());
        stage.sandbox.write(format!("tree/p/{name}"), &name);
    }
    stage
}

fn verify(stage: &Stage, source: &str, destination: &str) -> Output {
    let verify = ["verify", "--json", "--max-attempts", "2", source, destination];
    stage.haul().args(verify).run()
}

#[track_caller]
fn nothing_is_called_different(output: &Output) {
    output.code(1);
    let results = results(output);
    assert!(results.values().all(|result| result == "same"), "{output}");
    assert!(output.stderr.contains("error: "), "{output}");
}

#[test]
fn a_listing_that_breaks_off_makes_nothing_missing_or_extra() {
    let prefixes = ["s3://bucket/a/p/", "s3://bucket/b/p/", "tree/p"];
    for (source, destination, page) in
        [(0, 1, 2_usize), (0, 1, 5), (0, 2, 1), (0, 2, 3), (2, 0, 1), (2, 0, 2)]
    {
        for kind in [FaultKind::access_denied(), FaultKind::internal_error()] {
            let stage = stage();
            let fault =
                Fault::new(Operation::ListObjectsV2, kind).occurrence(page as u64..=u64::MAX);
            let fault = stage.testbed.fault(fault);
            let output = verify(&stage, prefixes[source], prefixes[destination]);
            nothing_is_called_different(&output);
            output.stderr_has("could not list");
            assert!(stage.testbed.hits(fault) > 0);
            // All that came before is compared all the same.
            let seen = if source == 2 || page > 3 { OBJECTS } else { 10 * (page - 1) };
            assert_eq!(results(&output).len(), seen, "{output}");
            let cut = source == 0 && page <= 3;
            assert_eq!(output.stderr.contains("was not looked for"), cut, "{output}");
        }
    }
}

#[test]
fn bytes_that_are_missing_are_not_counted_as_compared() {
    let stage = stage();
    std::fs::remove_file(stage.sandbox.path("tree/p/07")).expect("it was there");
    let output = verify(&stage, "s3://bucket/a/p/", "tree/p");
    let summary = summary(output.code(1));
    assert_eq!(summary["objects"], OBJECTS, "{output}");
    assert_eq!(summary["bytes"], 2 * (OBJECTS - 1), "{output}");
}

#[test]
fn a_listing_that_fails_once_is_no_trouble() {
    let stage = stage();
    stage.testbed.fault(Fault::new(Operation::ListObjectsV2, FaultKind::internal_error()).nth(2));
    let output = verify(&stage, "s3://bucket/a/p/", "tree/p");
    assert_eq!(results(output.code(0)).len(), OBJECTS);
}

#[test]
fn an_object_that_can_not_be_looked_at_fails_and_is_not_missing() {
    for kind in [FaultKind::access_denied(), FaultKind::internal_error()] {
        let stage = stage();
        let fault = Fault::new(Operation::HeadObject, kind).key("a/p/07").always();
        stage.testbed.fault(fault);
        let output = verify(&stage, "tree/p", "s3://bucket/a/p/");
        nothing_is_called_different(&output);
        output.stderr_has("could not look at s3://bucket/a/p/07");
        assert_eq!(results(&output).len(), OBJECTS - 1, "{output}");
        assert_eq!(summary(&output)["failed"], 1);
    }
}

/// A HEAD does not tell a missing bucket from a missing key.
#[test]
fn a_bucket_that_does_not_exist_is_said_once_and_its_objects_are_not_missing() {
    let stage = stage();
    for (source, destination) in [
        ("tree/p", "s3://no-such-bucket/p/"),
        ("s3://bucket/a/p/", "s3://no-such-bucket/p/"),
        ("s3://no-such-bucket/p/", "tree/p"),
        ("tree/p/01", "s3://no-such-bucket/01"),
    ] {
        let output = verify(&stage, source, destination);
        nothing_is_called_different(&output);
        output.stderr_has("no-such-bucket").stderr_has("NoSuchBucket");
    }
    let output = verify(&stage, "tree/p", "s3://no-such-bucket/p/");
    let errors = output.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert!(errors < 5, "the same again and again\n{output}");
}

/// One look at the bucket is enough for all that is missing in it.
#[test]
fn missing_objects_cost_one_request_each() {
    let stage = stage();
    let verify = ["verify", "tree/p", "s3://bucket/c/p/", "--concurrency", "1"];
    stage.run(verify).code(1).stderr_has("30 missing");
    assert_eq!(stage.testbed.count(Operation::HeadObject), OBJECTS);
    // One for the bucket, one for what is extra.
    assert_eq!(stage.testbed.count(Operation::ListObjectsV2), 2);
}

/// No key has such a name, so that what is extra is known all the same.
#[cfg(unix)]
#[test]
fn a_name_that_no_key_can_have_fails_alone() {
    use std::os::unix::ffi::OsStrExt as _;
    let stage = stage();
    let odd = std::ffi::OsStr::from_bytes(b"tree/p/\xff");
    if std::fs::write(stage.sandbox.path(odd), "x").is_err() {
        return; // A file system that keeps only UTF-8 can't have the trouble.
    }
    stage.testbed.put_object(BUCKET, "a/p/extra", "x");
    let output = verify(&stage, "tree/p", "s3://bucket/a/p/");
    output.code(1).stderr_has("\\xff").stderr_lacks("was not looked for");
    // Nothing is uploaded, and each time the name is told the same.
    output.stderr_lacks("upload").stderr_lacks("\u{fffd}");
    assert_eq!(results(&output)["extra"], "extra", "{output}");
}

#[test]
fn a_side_that_is_not_there_is_one_line() {
    let stage = stage();
    for (source, destination, said) in [
        ("s3://bucket/none/", "tree/p", "nothing is below s3://bucket/none/"),
        ("s3://bucket/none*", "tree/p", "no object matches"),
        ("s3://bucket/a/p/", "none", "there is nothing at `none`"),
        ("none", "s3://bucket/a/p/", "there is nothing at `none`"),
    ] {
        let output = stage.run(["verify", source, destination]);
        output.code(1).stderr_has(said).stdout_is("");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_can_not_be_read_hides_names_that_are_not_extra() {
    use std::os::unix::fs::symlink;
    let stage = stage();
    stage.testbed.put_object(BUCKET, "a/p/loop/x", "x");
    // A link that leads nowhere: what it was is not known.
    symlink("nowhere", stage.sandbox.path("tree/p/loop")).expect("a link");
    let output = verify(&stage, "tree/p", "s3://bucket/a/p/");
    nothing_is_called_different(&output);
    output.stderr_has("was not looked for");
}

#[test]
fn a_file_that_changes_meanwhile_is_a_failure_and_no_difference() {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, "p/k", "bytes");
    let changed = stage.sandbox.write("tree/p/k", "bytes");
    // The source is opened before the other side is asked.
    let change = FaultKind::callback(move |_| {
        std::fs::write(&changed, "bytes, and more").expect("the sandbox is writable");
    });
    stage.testbed.fault(Fault::new(Operation::HeadObject, change));
    let output = verify(&stage, "tree/p", "s3://bucket/p/");
    nothing_is_called_different(&output);
    output.stderr_has("could not read").stderr_has("tree/p/k");
}

#[test]
fn wrong_usage_starts_nothing() {
    let stage = stage();
    for args in [
        ["verify"].as_slice(),
        &["verify", "s3://bucket/a/p/"],
        &["verify", "tree/p", "tree"],
        &["verify", "-", "s3://bucket/a"],
        &["verify", "s3://bucket/a", "-"],
        &["verify", "s3://bucket/a/p/", "tree/p/01"],
        &["verify", "s3://bucket/a/p/", "s3://bucket/b/p"],
        &["verify", "tree/p", "s3://bucket/a/p"],
        &["verify", "tree/p", "s3://bucket/a/*"],
        &["verify", "tree/p", "s3://bucket/a/", "third"],
        &["verify", "https://host/x", "tree"],
        &["verify", "s3://bucket/a/", "tree", "--dry-run"],
        &["verify", "--manifest", "none.csv"],
        &["verify", "--manifest", "tree/p/01"],
    ] {
        stage.run(args).code(2).stdout_is("");
    }
    assert_eq!(stage.testbed.requests().len(), 0);
}

#[test]
fn a_signal_ends_it_in_time() {
    let stage = stage();
    let gate = Gate::new();
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::Gate(gate.clone())).always());
    let running = stage.haul().args(["verify", "s3://bucket/a/p/", "tree/p"]).spawn();
    gate.wait_for(5);
    running.interrupt();
    let output = running.wait_within(Duration::from_secs(5));
    output.code(130).stderr_has("interrupted:").stdout_is("");
}

/// A file that takes long to read: it is given up in time, and the end is told.
#[cfg(unix)]
#[test]
fn a_signal_ends_the_reading_of_a_huge_file() {
    const HUGE: u64 = 1 << 38;
    let stage = Stage::new();
    stage.testbed.put_synthetic(BUCKET, "p/huge", HUGE, 7);
    // Without a block on disk.
    let file = std::fs::File::create(stage.sandbox.path("huge")).expect("the sandbox is writable");
    file.set_len(HUGE).expect("the file system has sparse files");
    let verify = ["verify", "--json", "huge", "s3://bucket/p/huge"];
    let mut running = stage.haul().args(verify).spawn();
    running.until_stdout_has("start");
    running.interrupt();
    let output = running.wait_within(Duration::from_secs(5));
    output.code(130).stderr_has("interrupted:");
    assert!(results(&output).is_empty(), "{output}");
}

#[test]
fn the_first_failures_or_all_of_them_end_it_as_told() {
    let stage = stage();
    stage.testbed.fault(Fault::new(Operation::HeadObject, FaultKind::access_denied()).always());
    let verify = ["verify", "s3://bucket/a/p/", "tree/p", "--concurrency", "1"];
    let output = stage.haul().args(verify).arg("--fail-fast").run();
    let errors = output.code(1).stderr.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{output}");
    assert!(stage.testbed.count(Operation::HeadObject) < 3, "{output}");
    stage.haul().args(verify).args(["--max-errors", "3"]).run().code(1).stderr_has("3 failed");
    stage.run(verify).code(1).stderr_has("30 failed");
}
