//! When two local paths are one: spelling that does not matter is taken away. Must never look at
//! the file system.

use std::borrow::Cow;

use icu_normalizer::DecomposingNormalizer;

/// How the target file system tells names apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameRule {
    /// By their bytes.
    Exact,
    /// Not by case: `a` and `A` are one file. Characters are compared by their Unicode lower case;
    /// other forms of one character (composed and decomposed) stay two.
    CaseFold,
    /// Not by form: a character is one, composed and decomposed.
    FormFold,
    /// Neither by case nor by form.
    Fold,
}

impl NameRule {
    /// That of a file system that was not asked.
    pub fn of_system() -> Self {
        if cfg!(target_os = "macos") {
            Self::Fold
        } else if cfg!(windows) {
            Self::CaseFold
        } else {
            Self::Exact
        }
    }

    fn folds_case(self) -> bool {
        matches!(self, Self::CaseFold | Self::Fold)
    }

    fn folds_form(self) -> bool {
        matches!(self, Self::FormFold | Self::Fold)
    }
}

/// The parts of a path that matter: not the empty ones of `a//b`, not the dots of `./a/.`.
///
/// `..` is a part like any other: whoever made the path has resolved or refused it.
pub(super) fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// Writes the one spelling of a path: what begins at the root begins with one `/`, nothing else
/// begins or ends with one.
pub(super) fn normalise(path: &str, rule: NameRule, into: &mut String) {
    into.clear();
    if path.starts_with('/') {
        into.push('/');
    }
    let root = into.len();
    for part in components(path) {
        if into.len() > root {
            into.push('/');
        }
        push_folded(part, rule, into);
    }
}

fn push_folded(part: &str, rule: NameRule, into: &mut String) {
    if part.is_ascii() && rule.folds_case() {
        into.extend(part.chars().map(|character| character.to_ascii_lowercase()));
        return;
    }
    let part = if part.is_ascii() || !rule.folds_form() {
        Cow::Borrowed(part)
    } else {
        DecomposingNormalizer::new_nfd().normalize(part)
    };
    if rule.folds_case() {
        into.extend(part.chars().flat_map(char::to_lowercase));
    } else {
        into.push_str(&part);
    }
}

/// The folder of a path in its one spelling, and the name in it. The folder is `/` at the root and
/// empty in the folder that relative paths are relative to.
pub(super) fn split(normal: &str) -> (&str, &str) {
    match normal.rsplit_once('/') {
        None => ("", normal),
        Some(("", name)) => ("/", name),
        Some(split) => split,
    }
}

/// The first parts of a path, as it was written but for the parts that do not matter.
pub(super) fn ancestor(path: &str, parts: usize) -> String {
    let mut folder = String::new();
    normalise(path, NameRule::Exact, &mut folder);
    let root = usize::from(folder.starts_with('/'));
    if let Some((end, _)) = folder[root..].match_indices('/').nth(parts.saturating_sub(1)) {
        folder.truncate(root + end);
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str, rule: NameRule) -> String {
        let mut into = String::from("left over");
        normalise(path, rule, &mut into);
        into
    }

    #[test]
    fn spelling_that_does_not_matter_is_taken_away() {
        for path in ["a/b", "./a/b", "a//b", "a/./b/", "././a/.//b/."] {
            assert_eq!(normal(path, NameRule::Exact), "a/b");
        }
        assert_eq!(normal("//a/b", NameRule::Exact), "/a/b");
        assert_eq!(normal("../.a/b.", NameRule::Exact), "../.a/b.");
        for path in ["", ".", "./"] {
            assert_eq!(normal(path, NameRule::Exact), "");
        }
        for path in ["/", "//", "/./"] {
            assert_eq!(normal(path, NameRule::Exact), "/");
        }
    }

    #[test]
    fn case_matters_only_where_it_does() {
        assert_eq!(normal("A/Éé", NameRule::Exact), "A/Éé");
        assert_eq!(normal("A/Éé", NameRule::CaseFold), "a/éé");
    }

    #[test]
    fn a_character_is_one_in_both_forms_only_where_it_is() {
        let (composed, decomposed) = ("F/\u{c9}\u{1e69}", "F/E\u{301}s\u{307}\u{323}");
        for (rule, is_one) in [
            (NameRule::Exact, false),
            (NameRule::CaseFold, false),
            (NameRule::FormFold, true),
            (NameRule::Fold, true),
        ] {
            assert_eq!(normal(composed, rule) == normal(decomposed, rule), is_one, "{rule:?}");
        }
        assert_ne!(normal("É", NameRule::FormFold), normal("é", NameRule::FormFold));
        assert_eq!(normal("É", NameRule::Fold), normal("e\u{301}", NameRule::Fold));
        assert_eq!(normal("Aa", NameRule::FormFold), "Aa");
    }

    #[test]
    fn a_path_is_split_into_folder_and_name() {
        assert_eq!(split("a/b/c"), ("a/b", "c"));
        assert_eq!(split("a"), ("", "a"));
        assert_eq!(split("/a"), ("/", "a"));
        assert_eq!(split("/a/b"), ("/a", "b"));
    }

    #[test]
    fn an_ancestor_is_told_as_it_was_written() {
        assert_eq!(ancestor("./A//b/c", 1), "A");
        assert_eq!(ancestor("./A//b/c", 2), "A/b");
        assert_eq!(ancestor("/A/b/c", 1), "/A");
        assert_eq!(ancestor("A/b", 2), "A/b");
    }
}
