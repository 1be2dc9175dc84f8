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
