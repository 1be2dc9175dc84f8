//! Ranges against stores that are only a list of keys: whatever the keys, the order and the pace of
//! replies, what is handed out is what the store lists page by page.

use std::cmp::Ordering;

use fastrand::Rng;
use proptest::prelude::*;

use super::ranges::{AHEAD, Ask, Flaw, Ranges, Step};
use crate::domain::location::Key;
use crate::domain::object::ListedObject;
use crate::storage::object_store::{Depth, ListPage};

/// How a store sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As S3 does.
    Bytes,
    /// As a file system is walked: `a/x` before `a-b`.
    Tree,
    /// In none, and from the start wherever it is asked to begin.
    None,
}

#[derive(Debug, Clone)]
struct Store {
    keys: Vec<String>,
    order: Order,
    page: usize,
}

impl Store {
    fn new(mut keys: Vec<String>, order: Order, page: usize) -> Self {
        keys.sort();
        keys.dedup();
        match order {
            Order::Bytes => {}
            Order::Tree => keys.sort_by(|one, other| order.compare(one, other)),
            Order::None => Rng::with_seed(7).shuffle(&mut keys),
        }
        Self { keys, order, page }
    }

    fn list(&self, prefix: &str, ask: &Ask) -> ListPage {
        // A token is the last key, so that it holds whatever changes meanwhile.
        let after = ask.token.as_ref().or(ask.after.as_ref());
        let begin = match (after, self.order) {
            (None, _) => 0,
            (Some(after), Order::None) => match &ask.token {
                Some(token) => self.keys.iter().position(|key| key == token).expect("there") + 1,
                None => self.keys.iter().position(|key| key > after).map_or(0, |_| 0),
            },
            (Some(after), order) => {
                self.keys.partition_point(|key| order.compare(key, after).is_le())
            }
        };
        let mut below = self.keys[begin..].iter().filter(|key| key.starts_with(prefix));
        let objects: Vec<_> = below.by_ref().take(self.page).map(|key| object(key)).collect();
        let last = objects.last().map(|object| object.key.as_str().to_owned());
        ListPage { next: below.next().and(last), objects, prefixes: Vec::new() }
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        self.keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect()
    }
}

impl Order {
    fn compare(self, one: &str, other: &str) -> Ordering {
        match self {
            Self::Tree => one.split('/').cmp(other.split('/')),
            Self::Bytes | Self::None => one.cmp(other),
        }
    }
}

fn object(key: &str) -> ListedObject {
    let key = Key::new(key).expect("a key");
    ListedObject { key, size: 0, etag: None, last_modified: None, storage_class: None }
}

/// What came of a listing.
#[derive(Debug, Default)]
struct Listed {
    keys: Vec<String>,
    requests: usize,
    /// Replies that came one after the other, where all that are on their way come together.
    rounds: usize,
    most_at_once: usize,
    most_held: usize,
}

/// As many pages as may be held ahead by default.
const ROOM: usize = 128;

impl Listed {
    /// Asks for all that may be asked for now.
    fn ask(&mut self, ranges: &mut Ranges<()>, on_the_way: &mut Vec<Ask>) {
        while let Some(ask) = ranges.ask(16) {
            self.requests += 1;
            on_the_way.push(ask);
        }
        self.most_at_once = self.most_at_once.max(on_the_way.len());
        self.most_held = self.most_held.max(ranges.held());
    }
}

/// Replies that come in any order, and a store that may change before each.
fn list(store: &mut Store, prefix: &str, seed: u64, mut change: impl FnMut(&mut Store)) -> Listed {
    let mut random = Rng::with_seed(seed);
    let mut ranges: Ranges<()> = Ranges::new(prefix, Depth::Everything, ROOM);
    let (mut on_the_way, mut listed) = (Vec::new(), Listed::default());
    loop {
        let step = ranges.hand_out();
        listed.ask(&mut ranges, &mut on_the_way);
        match step {
            Step::Page(page) => listed.keys.extend(names(&page)),
            Step::End => return listed,
            Step::Failed(flaw) => panic!("{flaw:?}"),
            Step::Wait => {
                change(store);
                let ask = on_the_way.swap_remove(random.usize(..on_the_way.len()));
                if ranges.awaits(ask.id) {
                    ranges.receive(ask.id, Ok(store.list(prefix, &ask)));
                }
            }
        }
        on_the_way.retain(|ask| ranges.awaits(ask.id));
    }
}

/// Replies that come together, as from a store that takes as long for each.
fn list_in_rounds(store: &Store, prefix: &str) -> Listed {
    let mut ranges: Ranges<()> = Ranges::new(prefix, Depth::Everything, ROOM);
    let (mut on_the_way, mut listed) = (Vec::new(), Listed::default());
    loop {
        let step = ranges.hand_out();
        listed.ask(&mut ranges, &mut on_the_way);
        match step {
            Step::Page(page) => listed.keys.extend(names(&page)),
            Step::End => return listed,
            Step::Failed(flaw) => panic!("{flaw:?}"),
            Step::Wait => {
                listed.rounds += 1;
                for ask in std::mem::take(&mut on_the_way) {
                    ranges.receive(ask.id, Ok(store.list(prefix, &ask)));
                }
            }
        }
    }
}

