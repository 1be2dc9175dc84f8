//! Two streams of names, each in the order of its bytes, met name by name. Pure: it says what it
//! needs next and what it found, and tells at once when a stream is not in order. It must never
//! call a name absent from a side of which it has not seen the place where the name would be.

use super::entry::Entry;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Source,
    Destination,
}

/// A join on its way.
#[derive(Debug, Default)]
pub(super) struct Join {
    source: Lane,
    destination: Lane,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before the next entry, or the end, of this side is known.
    Need(Which),
    Both(Entry, Entry),
    OnlySource(Entry),
    OnlyDestination(Entry),
    /// A side has a name that it had just before.
    Again(Which, Entry),
    /// This side is not in order: what was found so far is worth nothing.
    Disorder(Which),
    End,
}

#[derive(Debug, Default)]
struct Lane {
    head: Option<Entry>,
    /// The name that was seen last. Kept, so that its memory is used again.
    last: String,
    has_last: bool,
    finding: Finding,
    is_over: bool,
}

/// What was found of the head when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Finding {
    #[default]
    Behind,
    Again,
    Before,
}

impl Join {
    /// What was needed: the next entry of a side, `None` at its end.
    pub(super) fn push(&mut self, which: Which, entry: Option<Entry>) {
        let lane = match which {
            Which::Source => &mut self.source,
            Which::Destination => &mut self.destination,
        };
        lane.push(entry);
    }

    pub(super) fn step(&mut self) -> Step {
        for (which, lane) in
            [(Which::Source, &mut self.source), (Which::Destination, &mut self.destination)]
        {
            match (lane.head.is_some(), lane.finding) {
                (false, _) if !lane.is_over => return Step::Need(which),
                (true, Finding::Before) => return Step::Disorder(which),
                (true, Finding::Again) => {
                    if let Some(entry) = lane.head.take() {
                        return Step::Again(which, entry);
                    }
                }
                _ => {}
            }
        }
        match (self.source.head.take(), self.destination.head.take()) {
            (Some(source), Some(destination)) if source.name == destination.name => {
                Step::Both(source, destination)
            }
            (Some(source), Some(destination)) if source.name < destination.name => {
                self.destination.head = Some(destination);
                Step::OnlySource(source)
            }
            (source, Some(destination)) => {
                self.source.head = source;
                Step::OnlyDestination(destination)
            }
            (Some(source), None) => Step::OnlySource(source),
            (None, None) => Step::End,
        }
    }
}

impl Lane {
    fn push(&mut self, entry: Option<Entry>) {
        match &entry {
            Some(entry) => {
                self.finding = match entry.name.as_str().cmp(&self.last) {
                    _ if !self.has_last => Finding::Behind,
                    std::cmp::Ordering::Greater => Finding::Behind,
                    std::cmp::Ordering::Equal => Finding::Again,
                    std::cmp::Ordering::Less => Finding::Before,
                };
                entry.name.clone_into(&mut self.last);
                self.has_last = true;
            }
            None => self.is_over = true,
        }
        self.head = entry;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Met {
        both: Vec<String>,
        source: Vec<String>,
        destination: Vec<String>,
        again: Vec<String>,
    }

    /// What a join finds, and which side it calls out of order.
    fn join(source: &[&str], destination: &[&str]) -> Result<Met, Which> {
        let (mut source, mut destination) = (source.iter(), destination.iter());
        let mut join = Join::default();
        let mut met = Met::default();
        loop {
            match join.step() {
                Step::Need(which) => {
                    let next = match which {
                        Which::Source => source.next(),
                        Which::Destination => destination.next(),
                    };
                    join.push(which, next.map(|name| Entry::named(name)));
                }
                Step::Both(one, other) => {
                    assert_eq!(one.name, other.name);
                    met.both.push(one.name);
                }
                Step::OnlySource(entry) => met.source.push(entry.name),
                Step::OnlyDestination(entry) => met.destination.push(entry.name),
                Step::Again(_, entry) => met.again.push(entry.name),
                Step::Disorder(which) => return Err(which),
                Step::End => return Ok(met),
            }
        }
    }

    #[test]
    fn names_that_begin_alike_are_met_in_the_order_of_their_bytes() {
        let met = join(&["a", "a.b", "a/x", "a0"], &["a", "a/", "a/x", "a0"]).expect("in order");
        assert_eq!(met.both, ["a", "a/x", "a0"]);
        assert_eq!((met.source, met.destination), (vec!["a.b".into()], vec!["a/".into()]));
    }

    #[test]
    fn a_side_out_of_order_is_told_wherever_the_other_one_is() {
        assert_eq!(join(&["b", "a"], &[]), Err(Which::Source));
        assert_eq!(join(&[], &["b", "a"]), Err(Which::Destination));
        assert_eq!(join(&["a"], &["b", "c", "a"]), Err(Which::Destination));
        assert_eq!(join(&["a", "a/x", "a.b"], &["z"]), Err(Which::Source));
        // A name that a side has twice is met once, also where the other side has it.
        for other in [[].as_slice(), &["a"], &["b"]] {
            assert_eq!(join(&["a", "a"], other).expect("in order").again, ["a"]);
            assert_eq!(join(other, &["a", "a"]).expect("in order").again, ["a"]);
        }
    }

    fn names() -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set("[a/.0]{1,4}", 0..20)
    }

    proptest! {
        #[test]
        fn each_name_is_met_once_and_on_its_side(source in names(), destination in names()) {
            let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
            let (ours, theirs) = (list(&source), list(&destination));
            let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
            let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
            let met = join(&ours, &theirs).expect("in order");
            prop_assert_eq!(met.both, source.intersection(&destination).cloned().collect::<Vec<_>>());
            prop_assert_eq!(met.source, source.difference(&destination).cloned().collect::<Vec<_>>());
            let extra = destination.difference(&source).cloned().collect::<Vec<_>>();
            prop_assert_eq!(met.destination, extra);
        }

        #[test]
        fn disorder_is_never_missed(names in prop::collection::vec("[a-c]{1,2}", 0..8)) {
            let list: Vec<&str> = names.iter().map(String::as_str).collect();
            let is_sorted = list.is_sorted();
            prop_assert_eq!(join(&list, &["b"]).is_ok(), is_sorted);
            prop_assert_eq!(join(&["b"], &list).is_ok(), is_sorted);
            if let (true, Ok(met)) = (is_sorted, join(&list, &[])) {
                let mut seen = BTreeMap::<String, usize>::new();
                met.source.iter().chain(&met.again).for_each(|name| {
                    *seen.entry(name.clone()).or_default() += 1;
                });
                prop_assert_eq!(seen.values().sum::<usize>(), list.len());
            }
        }
    }
}
