//! Connections that are not made, that end between or under requests, and that are silent or slow
//! in either direction: what only a proxy in front of the server can do.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use testbed::{
    BlackHole, Break, Disruption, Fault, FaultKind, Operation, Place, Proxy, Rule, Testbed,
};

use super::scene::{BUCKET, OLD, Scene};
use crate::harness::{Haul, Output, content, for_each, haul};

const PART: u64 = 5 << 20;

/// A scene whose server is behind a proxy.
struct Behind {
    scene: Scene,
    proxy: Proxy,
}

impl Behind {
    fn new() -> Self {
        let scene = Scene::new();
        let proxy = Proxy::before(&scene.testbed, 11);
        Self { scene, proxy }
    }

    /// A download of an object that is there, onto an old file.
    fn download(&self) -> Haul {
        self.scene.sandbox.write("out/object", OLD);
        let haul = haul().on(&self.proxy).args(["download", "s3://bucket/p/object"]);
        haul.arg(self.scene.sandbox.path("out")).args(["--part-size", "1MiB"])
    }

    /// An upload in parts of 5 MiB.
    fn upload(&self, size: u64) -> Haul {
        self.upload_in(size, "5MiB")
    }

    fn upload_in(&self, size: u64, part_size: &str) -> Haul {
        let file = self.scene.sandbox.fill("object", size);
        let haul = haul().on(&self.proxy).arg("upload").arg(file).arg("s3://bucket/p/");
        haul.args(["--part-size", part_size])
    }

    #[track_caller]
    fn arrived(&self, bytes: &[u8]) {
        assert!(self.scene.sandbox.read("out/object") == bytes, "bytes differ");
        self.scene.sandbox.no_leftovers("");
    }

    #[track_caller]
    fn was_stored(&self) {
        let object = self.scene.testbed.object(BUCKET, "p/object").expect("there is an object");
        assert!(object.content.bytes() == self.scene.sandbox.read("object"), "bytes differ");
        self.scene.no_open_uploads();
    }
}

#[test]
fn a_server_that_is_not_there_is_named_and_nothing_is_made() {
    let scene = Scene::new();
    scene.sandbox.write("out/object", OLD);
    let address = free_address();
    let run = |args: &[&str]| {
        let haul = haul().on(&scene.testbed).env("AWS_ENDPOINT_URL", format!("http://{address}"));
        haul.args(args).args(["--max-attempts", "4"]).current_dir(scene.sandbox.path("")).run()
    };
    scene.sandbox.write("file", "bytes");
    for args in
        [&["download", "s3://bucket/p/object", "out"][..], &["upload", "file", "s3://bucket/p/"]]
    {
        let output = run(args);
        output.code(1).stderr_has(&format!("cannot connect to http://{address}: "));
        output.stderr_has("Connection refused").stderr_has("(4 attempts");
        // Told at once, once, and not only when all is over.
        assert_eq!(output.stderr.matches("trying again").count(), 1, "{output}");
        assert_eq!(output.stderr.matches("error: ").count(), 1, "{output}");
    }
    run(&["download", "s3://bucket/p/", "new/"]).code(1).stderr_has("cannot connect");
    assert!(!scene.sandbox.path("new").exists());
    assert!(scene.sandbox.read("out/object") == OLD);
}

/// As long as a server takes to start: the tries must outlast it.
#[test]
fn a_server_that_comes_up_after_twenty_seconds_is_waited_for() {
    let address = free_address();
    let sandbox = crate::harness::Sandbox::new();
    let download = haul().args(["download", "s3://bucket/object"]).arg(sandbox.path("object"));
    let mut running = download
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "AKIDTEST")])
        .env("AWS_SECRET_ACCESS_KEY", "SECRET")
        .spawn();
    let began = Instant::now();
    running.until_stderr_has("trying again");
    assert!(began.elapsed() < Duration::from_secs(10), "it is told late");
    // The outage is the fault here, and its length is what the test is about.
    std::thread::sleep(Duration::from_secs(20).saturating_sub(began.elapsed()));
    let testbed = Testbed::builder().addr(address).spawn().expect("the address is still free");
    testbed.create_bucket("bucket");
    testbed.put_object("bucket", "object", "bytes");
    running.wait().code(0);
    assert_eq!(sandbox.read("object"), b"bytes");
}

#[test]
fn a_black_hole_is_given_up_after_the_time_for_a_connection() {
    let nowhere = BlackHole::open().expect("the system drops what does not fit");
    let sandbox = crate::harness::Sandbox::new();
    let output = haul()
        .args(["download", "s3://bucket/object", "--no-sign-request"])
        .arg(sandbox.path("object"))
        .args(["--timeout", "1", "--max-attempts", "2"])
        .env("AWS_ENDPOINT_URL", nowhere.endpoint())
        .run();
    output.code(1).stderr_has("GetObject failed").stderr_has("2 attempts");
    assert!(output.took < Duration::from_secs(20), "{output}");
    sandbox.no_leftovers("");
    assert!(!sandbox.path("object").exists());
}

