//! Disks that are full, and files that may not be so large: said once, with what is missing; the
//! old file stays, what was begun is removed, and no bandwidth is spent on what can't be kept.

use testbed::Operation;

use super::lab::{
    MIB, OLD, gets, has_loop_devices, has_mounts, has_strace, is_honest, mounted, only, replacing,
    traced,
};
use crate::harness::content;
use crate::stage::{BUCKET, Stage};

/// In memory: full at the write that meets the limit.
const SMALL: &str = "mount -t tmpfs -o size=8m none \"$at\"";
/// On a disk: it puts off where bytes go, and may notice late.
const SMALL_DISK: &str = "truncate -s 10m \"$at.disk\" && mkfs.ext4 -q \"$at.disk\" && \
    mount -o loop \"$at.disk\" \"$at\" && rmdir \"$at/lost+found\"";

#[test]
fn a_file_that_does_not_fit_is_refused_before_its_bytes_are_fetched() {
    if !has_mounts() {
        return;
    }
    let stage = replacing("object", 40 * MIB);
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/", "--part-size", "1MiB"]);
    let output = mounted(&stage, haul, "out", SMALL).run();
    output.code(1).stderr_has("41943040 bytes").stderr_has("are free").stderr_has("make room");
    assert_eq!(stage.sandbox.read("out/object"), OLD);
    only(&stage.sandbox.path("out"), &["object"], &output);
    assert_eq!(gets(&stage), 1, "only the first request told the size\n{output}");
}

/// The objects are smaller than what room is taken for beforehand: the disk is full in the middle.
#[test]
fn a_disk_that_fills_up_ends_the_run_with_one_line_and_whole_files() {
    if has_mounts() {
        fills_up(SMALL);
    }
}

#[test]
fn a_disk_that_puts_off_its_writes_fills_up_in_the_same_way() {
    if has_mounts() && has_loop_devices() {
        fills_up(SMALL_DISK);
    }
}

fn fills_up(mount: &str) {
    let stage = Stage::new();
    let name = |number: usize| format!("{number:03}");
    for number in 0..100 {
        let bytes = content(&name(number), MIB + 77);
        stage.testbed.put_object(BUCKET, &format!("p/{}", name(number)), bytes);
        stage.sandbox.write(format!("out/{}", name(number)), OLD);
    }
    let haul = stage.haul().args(["download", "s3://bucket/p/", "out", "--concurrency", "4"]);
    let output = mounted(&stage, haul, "out", mount).run();
    output.code(1).stderr_has("No space left").stderr_has("make room");
    is_honest(&output);
    assert!(output.stderr.matches("error: ").count() <= 4, "one line, not a hundred\n{output}");
    assert!(stage.testbed.count(Operation::GetObject) < 30, "it went on\n{output}");
    let mut new = 0;
    for number in 0..100 {
        let found = stage.sandbox.read(format!("out/{}", name(number)));
        let is_new = found == content(&name(number), MIB + 77);
        assert!(found == OLD || is_new, "{number} is neither old nor new\n{output}");
        new += usize::from(is_new);
    }
    assert!(new >= 1, "some fitted\n{output}");
    stage.sandbox.no_leftovers("out");
    output.stderr_has(&format!("{new} of 100"));
}

/// No file system has a quota for a test: the calls that would say so are made to.
#[test]
fn a_quota_that_is_used_up_is_a_full_disk() {
    if !has_strace() {
        return;
    }
    for (call, size) in [("pwritev", MIB), ("fallocate", 20 * MIB)] {
        let stage = replacing("object", size);
        for number in 0..30 {
            stage.testbed.put_object(BUCKET, &format!("others/{number}"), content("x", size));
        }
        let log = stage.sandbox.path("log");
        let haul = stage.haul().args(["download", "s3://bucket/", "out/", "--concurrency", "2"]);
        let output = traced(haul, &log, call, &[format!("{call}:error=EDQUOT")]).run();
        output.code(1).stderr_has("Disk quota exceeded").stderr_has("raise the quota");
        assert!(output.stderr.matches("error: ").count() <= 2, "{output}");
        assert_eq!(stage.sandbox.read("out/object"), OLD);
        only(&stage.sandbox.path("out"), &["object"], &output);
    }
}

#[test]
fn a_file_larger_than_the_limit_of_the_process_fails_alone() {
    for size in [3 * MIB, 20 * MIB] {
        let stage = replacing("object", size);
        stage.testbed.put_object(BUCKET, "small", "small");
        let haul = stage.haul().args(["download", "s3://bucket/", "out/"]);
        let output = haul.under(["prlimit", "--fsize=2000000:2000000"]).run();
        output.code(1).stderr_has("File too large").stderr_has("ulimit -f");
        is_honest(&output);
        assert_eq!(stage.sandbox.read("out/object"), OLD);
        assert_eq!(stage.text("out/small"), "small");
        only(&stage.sandbox.path("out"), &["object", "small"], &output);
    }
}

#[test]
fn a_device_that_is_full_is_an_error() {
    let stage = replacing("object", 3 * MIB);
    for target in ["/dev/full", "-"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let haul = stage.haul().args(["download", "s3://bucket/object", target]);
        haul.stdout_to(full).run().code(1).stderr_has("No space left");
    }
}
