//! Archived objects: in which state one is, and how it is asked back.

use super::object::ObjectDetails;

/// How an archived object is asked back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restore {
    /// For how long it stays; `None` where it comes back for good.
    pub days: Option<i32>,
    pub tier: Tier,
}

/// How soon, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Standard,
    Bulk,
    Expedited,
}

/// Whether an object can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveState {
    /// It never was in an archive.
    Readable,
    /// Nobody asked it back.
    Archived,
    Restoring,
    /// It can be read, for now.
    Restored,
}

/// Comes back by itself when it is read often, and then for good.
const INTELLIGENT: &str = "INTELLIGENT_TIERING";

impl ArchiveState {
    pub fn of(details: &ObjectDetails) -> Self {
        let class = details.told("storage_class");
        match details.told("restore") {
            Some(restore) if restore.contains("ongoing-request=\"true\"") => Self::Restoring,
            Some(restore) if restore.contains("ongoing-request=\"false\"") => Self::Restored,
            _ if matches!(class, Some("GLACIER" | "DEEP_ARCHIVE")) => Self::Archived,
            _ if details.told("archive_status").is_some() => Self::Archived,
            _ => Self::Readable,
        }
    }

    /// Whether an object of this class may be archived, as far as a listing tells.
    pub fn is_possible(class: Option<&str>) -> bool {
        !matches!(
            class,
            None | Some(
                "STANDARD"
                    | "STANDARD_IA"
                    | "ONEZONE_IA"
                    | "REDUCED_REDUNDANCY"
                    | "GLACIER_IR"
                    | "EXPRESS_ONEZONE"
            )
        )
    }
}

impl Restore {
    /// What is said of one object: not every class takes a number of days.
    #[must_use]
    pub fn of(self, details: &ObjectDetails) -> Self {
        let is_for_good = details.told("storage_class") == Some(INTELLIGENT);
        Self { days: self.days.filter(|_| !is_for_good), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::{ObjectFacts, StoredChecksum};
    use crate::domain::preserved::Preserved;

    fn told(told: &[(&'static str, &str)]) -> ObjectDetails {
        let facts = ObjectFacts {
            size: 1,
            etag: None,
            version: None,
            last_modified: None,
            checksum: StoredChecksum::None,
            preserved: Preserved::default(),
        };
        let told = told.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (checksums, metadata) = (Vec::new(), std::collections::BTreeMap::new());
        ObjectDetails { facts, parts: None, told, checksums, metadata }
    }

    #[test]
    fn the_state_is_told_by_class_and_headers() {
        let state = |headers: &[_]| ArchiveState::of(&told(headers));
        assert_eq!(state(&[]), ArchiveState::Readable);
        assert_eq!(state(&[("storage_class", "GLACIER_IR")]), ArchiveState::Readable);
        assert_eq!(state(&[("storage_class", "GLACIER")]), ArchiveState::Archived);
        assert_eq!(state(&[("storage_class", "DEEP_ARCHIVE")]), ArchiveState::Archived);
        let tiering = ("storage_class", INTELLIGENT);
        assert_eq!(state(&[tiering]), ArchiveState::Readable);
        let archived = [tiering, ("archive_status", "ARCHIVE_ACCESS")];
        assert_eq!(state(&archived), ArchiveState::Archived);
        let restore = |text| [("storage_class", "GLACIER"), ("restore", text)];
        assert_eq!(state(&restore("ongoing-request=\"true\"")), ArchiveState::Restoring);
        let done = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2035 00:00:00 GMT\"";
        assert_eq!(state(&restore(done)), ArchiveState::Restored);
    }

    #[test]
    fn days_are_said_only_of_what_goes_back() {
        let asked = Restore { days: Some(7), tier: Tier::Bulk };
        assert_eq!(asked.of(&told(&[("storage_class", "GLACIER")])), asked);
        assert_eq!(asked.of(&told(&[("storage_class", INTELLIGENT)])).days, None);
    }
}
