//! What a user without rights may do: no byte is fetched for a folder that can't be written, and
//! one file that may not be read does not stop the others. Run as root, the tests become somebody
//! else for the command, since root may do everything.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::lab::{
    MIB, OLD, everything, gets, has_mounts, is_honest, is_root, mounted, only, replacing, skip,
    unprivileged,
};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

fn set_mode(stage: &Stage, path: &str, mode: u32) {
    fs::set_permissions(stage.sandbox.path(path), Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_folder_that_may_not_be_written_fails_before_a_byte_is_fetched() {
    for destination in ["out/", "out/object", "out/new/"] {
        let stage = replacing("object", 20 * MIB);
        set_mode(&stage, "out", 0o555);
        let haul = stage.haul().args(["download", "s3://bucket/object", destination]);
        let output = unprivileged(&stage, haul, &["out", "out/object"]).run();
        set_mode(&stage, "out", 0o755);
        output.code(1).stderr_has("Permission denied").stderr_has("check who owns");
        assert_eq!(stage.sandbox.read("out/object"), OLD);
        only(&stage.sandbox.path("out"), &["object"], &output);
        assert_eq!(gets(&stage), 0, "{destination}: it was fetched for nothing\n{output}");
    }
}

#[test]
fn a_read_only_file_system_fails_before_a_byte_is_fetched() {
    if !has_mounts() {
        return;
    }
    let stage = replacing("object", 20 * MIB);
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
    let haul = haul.env("remount", "mount -o remount,ro \"$at\"");
    let output = mounted(&stage, haul, "out", "mount -t tmpfs none \"$at\"").run();
    output.code(1).stderr_has("Read-only file system");
    assert_eq!(stage.sandbox.read("out/object"), OLD);
    assert_eq!(gets(&stage), 0, "{output}");
}

#[test]
fn a_file_that_may_not_be_written_is_replaced_where_its_folder_may_be() {
    let stage = replacing("object", 1000);
    set_mode(&stage, "out/object", 0o400);
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
    let output = unprivileged(&stage, haul, &["out"]).run();
    output.code(0);
    assert_eq!(stage.sandbox.read("out/object"), content("object", 1000));
    only(&stage.sandbox.path("out"), &["object"], &output);
}

/// A folder like `/tmp`: everybody may make files, and nobody may replace another's.
#[test]
fn a_file_that_may_not_be_replaced_stays() {
    if !is_root() {
        skip("a file of another user's (root)");
        return;
    }
    let stage = replacing("object", 1000);
    set_mode(&stage, "out", 0o1777);
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
    let output = unprivileged(&stage, haul, &[]).run();
    output.code(1).stderr_has("not permitted");
    is_honest(&output);
    assert_eq!(stage.sandbox.read("out/object"), OLD);
    only(&stage.sandbox.path("out"), &["object"], &output);
}

#[test]
fn one_source_that_may_not_be_read_does_not_stop_the_others() {
    let stage = Stage::new();
    for name in ["d/a", "d/secret", "d/closed/x", "d/z"] {
        stage.sandbox.write(name, name);
    }
    set_mode(&stage, "d/secret", 0o000);
    set_mode(&stage, "d/closed", 0o000);
    let haul = stage.haul().args(["upload", "d", "s3://bucket/"]);
    let owned = ["d", "d/a", "d/secret", "d/z"];
    let output = unprivileged(&stage, haul, &owned).run();
    set_mode(&stage, "d/closed", 0o755);
    output.code(1).stderr_has("d/secret").stderr_has("d/closed").stderr_has("Permission denied");
    is_honest(&output);
    assert_eq!(stage.keys(), ["a", "z"], "{output}");
}

/// Folders that may be entered and written, but not listed, as drop boxes are.
#[test]
fn a_folder_that_may_not_be_listed_takes_files() {
    let stage = Stage::with_keys(&["p/a", "p/d/b"]);
    stage.sandbox.folder("out/d");
    for folder in ["out/d", "out"] {
        set_mode(&stage, folder, 0o333);
    }
    let haul = stage.haul().args(["download", "s3://bucket/p/", "out/"]);
    let output = unprivileged(&stage, haul, &["out", "out/d"]).run();
    for folder in ["out", "out/d"] {
        set_mode(&stage, folder, 0o755);
    }
    output.code(0);
    assert_eq!(stage.files("out"), ["a", "d/b"], "{output}");
}

#[test]
fn what_an_object_says_of_owner_and_mode_is_never_believed() {
    let stage = Stage::new();
    let mut attributes = testbed::Attributes::default();
    for (name, value) in [("mode", "104777"), ("file-permissions", "4777"), ("uid", "0")] {
        attributes.metadata.insert(name.to_owned(), value.to_owned());
    }
    let options = testbed::PutOptions { attributes, ..testbed::PutOptions::default() };
    stage.testbed.put_object_with(BUCKET, "f", "f", &options);
    let umask = ["sh", "-c", "umask 027; exec \"$@\"", "umask"];
    let output = stage.haul().args(["download", "s3://bucket/f", "new/er/"]).under(umask).run();
    output.code(0);
    let mode = |path: &str| {
        let found = fs::metadata(stage.sandbox.path(path)).expect("it is there");
        found.permissions().mode() & 0o7777
    };
    assert_eq!(mode("new/er/f"), 0o640);
    assert_eq!((mode("new"), mode("new/er")), (0o750, 0o750), "folders follow the umask, too");
    assert_eq!(everything(&stage.sandbox.path("new")).len(), 2);
}
