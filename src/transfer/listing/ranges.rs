//! A listing cut into ranges of keys that are asked for at once, and handed out in order. Pure: it
//! says what to ask for, is told what came, and gives the pages.
//!
//! What is handed out is what the listing page by page would be, whatever the order of the store:
//! each range is read until a key behind its end shows, and only where the next range begins with
//! that very key, and goes on as this one does, is it taken for its continuation. Where it does
//! not, the range that was read goes on itself. So a store that sorts in another way, takes no
//! notice of where to begin, or is written to meanwhile, costs requests and never a key. A store
//! that was seen to list in another order is not asked in ranges any more.

use std::collections::VecDeque;

use super::key_space::KeySpace;
use super::round::Round;
use crate::domain::object::ListedObject;
use crate::storage::object_store::{Depth, ListPage};

/// Pages that one range may be ahead of what was handed out.
pub(super) const AHEAD: usize = 12;
/// Pages that all ranges but the first may hold together at most, those on their way included. The
/// further back a range is, the less room it finds: what will be handed out last is not fetched
/// first.
const MOST_HELD: usize = 128;
/// Pages that are asked for one after the other first: most listings are no longer.
const ALONE: u64 = 3;
/// Pages that a listing of any length may ask for in vain, and one more of so many: what comes
/// twice where two ranges meet, and ranges that hold nothing.
const FREE_WASTE: u64 = 12;
const PAGES_A_WASTE: u64 = 6;
/// Ranges that did not go on as the one before.
const MOST_MISFITS: u32 = 4;
/// One key of so many shows which characters there are.
const SAMPLE: usize = 16;

/// A listing on its way. `E`: why a page can't be had.
#[derive(Debug)]
pub(super) struct Ranges<E> {
    /// In the order of their keys; the first is the one that is handed out.
    queue: VecDeque<Range<E>>,
    /// Pages that all ranges but the first may hold.
    room: usize,
    space: KeySpace,
    manner: Manner,
    numbered: u64,
    received: u64,
    cuts: u64,
    /// Keys that came in vain; a request that gave none counts as a page.
    wasted: u64,
    /// Keys of the largest page.
    page: u64,
    misfits: u32,
    /// Pages that somebody had to wait for: who is slower than the store needs no ranges.
    waits: u64,
    is_waiting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    InRanges,
    /// One page after the other.
    Alone,
}

/// The keys behind `after`, up to `end`, that included.
#[derive(Debug)]
struct Range<E> {
    id: u64,
    after: Option<String>,
    end: Option<String>,
    token: Option<String>,
    round: Round<String>,
    /// Pages to hand out, none of them empty.
    pages: VecDeque<ListPage>,
    /// What came behind the end, from the first such key on.
    beyond: Vec<ListedObject>,
    /// The first and the last key of the latest page that had any.
    span: Option<(String, String)>,
    state: State<E>,
}

#[derive(Debug)]
enum State<E> {
    /// There is more to ask for.
    Idle,
    Asked,
    /// There is something in `beyond`.
    Passed,
    /// The store says that there is no more.
    Over,
    Failed(Flaw<E>),
}

/// Why a listing can't be had to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw<E> {
    Request(E),
    /// The store repeats its continuation tokens.
    Repeats,
}

/// A page to ask for: by its token, else behind a key, else from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    /// The range that it is for.
    pub(super) id: u64,
    pub(super) after: Option<String>,
    pub(super) token: Option<String>,
}

/// What there is to hand out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<E> {
    Page(ListPage),
    /// Nothing before another page was received.
    Wait,
    Failed(Flaw<E>),
    /// Nothing any more, also behind a failure.
    End,
}

impl<E> Ranges<E> {
    /// Of one level of names there may be few for very many keys, and no range knows how many.
    /// All ranges but the first hold `room` pages at most.
    pub(super) fn new(prefix: &str, depth: Depth, room: usize) -> Self {
        let manner = match depth {
            Depth::Everything => Manner::InRanges,
            Depth::OneLevel => Manner::Alone,
        };
        Self {
            queue: VecDeque::from([Range::new(0, None, None)]),
            room: room.min(MOST_HELD),
            space: KeySpace::new(prefix.to_owned()),
            manner,
            numbered: 0,
            received: 0,
            cuts: 0,
            wasted: 0,
            page: 1,
            misfits: 0,
            waits: 0,
            is_waiting: false,
        }
    }

    /// The next page to ask for, where fewer than `at_once` are on their way. The ranges that will
    /// be handed out first go first; where each of them has a page on its way, one is cut.
    pub(super) fn ask(&mut self, at_once: usize) -> Option<Ask> {
        let asked = self.queue.iter().filter(|range| range.is_asked()).count();
        if asked >= at_once {
            return None;
        }
        let held = self.held();
        let has_room = |at: usize| at == 0 || held + (4 * at).min(self.room / 2) < self.room;
        let mut ranges = self.queue.iter().enumerate();
        let at = match ranges.position(|(at, range)| range.is_wanting() && has_room(at)) {
            Some(at) => at,
            None if has_room(1) => self.cut()?,
            None => return None,
        };
        let range = self.queue.get_mut(at)?;
        range.state = State::Asked;
        let after = if range.token.is_some() { None } else { range.after.clone() };
        Some(Ask { id: range.id, after, token: range.token.clone() })
    }

