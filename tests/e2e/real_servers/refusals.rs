//! What can't work on a real server: wrong credentials, things that do not exist, an interrupt.
//! Each must end with one clear line and nothing half done, and must never take long.

use std::time::Duration;

use super::BUCKET;
use crate::harness::{Bucket, Moto, Sandbox, Weed, haul};

/// A mistake is told at once: no number of attempts makes it right.
const SOON: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn wrong_credentials_are_one_line_and_the_secret_is_in_none() {
    let bucket = Bucket::make(Weed::shared(), BUCKET);
    bucket.put("credentials/a", "bytes");
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    for (variable, value) in [
        ("AWS_SECRET_ACCESS_KEY", "wrongsecretwrongsecret"),
        ("AWS_ACCESS_KEY_ID", "wrongkeywrongkey"),
    ] {
        let download = haul().on(Weed::shared()).env(variable, value).limit(SOON);
        let uri = bucket.uri("credentials/");
        let output = download.args(["download", "-vv", &uri]).arg(&out).run();
        output.code(1).stderr_has("error: ").stderr_lacks("wrongsecretwrongsecret");
        assert!(sandbox.tree("out").is_empty(), "something was written\n{output}");
    }
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn what_does_not_exist_is_named() {
    let bucket = Bucket::make(Weed::shared(), BUCKET);
    bucket.put("there/file", "bytes");
    let sandbox = Sandbox::new();
    for source in [
        "s3://no-such-bucket-here/key".to_owned(),
        "s3://no-such-bucket-here/prefix/".to_owned(),
        bucket.uri("there/no-such-key"),
        bucket.uri("no-such-prefix/"),
        bucket.uri("there/no-such-*"),
        // A prefix without its slash is a key that does not exist.
        bucket.uri("there"),
    ] {
        let download = haul().on(Weed::shared()).limit(SOON).arg("download");
        let output = download.arg(&source).arg(sandbox.path("out/")).run();
        output.code(1).stderr_has("error: ").stderr_has(&source);
        assert!(sandbox.tree("out").is_empty(), "something was written\n{output}");
    }
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn an_upload_into_a_missing_bucket_is_refused() {
    let sandbox = Sandbox::new();
    for size in [10, 20 << 20] {
        let file = sandbox.fill("file", size);
        // SeaweedFS makes the bucket instead.
        let upload = haul().on(Moto::shared()).limit(SOON).arg("upload").arg(file);
        let output = upload.arg("s3://no-such-bucket-here/key").run();
        output.code(1).stderr_has("no-such-bucket-here");
    }
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn one_missing_key_does_not_stop_the_others() {
    let bucket = Bucket::make(Weed::shared(), BUCKET);
    let sandbox = Sandbox::new();
    let mut manifest = String::from("source,destination\n");
    for number in 0..20 {
        let key = format!("most/{number}");
        if number != 7 {
            bucket.put(&key, key.clone());
        }
        manifest.extend([&bucket.uri(&key), ",", &number.to_string(), "\n"]);
    }
    let manifest = sandbox.write("manifest.csv", manifest);
    let download = haul().on(Weed::shared()).limit(SOON).args(["download", "--manifest"]);
    let output = download.arg(manifest).arg(sandbox.path("out/")).run();
    output.code(1).stderr_has("most/7");
    assert_eq!(sandbox.tree("out").len(), 19, "{output}");
    sandbox.no_leftovers("");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn an_interrupted_upload_leaves_no_object_and_no_parts() {
    let bucket = Bucket::make(Weed::shared(), BUCKET);
    let sandbox = Sandbox::new();
    let file = sandbox.fill("large.bin", 1 << 30);
    let uri = bucket.uri("interrupted/large.bin");
    let upload = haul().on(Weed::shared()).args(["upload", "--json", "--no-resume"]);
    let upload = upload.arg(file).arg(&uri);
    let mut running = upload.spawn();
    running.until_stdout_has("start");
    running.interrupt();
    // Five seconds are promised; the rest is for a machine that is busy with other tests.
    let output = running.wait_within(Duration::from_secs(15));
    output.code(130);
    assert_eq!(bucket.keys("interrupted/"), Vec::<String>::new(), "{output}");
    assert_eq!(bucket.open_uploads("interrupted/"), Vec::<String>::new(), "{output}");
}
