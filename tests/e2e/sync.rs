//! `haul sync`: one tree becomes like another, a second run moves nothing, and nothing is removed
//! that the source has, or where not everything is known.

mod clashes;
mod comparing;
mod copies;
mod deleting;
mod refusing;
mod trees;

use testbed::Operation;

use crate::harness::Output;
use crate::stage::{BUCKET, Stage};

/// Names whose order as bytes is not that of a plain walk, and folders beside files of one start.
const NAMES: [&str; 9] = ["a", "a-", "a.b", "a/x", "a/y.z/1", "a0", "b", "c d/ü", "c/d"];

/// What files and folders can be at once: `a` is no file beside `a/x`.
fn file_names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(|name| *name != "a")
}

/// A stage with these files below `tree/`, each with its name in it.
fn with_files(names: impl IntoIterator<Item = &'static str>) -> Stage {
    let stage = Stage::new();
    names.into_iter().for_each(|name| drop(stage.sandbox.write(format!("tree/{name}"), name)));
    stage
}

/// A stage with these objects below `p/`, each with its name in it.
fn with_objects(names: impl IntoIterator<Item = &'static str>) -> Stage {
    let stage = Stage::new();
    names.into_iter().for_each(|name| {
        stage.testbed.put_object(BUCKET, &format!("p/{name}"), name);
    });
    stage
}

fn up<'a>(stage: &Stage, args: impl IntoIterator<Item = &'a str>) -> Output {
    stage.haul().args(["sync", "tree/", "s3://bucket/p/"]).args(args).run()
}

fn down<'a>(stage: &Stage, args: impl IntoIterator<Item = &'a str>) -> Output {
    stage.haul().args(["sync", "s3://bucket/p/", "tree"]).args(args).run()
}

/// Names below `p/`.
fn objects(stage: &Stage) -> Vec<String> {
    let keys = stage.keys();
    keys.iter().filter_map(|key| key.strip_prefix("p/")).map(str::to_owned).collect()
}

/// Requests that move or remove something.
fn changes(stage: &Stage) -> usize {
    use Operation::{CreateMultipartUpload, DeleteObject, DeleteObjects, GetObject, PutObject};
    [GetObject, PutObject, CreateMultipartUpload, DeleteObject, DeleteObjects]
        .map(|operation| stage.testbed.count(operation))
        .iter()
        .sum()
}

fn removals(stage: &Stage) -> usize {
    stage.testbed.count(Operation::DeleteObject) + stage.testbed.count(Operation::DeleteObjects)
}
