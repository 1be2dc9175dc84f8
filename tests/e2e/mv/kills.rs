//! Moves that are killed before each of their requests in turn. Whatever the moment, each object or
//! file is complete in at least one place, and the same command leaves it in one.

use rustix::process::Signal;
use testbed::{Fault, FaultKind, Gate, Operation, Testbed};

use super::MIB;
use crate::harness::{Haul, content};
use crate::stage::{BUCKET, Stage};

/// Names below the source, and how large what they name is: one in parts.
const THINGS: [(&str, u64); 3] = [("a", 1000), ("b/c", 0), ("large", 11 * MIB)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Up,
    Across,
    /// To another server.
    Through,
}

struct Scene {
    way: Way,
    stage: Stage,
    other: Testbed,
}

impl Scene {
    fn new(way: Way) -> Self {
        let (stage, other) = (Stage::new(), Testbed::spawn());
        other.create_bucket(BUCKET);
        for (name, size) in THINGS {
            if way == Way::Up {
                stage.sandbox.write(format!("from/{name}"), content(name, size));
            } else {
                stage.testbed.put_object(BUCKET, &format!("from/{name}"), content(name, size));
            }
        }
        Self { way, stage, other }
    }

    fn haul(&self) -> Haul {
        let haul = self.stage.haul().env("XDG_STATE_HOME", self.stage.sandbox.path("state"));
        let haul = haul.args(["mv", "--journal", "j", "--concurrency", "1"]);
        let haul = haul.args(["--part-size", "5MiB", "--progress", "none"]);
        let (from, to) = ("s3://bucket/from/", "s3://bucket/to/");
        match self.way {
            Way::Down => haul.args([from, "to"]),
            Way::Up => haul.args(["from", to]),
            Way::Across => haul.args(["--copy-parts-above", "5MiB", from, to]),
            Way::Through => {
                let source = self.stage.testbed.endpoint();
                haul.envs(self.other.env()).args(["--source-endpoint-url", &source, from, to])
            }
        }
    }

    /// The servers that are asked for anything.
    fn servers(&self) -> Vec<&Testbed> {
        match self.way {
            Way::Through => vec![&self.stage.testbed, &self.other],
            _ => vec![&self.stage.testbed],
        }
    }

    fn at_source(&self, name: &str) -> Option<Vec<u8>> {
        match self.way {
            Way::Up => std::fs::read(self.stage.sandbox.path(format!("from/{name}"))).ok(),
            _ => object(&self.stage.testbed, &format!("from/{name}")),
        }
    }

    fn at_destination(&self, name: &str) -> Option<Vec<u8>> {
        match self.way {
            Way::Down => std::fs::read(self.stage.sandbox.path(format!("to/{name}"))).ok(),
            Way::Through => object(&self.other, &format!("to/{name}")),
            Way::Up | Way::Across => object(&self.stage.testbed, &format!("to/{name}")),
        }
    }

    /// Kills the command before the n-th request to that server, and lets it run once more.
    fn kill_and_run_again(&self, server: usize, nth: u64) {
        let gate = Gate::new();
        let held = Fault::any(FaultKind::Gate(gate.clone())).nth(nth);
        let fault = self.servers()[server].fault(held);
        let running = self.haul().spawn();
        gate.wait_for(1);
        running.signal(Signal::KILL);
        assert_eq!(running.wait().signal, Some(9));
        let moment = format!("{:?}, before request {nth} to server {server}", self.way);
        for (name, size) in THINGS {
            let wanted = content(name, size);
            let places = [self.at_source(name), self.at_destination(name)];
            assert!(places.contains(&Some(wanted.clone())), "{name} is nowhere: {moment}");
            // Nor anything else under its name.
            let is_right = |found: &Vec<u8>| *found == wanted;
            assert!(places.iter().flatten().all(is_right), "{name} is wrong: {moment}");
        }
        gate.open();
        assert_eq!(self.servers()[server].hits(fault), 1);
        let at = usize::try_from(nth - 1).expect("it fits");
        let held = self.servers()[server].requests()[at].operation;
        self.haul().run().code(0);
        // The one that was held is done when nobody waits for it any more.
        if held != Operation::CreateMultipartUpload {
            let open: Vec<_> =
                self.servers().iter().flat_map(|server| server.open_uploads(BUCKET)).collect();
            assert!(open.is_empty(), "{open:?}: {moment}");
        }
        for (name, size) in THINGS {
            assert!(self.at_destination(name) == Some(content(name, size)), "{name}: {moment}");
            assert!(self.at_source(name).is_none(), "{name} is in both places: {moment}");
        }
    }
}

fn object(server: &Testbed, key: &str) -> Option<Vec<u8>> {
    server.object(BUCKET, key).map(|object| object.bytes().to_vec())
}

fn sweep(way: Way) {
    let scene = Scene::new(way);
    scene.haul().run().code(0);
    let requests: Vec<_> = scene.servers().iter().map(|server| server.requests().len()).collect();
    for (server, requests) in requests.into_iter().enumerate() {
        assert!(requests > 0);
        for nth in 1..=requests as u64 {
            Scene::new(way).kill_and_run_again(server, nth);
        }
    }
}

#[test]
fn downloads_that_are_moves_lose_nothing() {
    sweep(Way::Down);
}

#[test]
fn uploads_that_are_moves_lose_nothing() {
    sweep(Way::Up);
}

#[test]
fn copies_that_are_moves_lose_nothing() {
    sweep(Way::Across);
}

#[test]
fn copies_to_another_server_that_are_moves_lose_nothing() {
    sweep(Way::Through);
}
