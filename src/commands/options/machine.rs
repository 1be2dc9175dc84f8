//! How much memory this process may use: the machine's, or its control group's where that is less.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::quantity::KIB;

/// Bytes, or `None` where the system does not say.
pub(super) fn memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limits(&groups).into_iter();
    let limits = limits.filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    limits.chain(machine).min()
}

/// The files that may hold a limit: of this process's control group and of all above it. In a
/// container the path may be the host's, and then only the topmost exist.
fn limits(groups: &str) -> Vec<PathBuf> {
    let mut limits = Vec::new();
    // `4:memory:/system.slice/x.service`, and `0::/user.slice/x.scope` for the unified tree.
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (tree, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(group.trim_start_matches('/'));
        limits.extend(group.ancestors().map(|above| Path::new(tree).join(above).join(name)));
    }
    limits
}

/// `MemTotal:       24689764 kB`
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(KIB)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{limits, total};

    #[test]
    fn limits_of_all_groups_above_count() {
        let found = limits("5:cpu,memory:/a/b\n3:cpu:/c\n0::/d\nnonsense\n");
        let wanted = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/d/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(found, wanted.map(Path::new));
        assert!(limits("").is_empty());
    }

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(total("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2048 * 1024));
        assert_eq!(total("nothing"), None);
    }
}
