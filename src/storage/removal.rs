//! What is to go from a store, and what it says of that.

use std::sync::Arc;

use crate::domain::location::Key;
use crate::domain::object::ETag;

/// What one request may remove at most.
pub const MOST_REMOVED: usize = 1000;

/// An object that is to go, or one version of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Removal {
    pub key: Key,
    pub version: Option<Arc<str>>,
    /// Only if the object still has this tag.
    pub if_match: Option<ETag>,
}

impl Removal {
    /// Of whatever has the key.
    pub fn new(key: Key) -> Self {
        Self { key, version: None, if_match: None }
    }

    /// Whether it needs a request of its own. In XML, its key may reach the store as another one:
    /// that has no way to write some characters, its readers take some for others, and some stores
    /// trim texts; then the wrong object would go. And some heed no tags there.
    pub fn goes_alone(&self) -> bool {
        let is_changed =
            |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{FFFE}'..='\u{FFFF}');
        let key = self.key.as_str();
        self.if_match.is_some() || key.chars().any(is_changed) || key.trim() != key
    }
}

/// What a store says of something that it removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removed {
    /// The delete marker that has taken its place, in a bucket that keeps versions.
    pub marker: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_xml_may_change_go_alone() {
        let alone = |key| Removal::new(Key::new(key).expect("a key")).goes_alone();
        for key in
            ["a\nb", "a\rb", "a\u{1}", "\u{85}a", "a\u{2028}b", "\u{FFFF}", " a", "a ", "\u{a0}a"]
        {
            assert!(alone(key), "{key:?}");
        }
        for key in ["a", "a b", "<&>\"'", "é/日", "..", "a//b", "%41", "]]>"] {
            assert!(!alone(key), "{key:?}");
        }
    }
}