/// A server may close a connection that is kept open whenever it likes, even as it is used again.
#[test]
fn a_kept_connection_that_ends_costs_a_retry_at_most() {
    let under = |how| Rule::new(Disruption::Request(how, Place::Head(0))).reused().chance(0.5);
    let rules = [
        Rule::new(Disruption::CloseBehindReply),
        under(Break::Close).method("GET"),
        under(Break::Reset).method("GET"),
    ];
    for_each(&rules, |rule| {
        let behind = Behind::new();
        for number in 0..50 {
            behind.scene.object(&format!("{number:02}"), 1000);
        }
        let rule = behind.proxy.rule(rule.clone().always());
        let download = haul().on(&behind.proxy).args(["download", "s3://bucket/p/"]);
        let out = behind.scene.sandbox.path("out/");
        let output = download.arg(&out).args(["--concurrency", "4"]).run();
        output.code(0).stderr_has("50 objects").stderr_has("50 verified end to end");
        assert!(behind.proxy.hits(rule) > 5, "{} ended", behind.proxy.hits(rule));
        for number in 0..50 {
            let name = format!("{number:02}");
            let found = behind.scene.sandbox.read(format!("out/{name}"));
            assert!(found == content(&name, 1000), "{name}");
        }
    });
}

/// Another connection may lead to another server behind the same name.
#[test]
fn a_connection_that_brought_a_server_s_error_is_not_used_again() {
    let scene = Scene::new();
    scene.object("object", 1000);
    scene.testbed.fault(Fault::new(Operation::GetObject, FaultKind::internal_error()));
    let download = haul().on(&scene.testbed).args(["download", "s3://bucket/p/object"]);
    download.arg(scene.sandbox.path("object")).run().code(0);
    let requests = scene.testbed.requests_of(Operation::GetObject);
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].connection, requests[1].connection);
}

/// Uploads over connections that end under them: what was sent is sent again, and counts once.
#[test]
fn an_upload_over_connections_that_end_under_it_is_whole() {
    for how in [Break::Close, Break::Reset] {
        let behind = Behind::new();
        let cut = Rule::new(Disruption::Request(how, Place::Somewhere)).method("PUT");
        let cut = behind.proxy.rule(cut.times(3));
        let lost = Rule::new(Disruption::lost_reply()).method("PUT");
        let lost = behind.proxy.rule(lost.occurrence(4..=5));
        behind.upload(3 * PART + 7).run().code(0).stderr_has("1 verified end to end");
        assert_eq!((behind.proxy.hits(cut), behind.proxy.hits(lost)), (3, 2));
        behind.was_stored();
    }
}

/// The head of a reply that takes for ever, in two ways.
#[test]
fn a_head_that_never_ends_is_given_up_and_asked_for_again() {
    let heads = [
        Disruption::Reply(Break::Stall, Place::Head(20)),
        Disruption::Reply(Break::Drip { bytes_per_second: 4 }, Place::Head(0)),
    ];
    for_each(&heads, |head| {
        for always in [false, true] {
            let behind = Behind::new();
            let bytes = behind.scene.object("object", 3 << 20);
            let rule = Rule::new(head.clone()).method("GET");
            let rule = behind.proxy.rule(if always { rule.always() } else { rule });
            let output = behind.download().args(["--timeout", "1", "--max-attempts", "2"]).run();
            assert!(behind.proxy.hits(rule) > 0);
            if always {
                output.code(1).stderr_has("no reply within 1 s");
                behind.arrived(OLD);
            } else {
                output.code(0);
                behind.arrived(&bytes);
            }
        }
    });
}

/// Never silent for long, and never done.
#[test]
fn a_body_that_trickles_is_given_up_and_asked_for_again() {
    for always in [false, true] {
        let behind = Behind::new();
        let bytes = behind.scene.object("object", 3 << 20);
        let slow = Disruption::Reply(Break::Drip { bytes_per_second: 10 }, Place::Body(100_000));
        let rule = Rule::new(slow).method("GET").target("p/object");
        let rule = behind.proxy.rule(if always { rule.always() } else { rule });
        let download = behind.download().args(["--timeout", "2", "--max-attempts", "2"]);
        let output = download.arg("--no-resume").run();
        assert!(behind.proxy.hits(rule) > 0);
        if always {
            output.code(1).stderr_has("bytes came in 2 s").stderr_has("s3://bucket/p/object");
            behind.arrived(OLD);
        } else {
            output.code(0).stderr_has("1 verified end to end");
            behind.arrived(&bytes);
        }
        assert!(output.took < Duration::from_secs(30), "{output}");
    }
}