fn names(page: &ListPage) -> impl Iterator<Item = String> {
    page.objects.iter().map(|object| object.key.as_str().to_owned())
}

fn numbered(count: usize, name: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(name).collect()
}

/// Trees as people have them, each of so many keys.
fn trees(count: usize) -> Vec<(&'static str, Vec<String>)> {
    let mixed = |number: usize| (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let deep = "deep/".repeat(100);
    vec![
        ("numbers", numbered(count, |number| format!("data/{number:09}.bin"))),
        ("numbers without zeros", numbered(count, |number| format!("photo-{number}.jpg"))),
        ("hashes", numbered(count, |number| format!("{:016x}/part.parquet", mixed(number)))),
        (
            "days",
            numbered(count, |number| {
                let (month, day) = (number % 12 + 1, number / 12 % 28 + 1);
                format!("logs/2024/{month:02}/{day:02}/host-{:03}/{number:08}.gz", number % 97)
            }),
        ),
        (
            "one hot prefix",
            numbered(count, |number| match number % 200 {
                0 => format!("{:04x}/rare", mixed(number) % 0x1_0000),
                _ => format!("hot/spot/of/all/{number:08}"),
            }),
        ),
        ("deep", numbered(count, |number| format!("{deep}{number:07}"))),
        (
            "words",
            numbered(count, |number| format!("user-{}/{}", words(mixed(number)), number % 7)),
        ),
    ]
}

fn words(mut number: u64) -> String {
    let syllables = ["an", "bel", "chris", "da", "el", "jo", "ma", "ri", "son", "ü", "日"];
    let mut word = String::new();
    for _ in 0..5 {
        word.push_str(syllables[usize::try_from(number % 11).expect("small")]);
        number /= 11;
    }
    word
}

#[test]
fn a_listing_of_a_few_pages_costs_what_it_costs_page_by_page() {
    for (name, keys) in trees(2_999) {
        for count in [0, 1, 999, 1_000, 1_001, 2_000, 2_001, 2_999] {
            let keys = keys[..count].to_vec();
            let store = Store::new(keys, Order::Bytes, 1_000);
            let listed = list_in_rounds(&store, "");
            let pages = store.keys.len().div_ceil(1_000).max(1);
            assert_eq!((listed.requests, listed.rounds), (pages, pages), "{name}: {count}");
            assert_eq!(listed.most_at_once, 1, "{name}: {count}");
        }
    }
}

#[test]
fn a_long_listing_takes_a_fraction_of_the_time_and_few_requests_more() {
    for (name, keys) in trees(100_000) {
        let store = Store::new(keys, Order::Bytes, 100);
        let listed = list_in_rounds(&store, "");
        assert!(listed.keys == store.keys, "{name}");
        let pages = store.keys.len().div_ceil(100);
        assert!(listed.requests <= pages * 13 / 10 + 20, "{name}: {}", listed.requests);
        // Names that nothing tells beforehand are guessed badly.
        let gain = if name == "words" { 2 } else { 5 };
        assert!(listed.rounds * gain <= pages, "{name}: {} rounds", listed.rounds);
        assert!(listed.most_held <= ROOM + AHEAD, "{name}: {} held", listed.most_held);
    }
}

#[test]
fn with_little_room_little_is_held() {
    for room in [0, 4, 8, 32] {
        let store = Store::new(trees(20_000).remove(0).1, Order::Bytes, 100);
        let mut ranges: Ranges<()> = Ranges::new("", Depth::Everything, room);
        let (mut on_the_way, mut listed) = (Vec::new(), Listed::default());
        loop {
            let step = ranges.hand_out();
            listed.ask(&mut ranges, &mut on_the_way);
            match step {
                Step::Page(page) => listed.keys.extend(names(&page)),
                Step::Wait => {
                    let ask = on_the_way.remove(0);
                    ranges.receive(ask.id, Ok(store.list("", &ask)));
                }
                Step::End => break,
                Step::Failed(flaw) => panic!("{flaw:?}"),
            }
            on_the_way.retain(|ask| ranges.awaits(ask.id));
        }
        assert!(listed.keys == store.keys);
        assert!(listed.most_held <= room + AHEAD, "{room}: {}", listed.most_held);
    }
}

#[test]
fn one_key_has_the_prefix_for_its_name() {
    let keys = ["p", "p/", "p//", "p/a", "pa"].map(str::to_owned).to_vec();
    let mut store = Store::new(keys, Order::Bytes, 1);
    for prefix in ["", "p", "p/", "p//", "q"] {
        assert_eq!(list(&mut store, prefix, 1, |_| {}).keys, store.below(prefix));
    }
}

#[test]
fn what_failed_ends_the_listing_in_its_place() {
    for (failing, repeats) in [(0, false), (2, false), (30, false), (30, true), (300, false)] {
        let store = Store::new(trees(4_000).remove(0).1, Order::Bytes, 10);
        let mut ranges: Ranges<&str> = Ranges::new("", Depth::Everything, ROOM);
        let (mut on_the_way, mut requests, mut keys) = (Vec::new(), 0, Vec::new());
        let flaw = loop {
            let step = ranges.hand_out();
            while let Some(ask) = ranges.ask(16) {
                on_the_way.push((requests, ask));
                requests += 1;
            }
            match step {
                Step::Page(page) => keys.extend(names(&page)),
                Step::Failed(flaw) => break flaw,
                Step::End => panic!("the failure was lost"),
                Step::Wait => {
                    let (number, ask) = on_the_way.remove(0);
                    let mut page = store.list("", &ask);
                    if repeats && number >= failing {
                        page.next = Some("again".to_owned());
                        ranges.receive(ask.id, Ok(page));
                    } else if number == failing {
                        ranges.receive(ask.id, Err("no"));
                    } else {
                        ranges.receive(ask.id, Ok(page));
                    }
                }
            }
            on_the_way.retain(|(_, ask)| ranges.awaits(ask.id));
        };
        assert_eq!(flaw, if repeats { Flaw::Repeats } else { Flaw::Request("no") });
        assert!(ranges.hand_out() == Step::End && ranges.ask(16).is_none(), "there is no more");
        if !repeats {
            assert!(store.keys.starts_with(&keys), "{failing}: what came before it, in order");
            assert!(keys.len() < store.keys.len());
        }
    }
}

#[test]
fn one_level_is_listed_page_by_page() {
    let store = Store::new(trees(1_000).remove(0).1, Order::Bytes, 10);
    let mut ranges: Ranges<()> = Ranges::new("", Depth::OneLevel, ROOM);
    let mut token = None;
    loop {
        match ranges.hand_out() {
            Step::End => break,
            Step::Page(page) => {
                let asked = ranges.ask(16);
                assert!(asked.is_none() || page.objects.len() == 10);
                if let Some(ask) = asked {
                    assert!(ranges.ask(16).is_none(), "one at a time");
                    token.clone_from(&ask.token);
                    ranges.receive(ask.id, Ok(store.list("", &ask)));
                }
            }
            Step::Wait => {
                let ask = ranges.ask(16).expect("the first page");
                assert_eq!(ask.after, None);
                ranges.receive(ask.id, Ok(store.list("", &ask)));
            }
            Step::Failed(flaw) => panic!("{flaw:?}"),
        }
    }
    assert!(token.is_some());
}

fn odd_keys() -> impl Strategy<Value = Vec<String>> {
    let key = prop_oneof![
        "[ab/]{1,8}",
        "[0-9]{1,5}",
        "same/long/prefix/[0-9a-f]{2,6}",
        "(a|a-|a/|b\\.|b/|b){1,5}",
        "[\u{1}\n\u{7f}a-c]{1,4}",
        "[é日\u{FFFD}\u{10000}\u{1F600}\u{10FFFF}]{1,4}",
        "x{300}[0-9]{1,4}",
    ];
    proptest::collection::vec(key, 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_key_is_lost_and_none_comes_twice(
        keys in odd_keys(),
        order in prop_oneof![
            2 => Just(Order::Bytes), 1 => Just(Order::Tree), 1 => Just(Order::None)
        ],
        page in 1..12_usize,
        prefix in prop_oneof![4 => Just(""), 1 => Just("a"), 1 => Just("same/"), 1 => Just("x")],
        seed: u64,
    ) {
        let mut store = Store::new(keys, order, page);
        let listed = list(&mut store, prefix, seed, |_| {});
        let wanted = store.below(prefix);
        prop_assert_eq!(&listed.keys, &wanted);
        let pages = wanted.len().div_ceil(page).max(1);
        prop_assert!(listed.most_at_once <= 16);
        if order == Order::Bytes {
            let most = pages * 13 / 10 + 20;
            prop_assert!(listed.requests <= most, "{} for {pages} pages", listed.requests);
        }
    }

    #[test]
    fn writers_hide_no_key_that_was_there_all_the_time(
        keys in odd_keys(),
        others in odd_keys(),
        page in 1..12_usize,
        seed: u64,
    ) {
        let mut store = Store::new(keys.clone(), Order::Bytes, page);
        let steady = store.keys.clone();
        let mut random = Rng::with_seed(seed);
        let listed = list(&mut store, "", seed, |store| {
            let Some(key) = others.get(random.usize(..1000)) else { return };
            if steady.binary_search(key).is_err() {
                match store.keys.binary_search(key) {
                    Ok(there) => drop(store.keys.remove(there)),
                    Err(free) => store.keys.insert(free, key.clone()),
                }
            }
        });
        prop_assert!(listed.keys.is_sorted_by(|one, other| one < other), "in order, each once");
        let found: Vec<_> =
            listed.keys.into_iter().filter(|key| steady.binary_search(key).is_ok()).collect();
        prop_assert_eq!(found, steady);
    }
}
