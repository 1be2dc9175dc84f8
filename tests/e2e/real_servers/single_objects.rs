//! Single objects on real servers: streams, attributes, conditional writes,
//! listings. It must never be about many objects; those have their round trips.

use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, content, haul};

const MIB: u64 = 1 << 20;

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_stream_goes_up_and_comes_down_in_order() {
    on_both(|server, bucket| {
        for size in [0, 100, 20 * MIB + 7] {
            let bytes = content("stream", size);
            let uri = bucket.uri(&format!("streams/{size}"));
            let up = haul().on(server).stdin(bytes.clone());
            up.args(["upload", "-", &uri]).run().code(0);
            assert!(bucket.get(&format!("streams/{size}")) == bytes, "{size} bytes differ");
            haul().on(server).args(["download", &uri, "-"]).run().code(0).stdout_is(bytes);
        }
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn attributes_are_stored_with_single_and_multipart_uploads() {
    on_both(|server, bucket| {
        let sandbox = Sandbox::new();
        for size in [100, 20 * MIB] {
            let key = format!("attributes/{size}");
            let file = sandbox.fill("file.bin", size);
            let upload = haul().on(server).arg("upload").arg(file).arg(bucket.uri(&key));
            upload
                .args(["--content-type", "text/x-test", "--cache-control", "max-age=60"])
                .args(["--metadata", "colour=blue", "--metadata", "shape=round"])
                .run()
                .code(0);
            let head = bucket.head(&key);
            assert_eq!(head.content_type(), Some("text/x-test"), "{size} bytes");
            assert_eq!(head.cache_control(), Some("max-age=60"), "{size} bytes");
            let metadata = head.metadata().expect("it has metadata");
            assert_eq!(metadata["colour"], "blue", "{size} bytes");
            assert_eq!(metadata["shape"], "round", "{size} bytes");
        }
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn no_clobber_leaves_what_is_there() {
    on_both(|server, bucket| {
        let sandbox = Sandbox::new();
        let file = sandbox.write("new", "new bytes");
        bucket.put("clobber/there", "old bytes");
        for key in ["clobber/there", "clobber/not-there"] {
            let upload = haul().on(server).arg("upload").arg(&file);
            upload.arg(bucket.uri(key)).arg("--no-clobber").run().code(0);
        }
        assert_eq!(bucket.get("clobber/there"), b"old bytes");
        assert_eq!(bucket.get("clobber/not-there"), b"new bytes");
        let download = haul().on(server).arg("download").arg(bucket.uri("clobber/there"));
        download.arg(&file).arg("--no-clobber").run().code(0);
        assert_eq!(sandbox.read("new"), b"new bytes");
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_listing_names_every_object() {
    on_both(|server, bucket| {
        for number in 0..3 {
            bucket.put(&format!("listing/{number}"), "1234");
        }
        bucket.put("listing/below/deeper", "12");
        let uri = bucket.uri("listing/");
        let ls = haul().on(server).args(["ls", &uri]).run();
        let ls = ls.code(0).stdout_has("below/").stdout_has("2").clone();
        assert!(!ls.stdout_text().contains("deeper"), "more than one level\n{ls}");
        let deep = haul().on(server).args(["ls", "-r", &uri, "--json"]).run();
        let mut keys: Vec<_> = deep.code(0).json_lines().iter().filter_map(key_of).collect();
        keys.sort();
        assert_eq!(keys, ["listing/0", "listing/1", "listing/2", "listing/below/deeper"]);
    });
}

fn key_of(line: &serde_json::Value) -> Option<String> {
    Some(line.get("key")?.as_str()?.to_owned())
}

/// Runs a test on both servers, each with its bucket.
fn on_both(test: impl Fn(&dyn Server, &Bucket)) {
    for server in [Weed::shared() as &dyn Server, Moto::shared()] {
        test(server, &Bucket::make(server, super::BUCKET));
    }
}
