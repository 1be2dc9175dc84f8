//! File systems that a program provides: what it shows as a file may be an object of the very bucket
//! that the file is moved to, or from.

use std::path::Path;

/// Whether `path` is on one (FUSE). Where the system does not say, it is taken for none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn is_by_program(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|facts| is_fuse(u32::try_from(facts.f_type).ok()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn is_by_program(_path: &Path) -> bool {
    false
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_fuse(kind: Option<u32>) -> bool {
    /// As `statfs(2)` names it.
    const FUSE: u32 = 0x6573_5546;
    kind == Some(FUSE)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_program_provides_is_by_one() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert!(!is_by_program(folder.path()));
        assert!(!is_by_program(Path::new("/proc")));
        assert!(!is_by_program(&folder.path().join("none")));
        assert!(is_fuse(Some(0x6573_5546)) && !is_fuse(Some(0x0102_1994)) && !is_fuse(None));
    }
}
