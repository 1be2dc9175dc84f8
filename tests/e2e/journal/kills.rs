//! A run with a journal, killed at moments that the server chooses: the next one does only the
//! rest, and nothing is lost. It must never wait for a moment by sleeping.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation};

use super::entries;
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

const OBJECTS: usize = 40;

fn key(number: usize) -> String {
    format!("{:02}/{number}", number % 7)
}

/// A gate behind the first `passed` requests of that kind.
fn hold(stage: &Stage, operation: Operation, passed: usize) -> Gate {
    let gate = Gate::new();
    let from = passed as u64 + 1;
    stage
        .testbed
        .fault(Fault::new(operation, FaultKind::Gate(gate.clone())).occurrence(from..=u64::MAX));
    gate
}

#[test]
fn a_killed_download_does_only_the_rest() {
    for manifest in [false, true] {
        for passed in [0, 1, 7, 20, OBJECTS - 1] {
            let stage = Stage::new();
            for number in 0..OBJECTS {
                let bytes = content(&key(number), 1000 + number as u64);
                stage.testbed.put_object(BUCKET, &key(number), bytes);
            }
            let keys: Vec<_> = (0..OBJECTS).map(key).collect();
            stage.sandbox.write("m.keys", keys.join("\n"));
            let mut command = vec![
                "download",
                "--concurrency",
                "4",
                "--journal",
                "run.journal",
                "s3://bucket/",
                "out",
            ];
            if manifest {
                command.extend(["--manifest", "m.keys"]);
            }
            let gate = hold(&stage, Operation::GetObject, passed);
            let running = stage.haul().args(&command).spawn();
            gate.wait_for(4.min(OBJECTS - passed));
            running.signal(Signal::KILL);
            assert_eq!(running.wait().signal, Some(9));
            gate.open();
            stage.testbed.clear_faults();
            let known = entries(&stage, "run.journal").len();
            assert!(known <= passed, "{known} lines for {passed} objects");
            // The last of those that were let through may still have been on their way.
            assert!(known + 4 >= passed, "{known} lines for {passed} objects");
            stage.testbed.clear_requests();
            let output = stage.run(&command);
            output.code(0);
            assert_eq!(stage.testbed.count(Operation::GetObject), OBJECTS - known, "{output}");
            for number in 0..OBJECTS {
                let wanted = content(&key(number), 1000 + number as u64);
                assert!(stage.sandbox.read(format!("out/{}", key(number))) == wanted, "{number}");
            }
            assert_eq!(entries(&stage, "run.journal").len(), OBJECTS);
            stage.run(&command).code(0).stderr_has(&format!("{OBJECTS} done before"));
        }
    }
}

#[test]
fn a_killed_upload_does_only_the_rest() {
    for passed in [0, 5, 30] {
        let stage = Stage::new();
        for number in 0..OBJECTS {
            stage.sandbox.fill(&format!("d/{}", key(number)), 1000 + number as u64);
        }
        let command =
            ["upload", "--concurrency", "4", "--journal", "run.journal", "d", "s3://bucket/"];
        let gate = hold(&stage, Operation::PutObject, passed);
        let running = stage.haul().args(command).spawn();
        gate.wait_for(4);
        running.signal(Signal::KILL);
        running.wait();
        gate.open();
        stage.testbed.clear_faults();
        let known = entries(&stage, "run.journal").len();
        assert!(known <= passed && known + 4 >= passed, "{known} lines for {passed} objects");
        stage.testbed.clear_requests();
        let output = stage.run(command);
        output.code(0);
        assert_eq!(stage.testbed.count(Operation::PutObject), OBJECTS - known, "{output}");
        for number in 0..OBJECTS {
            let object = stage.object(&key(number));
            assert!(object.bytes() == stage.sandbox.read(format!("d/{}", key(number))), "{number}");
        }
        stage.run(command).code(0).stderr_has(&format!("{OBJECTS} done before"));
    }
}

#[test]
fn an_interrupted_run_leaves_a_whole_journal_and_says_how_to_go_on() {
    let stage = Stage::new();
    for number in 0..OBJECTS {
        stage.testbed.put_object(BUCKET, &key(number), key(number));
    }
    let gate = hold(&stage, Operation::GetObject, 10);
    let command =
        ["download", "--concurrency", "4", "--journal", "run.journal", "s3://bucket/", "out"];
    let running = stage.haul().args(command).spawn();
    gate.wait_for(4);
    running.interrupt();
    let output = running.wait();
    output.code(130).stderr_has("next: haul download --concurrency 4 --journal run.journal");
    gate.open();
    stage.testbed.clear_faults();
    assert_eq!(entries(&stage, "run.journal").len(), 10);
    stage.run(command).code(0).stderr_has("30 objects").stderr_has("10 done before");
}
