//! Wildcards in local paths, where no shell has expanded them: in quotes, and in lines of `haul run`.
//! As in a shell, they do not go over a `/`, and a folder that matches means all that is in it.

use super::pattern::Wildcard;

/// A path with `*` or `?` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPattern {
    /// As it was typed.
    text: String,
    /// So many bytes of it are up to the last `/` before the first wildcard.
    base: usize,
    /// Of the names below it.
    names: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Literal(String),
    Pattern(Wildcard),
}

impl Name {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Pattern(pattern) => pattern.matches(name),
        }
    }
}

impl LocalPattern {
    /// `None` when the text has no wildcard.
    pub fn parse(text: &str) -> Option<Self> {
        let base = Wildcard::parse(text)?.base_length();
        let below = text.get(base..)?;
        let names = below.split('/').filter(|name| !name.is_empty());
        let names = names.map(|name| match Wildcard::parse(name) {
            Some(pattern) => Name::Pattern(pattern),
            None => Name::Literal(name.to_owned()),
        });
        Some(Self { text: text.to_owned(), base, names: names.collect() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The folder below which all that matches is.
    pub fn base(&self) -> &str {
        match self.text.get(..self.base) {
            Some("") | None => ".",
            Some(base) => base,
        }
    }

    /// Whether a file of this path below the base matches, or is in a folder that does.
    pub fn matches(&self, path: &str) -> bool {
        self.may_hold(path) && path.split('/').count() >= self.names.len()
    }

    /// Whether a folder of this path below the base matches, or may have something in it that does.
    pub fn may_hold(&self, path: &str) -> bool {
        path.split('/').zip(&self.names).all(|(name, wanted)| wanted.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stays_in_its_name_and_a_folder_means_what_is_in_it() {
        for (pattern, base, matching, other) in [
            ("*.gz", ".", ["a.gz", "b.gz/in/it"].as_slice(), ["a.txt", "d/a.gz"].as_slice()),
            ("d/*", "d/", &["a", "e/f", "[x]"], &[]),
            (
                "d/20*/x?.csv",
                "d/",
                &["2024/x1.csv", "20/xy.csv/z"],
                &["2024", "2024/x.csv", "x1.csv"],
            ),
            ("/r/?/end", "/r/", &["a/end", "a/end/b"], &["ab/end", "a/other"]),
            ("a*/", ".", &["a1/b", "a"], &["b"]),
        ] {
            let parsed = LocalPattern::parse(pattern).expect("it has a wildcard");
            assert_eq!(parsed.base(), base);
            for path in matching {
                assert!(parsed.matches(path), "{pattern} {path}");
            }
            for path in other {
                assert!(!parsed.matches(path), "{pattern} {path}");
            }
        }
        assert_eq!(LocalPattern::parse("plain/[a]"), None);
        let parsed = LocalPattern::parse("d/20*/x").expect("it has a wildcard");
        assert!(parsed.may_hold("2024") && !parsed.may_hold("19"));
    }
}
