//! What the destination, a folder, has where the source needs something else: a file where it has a
//! folder, or a folder where it has a file. Where that is extra it goes like all that is extra, at the
//! end; what it was in the way of comes after that. Pure.

use super::entry::Entry;
use super::join::Which;

/// Names come in the order of their bytes, so that all that begin with one come behind it.
#[derive(Debug, Default)]
pub(super) struct InTheWay {
    /// Extras, each of which the last name begins with.
    files: Vec<String>,
    /// Likewise, of the source.
    held: Vec<Held>,
}

/// A name of the source that the destination may have as a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) below: Below,
}

/// What a destination has below a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Nothing,
    /// That much would leave no folder behind.
    Extras,
    /// Something stays, or comes.
    More,
}

impl InTheWay {
    /// Gives back what is decided, since this name of a side comes next: what it does not begin with,
    /// and what a name of the source is below itself. All of it, if there is no next one.
    pub(super) fn behind(&mut self, next: Option<(Which, &str)>) -> Vec<Held> {
        let is_over = |begin: &str| next.is_none_or(|(_, name)| !name.starts_with(begin));
        while self.files.last().is_some_and(|file| is_over(file)) {
            self.files.pop();
        }
        if let Some((Which::Source, name)) = next {
            self.other(name);
        }
        let is_decided = |held: &Held| held.below == Below::More || is_over(&held.entry.name);
        let first = self.held.iter().position(is_decided).unwrap_or(self.held.len());
        self.held.drain(first..).collect()
    }

    /// Whether a file has to go before this name of the source can come.
    pub(super) fn is_below_file(&self, name: &str) -> bool {
        self.files.iter().any(|file| is_below(name, file))
    }

    /// Remembers a name of the source until all is known that the destination has below it.
    pub(super) fn hold(&mut self, entry: Entry) {
        self.held.push(Held { entry, below: Below::Nothing });
    }

    /// The destination has this name, and it goes.
    pub(super) fn extra(&mut self, name: &str) {
        for held in self.held.iter_mut().filter(|held| is_below(name, &held.entry.name)) {
            if held.below == Below::Nothing {
                held.below = Below::Extras;
            }
        }
        self.files.push(name.to_owned());
    }

    /// Something has this name, and stays, or comes.
    pub(super) fn other(&mut self, name: &str) {
        for held in self.held.iter_mut().filter(|held| is_below(name, &held.entry.name)) {
            held.below = Below::More;
        }
    }
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(way: &mut InTheWay, which: Which, name: &str) -> Vec<(String, Below)> {
        named(way.behind(Some((which, name))))
    }

    fn named(held: Vec<Held>) -> Vec<(String, Below)> {
        held.into_iter().map(|held| (held.entry.name, held.below)).collect()
    }

    #[test]
    fn a_name_is_held_until_nothing_can_be_below_it() {
        let mut way = InTheWay::default();
        way.hold(Entry::named("x"));
        for name in ["x-", "x-1", "x.y", "x/a"] {
            assert_eq!(next(&mut way, Which::Destination, name), []);
            way.extra(name);
        }
        assert_eq!(next(&mut way, Which::Source, "x0"), []);
        let all = [("x".to_owned(), Below::Extras)];
        assert_eq!(next(&mut way, Which::Destination, "y"), all);
        // Extras beside it are not below it, and one that stays is enough.
        way.hold(Entry::named("y"));
        way.extra("y-");
        way.extra("y/a");
        way.other("y/b");
        way.extra("y/c");
        way.hold(Entry::named("z"));
        let all = [("y".to_owned(), Below::More), ("z".to_owned(), Below::Nothing)];
        assert_eq!(named(way.behind(None)), all);
        assert_eq!(named(way.behind(None)), []);
    }

    #[test]
    fn a_source_that_has_both_lets_go_at_once() {
        let mut way = InTheWay::default();
        way.hold(Entry::named("x"));
        way.extra("x/a");
        assert_eq!(next(&mut way, Which::Source, "x/b"), [("x".to_owned(), Below::More)]);
    }

    #[test]
    fn names_are_below_files_whatever_comes_between() {
        let mut way = InTheWay::default();
        way.extra("x");
        next(&mut way, Which::Destination, "x-1");
        way.extra("x-1");
        next(&mut way, Which::Source, "x/y/z");
        assert!(way.is_below_file("x/y/z") && !way.is_below_file("x-1"));
        assert!(way.is_below_file("x/") && !way.is_below_file("xy"));
        next(&mut way, Which::Source, "y/z");
        assert!(!way.is_below_file("x/y"));
    }
}
