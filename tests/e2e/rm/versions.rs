//! `haul rm` where versions are kept: what was meant goes, each version by itself.

use testbed::{Fault, FaultKind, Operation};

use crate::stage::{BUCKET, Stage};

/// `k` with two versions, removed; `k2` with one; one more that was there before.
fn with_versions() -> Stage {
    let stage = Stage::with_keys(&["p/old"]);
    stage.testbed.keep_versions(BUCKET);
    for key in ["p/k", "p/k", "p/k2", "q"] {
        stage.testbed.put_object(BUCKET, key, key);
    }
    stage.run(["rm", "s3://bucket/p/k"]).code(0);
    assert_eq!(versions(&stage), [("p/k", 3), ("p/k2", 1), ("p/old", 1), ("q", 1)]);
    stage
}

fn versions(stage: &Stage) -> Vec<(&'static str, usize)> {
    let all = stage.testbed.versions(BUCKET);
    let count = |wanted: &str| all.iter().filter(|(key, _)| key == wanted).count();
    let keys = ["p/k", "p/k2", "p/old", "q"].map(|key| (key, count(key)));
    keys.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn where_versions_are_kept_a_marker_takes_the_place() {
    let stage = with_versions();
    let output = stage.run(["rm", "-r", "s3://bucket/p/", "--json"]);
    let lines = output.code(0).json_lines();
    let removed: Vec<_> = lines.iter().filter(|line| line["event"] == "removed").collect();
    assert_eq!(removed.len(), 2);
    assert!(removed.iter().all(|line| line["marker"].is_string()), "{output}");
    assert_eq!(stage.keys(), ["q"]);
    assert_eq!(versions(&stage), [("p/k", 3), ("p/k2", 2), ("p/old", 2), ("q", 1)]);
    // It is gone already, and its versions are not.
    stage.run(["rm", "s3://bucket/p/k"]).code(1);
}

#[test]
fn one_version_goes_and_the_others_stay() {
    let stage = with_versions();
    let of_k: Vec<_> =
        stage.testbed.versions(BUCKET).into_iter().filter(|(key, _)| key == "p/k").collect();
    let rm = |version: &str| stage.run(["rm", "s3://bucket/p/k", "--version-id", version, "-v"]);
    rm("none").code(1);
    assert_eq!(versions(&stage)[0], ("p/k", 3));
    // The newest is the delete marker, which nobody can look at.
    for (left, (_, version)) in [2, 1].into_iter().zip(&of_k) {
        rm(version).code(0).stderr_has(&format!("removed: s3://bucket/p/k (version {version})"));
        assert_eq!(versions(&stage)[0], ("p/k", left));
    }
    assert_eq!(stage.object_text("p/k"), "p/k", "the marker is gone");
}

#[test]
fn all_versions_go_of_what_was_named_and_of_nothing_else() {
    let stage = with_versions();
    let plan = stage.run(["rm", "s3://bucket/p/k", "--all-versions", "--dry-run"]);
    assert_eq!(plan.code(0).stdout_text().lines().count(), 3);
    plan.stdout_has("remove  s3://bucket/p/k (version v0");
    stage.run(["rm", "s3://bucket/p/k", "--all-versions"]).code(0).stderr_has("3 objects removed");
    assert_eq!(versions(&stage), [("p/k2", 1), ("p/old", 1), ("q", 1)]);
    stage.run(["rm", "s3://bucket/p/k", "--all-versions"]).code(1).stderr_has("no object matches");
    let stage = with_versions();
    stage.run(["rm", "-r", "s3://bucket/p", "--all-versions", "--exclude", "old"]).code(0);
    assert_eq!(versions(&stage), [("p/old", 1), ("q", 1)]);
    stage.run(["rm", "s3://bucket/?/*", "--all-versions"]).code(0);
    assert_eq!(versions(&stage), [("q", 1)]);
    stage.run(["rm", "-r", "s3://bucket", "--all-versions"]).code(2);
    stage.run(["rm", "-r", "s3://bucket", "--all-versions", "--yes"]).code(0);
    assert!(versions(&stage).is_empty());
}

/// What begins alike is not below it, and what a store sends besides is not believed.
#[test]
fn versions_of_what_begins_alike_stay() {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    for key in ["p", "p/k", "p2", "p2/k", "pq"] {
        stage.testbed.put_object(BUCKET, key, key);
    }
    stage.run(["rm", "-r", "s3://bucket/p", "--all-versions"]).code(0);
    assert_eq!(stage.keys(), ["p2", "p2/k", "pq"]);
    stage.run(["rm", "s3://bucket/p2", "--all-versions"]).code(0);
    assert_eq!(stage.keys(), ["p2/k", "pq"]);
    let version = &stage.testbed.versions(BUCKET)[1].1;
    let page = format!(
        "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>pq</Key>\
         <VersionId>{version}</VersionId><Size>2</Size></Version></ListVersionsResult>"
    );
    let fault = Fault::new(Operation::ListObjectVersions, FaultKind::xml(page));
    stage.testbed.fault(fault.always());
    let output = stage.run(["rm", "-r", "s3://bucket/p2/", "--all-versions"]);
    output.code(1).stderr_has("which is not below it");
    assert_eq!(stage.keys(), ["p2/k", "pq"]);
}

#[test]
fn many_versions_go_page_by_page() {
    let stage = Stage::on(testbed::Testbed::builder().page_size(3).spawn().expect("a testbed"));
    stage.testbed.keep_versions(BUCKET);
    for number in 0..20 {
        stage.testbed.put_object(BUCKET, &format!("k{}", number % 4), number.to_string());
    }
    stage.run(["rm", "s3://bucket/k*", "--all-versions"]).code(0).stderr_has("20 objects removed");
    assert!(stage.testbed.versions(BUCKET).is_empty());
}
