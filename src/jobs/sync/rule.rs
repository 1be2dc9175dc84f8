//! When two sides of one name count as equal. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use super::entry::Entry;
use crate::domain::evidence::{Evidence, Finding, judge};
use crate::jobs::comparisons::Tree;

/// What is compared of names that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompareBy {
    /// Sizes; and where the source is newer, content.
    #[default]
    Auto,
    Size,
    /// Sizes, and whether the source is newer.
    Mtime,
    /// Sizes and content, whatever the times are.
    Checksum,
}

/// What is to be done with a name that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Equal,
    Transfer,
    /// What the listings tell is not enough: transfer unless what is stored proves both the same.
    TransferUnlessSame,
}

/// What it means that both sides have one time, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OneSecond {
    /// Nothing is newer: files have the times of their objects.
    Equal,
    /// The source may have been written to after its object was, in the same second.
    Doubted,
}

impl OneSecond {
    /// Of what was written as an object. A file whose time has no fraction has that of an object, or
    /// is on a file system that knows no fractions.
    pub(super) fn of_object(source: &Tree, modified: Option<SystemTime>) -> Self {
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH);
            since.unwrap_or_else(|error| error.duration()).subsec_nanos()
        };
        let is_whole = modified.is_none_or(|time| nanoseconds(time) == 0);
        match source {
            Tree::Files { .. } if is_whole => Self::Equal,
            _ => Self::Doubted,
        }
    }
}

/// Decides by what the listings tell. What is not known counts as different: a needless transfer
/// loses nothing.
pub(super) fn decide(
    by: CompareBy,
    source: &Entry,
    destination: &Entry,
    one_second: OneSecond,
) -> Decision {
    let is_newer = is_newer(source.modified, destination.modified);
    let may_be_newer = one_second == OneSecond::Doubted && is_one_second(source, destination);
    let is_doubted = match by {
        CompareBy::Size => false,
        CompareBy::Mtime | CompareBy::Auto => is_newer || may_be_newer,
        CompareBy::Checksum => true,
    };
    if source.size != destination.size {
        Decision::Transfer
    } else if !is_doubted {
        Decision::Equal
    } else if by == CompareBy::Mtime && is_newer {
        Decision::Transfer
    } else if source.size == 0 || have_one_digest(source, destination) {
        Decision::Equal
    } else {
        Decision::TransferUnlessSame
    }
}

/// By whole seconds, since some stores and file systems know no others.
fn is_newer(source: Option<SystemTime>, destination: Option<SystemTime>) -> bool {
    match (source.and_then(seconds), destination.and_then(seconds)) {
        (Some(source), Some(destination)) => source > destination,
        _ => true,
    }
}

fn is_one_second(one: &Entry, other: &Entry) -> bool {
    one.modified.and_then(seconds) == other.modified.and_then(seconds)
}

fn seconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).ok(),
        Err(error) => i64::try_from(error.duration().as_secs()).ok().map(|before| -before - 1),
    }
}