/// Slow, but alive: ten times as slow as the silence that is a fault.
#[test]
fn a_slow_body_is_no_fault() {
    let behind = Behind::new();
    let bytes = behind.scene.object("object", 100_000);
    let slow = Disruption::Reply(Break::Drip { bytes_per_second: 10_000 }, Place::Body(0));
    behind.proxy.rule(Rule::new(slow).method("GET").target("p/object"));
    let output = behind.download().args(["--timeout", "1", "--max-attempts", "1"]).run();
    output.code(0);
    assert!(output.took > Duration::from_secs(8), "{output}");
    behind.arrived(&bytes);
}

/// Whether a part is small or large, what counts is the silence: in the middle of its bytes, or
/// once all of them are sent.
#[test]
fn a_stalled_upload_is_found_after_the_silence_whatever_its_length() {
    let large = 60 << 20;
    let cases = [
        (20_000, Place::Body(100)),
        (PART + 1, Place::Body(100_000)),
        (large, Place::Body(100_000)),
    ];
    for_each(&cases, |&(size, place)| {
        let behind = Behind::new();
        let stall = Disruption::Request(Break::Stall, place);
        let rule = behind.proxy.rule(Rule::new(stall).method("PUT"));
        let output = behind.upload_in(size, "64MiB").args(["--timeout", "2"]).run();
        output.code(0).stderr_has("1 verified end to end");
        assert_eq!(behind.proxy.hits(rule), 1);
        assert!(output.took < Duration::from_secs(30), "{output}");
        behind.was_stored();
    });
}

#[test]
fn a_stalled_upload_says_how_far_it_came() {
    let behind = Behind::new();
    let stall = Disruption::Request(Break::Stall, Place::Body(100_000));
    behind.proxy.rule(Rule::new(stall).method("PUT").always());
    let upload = behind.upload_in(64 << 20, "64MiB").args(["--timeout", "1"]);
    let output = upload.args(["--max-attempts", "2"]).run();
    output.code(1).stderr_has("the connection took no byte for 1 s, after ");
    output.stderr_has("of 67108864").stderr_has("s3://bucket/p/object");
    assert!(output.took < Duration::from_secs(20), "{output}");
    assert!(behind.scene.testbed.object(BUCKET, "p/object").is_none());
}

/// Half a megabyte a second for eight seconds, in steps: slower than anyone would like, and alive.
#[test]
fn a_slow_upload_is_no_fault() {
    let behind = Behind::new();
    let slow = Break::Drip { bytes_per_second: 1 << 20 };
    let slow = Disruption::Request(slow, Place::Body(0));
    behind.proxy.rule(Rule::new(slow).method("PUT").always());
    let upload = behind.upload_in(16 << 20, "16MiB").args(["--timeout", "5"]);
    let output = upload.args(["--max-attempts", "1"]).run();
    output.code(0).stderr_has("1 verified end to end");
    assert!(output.took > Duration::from_secs(8), "{output}");
    behind.was_stored();
}

/// S3 may be silent for minutes while it puts a large object together, or send spaces meanwhile.
#[test]
fn a_complete_that_takes_its_time_is_waited_for() {
    let long = Duration::from_secs(8);
    let slow = [
        Disruption::after(move |_| {
            std::thread::sleep(long);
            testbed::Verdict::GoOn
        }),
        Disruption::Whitespace { spaces: 80, pause: long / 80 },
        Disruption::Whitespace { spaces: 2, pause: long / 2 },
    ];
    for_each(&slow, |slow| {
        let behind = Behind::new();
        let rule = behind.proxy.rule(Rule::new(slow.clone()).method("POST").target("uploadId="));
        let output = behind.upload(2 * PART).args(["--timeout", "1"]).run();
        output.code(0).stderr_has("1 verified end to end");
        assert_eq!(behind.proxy.hits(rule), 1);
        assert!(output.took >= long, "{output}");
        assert_eq!(behind.scene.testbed.count(Operation::CompleteMultipartUpload), 1);
        behind.was_stored();
    });
}

/// Spaces, and then the end: whether the object is there is for a look at it to say.
#[test]
fn a_complete_that_breaks_off_behind_its_spaces_is_settled_by_a_look() {
    for how in [Break::Close, Break::Reset] {
        let behind = Behind::new();
        behind.scene.testbed.put_object(BUCKET, "p/object", OLD);
        let complete = || Rule::new(Disruption::Reply(how, Place::Body(30)));
        let rule = behind.proxy.rule(complete().method("POST").target("uploadId="));
        let output: Output = behind.upload(2 * PART).run();
        output.code(0).stderr_has("1 verified end to end");
        assert_eq!(behind.proxy.hits(rule), 1);
        let started = behind.scene.testbed.count(Operation::CreateMultipartUpload);
        assert_eq!(started, 1, "all of it was sent again\n{output}");
        behind.was_stored();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound")
}
