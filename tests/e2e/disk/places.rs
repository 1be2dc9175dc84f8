//! What is in the way where a file is to be, or on the way to a source: folders where files
//! belong, files where folders belong, pipes and devices, links. One item fails, and says why.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use testbed::{Fault, FaultKind, Gate, Operation};

use super::lab::{MIB, OLD, everything, gets, has_mounts, is_honest, only, replacing};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

#[test]
fn a_folder_in_the_way_of_a_file_stays_and_nothing_is_fetched_for_it() {
    let stage = Stage::with_keys(&["p/good"]);
    stage.testbed.put_object(BUCKET, "p/taken", content("taken", 20 * MIB));
    stage.sandbox.write("out/taken/inside", OLD);
    let output = stage.run(["download", "s3://bucket/p/", "out"]);
    output.code(1).stderr_has("out/taken").stderr_has("a directory");
    is_honest(&output);
    assert_eq!(stage.sandbox.read("out/taken/inside"), OLD);
    assert_eq!(stage.text("out/good"), "p/good");
    only(&stage.sandbox.path("out"), &["taken/inside", "good"], &output);
    assert_eq!(gets(&stage), 1, "only the good one is fetched\n{output}");
}

#[test]
fn a_file_in_the_way_of_a_folder_stays_and_the_others_arrive() {
    let stage = Stage::with_keys(&["p/x/y", "p/x/z/w", "p/good"]);
    stage.sandbox.write("out/x", OLD);
    let output = stage.run(["download", "s3://bucket/p/", "out"]);
    output.code(1).stderr_has("out/x").stderr_has("a directory is needed");
    is_honest(&output);
    assert_eq!(stage.sandbox.read("out/x"), OLD);
    assert_eq!(stage.text("out/good"), "p/good");
    only(&stage.sandbox.path("out"), &["x", "good"], &output);
}

/// What was typed and the key fit into a path each, but not together: each folder is opened from the
/// one above.
#[test]
fn a_path_longer_than_the_system_takes_works_below_the_destination() {
    const LONGEST: usize = 4096;
    let stage = Stage::new();
    let key = format!("{}end", format!("{}/", "k".repeat(240)).repeat(4));
    stage.testbed.put_object(BUCKET, &key, "deep");
    let mut root = stage.sandbox.path("out");
    while root.as_os_str().len() + 250 < LONGEST {
        root.push("a".repeat(240));
    }
    fs::create_dir_all(&root).expect("just short enough");
    assert!(root.join(&key).as_os_str().len() > LONGEST);
    let output = stage.haul().args(["download", "s3://bucket/"]).arg(&root).run();
    output.code(0);
    let mut cat = Command::new("cat");
    let read = cat.arg(&key).current_dir(&root).output().expect("cat");
    assert_eq!(String::from_utf8_lossy(&read.stdout), "deep", "{output}");
}

#[test]
fn a_name_of_white_space_is_a_name() {
    let stage = Stage::with_keys(&["p/ ", "p/\t", "p/a b/ c "]);
    stage.run(["download", "s3://bucket/p/", "out"]).code(0);
    assert_eq!(stage.files("out"), ["\t", " ", "a b/ c "]);
}

#[test]
fn a_listing_with_bytes_that_are_no_text_makes_no_file() {
    let stage = Stage::with_keys(&["p/good"]);
    let head = b"<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>\
        <Contents><Key>p/b\xff\xfed</Key><Size>3</Size></Contents></ListBucketResult>";
    let listing = Fault::new(Operation::ListObjectsV2, FaultKind::xml(head.to_vec()));
    stage.testbed.fault(listing.always());
    let output = stage.run(["download", "s3://bucket/p/", "out", "--max-attempts", "2"]);
    output.code(1);
    is_honest(&output);
    assert!(!stage.sandbox.path("out").exists(), "{output}");
}

#[test]
fn a_typed_destination_may_lie_behind_links_of_the_user() {
    let stage = Stage::with_keys(&["p/d/f"]);
    stage.sandbox.folder("real/sub");
    symlink("real", stage.sandbox.path("link")).expect("a link");
    symlink("link", stage.sandbox.path("again")).expect("a link");
    for root in ["again", "link/sub", "again/sub/new/er"] {
        stage.run(["download", "s3://bucket/p/", root]).code(0);
        assert_eq!(stage.text(&format!("{root}/d/f")), "p/d/f", "{root}");
    }
}

