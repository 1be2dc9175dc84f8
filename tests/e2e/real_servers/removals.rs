//! What is removed on real servers, and what stays there.

use crate::harness::{Bucket, Moto, Server, Weed, haul};

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn what_is_named_goes_and_nothing_else() {
    on_both(|server, bucket| {
        let keys = ["rm/p/a", "rm/p/b c", "rm/p/é+&<>", "rm/p/d/e", "rm/p2/x", "rm/q"];
        for key in keys {
            bucket.put(key, "bytes");
        }
        let rm = |args: &[&str]| haul().on(server).arg("rm").args(args).run();
        rm(&[&bucket.uri("rm/missing")]).code(1);
        rm(&["-r", &bucket.uri("rm/p/")]).code(0).stderr_has("4 objects removed");
        assert_eq!(bucket.keys("rm/"), ["rm/p2/x", "rm/q"]);
        rm(&[&bucket.uri("rm/p?/*"), &bucket.uri("rm/q")]).code(0);
        assert!(bucket.keys("rm/").is_empty());
        // Whatever version is named, another one stays.
        bucket.put("rm/k", "bytes");
        rm(&[&bucket.uri("rm/k"), "--version-id", "3sL4kqtJlcpXroDTDmJ"]).code(1);
        assert_eq!(bucket.get("rm/k"), b"bytes");
        bucket.remove("rm/");
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn thousands_go() {
    on_both(|server, bucket| {
        for number in 0..1100 {
            bucket.put(&format!("many/{number}"), "1");
        }
        let rm = haul().on(server).args(["rm", "-r", &bucket.uri("many/"), "--json"]).run();
        rm.code(0).stderr_has("1100 objects removed");
        assert!(bucket.keys("many/").is_empty());
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn what_filters_leave_out_stays() {
    on_both(|server, bucket| {
        for (key, bytes) in [("sift/a", "bytes"), ("sift/b", "more bytes"), ("sift/c.tmp", "")] {
            bucket.put(key, bytes);
        }
        let below = bucket.uri("sift/");
        let run = |args: &[&str]| {
            let haul = haul().on(server).stdin("# what is needed\n*.tmp\n");
            haul.args(args).run().code(0).clone()
        };
        run(&["rm", "-r", &below, "--older-than", "1h"]).stderr_has("nothing to do");
        run(&["rm", &bucket.uri("sift/a"), "--min-size", "6"]).stderr_has("nothing to do");
        let list = run(&["ls", "-r", &below, "--newer-than", "1h", "--min-size", "5", "--json"]);
        assert_eq!(list.json_lines().len(), 2, "{list}");
        run(&["rm", "-r", &below, "--max-size", "5", "--exclude-from", "-"]);
        assert_eq!(bucket.keys("sift/"), ["sift/b", "sift/c.tmp"]);
        run(&["rm", &bucket.uri("sift/b"), "--min-size", "6", "--newer-than", "1h"]);
        assert_eq!(bucket.keys("sift/"), ["sift/c.tmp"]);
        bucket.remove("sift/");
    });
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn all_versions_go() {
    let server = Moto::shared();
    let bucket = Bucket::make(server, "haul-versions");
    bucket.keep_versions();
    for key in ["p/a", "p/a", "p/b", "p2"] {
        bucket.put(key, "bytes");
    }
    let rm = |args: &[&str]| haul().on(server).arg("rm").args(args).run();
    rm(&[&bucket.uri("p/a")]).code(0);
    assert_eq!(bucket.keys_of_versions(), ["p/a", "p/a", "p/a", "p/b", "p2"]);
    rm(&["-r", &bucket.uri("p/"), "--all-versions"]).code(0).stderr_has("4 objects removed");
    assert_eq!(bucket.keys_of_versions(), ["p2"]);
    rm(&["-r", &bucket.uri(""), "--all-versions", "--yes"]).code(0);
    assert!(bucket.keys_of_versions().is_empty());
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn a_bucket_comes_and_goes_with_what_is_in_it() {
    for server in [Weed::shared() as &dyn Server, Moto::shared()] {
        let haul = |args: &[&str]| haul().on(server).args(args).run();
        haul(&["mb", "s3://haul-comes"]).code(0);
        haul(&["mb", "s3://haul-comes"]).code(1);
        Bucket::open(server, "haul-comes").put("p/k", "bytes");
        haul(&["rb", "s3://haul-comes"]).code(1).stderr_has("--force");
        haul(&["rb", "s3://haul-comes", "--force", "--yes"]).code(0);
        let left = haul(&["ls", "--json"]);
        assert!(!left.code(0).stdout_text().contains("haul-comes"), "{left}");
    }
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn what_is_there_is_shown_summed_up_and_printed() {
    on_both(|server, bucket| {
        for (key, bytes) in [("show/a", "one "), ("show/b", "two"), ("show2", "x")] {
            bucket.put(key, bytes);
        }
        let haul = |args: &[&str]| haul().on(server).args(args).run();
        let stat = haul(&["stat", &bucket.uri("show/b"), "--json"]);
        assert_eq!(stat.code(0).json_lines()[0]["size"], 3);
        haul(&["stat", &bucket.uri("show/none")]).code(1);
        let du = haul(&["du", &bucket.uri("show/"), "--json"]);
        let sum = du.code(0).json_lines().remove(0);
        assert_eq!((&sum["objects"], &sum["bytes"]), (&2.into(), &7.into()));
        haul(&["cat", &bucket.uri("show/*")]).code(0).stdout_is("one two");
        haul(&["cat", &bucket.uri("show/b"), "--range", "1-"]).code(0).stdout_is("wo");
        // No version is told or printed but the one that was asked for.
        for verb in ["cat", "stat"] {
            let other = haul(&[verb, &bucket.uri("show/b"), "--version-id", "3sL4kqtJlcpXroDT"]);
            other.code(1).stdout_is("");
        }
        haul(&["rm", "-r", &bucket.uri("show/"), &bucket.uri("show2")]).code(0);
    });
}

/// Runs a test on both servers, each with its bucket.
fn on_both(test: impl Fn(&dyn Server, &Bucket)) {
    for server in [Weed::shared() as &dyn Server, Moto::shared()] {
        test(server, &Bucket::make(server, super::BUCKET));
    }
}
