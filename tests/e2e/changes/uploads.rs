//! Files that change in the middle of an upload: no object is made of two versions of a file, nor
//! of a part of one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use testbed::{Fault, FaultKind, Operation, Testbed};

use crate::harness::{Sandbox, for_each, haul};
use crate::stage::Stage;

const PART: u64 = 5 << 20;
const SIZE: u64 = 3 * PART + 7;
const OLD: &[u8] = b"what was there before";

#[derive(Debug, Clone, Copy)]
enum Change {
    Truncated,
    Emptied,
    Grown,
    /// The same length, other bytes.
    Rewritten,
    Touched,
    Deleted,
    /// Another file has the name.
    Replaced,
}

impl Change {
    const ALL: [Self; 7] = [
        Self::Truncated,
        Self::Emptied,
        Self::Grown,
        Self::Rewritten,
        Self::Touched,
        Self::Deleted,
        Self::Replaced,
    ];

    fn make(self, path: &Path) {
        let open = || OpenOptions::new().write(true).open(path).expect("the file is there");
        match self {
            Self::Truncated => open().set_len(PART + 1).expect("it can be cut"),
            Self::Emptied => open().set_len(0).expect("it can be cut"),
            Self::Grown => {
                let file = OpenOptions::new().append(true).open(path);
                file.expect("the file is there").write_all(b"more").expect("it can be longer");
            }
            Self::Rewritten => open().write_all_at(b"other", SIZE - 5).expect("it is writable"),
            Self::Touched => {
                let later = SystemTime::now() + Duration::from_secs(5);
                open().set_modified(later).expect("its time can be set");
            }
            Self::Deleted => fs::remove_file(path).expect("it can be removed"),
            Self::Replaced => {
                let other = path.with_extension("other");
                let file = File::create(&other).expect("the folder is writable");
                file.set_len(SIZE).expect("it can be long");
                fs::rename(&other, path).expect("it can be renamed");
            }
        }
    }
}

#[test]
fn a_file_that_changes_in_the_middle_makes_no_object() {
    let parts = [1, 2, 4];
    let cases: Vec<_> = Change::ALL
        .into_iter()
        .flat_map(|change| parts.map(|part| (change, part)))
        .flat_map(|(change, part)| [None, Some(OLD)].map(|old| (change, part, old)))
        .collect();
    for_each(&cases, |&(change, part, old)| {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        if let Some(old) = old {
            testbed.put_object("bucket", "object", old);
        }
        let sandbox = Sandbox::new();
        let file = sandbox.fill("object", SIZE);
        let path = file.clone();
        let callback = FaultKind::callback(move |_| change.make(&path));
        let fault = testbed.fault(Fault::new(Operation::UploadPart, callback).nth(part));
        let upload = haul().on(&testbed).arg("upload").arg(&file).arg("s3://bucket/");
        let output = upload.args(["--part-size", "5MiB"]).run();
        assert_eq!(testbed.hits(fault), 1, "the file was not changed\n{output}");
        output.code(1).stderr_has("error: ").stderr_has(&file.to_string_lossy());
        let object = testbed.object("bucket", "object").map(|object| object.content.bytes());
        assert_eq!(object.as_deref(), old, "{output}");
        assert!(testbed.open_uploads("bucket").is_empty(), "{output}");
    });
}

/// One request, and its body is in memory before it is sent: what is stored is what was there.
#[test]
fn a_small_file_that_changes_while_it_is_sent_is_stored_as_it_was() {
    for change in Change::ALL {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        let sandbox = Sandbox::new();
        let file = sandbox.write("object", "as it was");
        let path = file.clone();
        let callback = FaultKind::callback(move |_| match change {
            Change::Truncated | Change::Rewritten => fs::write(&path, "other").expect("writable"),
            change => change.make(&path),
        });
        testbed.fault(Fault::new(Operation::PutObject, callback));
        let upload = haul().on(&testbed).arg("upload").arg(&file).arg("s3://bucket/");
        upload.run().code(0);
        let object = testbed.object("bucket", "object").expect("there is an object");
        assert_eq!(object.content.bytes(), "as it was");
    }
}

#[test]
fn standard_input_of_another_length_than_said_makes_no_object() {
    let whole = 2 * PART + 100;
    for (said, size) in [(whole, whole - 1), (whole, whole + 1), (100, 99), (100, 101), (0, 1)] {
        let testbed = Testbed::spawn();
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "object", OLD);
        let upload = haul().on(&testbed).args(["upload", "-", "s3://bucket/object"]);
        let upload = upload.args(["--part-size", "5MiB", "--expected-size", &said.to_string()]);
        let output = upload.stdin(crate::harness::content("stdin", size)).run();
        output.code(1).stderr_has("error: ");
        let object = testbed.object("bucket", "object").expect("the old one is there");
        assert!(object.content.bytes() == OLD, "{said} said, {size} came\n{output}");
        assert!(testbed.open_uploads("bucket").is_empty(), "{output}");
    }
}

/// What the system makes up as it is read has no length before.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_has_more_than_it_says_is_no_empty_object() {
    let stage = Stage::new();
    for verb in ["upload", "mv"] {
        let output = stage.run([verb, "/proc/version", "s3://bucket/v"]);
        output.code(1).stderr_has("more in it than its length says").stderr_has("upload - s3://");
        assert_eq!(stage.keys(), [""; 0], "{output}");
    }
    let sync = ["sync", "/proc/sys/kernel/", "s3://bucket/k/", "--include", "ostype"];
    stage.run(sync).code(1);
    assert_eq!(stage.keys(), [""; 0]);
}

/// The removal of one name touches the others, and nothing tells that from a write.
#[test]
fn names_of_one_file_are_moved_one_by_one() {
    let stage = Stage::new();
    stage.sandbox.write("d/a", "content");
    for name in ["b", "c"] {
        fs::hard_link(stage.sandbox.path("d/a"), stage.sandbox.path(format!("d/{name}")))
            .expect("a link");
    }
    let mv = ["mv", "d/", "s3://bucket/"];
    for _ in 0..3 {
        let output = stage.run(mv);
        if output.code == Some(0) {
            break;
        }
        output.code(1).stderr_has("another of its names was removed");
    }
    for name in ["a", "b", "c"] {
        assert_eq!(stage.object_text(name), "content");
        assert!(!stage.sandbox.path(format!("d/{name}")).exists(), "{name}");
    }
}
