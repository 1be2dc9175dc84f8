//! Archived objects on moto, which brings them back at once.

use crate::harness::{Bucket, Moto, Sandbox, haul};

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn an_archived_object_comes_back() {
    let server = Moto::shared();
    let bucket = Bucket::make(server, "haul-archive");
    let sandbox = Sandbox::new();
    sandbox.write("f", "bytes");
    let run = |args: &[&str]| haul().on(server).current_dir(sandbox.path("")).args(args).run();
    run(&["upload", "f", &bucket.uri("p/cold"), "--storage-class", "GLACIER"]).code(0);
    run(&["upload", "f", &bucket.uri("p/warm")]).code(0);
    let download = ["download", &bucket.uri("p/cold"), "g"];
    run(&download).code(1).stderr_has("GLACIER").stderr_has("`haul restore`");
    let restore = ["restore", "-r", &bucket.uri("p/"), "--wait"];
    run(&restore).code(0).stderr_has("1 asked for, 1 brought back, 1 in no archive");
    run(&restore).code(0).stderr_has("1 brought back, 1 in no archive");
    run(&download).code(0);
    assert_eq!(sandbox.read("g"), b"bytes");
}
