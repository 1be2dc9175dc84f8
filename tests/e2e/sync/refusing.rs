//! What makes no sense is refused before anything starts.

use super::{up, with_files};
use crate::stage::Stage;

#[test]
fn what_is_no_pair_of_trees_is_wrong_usage() {
    let stage = with_files(["a"]);
    stage.sandbox.write("file", "bytes");
    for (usage, said) in [
        (["sync"].as_slice(), "needs a source and a destination"),
        (&["sync", "tree"], "needs a source and a destination"),
        (&["sync", "tree", "s3://bucket/", "more"], "more"),
        (&["sync", "tree", "other"], "neither side is an S3 URI"),
        (&["sync", "-", "s3://bucket/"], "no tree"),
        (&["sync", "s3://bucket/p/", "-"], "no tree"),
        (&["sync", "file", "s3://bucket/"], "no directory"),
        (&["sync", "s3://bucket/p/", "file"], "a folder is needed"),
        (&["sync", "tree", "s3://bucket/p*"], "wildcards are for the source"),
        (&["sync", "tree", "s3://bucket/", "--flatten"], "--flatten"),
        (&["sync", "tree", "s3://bucket/", "--compare", "luck"], "luck"),
        (&["sync", "tree", "s3://bucket/", "--max-delete", "1"], "--delete"),
        (&["sync", "tree", "s3://bucket/", "--delete", "--max-delete", "half"], "a share from"),
        (&["sync", "tree", "s3://bucket/", "--delete", "--max-delete", "101%"], "a share from"),
        (&["sync", "tree", "s3://bucket/", "--newer-than", "soon"], "an age"),
        (&["sync", "tree", "s3://bucket/", "--min-size", "2", "--max-size", "1"], "no size is"),
        (&["sync", "tree", "s3://bucket/", "--exclude", "a["], "is not a glob"),
    ] {
        let output = stage.run(usage);
        output.code(2).stderr_has("error: ").stderr_has(said).stderr_lacks("panicked");
    }
    assert_eq!(stage.testbed.totals().requests, 0, "a request was sent");
}

/// What destroys is typed, every time.
#[test]
fn the_environment_does_not_delete() {
    let stage = Stage::with_keys(&["p/extra"]);
    stage.sandbox.folder("tree");
    let haul = stage.haul().args(["sync", "tree", "s3://bucket/p/"]);
    let variables = [("HAUL_DELETE", "true"), ("HAUL_MAX_DELETE", "100%"), ("DELETE", "1")];
    haul.envs(variables).run().code(0).stderr_has("--delete has to be typed");
    stage.sandbox.write("config.toml", "[sync]\ndelete = true\n");
    let haul = stage.haul().args(["sync", "tree", "s3://bucket/p/"]);
    let file = stage.sandbox.path("config.toml");
    haul.env("HAUL_CONFIG", file).run().code(2).stderr_has("--delete has to be typed");
    // Half of what may go is not set from elsewhere, either.
    let haul = stage.haul().args(["sync", "tree", "s3://bucket/p/", "--delete"]);
    haul.env("HAUL_MAX_DELETE", "100%").run().code(1).stderr_has("allows 50%");
    assert_eq!(stage.keys(), ["p/extra"]);
    up(&stage, ["--delete", "--max-delete", "1"]).code(0).stderr_has("1 object removed");
}
