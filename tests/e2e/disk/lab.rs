//! What the tests of this folder share: tools that change what the system does under a command, and
//! what must hold of a folder whatever became of the run. It must never decide what a run should do.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use walkdir::WalkDir;

use crate::harness::{Haul, Output};
use crate::stage::{BUCKET, Stage};

pub(super) const MIB: u64 = 1 << 20;
pub(super) const OLD: &[u8] = b"what was there before";
/// A user who owns nothing.
const NOBODY: u32 = 65534;

/// Says why a test does not run here: it needs a right that not everybody has. Not by a macro,
/// whose words would be kept back since the test does not fail.
pub(super) fn skip(needs: &str) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "SKIPPED {name}: it needs {needs}").ok();
}

/// Says a figure that a test measured.
#[expect(clippy::print_stderr, reason = "figures are for whoever runs the test with --nocapture")]
pub(super) fn tell(figure: &str) {
    eprintln!("{figure}");
}

/// How often to do something, told by an environment variable for long runs.
pub(super) fn count(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("it is a number"))
}

pub(super) fn has_strace() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = *FOUND.get_or_init(|| {
        let tried = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"];
        succeeds(&tried)
    });
    if !found {
        let is_required = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!is_required, "strace is not here, or may not trace a child");
        skip("strace 5.3 or newer, and the right to trace a child");
    }
    found
}

pub(super) fn has_mounts() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = *FOUND.get_or_init(|| {
        let mount = "mount -t tmpfs -o size=1m none /mnt";
        succeeds(&["unshare", "--mount", "sh", "-c", mount])
    });
    if !found {
        skip("the right to mount a file system (root)");
    }
    found
}

pub(super) fn has_loop_devices() -> bool {
    let found = succeeds(&["losetup", "--find"]) && succeeds(&["mkfs.ext4", "-V"]);
    if !found {
        skip("a loop device, and mkfs.ext4");
    }
    found
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn succeeds(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs it so that calls of `calls` are in `log`, and some of them fail as `injections` say.
pub(super) fn traced(haul: Haul, log: &Path, calls: &str, injections: &[String]) -> Haul {
    let log = log.to_string_lossy().into_owned();
    let mut words: Vec<String> = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-o"]
        .map(str::to_owned)
        .into_iter()
        .chain([log, "-e".to_owned(), "signal=none".to_owned()])
        .chain(["-e".to_owned(), format!("trace={calls}")])
        .collect();
    for injection in injections {
        words.extend(["-e".to_owned(), format!("inject={injection}")]);
    }
    haul.under(words)
}

/// How many calls of the log failed since they were made to.
pub(super) fn injected(log: &Path) -> usize {
    fs::read_to_string(log).unwrap_or_default().matches("(INJECTED)").count()
}

/// Runs it as a user who is not root and owns what is in the sandbox from `owned` on.
pub(super) fn unprivileged(stage: &Stage, haul: Haul, owned: &[&str]) -> Haul {
    if !is_root() {
        return haul;
    }
    // The sandbox itself is for its owner alone: the others must get through it.
    chown(stage.sandbox.path(""), Some(NOBODY), Some(NOBODY)).expect("root may");
    for path in owned {
        chown(stage.sandbox.path(path), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    haul.under([
        "setpriv".to_owned(),
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        "--clear-groups".to_owned(),
    ])
}

/// Runs it with a file system of its own, mounted by `mount` at `$at`, which starts as a copy of
/// the sandbox's folder `at` and is copied back over it at the end.
pub(super) fn mounted(stage: &Stage, haul: Haul, at: &str, mount: &str) -> Haul {
    const SCRIPT: &str = r#"
at=$1 seed=$1.seed mount=$2
shift 2
mv "$at" "$seed" && mkdir "$at" || exit 70
eval "$mount" || exit 71
cp -a "$seed/." "$at/" 2>/dev/null
[ -z "$remount" ] || eval "$remount" || exit 72
"$@"
code=$?
rm -rf "$seed/"* "$seed"/.[!.]*
cp -a "$at/." "$seed/" || exit 73
umount "$at" && rmdir "$at" && mv "$seed" "$at" || exit 74
exit $code
"#;
    let at = stage.sandbox.folder(at).to_string_lossy().into_owned();
    haul.under(["unshare", "--mount", "sh", "-c", SCRIPT, "mounted", &at, mount])
}

/// Every name below a folder, with what it is: a file's bytes, a link's target.
pub(super) fn everything(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = WalkDir::new(root).min_depth(1).into_iter();
    entries
        .map(|entry| {
            let entry = entry.expect("the sandbox is readable");
            let path = entry.path().strip_prefix(root).expect("it was found below").to_owned();
            let kind = entry.file_type();
            let content = if kind.is_file() {
                fs::read(entry.path()).expect("readable")
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).expect("a link");
                format!("link to {}", target.display()).into_bytes()
            } else if kind.is_dir() {
                b"folder".to_vec()
            } else {
                b"special".to_vec()
            };
            (path, content)
        })
        .collect()
}

/// Whether only an unfinished file has such a name.
pub(super) fn is_unfinished(name: &Path) -> bool {
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let digits = name
        .strip_prefix(".haul-")
        .and_then(|name| name.strip_suffix(".part").or_else(|| name.strip_suffix(".map")));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Names below a folder that are neither wanted nor a folder.
#[track_caller]
pub(super) fn only(root: &Path, wanted: &[&str], output: &Output) {
    let others: Vec<_> = everything(root)
        .into_iter()
        .filter(|(path, content)| {
            content != b"folder" && !wanted.iter().any(|it| path == Path::new(it))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(others.is_empty(), "{others:?} are there too\n{output}");
}

/// Requires that a run that failed said why, and that none of it was a defect of its own.
#[track_caller]
pub(super) fn is_honest(output: &Output) {
    assert!(matches!(output.code, Some(0..=2)), "not an exit code of its own\n{output}");
    for words in ["panicked", "internal error", "RUST_BACKTRACE"] {
        output.stderr_lacks(words);
    }
    let said = output.stderr.contains("error: ");
    assert_eq!(output.code != Some(0), said, "exit code and errors do not agree\n{output}");
}

/// How many requests for an object's bytes the server got.
pub(super) fn gets(stage: &Stage) -> usize {
    stage.testbed.count(testbed::Operation::GetObject)
}

/// A stage with one object, and an old file where it will be.
pub(super) fn replacing(key: &str, size: u64) -> Stage {
    let stage = Stage::new();
    stage.testbed.put_object(BUCKET, key, crate::harness::content(key, size));
    stage.sandbox.write(format!("out/{key}"), OLD);
    stage
}