    /// Pages in memory, and those on their way.
    pub(super) fn held(&self) -> usize {
        self.queue.iter().map(|range| range.held() + usize::from(range.is_asked())).sum()
    }

    /// Whether the page that was asked for is still of use.
    pub(super) fn awaits(&self, id: u64) -> bool {
        self.queue.iter().any(|range| range.id == id && range.is_asked())
    }

    /// A page that was asked for.
    pub(super) fn receive(&mut self, id: u64, reply: Result<ListPage, E>) {
        self.received += 1;
        let Some(at) = self.queue.iter().position(|range| range.id == id) else { return };
        match reply {
            Ok(page) => self.take(at, page),
            Err(error) => self.fail(at, Flaw::Request(error)),
        }
    }

    /// The next page in order.
    pub(super) fn hand_out(&mut self) -> Step<E> {
        loop {
            let Some(first) = self.queue.front_mut() else { return Step::End };
            if let Some(page) = first.pages.pop_front() {
                self.is_waiting = false;
                return Step::Page(page);
            }
            match &first.state {
                State::Idle | State::Asked => return self.wait(),
                State::Over => self.queue.clear(),
                State::Failed(_) => {
                    let failed = self.queue.pop_front();
                    self.queue.clear();
                    if let Some(State::Failed(flaw)) = failed.map(|failed| failed.state) {
                        return Step::Failed(flaw);
                    }
                }
                State::Passed => match self.seam() {
                    Seam::Unknown => return self.wait(),
                    Seam::Fits => {
                        let over = self.queue.pop_front();
                        self.wasted += over.map_or(0, |range| range.beyond.len() as u64);
                    }
                    Seam::Misfit => self.unite(),
                },
            }
        }
    }

    fn wait(&mut self) -> Step<E> {
        if !std::mem::replace(&mut self.is_waiting, true) {
            self.waits += 1;
        }
        Step::Wait
    }

    fn take(&mut self, at: usize, page: ListPage) {
        if self.manner == Manner::InRanges && !self.is_in_order(at, &page.objects) {
            self.go_on_alone();
            if at > 0 {
                return;
            }
        }
        let Some(range) = self.queue.get_mut(at) else { return };
        range.token = page.next;
        if range.token.as_ref().is_some_and(|token| range.round.is_closed_by(token)) {
            self.fail(at, Flaw::Repeats);
            return;
        }
        if self.manner == Manner::InRanges {
            let keys = || page.objects.iter().map(|object| object.key.as_str());
            keys()
                .step_by(SAMPLE)
                .chain(keys().next_back())
                .for_each(|key| self.space.observe(key));
            self.page = self.page.max(page.objects.len() as u64);
            if let Some((first, last)) = keys().next().zip(keys().next_back()) {
                range.span = Some((first.to_owned(), last.to_owned()));
            }
        }
        range.push(page.objects, page.prefixes);
        self.settle(at);
    }

    /// Whether keys go on behind those before them, each below the prefix and behind the last one.
    fn is_in_order(&self, at: usize, objects: &[ListedObject]) -> bool {
        let Some(range) = self.queue.get(at) else { return false };
        let before = range.span.as_ref().map(|(_, last)| last.as_str()).or(range.after.as_deref());
        let keys = || objects.iter().map(|object| object.key.as_str());
        let is_behind = keys().next().zip(before).is_none_or(|(first, before)| first > before);
        is_behind && keys().is_sorted_by(|one, other| one < other) && self.are_below(objects)
    }

    /// Keys in order lie below the prefix if the first and the last do.
    fn are_below(&self, objects: &[ListedObject]) -> bool {
        let mut ends = objects.first().into_iter().chain(objects.last());
        ends.all(|object| self.space.holds(object.key.as_str()))
    }

    /// From now on one page after the other, from where the first range is: nothing behind it was
    /// handed out.
    fn go_on_alone(&mut self) {
        self.manner = Manner::Alone;
        self.forget_behind(0);
        if let Some(first) = self.queue.front_mut() {
            first.extend_to(None);
        }
    }

    /// Spares the requests for what is known already: what lies behind the store's last page, and
    /// the ranges that a page reaches across.
    fn settle(&mut self, at: usize) {
        while let Some(range) = self.queue.get_mut(at) {
            if range.token.is_none() && !range.is_asked() {
                range.extend_to(None);
                self.forget_behind(at);
                return;
            }
            let last = range.beyond.last().map(|object| object.key.as_str().to_owned());
            let end = self.queue.get(at + 1).and_then(|next| next.end.clone());
            match (last, end) {
                (Some(last), Some(end)) if last > end => self.absorb(at),
                _ => return,
            }
        }
    }

    fn fail(&mut self, at: usize, flaw: Flaw<E>) {
        self.forget_behind(at);
        if let Some(range) = self.queue.get_mut(at) {
            range.state = State::Failed(flaw);
        }
    }

