//! In how large pieces this process takes memory.

/// Asks for none of the system's huge pages. Each thread has a heap of its own, and its first few
/// bytes would take two megabytes: of a run's peak that is a third to a half, and a single small
/// object takes nine of them. The larger number of small pages costs no more than clearing those.
/// Where programs are to ask for them, the allocator is built not to; elsewhere it is not asked.
#[cfg(target_os = "linux")]
pub(super) fn keep_small() {
    // An old kernel that knows no such request goes on as before.
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_small() {}
