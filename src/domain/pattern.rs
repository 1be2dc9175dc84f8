//! Which names are meant: wildcards in URIs, and include and exclude globs.

use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// A key with `*` (any text, `/` too) or `?` (any one character): only these are special.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone)]
pub struct Filter {
    verdicts: Vec<Verdict>,
    /// So many rules in each but the last one, which are tried together.
    sets: Vec<GlobSet>,
    /// Of what no rule matches.
    otherwise: Verdict,
}

/// Rules that are tried together: more of them make one automaton too large.
const TOGETHER: usize = 512;

/// What a rule says of the names that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Include,
    Exclude,
}

impl Default for Filter {
    fn default() -> Self {
        Self { verdicts: Vec::new(), sets: Vec::new(), otherwise: Verdict::Include }
    }
}

impl Filter {
    /// Full globs: `*` and `?` (both cross `/`), `[..]`, `{a,b}`, `**`. One that ends with `/` matches
    /// all that is below it.
    pub fn new(rules: impl IntoIterator<Item = (Verdict, String)>) -> Result<Self, PatternError> {
        let (verdicts, texts): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        let sets = texts.chunks(TOGETHER).map(set).collect::<Result<Vec<_>, _>>()?;
        let first = verdicts.first().copied();
        let filter = Self { verdicts, sets, ..Self::default() };
        Ok(match first {
            Some(first) => filter.beginning_with(first),
            None => filter,
        })
    }

    /// As if the first rule were of this kind: what no rule matches is wanted unless it is an
    /// include.
    #[must_use]
    pub fn beginning_with(self, first: Verdict) -> Self {
        let otherwise = match first {
            Verdict::Include => Verdict::Exclude,
            Verdict::Exclude => Verdict::Include,
        };
        Self { otherwise, ..self }
    }

    /// Whether a relative path is wanted: the last rule that matches wins.
    pub fn admits(&self, path: &str) -> bool {
        let last = if self.sets.is_empty() { None } else { self.last(path) };
        last.unwrap_or(self.otherwise) == Verdict::Include
    }

    fn last(&self, path: &str) -> Option<Verdict> {
        let path = Candidate::new(path);
        let verdicts = self.verdicts.chunks(TOGETHER).zip(&self.sets);
        verdicts.rev().find_map(|(verdicts, set)| {
            let last = set.matches_candidate(&path).into_iter().max()?;
            verdicts.get(last).copied()
        })
    }
}

fn set(texts: &[String]) -> Result<GlobSet, PatternError> {
    let refused = |pattern: &str, error: &globset::Error| PatternError {
        pattern: pattern.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(glob(text).map_err(|error| refused(text, &error))?);
    }
    set.build().map_err(|error| refused(error.glob().unwrap_or("all together"), &error))
}

fn glob(text: &str) -> Result<Glob, globset::Error> {
    // By itself it would match a folder's marker alone, and leave in what is to be left out.
    let below = text.ends_with('/').then(|| format!("{text}*"));
    GlobBuilder::new(below.as_deref().unwrap_or(text))
        .literal_separator(false)
        .backslash_escape(true)
        .build()
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
    fn a_glob_of_a_folder_is_of_all_below_it() {
        let without = filter(&[(Verdict::Exclude, "cache/"), (Verdict::Exclude, "*/[a-c]/")]);
        for left_out in ["cache/", "cache/x", "cache/x/y", "x/b/y"] {
            assert!(!without.admits(left_out), "{left_out}");
        }
        for wanted in ["cache", "cached/x", "x/cache/y", "x/d/y", "b/y"] {
            assert!(without.admits(wanted), "{wanted}");
        }
        let only = filter(&[(Verdict::Include, "cache/")]);
        assert!(only.admits("cache/x") && !only.admits("x"));
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
    fn a_list_of_includes_that_is_empty_admits_nothing() {
        let none = Filter::default().beginning_with(Verdict::Include);
        assert!(!none.admits("anything"));
        assert!(Filter::default().beginning_with(Verdict::Exclude).admits("anything"));
    }

    #[test]
    fn thousands_of_rules_keep_their_order() {
        use Verdict::{Exclude, Include};
        let all = (0..5000).map(|at| (if at % 2 == 0 { Exclude } else { Include }, at));
        let rules =
            all.map(|(verdict, at)| (verdict, format!("d{}/**/[a-c]{at}*.{{x,y}}", at % 7)));
        let filter = Filter::new(rules).expect("globs");
        assert!(!filter.admits("d0/e/a4998.x") && filter.admits("d1/e/f/b4999-1.y"));
        let last = (Include, "d0/e/a4998.x".to_owned());
        let ends = [(Exclude, "**".to_owned()); 1].into_iter().chain([last; 1]);
        let filter = Filter::new(ends).expect("globs");
        assert!(filter.admits("d0/e/a4998.x") && !filter.admits("d0/e/a4998.y"));
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Filter::new([(Verdict::Include, "a[".to_owned())]).expect_err("unclosed");
        assert!(error.to_string().contains("a["));
    }

    proptest! {
        #[test]
        fn rules_that_are_tried_together_are_those_that_are_tried_one_by_one(
            rules in prop::collection::vec((any::<bool>(), "[ab*?/]{1,5}|\\{a,b\\}[*]"), 0..1500),
            path in "[ab/]{0,6}",
        ) {
            let verdict = |include| if include { Verdict::Include } else { Verdict::Exclude };
            let rules: Vec<_> =
                rules.into_iter().map(|(include, text)| (verdict(include), text)).collect();
            let last = rules.iter().rev().find(|(_, text)| {
                glob(text).expect("a glob").compile_matcher().is_match(&path)
            });
            let filter = Filter::new(rules.clone()).expect("globs");
            let otherwise = !rules.first().is_some_and(|(first, _)| *first == Verdict::Include);
            let wanted = last.map_or(otherwise, |(verdict, _)| *verdict == Verdict::Include);
            prop_assert_eq!(filter.admits(&path), wanted);
        }

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
