//! Which names are meant: wildcards in URIs, and include and exclude globs.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// A key with `*` (any text, `/` too) or `?` (any one character): only these are special.
#[derive(Debug, Clone)]
pub struct Wildcard {
    pattern: Vec<char>,
    prefix: String,
    base: usize,
}

impl Wildcard {
    /// `None` when the text has no wildcard.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.find(['*', '?'])?;
        let prefix = text[..first].to_owned();
        let base = prefix.rfind('/').map_or(0, |slash| slash + 1);
        Some(Self { pattern: text.chars().collect(), prefix, base })
    }

    /// What every matching key starts with: what to list.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many bytes of a matching key are not part of its relative path: those up to the last
    /// `/` before the first wildcard.
    pub fn base_length(&self) -> usize {
        self.base
    }

    /// Matches in time linear in key × pattern: a hostile key can't make it explode.
    pub fn matches(&self, key: &str) -> bool {
        let key: Vec<char> = key.chars().collect();
        let (mut at, mut from) = (0, 0);
        let mut last_star: Option<(usize, usize)> = None;
        while from < key.len() {
            match self.pattern.get(at) {
                Some('*') => {
                    last_star = Some((at, from));
                    at += 1;
                }
                Some(&wanted) if wanted == '?' || wanted == key[from] => {
                    at += 1;
                    from += 1;
                }
                _ => match last_star {
                    Some((star, start)) => {
                        last_star = Some((star, start + 1));
                        at = star + 1;
                        from = start + 1;
                    }
                    None => return false,
                },
            }
        }
        self.pattern[at..].iter().all(|c| *c == '*')
    }
}

/// Include and exclude globs, in the order in which they were typed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Vec<(Verdict, GlobMatcher)>,
}

/// What a rule says of the names that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Include,
    Exclude,
}

impl Filter {
    /// Full globs: `*` and `?` (both cross `/`), `[..]`, `{a,b}`, `**`.
    pub fn new(rules: impl IntoIterator<Item = (Verdict, String)>) -> Result<Self, PatternError> {
        let rules = rules.into_iter().map(|(verdict, text)| {
            let glob =
                GlobBuilder::new(&text).literal_separator(false).backslash_escape(true).build();
            glob.as_ref().map(Glob::compile_matcher).map(|matcher| (verdict, matcher)).map_err(
                |error| PatternError { pattern: text.clone(), reason: error.kind().to_string() },
            )
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether a relative path is wanted: the last rule that matches wins. What no rule matches
    /// is wanted unless the first rule is an include.
    pub fn admits(&self, path: &str) -> bool {
        let default = self.rules.first().map_or(Verdict::Include, |(first, _)| match first {
            Verdict::Include => Verdict::Exclude,
            Verdict::Exclude => Verdict::Include,
        });
        let last = self.rules.iter().rev().find(|(_, glob)| glob.is_match(path));
        last.map_or(default, |(verdict, _)| *verdict) == Verdict::Include
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// A glob that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a glob: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(rules: &[(Verdict, &str)]) -> Filter {
        Filter::new(rules.iter().map(|(verdict, text)| (*verdict, (*text).to_owned())))
            .expect("globs")
    }

    #[test]
    fn only_star_and_question_mark_are_special() {
        assert!(Wildcard::parse("a[b]{c}").is_none());
        let wildcard = Wildcard::parse("p/2*/x*").expect("a wildcard");
        assert_eq!((wildcard.prefix(), wildcard.base_length()), ("p/2", 2));
        assert!(wildcard.matches("p/2024/x1"));
        assert!(wildcard.matches("p/2/deep/er/x"));
        assert!(!wildcard.matches("p/1024/x1"));
        let wildcard = Wildcard::parse("a.[b]?").expect("a wildcard");
        assert!(
            wildcard.matches("a.[b]ü") && !wildcard.matches("a.b1") && !wildcard.matches("a.[b]")
        );
    }

    #[test]
    fn the_last_rule_that_matches_wins() {
        use Verdict::{Exclude, Include};
        let rules = filter(&[(Exclude, "*.tmp"), (Include, "keep*.tmp")]);
        assert!(rules.admits("a/b") && !rules.admits("d/a.tmp") && rules.admits("keep1.tmp"));
        let rules = filter(&[(Include, "*.{jpg,png}"), (Exclude, "**/thumb/*")]);
        assert!(
            rules.admits("x/a.png") && !rules.admits("a.gif") && !rules.admits("x/thumb/a.png")
        );
    }

    #[test]
    fn no_rules_admit_everything() {
        assert!(Filter::default().admits("anything"));
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Filter::new([(Verdict::Include, "a[".to_owned())]).expect_err("unclosed");
        assert!(error.to_string().contains("a["));
    }

    proptest! {
        #[test]
        fn a_wildcard_matches_what_it_was_made_from(
            key in "[a-c/]{0,12}", cut in 0..12usize, length in 0..12usize,
        ) {
            let start = cut.min(key.len());
            let end = (start + length).min(key.len());
            let text = format!("{}*{}", &key[..start], &key[end..]);
            prop_assert!(Wildcard::parse(&text).expect("has a star").matches(&key));
        }
    }
}
