//! Copies and moves on real servers, and from one to the other: bytes, attributes, what is left. It
//! must never lean on a condition that a server may not know: what is asserted is what must hold
//! either way.

use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, content, haul};

const MIB: u64 = 1 << 20;
const IN_PARTS: [&str; 4] = ["--copy-parts-above", "5MiB", "--part-size", "5MiB"];

fn on_both(test: impl Fn(&dyn Server, &Bucket)) {
    let weed = Bucket::make(Weed::shared(), super::BUCKET);
    test(Weed::shared(), &weed);
    let moto = Bucket::make(Moto::shared(), "copies");
    test(Moto::shared(), &moto);
}

fn seed(server: &dyn Server, bucket: &Bucket, key: &str, size: u64) -> Vec<u8> {
    let (sandbox, bytes) = (Sandbox::new(), content(key, size));
    let file = sandbox.write("file", &bytes);
    let upload = haul().on(server).arg("upload").arg(file).arg(bucket.uri(key));
    let upload = upload.args(["--content-type", "text/x-test", "--metadata", "colour=blue"]);
    upload.args(["--tag", "team=a b"]).run().code(0);
    bytes
}

#[track_caller]
fn is_like(bucket: &Bucket, key: &str, bytes: &[u8]) {
    assert!(bucket.get(key) == bytes, "{key}: the bytes differ");
    let head = bucket.head(key);
    assert_eq!(head.content_type(), Some("text/x-test"), "{key}");
    assert_eq!(head.metadata().expect("it has metadata")["colour"], "blue", "{key}");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn copies_on_the_server_keep_bytes_and_attributes() {
    on_both(|server, bucket| {
        bucket.remove("copies/");
        for size in [0, 100, 12 * MIB + 1] {
            let bytes = seed(server, bucket, "copies/from/k", size);
            for more in [&[][..], &IN_PARTS] {
                let copy = haul().on(server).args(["cp"]).args(more);
                copy.arg(bucket.uri("copies/from/")).arg(bucket.uri("copies/to/")).run().code(0);
                is_like(bucket, "copies/to/k", &bytes);
                bucket.remove("copies/to/");
            }
        }
        assert!(bucket.open_uploads("copies/").is_empty());
        let name = bucket.uri("copies/from/k");
        haul().on(server).args(["cp", &name, &name]).run().code(2);
        let change = haul().on(server).args(["cp", &name, &name, "--cache-control", "no-cache"]);
        change.run().code(0);
        assert_eq!(bucket.head("copies/from/k").cache_control(), Some("no-cache"));
        is_like(bucket, "copies/from/k", &content("copies/from/k", 12 * MIB + 1));
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn moves_leave_one_place() {
    on_both(|server, bucket| {
        bucket.remove("moves/");
        let sandbox = Sandbox::new();
        let large = sandbox.fill("d/large", 12 * MIB);
        sandbox.write("d/b/small", "small");
        let mv = |from: &str, to: &str| {
            let command = haul().on(server).current_dir(sandbox.path("")).args(["mv", from, to]);
            command.args(IN_PARTS).run().code(0);
        };
        let (one, two) = (bucket.uri("moves/one/"), bucket.uri("moves/two/"));
        mv("d", &one);
        assert!(!large.exists() && sandbox.tree("d").is_empty());
        mv(&one, &two);
        assert_eq!(bucket.keys("moves/"), ["moves/two/b/small", "moves/two/large"]);
        mv(&two, "back/");
        assert!(bucket.keys("moves/").is_empty());
        assert!(sandbox.read("back/large") == content("d/large", 12 * MIB));
        assert_eq!(sandbox.read("back/b/small"), b"small");
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn objects_go_from_seaweedfs_to_moto_and_back() {
    let weed = Bucket::make(Weed::shared(), super::BUCKET);
    let moto = Bucket::make(Moto::shared(), "relays");
    weed.remove("relays/");
    let small = seed(Weed::shared(), &weed, "relays/p/small", 100);
    let large = seed(Weed::shared(), &weed, "relays/p/large", 12 * MIB + 1);
    let (from, to): (&dyn Server, &dyn Server) = (Weed::shared(), Moto::shared());
    let copy = haul().on(to).args(["cp", "--source-endpoint-url", &from.endpoint()]);
    copy.args(["--part-size", "5MiB"]).arg(weed.uri("relays/p/")).arg(moto.uri("p/")).run().code(0);
    is_like(&moto, "p/small", &small);
    is_like(&moto, "p/large", &large);
    let back = haul().on(from).args(["mv", "--source-endpoint-url", &to.endpoint()]);
    back.args(["--part-size", "5MiB"]).arg(moto.uri("p/")).arg(weed.uri("relays/q/")).run().code(0);
    is_like(&weed, "relays/q/small", &small);
    is_like(&weed, "relays/q/large", &large);
    assert!(moto.keys("p/").is_empty());
}

/// In a bucket that keeps versions: a move leaves a delete marker, that of a version removes it.
#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn versions_are_moved_one_at_a_time() {
    let server = Moto::shared();
    let bucket = Bucket::make(server, "moved-versions");
    bucket.keep_versions();
    let put = |bytes: &str| bucket.put("k", bytes).expect("a version");
    let (first, second) = (put("first"), put("second"));
    let sandbox = Sandbox::new();
    let rows = format!(
        "source,destination,version_id\n{},{},{first}\n",
        bucket.uri("k"),
        bucket.uri("old")
    );
    let manifest = sandbox.write("rows.csv", rows);
    haul().on(server).args(["mv", "--manifest"]).arg(manifest).run().code(0);
    assert_eq!(bucket.get("old"), b"first");
    assert_eq!(bucket.get("k"), b"second");
    assert_eq!(bucket.versions_of("k"), std::slice::from_ref(&second));
    haul().on(server).args(["mv", &bucket.uri("k"), &bucket.uri("new")]).run().code(0);
    assert_eq!(bucket.get("new"), b"second");
    assert!(bucket.keys("k").is_empty());
    assert_eq!(bucket.versions_of("k"), [second], "behind the delete marker");
}

/// A server that knows customers' keys must not be left with an object under the old one.
#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn another_key_for_an_object_is_a_copy_onto_itself() {
    let (server, bucket) = (Weed::shared(), Bucket::make(Weed::shared(), super::BUCKET));
    bucket.remove("keys/");
    let sandbox = Sandbox::new();
    let key = |name: &str, byte: u8| sandbox.write(name, [byte; 32]);
    let (one, two) = (key("one", 1), key("two", 2));
    let bytes = content("k", 12 * MIB + 1);
    let (file, name) = (sandbox.write("file", &bytes), bucket.uri("keys/k"));
    let upload = haul().on(server).arg("upload").arg(file).arg(&name);
    upload.arg("--sse-c-key-file").arg(&one).run().code(0);
    let readable = |key: &std::path::Path| {
        let back = sandbox.path("back");
        let download = haul().on(server).arg("download").arg(&name).arg(&back);
        let is_read = download.arg("--sse-c-key-file").arg(key).run().code == Some(0);
        assert!(!is_read || std::fs::read(&back).expect("it is there") == bytes);
        is_read
    };
    assert!(readable(&one) && !readable(&two));
    let copy = || haul().on(server).args(["cp", &name, &name]);
    let from = |haul: crate::harness::Haul| haul.arg("--source-sse-c-key-file").arg(&one);
    from(copy()).arg("--sse-c-key-file").arg(&one).run().code(2);
    from(copy()).arg("--sse-c-key-file").arg(&two).run().code(0);
    assert!(readable(&two) && !readable(&one));
}