    /// Whether the second range goes on as the first one did.
    fn seam(&self) -> Seam {
        let (Some(first), Some(next)) = (self.queue.front(), self.queue.get(1)) else {
            return Seam::Misfit;
        };
        let mut keys = next.keys().peekable();
        match (keys.peek(), &next.state) {
            (None, State::Idle | State::Asked) => Seam::Unknown,
            // What it would have said is not known: the failure is.
            (None, State::Failed(_)) => Seam::Fits,
            (None, _) => Seam::Misfit,
            (Some(_), _) => {
                let ours = first.beyond.iter().map(|object| object.key.as_str());
                if ours.zip(keys).all(|(one, other)| one == other) {
                    Seam::Fits
                } else {
                    Seam::Misfit
                }
            }
        }
    }

    /// The first range goes on through the second one, whatever that said.
    fn unite(&mut self) {
        self.absorb(0);
        self.misfits += 1;
        if self.misfits >= MOST_MISFITS {
            self.go_on_alone();
        } else {
            self.settle(0);
        }
    }

    fn forget_behind(&mut self, at: usize) {
        for range in self.queue.drain(at + 1..) {
            self.wasted += range.waste(self.page);
        }
    }

    fn absorb(&mut self, at: usize) {
        let next = self.queue.remove(at + 1);
        self.wasted += next.as_ref().map_or(0, |range| range.waste(self.page));
        if let Some(range) = self.queue.get_mut(at) {
            range.extend_to(next.and_then(|next| next.end));
        }
    }

    /// Cuts the first range of which much is left; the place of the new one.
    fn cut(&mut self) -> Option<usize> {
        let known = self.received.min(self.waits);
        let open: u64 = self.queue.iter().map(|range| range.may_waste(self.page)).sum();
        let waste = (self.wasted + open) / self.page;
        let most = FREE_WASTE + self.received / PAGES_A_WASTE;
        let early = known.saturating_sub(ALONE - 1);
        if self.manner == Manner::Alone || self.cuts >= early.saturating_pow(2) || waste > most {
            return None;
        }
        let space = &self.space;
        let found = self.queue.iter().enumerate().find_map(|(at, range)| {
            let (first, last) = range.span.as_ref().filter(|_| range.goes_on())?;
            Some((at, space.cut(first, last, range.end.as_deref())?))
        });
        let (at, cut) = found?;
        self.cuts += 1;
        self.numbered += 1;
        let range = self.queue.get_mut(at)?;
        let end = range.end.replace(cut.clone());
        self.queue.insert(at + 1, Range::new(self.numbered, Some(cut), end));
        Some(at + 1)
    }
}

/// How two ranges meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seam {
    Fits,
    Misfit,
    /// Nothing came of the second one yet.
    Unknown,
}

impl<E> Range<E> {
    fn new(id: u64, after: Option<String>, end: Option<String>) -> Self {
        Self {
            id,
            after,
            end,
            token: None,
            round: Round::default(),
            pages: VecDeque::new(),
            beyond: Vec::new(),
            span: None,
            state: State::Idle,
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked)
    }

    /// Whether its end was not seen yet.
    fn goes_on(&self) -> bool {
        matches!(self.state, State::Idle | State::Asked)
    }

    fn is_wanting(&self) -> bool {
        matches!(self.state, State::Idle) && self.pages.len() < AHEAD
    }

    /// Pages in memory.
    fn held(&self) -> usize {
        self.pages.len() + usize::from(!self.beyond.is_empty())
    }

    /// Keys that may come in vain where this range meets the next.
    fn may_waste(&self, page: u64) -> u64 {
        if self.goes_on() { page } else { self.beyond.len() as u64 }
    }

    /// What was asked for in vain if it is forgotten.
    fn waste(&self, page: u64) -> u64 {
        let keys = self.keys().count() as u64;
        if self.is_asked() || matches!(self.state, State::Over) { keys.max(page) } else { keys }
    }

    /// All keys that came, none of which was handed out.
    fn keys(&self) -> impl Iterator<Item = &str> {
        let pages = self.pages.iter().flat_map(|page| &page.objects);
        pages.chain(&self.beyond).map(|object| object.key.as_str())
    }

    /// Takes what came, up to the end, and knows by it how it goes on.
    fn push(&mut self, mut objects: Vec<ListedObject>, prefixes: Vec<String>) {
        if let Some(end) = &self.end {
            let is_beyond = |object: &ListedObject| object.key.as_str() > end.as_str();
            let cut = objects.iter().position(is_beyond).unwrap_or(objects.len());
            self.beyond = objects.split_off(cut);
        }
        if !objects.is_empty() || !prefixes.is_empty() {
            self.pages.push_back(ListPage { objects, prefixes, next: None });
        }
        self.state = match (&self.token, self.beyond.is_empty()) {
            (_, false) => State::Passed,
            (Some(_), true) => State::Idle,
            (None, true) => State::Over,
        };
    }

    /// Moves the end further away.
    fn extend_to(&mut self, end: Option<String>) {
        self.end = end;
        if !self.beyond.is_empty() {
            let beyond = std::mem::take(&mut self.beyond);
            self.push(beyond, Vec::new());
        }
    }
}
