//! Which names are standard input's: what is read there is there once, whatever it is called.

use std::path::Path;

/// `-`, the names that the system has for it, and links to those.
pub fn is_stdin(name: &Path) -> bool {
    name.as_os_str() == "-" || is_descriptor(name)
}

/// Links are followed one by one: behind the last of them is no name any more.
#[cfg(unix)]
fn is_descriptor(name: &Path) -> bool {
    const NAMES: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    /// As many as systems follow.
    const LINKS: usize = 40;
    let mut name = name.to_owned();
    for _ in 0..LINKS {
        if NAMES.iter().any(|known| name == Path::new(known)) {
            return true;
        }
        let (Some(folder), Some(last)) = (name.parent(), name.file_name()) else { return false };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(folder) = folder.canonicalize() else { return false };
        if last == "0" && is_of_this_process(&folder) {
            return true;
        }
        let Ok(target) = folder.join(last).read_link() else { return false };
        name = folder.join(target);
    }
    false
}

#[cfg(not(unix))]
fn is_descriptor(_name: &Path) -> bool {
    false
}

/// Whether the folder is `/proc/self/fd`, which has other names for processes and threads.
#[cfg(unix)]
fn is_of_this_process(folder: &Path) -> bool {
    let process = Path::new("/proc").join(std::process::id().to_string());
    folder.starts_with(process) && folder.ends_with("fd")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn all_its_names_are_known_and_links_to_them() {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        symlink("/dev/stdin", at("link")).expect("a link");
        symlink("link", at("link to it")).expect("a link");
        symlink("/proc/self", at("self")).expect("a link");
        symlink("loop", at("loop")).expect("a link");
        symlink("/dev/null", at("null")).expect("a link");
        for name in ["-", "/dev/stdin", "/dev//fd/0", "/dev/../dev/stdin", "/proc/self/fd/0"] {
            assert!(is_stdin(Path::new(name)), "{name}");
        }
        assert!(is_stdin(&at("link")) && is_stdin(&at("link to it")));
        #[cfg(target_os = "linux")]
        {
            let own = format!("/proc/{}/fd/0", std::process::id());
            assert!(is_stdin(Path::new(&own)) && is_stdin(&at("self/fd/0")));
            assert!(is_stdin(Path::new("/proc/thread-self/fd/0")));
        }
        for name in ["", "/", "..", "./-", "0", "stdin", "/dev/null", "/dev/fd/1", "/dev/stdout"] {
            assert!(!is_stdin(Path::new(name)), "{name}");
        }
        assert!(!is_stdin(&at("loop")) && !is_stdin(&at("null")) && !is_stdin(&at("missing")));
    }
}
