//! Versions on real servers: moto keeps them, SeaweedFS answers with what there is now.

use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, content, haul};

const IN_PARTS: [&str; 4] = ["--copy-parts-above", "5MiB", "--part-size", "5MiB"];

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn one_version_is_read_copied_compared_and_moved() {
    let server = Moto::shared();
    let bucket = Bucket::make(server, "one-version");
    bucket.keep_versions();
    let bytes = content("old", 12 << 20);
    let old = bucket.put("k", bytes.clone()).expect("a version");
    let new = bucket.put("k", "new").expect("a version");
    let (sandbox, name) = (Sandbox::new(), bucket.uri("k"));
    let run = |args: &[&str]| haul().on(server).current_dir(sandbox.path("")).args(args).run();
    let of_old = ["--version-id", &old, &name];
    run(&[&["cp"], &of_old[..], &["file"]].concat()).code(0);
    assert!(sandbox.read("file") == bytes);
    run(&[&["verify"], &of_old[..], &["file"]].concat()).code(0);
    run(&["verify", &name, "file"]).code(1);
    run(&[&["cp"], &of_old[..], &[&bucket.uri("parts")], &IN_PARTS].concat()).code(0);
    run(&[&["cp"], &of_old[..], &[&bucket.uri("whole")]].concat()).code(0);
    assert!(bucket.get("parts") == bytes && bucket.get("whole") == bytes);
    run(&["cp", "--version-id", "none", &name, "other"]).code(1);
    run(&["rm", &bucket.uri("whole")]).code(0);
    let listed = run(&["ls", "--all-versions", "--json", &bucket.uri("")]);
    let told = |line: &serde_json::Value| {
        let texts = ["key", "version_id"].map(|name| line[name].as_str().map(str::to_owned));
        (texts, line["is_latest"] == true, line["is_delete_marker"] == true)
    };
    let lines: Vec<_> = listed.code(0).json_lines().iter().map(told).collect();
    let of_k = |id: &str| [Some("k".to_owned()), Some(id.to_owned())];
    assert_eq!(lines[..2], [(of_k(&new), true, false), (of_k(&old), false, false)]);
    let keys = lines.iter().filter_map(|line| line.0[0].as_deref());
    assert_eq!(keys.collect::<Vec<_>>(), ["k", "k", "parts", "whole", "whole"]);
    assert_eq!((lines[3].1, lines[3].2, lines[4].2), (true, true, false));
    run(&[&["mv"], &of_old[..], &["moved"]].concat()).code(0);
    assert!(sandbox.read("moved") == bytes);
    assert_eq!((bucket.versions_of("k"), bucket.get("k")), (vec![new], b"new".to_vec()));
    assert_eq!(sandbox.tree("").len(), 2);
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn no_other_version_is_taken_for_the_one_that_was_named() {
    for server in [Weed::shared() as &dyn Server, Moto::shared()] {
        let bucket = Bucket::make(server, super::BUCKET);
        bucket.put("versions/k", "bytes");
        let (sandbox, name) = (Sandbox::new(), bucket.uri("versions/k"));
        let other = ["--version-id", "3sL4kqtJlcpXroDTDmJ", &name];
        for verb in ["cp", "mv"] {
            for destination in ["file", &bucket.uri("versions/to")] {
                let command = haul().on(server).current_dir(sandbox.path("")).arg(verb);
                command.args(other).arg(destination).run().code(1).stdout_is("");
            }
        }
        assert_eq!((sandbox.tree("").len(), bucket.get("versions/k")), (0, b"bytes".to_vec()));
        assert_eq!(bucket.keys("versions/"), ["versions/k"]);
        bucket.remove("versions/");
    }
}
