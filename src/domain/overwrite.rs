//! What to do where something already is.

/// Whether what is at a destination is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    #[default]
    Always,
    /// Keep what is there. Uploads then let the store itself refuse (`If-None-Match: *`).
    Never,
    /// Replace what is older than the source.
    Newer,
    /// Replace what has another size, or is older than the source.
    Changed,
}

/// What is known of one side without reading it: bytes, and seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    pub size: Option<u64>,
    pub modified: Option<i64>,
}

/// What to do with one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Transfer,
    Skip,
}

impl Overwrite {
    /// Whether the answer needs a look at the destination at all.
    pub fn looks_first(self) -> bool {
        self != Self::Always
    }

    /// Decides for a `source` and what is at its destination now. What is not known counts as
    /// different: a needless transfer loses nothing.
    pub fn decide(self, source: Side, existing: Option<Side>) -> Decision {
        let Some(existing) = existing else { return Decision::Transfer };
        let is_newer = match (source.modified, existing.modified) {
            (Some(source), Some(existing)) => source > existing,
            _ => true,
        };
        let has_other_size = source.size.is_none() || source.size != existing.size;
        let transfers = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Newer => is_newer,
            Self::Changed => has_other_size || is_newer,
        };
        if transfers { Decision::Transfer } else { Decision::Skip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(size: u64, modified: i64) -> Side {
        Side { size: Some(size), modified: Some(modified) }
    }

    #[test]
    fn nothing_there_is_always_a_transfer() {
        for overwrite in [Overwrite::Always, Overwrite::Never, Overwrite::Newer, Overwrite::Changed]
        {
            assert_eq!(overwrite.decide(side(1, 1), None), Decision::Transfer);
        }
    }

    #[test]
    fn each_rule_decides_by_its_name() {
        use Decision::{Skip, Transfer};
        let existing = Some(side(10, 100));
        for (overwrite, same, newer, older_and_larger) in [
            (Overwrite::Always, Transfer, Transfer, Transfer),
            (Overwrite::Never, Skip, Skip, Skip),
            (Overwrite::Newer, Skip, Transfer, Skip),
            (Overwrite::Changed, Skip, Transfer, Transfer),
        ] {
            assert_eq!(overwrite.decide(side(10, 100), existing), same);
            assert_eq!(overwrite.decide(side(10, 101), existing), newer);
            assert_eq!(overwrite.decide(side(11, 99), existing), older_and_larger);
        }
    }

    #[test]
    fn what_is_not_known_is_transferred() {
        let unknown = Side { size: None, modified: None };
        assert_eq!(Overwrite::Changed.decide(unknown, Some(side(1, 1))), Decision::Transfer);
        assert_eq!(Overwrite::Newer.decide(unknown, Some(side(1, 1))), Decision::Transfer);
    }
}
