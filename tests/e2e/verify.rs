//! `haul verify`: two sides compared without moving data. What it calls the same is the same,
//! what it calls different is, and an object is read only where that was asked for.

mod differences;
mod proofs;
mod rows;
mod sides;
mod trouble;

use std::collections::BTreeMap;

use testbed::Operation;

use crate::harness::Output;
use crate::stage::Stage;

/// What `--json` says of each name, by the end of its source.
fn results(output: &Output) -> BTreeMap<String, String> {
    let lines = output.json_lines();
    let compared = lines.iter().filter(|line| line["event"] == "compared");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    compared
        .map(|line| {
            let source = text(&line["source"]);
            let name = source.rsplit_once("/p/").map_or(source.as_str(), |(_, name)| name);
            (name.to_owned(), text(&line["result"]))
        })
        .collect()
}

fn summary(output: &Output) -> serde_json::Value {
    let last = output.json_lines().pop().expect("a last line");
    assert_eq!(last["event"], "summary", "{output}");
    last
}

/// Requires that no object was read.
#[track_caller]
fn nothing_was_read(stage: &Stage) {
    assert_eq!(stage.testbed.count(Operation::GetObject), 0, "an object was read");
}
