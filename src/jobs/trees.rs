//! What a URI means to commands that go over keys and make no files of them: one object, all below a
//! name, or what matches. A name ends at its slash: nothing else that begins like it is meant.

use super::downloads::Keys;
use crate::domain::location::{Bucket, Key, LocationError, ObjectName, S3Uri};
use crate::domain::pattern::Wildcard;

/// What a URI on the command line means.
#[derive(Debug, Clone)]
pub enum Source {
    Object(ObjectName),
    Tree(Tree),
}

/// Everything below a name, or what matches.
#[derive(Debug, Clone)]
pub struct Tree {
    /// As it was typed.
    pub uri: S3Uri,
    /// Ends in a slash, unless it is that of a wildcard, or of all keys.
    prefix: String,
    wildcard: Option<Wildcard>,
    /// The object of exactly the name that was typed without a slash.
    itself: Option<Key>,
}

/// Why a URI can't be what it is to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Location(#[from] LocationError),
    #[error("{0} is a prefix")]
    Prefix(S3Uri),
}

/// How far down a name without a wildcard goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    One,
    /// Everything below it, too.
    Below,
}

impl Source {
    pub fn new(uri: S3Uri, keys: Keys, reach: Reach) -> Result<Self, SourceError> {
        let wildcard = match keys {
            Keys::Patterns => Wildcard::parse(&uri.rest),
            Keys::Raw => None,
        };
        let (prefix, itself) = match (&wildcard, reach) {
            (Some(wildcard), _) => (wildcard.prefix().to_owned(), None),
            (None, Reach::Below) if uri.is_prefix() => (uri.rest.clone(), None),
            (None, Reach::Below) => (format!("{}/", uri.rest), Some(Key::new(&uri.rest)?)),
            (None, Reach::One) if keys == Keys::Patterns && uri.is_prefix() => {
                return Err(SourceError::Prefix(uri));
            }
            (None, Reach::One) => return Ok(Self::Object(uri.object()?)),
        };
        Ok(Self::Tree(Tree { uri, prefix, wildcard, itself }))
    }

    pub fn bucket(&self) -> &Bucket {
        match self {
            Self::Object(object) => &object.bucket,
            Self::Tree(tree) => &tree.uri.bucket,
        }
    }

    /// The object, where it is one.
    pub fn object_mut(&mut self) -> Option<&mut ObjectName> {
        match self {
            Self::Object(object) => Some(object),
            Self::Tree(_) => None,
        }
    }

    /// Whether all objects of the bucket are meant, before any filter.
    pub fn is_whole_bucket(&self) -> bool {
        match self {
            Self::Object(_) => false,
            Self::Tree(tree) => match &tree.wildcard {
                None => tree.prefix.is_empty(),
                Some(_) => tree.uri.rest.chars().all(|c| matches!(c, '*' | '?')),
            },
        }
    }
}

impl Tree {
    /// What all keys below it begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn itself(&self) -> Option<&Key> {
        self.itself.as_ref()
    }

    /// What all keys begin with, that of the object itself included.
    pub fn listed(&self) -> &str {
        self.itself.as_ref().map_or(&self.prefix, Key::as_str)
    }

    /// The name of a key below what was typed, as filters see it; `None`: it is not meant.
    pub fn relative<'a>(&self, key: &'a str) -> Option<&'a str> {
        let below = key.strip_prefix(&self.prefix)?;
        match &self.wildcard {
            Some(wildcard) if !wildcard.matches(key) => None,
            Some(wildcard) => key.get(wildcard.base_length()..),
            None => Some(below),
        }
    }

    /// The same of all that is meant, the object itself included.
    pub fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        match &self.itself {
            Some(itself) if itself.as_str() == key => key.rsplit('/').next(),
            _ => self.relative(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str, keys: Keys, reach: Reach) -> Result<Source, SourceError> {
        Source::new(S3Uri::parse(text).expect("a URI"), keys, reach)
    }

    fn tree(text: &str, keys: Keys, reach: Reach) -> Tree {
        match source(text, keys, reach).expect("a source") {
            Source::Tree(tree) => tree,
            Source::Object(object) => panic!("{object} is one object"),
        }
    }

    #[test]
    fn a_name_ends_at_a_slash_and_never_within_another_name() {
        let below = tree("s3://b/dir", Keys::Patterns, Reach::Below);
        assert_eq!(
            (below.prefix.as_str(), below.itself.as_ref().map(Key::as_str)),
            ("dir/", Some("dir"))
        );
        let below = tree("s3://b/dir/", Keys::Patterns, Reach::Below);
        assert_eq!((below.prefix.as_str(), below.itself), ("dir/", None));
        let raw = tree("s3://b/d*/", Keys::Raw, Reach::Below);
        assert_eq!((raw.prefix.as_str(), raw.relative("d*/x")), ("d*/", Some("x")));
        for text in ["s3://b/dir/", "s3://b", "s3://b/"] {
            let refused = source(text, Keys::Patterns, Reach::One);
            assert!(matches!(refused, Err(SourceError::Prefix(_))), "{text}");
        }
    }

    #[test]
    fn a_literal_key_is_one_object_whatever_is_in_it() {
        for text in ["s3://b/a*b", "s3://b/dir/", "s3://b/?"] {
            let one = source(text, Keys::Raw, Reach::One);
            assert!(matches!(one, Ok(Source::Object(_))), "{text}");
        }
        assert!(source("s3://b", Keys::Raw, Reach::One).is_err());
    }

    #[test]
    fn a_wildcard_takes_what_matches_alone() {
        let tree = tree("s3://b/logs/2*/x", Keys::Patterns, Reach::One);
        assert_eq!(tree.relative("logs/2024/x"), Some("2024/x"));
        assert_eq!(tree.relative("logs/2024/xy"), None);
    }

    #[test]
    fn what_only_begins_alike_has_no_name() {
        let below = tree("s3://b/a/dir", Keys::Patterns, Reach::Below);
        assert_eq!((below.listed(), below.prefix()), ("a/dir", "a/dir/"));
        let of = |key| (below.name(key), below.relative(key));
        assert_eq!(of("a/dir"), (Some("dir"), None));
        assert_eq!(of("a/dir/x/y"), (Some("x/y"), Some("x/y")));
        assert_eq!(of("a/dir/"), (Some(""), Some("")));
        for key in ["a/dir2/x", "a/dir.txt", "precious", "p", "", "a/dié/xyz"] {
            assert_eq!(of(key), (None, None), "{key}");
        }
        let all = tree("s3://b", Keys::Patterns, Reach::Below);
        assert_eq!((all.listed(), all.name("k/x")), ("", Some("k/x")));
        let matching = tree("s3://b/logs/2*", Keys::Patterns, Reach::One);
        assert_eq!((matching.listed(), matching.name("logs/24")), ("logs/2", Some("24")));
        assert_eq!((matching.name("logs/1"), matching.name("other")), (None, None));
    }

    #[test]
    fn whatever_means_all_keys_is_the_whole_bucket() {
        for text in ["s3://b", "s3://b/", "s3://b/*", "s3://b/**", "s3://b/?*"] {
            let whole = source(text, Keys::Patterns, Reach::Below).expect("a source");
            assert!(whole.is_whole_bucket(), "{text}");
        }
        for text in ["s3://b/a*", "s3://b/*a", "s3://b/d/", "s3://b//", "s3://b/d/*"] {
            let part = source(text, Keys::Patterns, Reach::Below).expect("a source");
            assert!(!part.is_whole_bucket(), "{text}");
        }
    }
}
