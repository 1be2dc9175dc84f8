//! Single system calls that fail as some file systems make them fail, and what must become of it:
//! a call that a file system does not have is no failure, one that broke is not tried again.

use std::fs;

use super::lab::{
    MIB, OLD, gets, has_strace, injected, is_honest, is_unfinished, only, replacing, traced,
};
use crate::harness::{Output, content};
use crate::stage::Stage;

/// One download in which calls fail as told. Their log is the last.
fn download(size: u64, calls: &str, injections: &[&str]) -> (Stage, Output, String) {
    let stage = replacing("object", size);
    let log = stage.sandbox.path("log");
    let injections: Vec<_> = injections.iter().map(|&text| text.to_owned()).collect();
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/"]);
    let output = traced(haul, &log, calls, &injections).run();
    assert!(injected(&log) > 0, "no call was hit\n{output}");
    is_honest(&output);
    let log = fs::read_to_string(&log).expect("a log");
    (stage, output, log)
}

#[test]
fn a_sync_that_failed_is_not_tried_again() {
    if !has_strace() {
        return;
    }
    for error in ["EIO", "ENOSPC", "EDQUOT"] {
        let (stage, output, log) = download(
            MIB,
            "fsync,fdatasync,rename,renameat,renameat2",
            &[&format!("fsync:error={error}:when=1")],
        );
        output.code(1);
        let syncs: Vec<_> = log.lines().filter(|line| line.contains("fsync(")).collect();
        let of_the_file = syncs.iter().filter(|line| line.contains(".part"));
        assert_eq!(of_the_file.count(), 1, "{error}: {syncs:?}");
        assert!(!log.contains("rename"), "{error}: it was published all the same\n{log}");
        assert_eq!(stage.sandbox.read("out/object"), OLD, "{error}");
        only(&stage.sandbox.path("out"), &["object"], &output);
    }
}

#[test]
fn a_write_that_failed_leaves_the_old_file_and_nothing_else() {
    if !has_strace() {
        return;
    }
    for (error, words) in [
        ("EIO", "os error 5"),
        ("EROFS", "Read-only"),
        ("ENOSPC", "No space"),
        ("EFBIG", "too large"),
    ] {
        let (stage, output, _) =
            download(MIB, "pwritev", &[&format!("pwritev:error={error}:when=1")]);
        output.code(1).stderr_has(words).stderr_has("out/object");
        assert_eq!(stage.sandbox.read("out/object"), OLD);
        only(&stage.sandbox.path("out"), &["object"], &output);
    }
}

/// Some file systems in user space, and some networks'.
#[test]
fn what_a_file_system_can_not_do_beside_the_content_is_no_failure() {
    if !has_strace() {
        return;
    }
    for (size, calls, injection) in [
        (MIB, "fsync", "fsync:error=EINVAL"),
        (MIB, "fsync", "fsync:error=ENOSYS"),
        (20 * MIB, "fallocate", "fallocate:error=EOPNOTSUPP"),
        (20 * MIB, "fallocate", "fallocate:error=ENOSYS"),
        (20 * MIB, "fstatfs", "fstatfs:error=ENOSYS"),
        (MIB, "openat2", "openat2:error=ENOSYS"),
        (MIB, "openat2", "openat2:error=EPERM"),
    ] {
        let (stage, output, _) = download(size, calls, &[injection]);
        output.code(0).stderr_lacks("warning");
        assert!(stage.sandbox.read("out/object") == content("object", size), "{injection}");
        only(&stage.sandbox.path("out"), &["object"], &output);
    }
}

/// The data is there and whole: only its time is not the object's.
#[test]
fn a_time_that_may_not_be_set_is_a_warning() {
    if !has_strace() {
        return;
    }
    for error in ["EPERM", "EROFS", "EIO"] {
        let (stage, output, _) = download(MIB, "utimensat", &[&format!("utimensat:error={error}")]);
        output.code(0).stderr_has("modification time");
        assert!(stage.sandbox.read("out/object") == content("object", MIB));
    }
}

/// The folder of the temp file is on another file system than it was: no copy takes the place of
/// the rename, since it would be seen half.
#[test]
fn a_rename_that_fails_is_an_error_and_nothing_is_copied() {
    if !has_strace() {
        return;
    }
    for error in ["EXDEV", "EACCES", "EIO", "ENOSPC", "EPERM"] {
        let calls = "rename,renameat,renameat2,linkat";
        let injection = format!("rename,renameat,renameat2,linkat:error={error}");
        let (stage, output, _) = download(MIB, calls, &[&injection]);
        output.code(1).stderr_has("could not publish");
        assert_eq!(stage.sandbox.read("out/object"), OLD);
        only(&stage.sandbox.path("out"), &["object"], &output);
    }
}

/// A file system that neither takes what comes nor lets go of what is there.
#[test]
fn what_can_not_be_removed_is_recognisable() {
    if !has_strace() {
        return;
    }
    let (stage, output, _) = download(
        MIB,
        "pwritev,unlink,unlinkat",
        &["pwritev:error=EIO:when=1", "unlinkat:error=EIO"],
    );
    output.code(1);
    assert_eq!(stage.sandbox.read("out/object"), OLD);
    for name in stage.files("out") {
        assert!(name == "object" || is_unfinished(name.as_ref()), "{name}\n{output}");
    }
}

#[test]
fn a_folder_that_can_not_be_read_is_no_empty_folder() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new();
    stage.sandbox.write("d/a", "a");
    let log = stage.sandbox.path("log");
    let haul = stage.haul().args(["upload", "d", "s3://bucket/"]);
    // The calls before are those for the system's certificates; they do not matter here.
    let output = traced(haul, &log, "getdents64", &["getdents64:error=EIO".to_owned()]).run();
    output.code(1).stderr_has("could not read");
    is_honest(&output);
    assert!(stage.keys().is_empty());
    assert_eq!(gets(&stage), 0);
}

/// The other half of the program waits for the disk, not for the network: nothing is given up.
#[test]
fn a_slow_disk_is_no_slow_network() {
    if !has_strace() {
        return;
    }
    let stage = replacing("object", 4 * MIB);
    let log = stage.sandbox.path("log");
    let slow = ["pwritev:delay_enter=2500000:when=1+8", "fsync:delay_enter=2500000"];
    let haul = stage.haul().args(["download", "s3://bucket/object", "out/", "--timeout", "2"]);
    let haul = haul.args(["--max-attempts", "1"]);
    let output = traced(haul, &log, "pwritev,fsync", &slow.map(str::to_owned)).run();
    output.code(0);
    assert!(output.took.as_secs() >= 5, "nothing was slow\n{output}");
    assert!(stage.sandbox.read("out/object") == content("object", 4 * MIB));
}
