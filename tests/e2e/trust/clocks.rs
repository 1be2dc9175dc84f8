//! Clocks that are wrong, here or there.

use std::fmt::Write as _;

use testbed::{Fault, FaultKind, Operation, Testbed};

use crate::stage::{BUCKET, Stage};

#[test]
fn a_clock_that_is_off_is_made_good_for_by_all_requests() {
    for (ahead, said) in [
        (17 * 60_i64 + 30, "17 min behind"),
        (-3 * 3600 - 30, "3 h ahead of"),
        (86_400 * 900, "days behind"),
    ] {
        let testbed = Testbed::builder().clock(ahead).spawn();
        let stage = Stage::on(testbed.expect("a testbed"));
        let mut rows = String::from("source\n");
        for number in 0..200 {
            stage.testbed.put_object(BUCKET, &format!("{number}"), format!("object {number}"));
            writeln!(rows, "s3://bucket/{number}").expect("a string takes all");
        }
        stage.sandbox.write("rows.csv", rows);
        let download = ["download", "--manifest", "rows.csv", "out/", "--concurrency", "16"];
        let output = stage.run(download);
        output.code(0).stderr_has(said).stderr_has("signed with the store's time");
        assert_eq!(output.stderr.matches("the clock here is").count(), 1, "{output}");
        assert_eq!(stage.files("out").len(), 200);
        let requests = stage.testbed.requests();
        let refused = requests.iter().filter(|request| request.status == Some(403)).count();
        assert!((1..=32).contains(&refused), "{refused} requests were refused\n{output}");
    }
}

#[test]
fn a_clock_that_can_not_be_made_good_for_is_told_once() {
    let stage = Stage::new();
    for number in 0..200 {
        stage.testbed.put_object(BUCKET, &format!("{number}"), "bytes");
    }
    let skewed = Fault::new(Operation::GetObject, FaultKind::request_time_too_skewed());
    stage.testbed.fault(skewed.always());
    let output = stage.run(["download", "s3://bucket/", "out/", "--concurrency", "8"]);
    output.code(1).stderr_has("RequestTimeTooSkewed").stderr_has("set this machine's clock");
    assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
    assert!(stage.testbed.count(Operation::GetObject) <= 8 * 3 + 8, "{output}");
}

/// A HEAD is answered without words, and the first question of each of these jobs is one.
#[test]
fn a_clock_that_is_off_is_made_good_for_where_no_words_say_so() {
    let testbed = Testbed::builder().clock(2 * 3600 + 30).spawn();
    let stage = Stage::on(testbed.expect("a testbed"));
    for number in 0..40 {
        stage.sandbox.write(format!("few/{number}"), "bytes");
    }
    let upload = ["upload", "few/", "s3://bucket/p/", "--no-clobber", "--concurrency", "16"];
    let output = stage.run(upload);
    output.code(0).stderr_has("2 h behind").stderr_lacks("denied");
    assert_eq!(stage.keys().len(), 40);
    let heads = stage.testbed.requests_of(Operation::HeadObject);
    let refused = heads.iter().filter(|request| request.status == Some(403)).count();
    assert!((1..=16).contains(&refused), "{refused} requests were refused\n{output}");
}

#[test]
fn who_may_not_look_is_not_told_of_the_clock() {
    for ahead in [0, 2 * 3600 + 30] {
        let testbed = Testbed::builder().clock(ahead).spawn();
        let stage = Stage::on(testbed.expect("a testbed"));
        stage.sandbox.write("file", "bytes");
        let denied = Fault::new(Operation::HeadObject, FaultKind::access_denied());
        let denied = stage.testbed.fault(denied.always());
        let output = stage.run(["upload", "file", "s3://bucket/key", "--no-clobber"]);
        output.code(1).stderr_has("403 access denied").stderr_lacks("set this machine's clock");
        let most = if ahead == 0 { 1 } else { 2 };
        assert_eq!(stage.testbed.hits(denied), most, "{output}");
    }
}
