//! Listings of many pages on real servers, which sort and begin in ways of their own: what is
//! listed in ranges is what the SDK lists page by page. It must never be about an order of ours.

use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, haul};

const FILES: usize = 6_000;

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn seaweedfs_lists_a_long_tree_as_page_by_page() {
    a_long_tree(Weed::shared());
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn moto_lists_a_long_tree_as_page_by_page() {
    a_long_tree(Moto::shared());
}

fn a_long_tree(server: &impl Server) {
    let bucket = Bucket::make(server, super::BUCKET);
    let sandbox = Sandbox::new();
    // File systems and S3 sort what is below a folder and what begins like it differently.
    let parts = ["a", "a-b", "a.b", "a b", "a+b", "a%b", "é", "日", "\u{1F600}", "z"];
    for number in 0..FILES {
        let (one, other) = (parts[number % 10], parts[number / 10 % 10]);
        sandbox.write(format!("tree/{one}/{other}-{}/{number:04}", number % 7), "x");
    }
    let upload = haul().on(server).arg("upload").arg(sandbox.path("tree/"));
    upload.arg(bucket.uri("long/")).limit(std::time::Duration::from_mins(5)).run().code(0);
    let output = haul().on(server).args(["ls", "-r", "--json"]).arg(bucket.uri("long/")).run();
    let lines = output.code(0).json_lines();
    let listed: Vec<_> = lines.iter().map(|line| line["key"].as_str().expect("a key")).collect();
    let wanted = bucket.keys("long/");
    assert_eq!(wanted.len(), FILES);
    assert!(listed == wanted, "{} names, {} wanted", listed.len(), wanted.len());
}
