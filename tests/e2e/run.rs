//! `haul run`: lines are commands as they are typed; what is wrong with one stops no other, and they
//! share what bounds a run.

mod bounds;
mod lines;
mod s5cmd;

use crate::harness::Output;
use crate::stage::Stage;

/// Runs a file of commands in the sandbox.
fn script(stage: &Stage, lines: &str, options: &[&str]) -> Output {
    stage.sandbox.write("commands", lines);
    stage.haul().args(["run", "commands"]).args(options).run()
}

/// The last line of `--json`.
#[track_caller]
fn summary(output: &Output) -> serde_json::Value {
    output.json_lines().pop().expect("a summary")
}