/// A folder of the destination that is another file system: the temp file is in that one.
#[test]
fn a_mount_below_the_destination_takes_files() {
    if !has_mounts() {
        return;
    }
    let stage = Stage::with_keys(&["p/d/f", "p/g"]);
    stage.sandbox.write("out/d/f", OLD);
    let script = "mount -t tmpfs none out/d && echo old > out/d/f && \"$@\" && cat out/d/f";
    let haul = stage.haul().args(["download", "s3://bucket/p/", "out"]);
    let output = haul.under(["unshare", "--mount", "sh", "-c", script, "bound"]).run();
    output.code(0).stdout_has("p/d/f");
    assert_eq!(stage.text("out/g"), "p/g");
    assert_eq!(stage.sandbox.read("out/d/f"), OLD, "what is below the mount is not touched");
}

#[test]
fn pipes_sockets_and_links_to_devices_in_a_tree_are_left_out_and_told() {
    let stage = Stage::new();
    stage.sandbox.write("d/good", "good");
    let made = Command::new("mkfifo").arg(stage.sandbox.path("d/pipe")).status();
    assert!(made.expect("mkfifo").success());
    let _listener = UnixListener::bind(stage.sandbox.path("d/socket")).expect("a socket");
    symlink("/dev/zero", stage.sandbox.path("d/zero")).expect("a link");
    let output = stage.run(["upload", "d", "s3://bucket/"]);
    output.code(0).stderr_has("d/pipe").stderr_has("d/socket").stderr_has("d/zero");
    assert_eq!(stage.keys(), ["good"], "{output}");
}

/// A pipe that nobody writes to would be waited for; a device never ends.
#[test]
fn a_typed_pipe_or_device_is_no_source() {
    let stage = Stage::new();
    let pipe = stage.sandbox.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for source in ["pipe", "/dev/zero"] {
        let output = stage.run(["upload", source, "s3://bucket/"]);
        output.code(1).stderr_has("a pipe, a socket or a device");
    }
    assert!(fs::metadata(&pipe).expect("it stays").file_type().is_fifo());
    assert!(stage.keys().is_empty());
}

/// A file that was found and is gone, or is another one, when its turn comes.
#[test]
fn a_file_that_vanishes_before_its_turn_fails_alone() {
    let stage = Stage::new();
    for number in 0..40 {
        stage.sandbox.write(format!("d/{number:02}"), format!("{number}"));
    }
    let gate = Gate::new();
    let held = Fault::new(Operation::PutObject, FaultKind::Gate(gate.clone()));
    stage.testbed.fault(held.always());
    let upload = stage.haul().args(["upload", "d", "s3://bucket/", "--concurrency", "2"]);
    let running = upload.spawn();
    gate.wait_for(2);
    fs::remove_file(stage.sandbox.path("d/30")).expect("it is there");
    gate.open();
    let output = running.wait();
    output.code(1).stderr_has("d/30").stderr_has("39 objects").stderr_has("1 failed");
    is_honest(&output);
    assert_eq!(stage.keys().len(), 39, "{output}");
}

/// Each has temp files of its own: the last rename wins, whole.
#[test]
fn two_runs_with_one_destination_leave_one_whole_file() {
    for _ in 0..5 {
        let stage = replacing("object", 20 * MIB);
        let gate = Gate::new();
        let held = Fault::new(Operation::GetObject, FaultKind::Gate(gate.clone()));
        stage.testbed.fault(held.always());
        let download = || {
            let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
            haul.args(["--part-size", "1MiB"]).spawn()
        };
        let (one, other) = (download(), download());
        // Both have a file on its way before either gets a byte.
        gate.wait_for(2);
        gate.open();
        for output in [one.wait(), other.wait()] {
            output.code(0);
            only(&stage.sandbox.path("out"), &["object"], &output);
        }
        assert!(stage.sandbox.read("out/object") == content("object", 20 * MIB));
        assert_eq!(everything(&stage.sandbox.path("out")).len(), 1);
    }
}
