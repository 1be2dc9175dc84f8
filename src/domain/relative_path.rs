//! The path of a file below a destination, made from a key: the first of the two walls between a
//! hostile key and the rest of the disk. (The second is `storage::local::folder`, which resolves
//! these paths component by component and follows no link.)

use std::fmt;
use std::path::PathBuf;

use super::escape::Escaped;
use super::naming::is_refused_by_windows;

/// One or more names joined by `/`. No name is empty, `.`, `..`, or holds `/`, `\` or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(Box<str>);

impl RelativePath {
    /// Makes the path of `name`, which is a key or what is left of one below a prefix.
    ///
    /// Doubled slashes and `.` name the same file as without them, so they are dropped: two keys
    /// that then meet are found by `jobs::guard`. A final slash (a folder marker) is dropped too.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        let refuse = |reason| Err(UnsafeName { name: name.to_owned(), reason });
        if name.starts_with('/') {
            return refuse(Reason::Absolute);
        }
        if name.contains('\0') {
            return refuse(Reason::Nul);
        }
        if name.contains('\\') {
            return refuse(Reason::Backslash);
        }
        if cfg!(windows) && name.split('/').any(is_refused_by_windows) {
            return refuse(Reason::Windows);
        }
        let mut path = String::with_capacity(name.len());
        for component in name.split('/').filter(|c| !c.is_empty() && *c != ".") {
            if component == ".." {
                return refuse(Reason::Parent);
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(component);
        }
        if path.is_empty() { refuse(Reason::Empty) } else { Ok(Self(path.into())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether something had to be dropped of the name that this is the path of, but for a slash at
    /// its end.
    pub fn is_altered(&self, name: &str) -> bool {
        *self.0 != *name.strip_suffix('/').unwrap_or(name)
    }

    /// The folders above the file, outermost first, and the file's own name.
    pub fn split(&self) -> (impl Iterator<Item = &str>, &str) {
        let (folders, name) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (folders.split('/').filter(|folder| !folder.is_empty()), name)
    }

    /// The folders above the file as one text, empty for a file directly below the destination.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    pub fn to_path(&self) -> PathBuf {
        self.0.split('/').collect()
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0).fmt(formatter)
    }
}

/// A name that could end outside the destination, or nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {reason}", Escaped(.name))]
pub struct UnsafeName {
    pub name: String,
    pub reason: Reason,
}

/// What is unsafe about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is absolute: it would not stay below the destination")]
    Absolute,
    #[error("has a `..` in it: it could leave the destination")]
    Parent,
    #[error("has a backslash, which is a separator on some systems")]
    Backslash,
    #[error("has a NUL, which no file name can hold")]
    Nul,
    #[error("is, or holds, what no file can be called here")]
    Windows,
    #[error("names no file")]
    Empty,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for name in [
            "../e",
            "a/../../e",
            "..",
            "/../e",
            "//../e",
            "/abs",
            "..\\e",
            "a\\b",
            "a\0b",
            "a/..",
            "",
            ".",
            "./",
            "./..",
        ] {
            assert!(RelativePath::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_are_one_file_are_one_path() {
        for name in ["a/b", "a//b", "./a/b", "a/./b", "a/b/"] {
            assert_eq!(RelativePath::new(name).expect("safe").as_str(), "a/b");
        }
    }

    #[test]
    fn dots_inside_a_name_are_only_dots() {
        for name in ["...", "a..b", "..a", "a..", ".hidden/x"] {
            assert_eq!(RelativePath::new(name).expect("safe").as_str(), name);
        }
    }

    proptest! {
        #[test]
        fn no_path_has_a_component_that_leads_out(name in "[./\\\\a\0]{0,12}|\\PC{0,20}") {
            if let Ok(path) = RelativePath::new(&name) {
                prop_assert!(path.to_path().components().all(
                    |component| matches!(component, std::path::Component::Normal(_))));
            }
        }
    }
}
