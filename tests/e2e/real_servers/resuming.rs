//! Going on where a run was killed, on real servers: what they list of an upload, and how they
//! answer a range of a version. It must never count on when exactly the kill falls.

use rustix::process::Signal;

use super::BUCKET;
use crate::harness::{Bucket, Haul, Moto, Output, Sandbox, Server, Weed, haul};

const SIZE: u64 = 96 << 20;

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_killed_upload_is_continued() {
    let bucket = Bucket::make(Weed::shared(), BUCKET);
    let sandbox = Sandbox::new();
    let file = sandbox.fill("large", SIZE);
    let key = "resumed/up";
    let command = || {
        let upload = haul().on(Weed::shared()).env("XDG_STATE_HOME", sandbox.path("state"));
        let upload = upload.arg("upload").arg(&file).arg(bucket.uri(key));
        upload.args(["--part-size", "5MiB", "--concurrency", "1"])
    };
    let output = killed_then_run_again(command, || bucket.open_parts(key) >= 3);
    assert!(bucket.get(key) == sandbox.read("large"), "other bytes\n{output}");
    assert_eq!(bucket.open_uploads("resumed/"), Vec::<String>::new(), "{output}");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_killed_download_is_continued() {
    on_both(|server, bucket| {
        let sandbox = Sandbox::new();
        let file = sandbox.fill("large", SIZE);
        let uri = bucket.uri("resumed/down");
        haul().on(server).arg("upload").arg(&file).arg(&uri).run().code(0);
        let target = sandbox.path("out/large");
        let command = || {
            let download = haul().on(server).args(["download", &uri]).arg(&target);
            download.args(["--part-size", "1MiB", "--concurrency", "1"])
        };
        killed_then_run_again(command, || {
            let left = sandbox.leftovers("out");
            let record = left.iter().find(|path| path.extension().is_some_and(|it| it == "map"));
            let record = record.and_then(|path| std::fs::read_to_string(path).ok());
            record.is_some_and(|record| record.lines().count() > 3)
        });
        assert!(sandbox.read("out/large") == sandbox.read("large"), "other bytes");
        sandbox.no_leftovers("");
    });
}

/// Kills a command once it is under way, and runs it again. One that was too fast is given
/// another chance: it does the same work each time.
fn killed_then_run_again(command: impl Fn() -> Haul, under_way: impl Fn() -> bool) -> Output {
    for _ in 0..10 {
        let mut running = command().spawn();
        while !under_way() && !running.has_ended() {}
        if running.has_ended() {
            running.wait().code(0);
            continue;
        }
        running.signal(Signal::KILL);
        if running.wait().signal != Some(9) {
            continue;
        }
        let output = command().run();
        output.code(0).stderr_has("from an earlier run");
        return output;
    }
    panic!("it was always too fast to be killed");
}

fn on_both(test: impl Fn(&dyn Server, &Bucket)) {
    let servers: [&dyn Server; 2] = [Weed::shared(), Moto::shared()];
    for server in servers {
        test(server, &Bucket::make(server, BUCKET));
    }
}