/// Whether both ETags are MD5s, and equal.
fn have_one_digest(source: &Entry, destination: &Entry) -> bool {
    let digest = |entry: &Entry| entry.etag.as_ref().and_then(Evidence::of_etag);
    match (digest(source), digest(destination)) {
        (Some(one), Some(other)) => matches!(judge(&[one], &[other]), Some(Finding::Same(_))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::location::S3Uri;
    use crate::domain::naming::Naming;
    use crate::domain::object::ETag;
    use crate::storage::local::FollowLinks;

    fn entry(size: u64, seconds: u64, etag: &str) -> Entry {
        let modified = Some(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + size % 1000));
        Entry { size, modified, etag: Some(ETag::new(etag)), ..Entry::named("a") }
    }

    const ONE: &str = "0cc175b9c0f1b6a831c399e269772661";
    const OTHER: &str = "92eb5ffee6ae2fec3ad71c777531578f";

    #[test]
    fn each_way_to_compare_does_as_it_is_called() {
        use CompareBy::{Auto, Checksum, Mtime, Size};
        use Decision::{Equal, Transfer, TransferUnlessSame};
        let destination = entry(7, 100, ONE);
        // What the source is: of another size and old; older with other content; newer; newer with
        // the same content; newer by less than a second.
        for (source, wanted) in [
            (entry(8, 50, ONE), [Transfer, Transfer, Transfer, Transfer]),
            (entry(7, 50, OTHER), [Equal, Equal, Equal, TransferUnlessSame]),
            (entry(7, 101, OTHER), [TransferUnlessSame, Equal, Transfer, TransferUnlessSame]),
            (entry(7, 101, ONE), [Equal, Equal, Transfer, Equal]),
            (entry(7, 100, OTHER), [Equal, Equal, Equal, TransferUnlessSame]),
        ] {
            let decided = [Auto, Size, Mtime, Checksum]
                .map(|by| decide(by, &source, &destination, OneSecond::Equal));
            assert_eq!(decided, wanted, "{source:?}");
        }
        let tag = "0cc175b9c0f1b6a831c399e269772661-2";
        let parts = [entry(7, 50, tag), entry(7, 200, tag)];
        // Equal tags of objects in parts prove nothing.
        assert_eq!(
            decide(Checksum, &parts[0], &entry(7, 50, tag), OneSecond::Equal),
            TransferUnlessSame
        );
        assert_eq!(
            decide(Auto, &parts[1], &entry(7, 50, tag), OneSecond::Equal),
            TransferUnlessSame
        );
    }

    #[test]
    fn what_was_written_in_the_second_of_its_object_is_looked_at() {
        use CompareBy::{Auto, Checksum, Mtime, Size};
        use Decision::{Equal, TransferUnlessSame};
        let (source, destination) = (entry(7, 100, OTHER), entry(7, 100, ONE));
        for (by, wanted) in [
            (Auto, TransferUnlessSame),
            (Size, Equal),
            (Mtime, TransferUnlessSame),
            (Checksum, TransferUnlessSame),
        ] {
            assert_eq!(decide(by, &source, &destination, OneSecond::Doubted), wanted, "{by:?}");
        }
        let older = entry(7, 99, OTHER);
        assert_eq!(decide(Auto, &older, &destination, OneSecond::Doubted), Equal);
        let files =
            Tree::Files { root: "d".into(), links: FollowLinks::Yes, naming: Naming::Verbatim };
        let uri = S3Uri::parse("s3://b/p/").expect("an address");
        let objects = Tree::Objects { uri, wildcard: None };
        let at = |millis| Some(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(OneSecond::of_object(&files, at(5001)), OneSecond::Doubted);
        assert_eq!(OneSecond::of_object(&files, at(5000)), OneSecond::Equal);
        assert_eq!(OneSecond::of_object(&objects, at(5000)), OneSecond::Doubted);
    }

    #[test]
    fn what_is_not_known_is_looked_at_and_nothing_is_equal_to_nothing() {
        let unknown = Entry { modified: None, etag: None, ..entry(7, 1, ONE) };
        let known = entry(7, 100, ONE);
        for (source, destination) in [(&unknown, &known), (&known, &unknown)] {
            let decided = decide(CompareBy::Auto, source, destination, OneSecond::Equal);
            assert_eq!(decided, Decision::TransferUnlessSame);
            assert_eq!(
                decide(CompareBy::Mtime, source, destination, OneSecond::Equal),
                Decision::Transfer
            );
        }
        let empty = Entry { size: 0, ..unknown };
        assert_eq!(decide(CompareBy::Checksum, &empty, &empty, OneSecond::Equal), Decision::Equal);
    }

    #[test]
    fn times_before_1970_are_in_order_too() {
        let at = |seconds: u64| Some(UNIX_EPOCH - Duration::from_secs(seconds));
        assert!(is_newer(at(5), at(10)) && !is_newer(at(10), at(5)));
        assert!(is_newer(Some(UNIX_EPOCH), at(1)) && !is_newer(at(1), Some(UNIX_EPOCH)));
    }
}
