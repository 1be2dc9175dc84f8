//! Whole syncs on a store in memory and a folder: that they converge, that a second one does
//! nothing, and that nothing is removed where something could not be read. Each case is small, so
//! that there can be very many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::scene::{Case, Names, Scene, Way, object};
use super::{CompareBy, Knowledge, Pairing, plan};
use crate::domain::bounds::Bounds;
use crate::domain::naming::Naming;
use crate::domain::pattern::{Filter, Verdict};
use crate::jobs::guard::NameRule;
use crate::jobs::planner::Planner;
use crate::storage::error::{Kind, StoreError};
use crate::storage::memory::{Failure, Operation, Order};
use crate::transfer::context::{Context, Limits};

/// Names whose order as paths is not that of their bytes, none of which is a folder of another, on
/// either side.
fn trees() -> impl Strategy<Value = (Names, Names)> {
    let name = prop::collection::vec("[ab:][.0-]{0,1}", 1..4).prop_map(|parts| parts.join("/"));
    let content = (proptest::option::of(1..4_usize), proptest::option::of(1..4_usize));
    prop::collection::btree_map(name, content, 0..12).prop_map(|names| {
        let folders: BTreeSet<String> = names
            .keys()
            .flat_map(|name| name.match_indices('/').map(|(at, _)| name[..at].to_owned()))
            .collect();
        let (mut source, mut destination) = (Names::new(), Names::new());
        for (name, (ours, theirs)) in names {
            if !folders.contains(&name) {
                source.extend(ours.map(|length| (name.clone(), length)));
                destination.extend(theirs.map(|length| (name.clone(), length)));
            }
        }
        (source, destination)
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let ways = prop::sample::select(vec![Way::Up, Way::Down, Way::Across]);
    let compares = prop::sample::select(vec![
        CompareBy::Auto,
        CompareBy::Size,
        CompareBy::Mtime,
        CompareBy::Checksum,
    ]);
    let orders = prop::sample::select(vec![Order::Bytes, Order::Bytes, Order::Odd]);
    let namings = prop::sample::select(vec![Naming::Verbatim, Naming::Encoded]);
    (ways, trees(), any::<bool>(), compares, orders, 1..5_usize, namings).prop_map(
        |(way, (source, destination), delete, by, order, page, naming)| Case {
            way,
            source,
            destination,
            delete,
            by,
            order,
            page,
            naming,
        },
    )
}

/// So many cases.
fn many(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, ..ProptestConfig::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What the destination is to be.
fn wanted(case: &Case) -> Names {
    let mut names = if case.delete { Names::new() } else { case.destination.clone() };
    names.extend(case.source.clone());
    names
}

#[test]
fn random_trees_converge_and_a_second_run_moves_nothing() {
    let runtime = runtime();
    proptest!(many(10_000), |(case in cases())| {
        let scene = Scene::new(&case);
        // A prefix with nothing below it is taken for a mistake.
        let is_mistyped = case.way.doubts_nothing() && case.source.is_empty();
        let summary = runtime.block_on(scene.sync(&case));
        prop_assert_eq!(summary.is_success(), !is_mistyped, "{:?}", summary);
        let wanted = if is_mistyped { case.destination.clone() } else { wanted(&case) };
        prop_assert_eq!(scene.destination(), wanted);
        prop_assert!(scene.store.bytes(&object("p.neighbour")).is_some());
        let before = scene.changes();
        let again = runtime.block_on(scene.sync(&case));
        prop_assert_eq!(scene.changes(), before, "the second run moved something");
        prop_assert_eq!((again.done, again.removed), (0, 0));
        if !is_mistyped {
            prop_assert_eq!(again.skipped, case.source.len() as u64);
        }
    });
}

/// One side alone, with nothing below what is a file there.
fn tree() -> impl Strategy<Value = Names> {
    trees().prop_map(|(source, destination)| source.into_iter().chain(destination).collect())
}

/// Folders where the other side has files, and the other way round.
fn clashes() -> impl Strategy<Value = Case> {
    let orders = prop::sample::select(vec![Order::Bytes, Order::Bytes, Order::Odd]);
    let namings = prop::sample::select(vec![Naming::Verbatim, Naming::Encoded]);
    (tree(), tree(), orders, 1..5_usize, namings).prop_map(
        |(source, destination, order, page, naming)| {
            let (way, by) = (Way::Down, CompareBy::Auto);
            Case { way, source, destination, delete: true, by, order, page, naming }
        },
    )
}

#[test]
fn files_where_folders_were_and_folders_where_files_were_converge() {
    let runtime = runtime();
    proptest!(many(10_000), |(case in clashes())| {
        let scene = Scene::new(&case);
        let is_mistyped = case.source.is_empty();
        let summary = runtime.block_on(scene.sync(&case));
        prop_assert_eq!(summary.is_success(), !is_mistyped, "{:?}", summary);
        let wanted = if is_mistyped { &case.destination } else { &case.source };
        prop_assert_eq!(&scene.destination(), wanted);
        let again = runtime.block_on(scene.sync(&case));
        prop_assert_eq!((again.done, again.removed), (0, 0));
    });
}

/// Each name that stays is there with its bytes, though what it is in the way of fails.
#[test]
fn what_is_in_the_way_and_no_extra_stays() {
    let runtime = runtime();
    let cases = (clashes(), proptest::option::of(2..4_u64), any::<bool>());
    proptest!(many(3_000), |((case, min_size, is_denied) in cases)| {
        let scene = Scene::new(&case);
        let filter = Filter::new([(Verdict::Exclude, "b*".to_owned())]).expect("a glob");
        let bounds = Bounds { min_size, ..Bounds::default() };
        let is_meant = |name: &str, length: usize| {
            filter.admits(name) && bounds.admit(Some(length as u64), None)
        };
        if is_denied {
            let error = StoreError::new("Transfer", Kind::Denied);
            scene.store.fail_next(Operation::Get, None, Failure::Refused(error));
        }
        runtime.block_on(scene.sync_some(&case, filter.clone(), bounds));
        let left = scene.destination();
        for (name, length) in &case.destination {
            if !case.source.contains_key(name) && !is_meant(name, *length) {
                prop_assert_eq!(left.get(name), Some(length), "{} {:?}", name, left);
            }
        }
        // What went had to make room for nothing, or for what has come.
        for name in case.destination.keys().filter(|name| !left.contains_key(*name)) {
            prop_assert!(!case.source.contains_key(name) , "{} {:?}", name, left);
        }
    });
}

#[test]
fn a_listing_that_fails_anywhere_removes_nothing() {
    let runtime = runtime();
    let cases = (cases(), 0..8_usize);
    proptest!(many(10_000), |((case, passing) in cases)| {
        let case = Case { delete: true, ..case };
        let scene = Scene::new(&case);
        for number in 0..100 {
            let error = StoreError::new("ListObjectsV2", Kind::Denied);
            let passing = if number == 0 { passing } else { 0 };
            scene.store.fail_later(Operation::List, passing, Failure::Refused(error));
        }
        let summary = runtime.block_on(scene.sync(&case));
        let listed = if case.way == Way::Up { &case.destination } else { &case.source };
        let left = scene.destination();
        let pages = |names: &Names| names.len().div_ceil(case.page).max(1);
        let both = pages(&case.source) + pages(&case.destination);
        let is_lacking = passing < if case.way == Way::Across { both } else { pages(listed) };
        // Of more requests than the listing needs, those that fail are of pages that nobody wants.
        if is_lacking || !summary.is_success() {
            prop_assert_eq!(scene.removals() as u64 + summary.removed, 0);
            prop_assert!(case.destination.keys().all(|name| left.contains_key(name)), "{:?}", left);
        }
        prop_assert!(!is_lacking || !summary.is_success(), "{:?}", summary);
        if summary.is_success() {
            prop_assert_eq!(left, wanted(&case));
        }
    });
}

#[test]
fn a_transfer_that_fails_removes_nothing() {
    let runtime = runtime();
    proptest!(many(1_000), |(case in cases())| {
        let case = Case { delete: true, ..case };
        let scene = Scene::new(&case);
        let asked = match case.way {
            Way::Up => Operation::Put,
            Way::Down => Operation::Get,
            Way::Across => Operation::Copy,
        };
        let error = StoreError::new("Transfer", Kind::Denied);
        scene.store.fail_next(asked, None, Failure::Refused(error));
        let summary = runtime.block_on(scene.sync(&case));
        if scene.store.count(asked) > 0 {
            prop_assert_eq!(scene.removals(), 0, "{:?}", summary);
            let left = scene.destination();
            prop_assert!(case.destination.keys().all(|name| left.contains_key(name)), "{:?}", left);
        }
    });
}

#[test]
fn what_a_filter_leaves_out_is_let_alone_on_both_sides() {
    let runtime = runtime();
    let cases = (cases(), any::<bool>(), proptest::option::of(1..4_u64));
    proptest!(many(1_000), |((case, has_glob, min_size) in cases)| {
        let case = Case { delete: true, ..case };
        let scene = Scene::new(&case);
        let rules = has_glob.then(|| (Verdict::Exclude, "b*".to_owned()));
        let filter = Filter::new(rules).expect("a glob");
        let bounds = Bounds { min_size, ..Bounds::default() };
        let is_meant = |name: &str, length: usize| {
            filter.admits(name) && bounds.admit(Some(length as u64), None)
        };
        let mut wanted = case.destination.clone();
        // Extras are what the patterns admit, and what the whole source does not have.
        wanted.retain(|name, length| case.source.contains_key(name) || !is_meant(name, *length));
        let ours = case.source.iter().filter(|(name, length)| is_meant(name, **length));
        wanted.extend(ours.map(|(name, length)| (name.clone(), *length)));
        let is_mistyped = case.way.doubts_nothing() && case.source.is_empty();
        runtime.block_on(scene.sync_some(&case, filter.clone(), bounds));
        prop_assert_eq!(scene.destination(), if is_mistyped { case.destination } else { wanted });
    });
}

#[tokio::test]
async fn an_odd_order_of_very_many_names_is_sorted_on_disk() {
    let names: Names = (0..12_000).map(|n| (format!("{}/{}-{n}", n % 7, n % 100), 1)).collect();
    let case = Case {
        way: Way::Down,
        source: names.clone(),
        destination: Names::new(),
        delete: true,
        by: CompareBy::Auto,
        order: Order::Odd,
        page: 1000,
        naming: Naming::Verbatim,
    };
    let scene = Scene::new(&case);
    let summary = scene.sync(&case).await;
    assert_eq!((summary.done, summary.failed), (12_000, 0));
    assert_eq!(scene.files(), names);
    let again = scene.sync(&case).await;
    assert_eq!((again.done, again.skipped), (0, 12_000));
}

#[tokio::test]
async fn keys_that_are_one_file_are_told_and_nothing_is_removed() {
    let case = Case {
        way: Way::Down,
        source: [("a//z", 1), ("a/b", 2), ("c/./d", 3), ("c/d", 1), ("a/b//", 1)]
            .map(|(name, length)| (name.to_owned(), length))
            .into(),
        destination: [("extra".to_owned(), 1)].into(),
        delete: true,
        by: CompareBy::Auto,
        order: Order::Bytes,
        page: 2,
        naming: Naming::Verbatim,
    };
    let scene = Scene::new(&case);
    let summary = scene.sync(&case).await;
    // The second key of `c/d`, and the marker with a byte.
    assert_eq!((summary.done, summary.failed), (3, 2), "{summary:?}");
    let files = [("a/b", 2), ("a/z", 1), ("c/d", 3), ("extra", 1)];
    assert_eq!(scene.files(), files.map(|(name, length)| (name.to_owned(), length)).into());
}

/// What a plan comes to, and how many jobs and refusals it handed over.
async fn planned(scene: &Scene, case: &Case, names: NameRule) -> (super::Plan, usize) {
    let (events, _heard) = mpsc::channel(64);
    let limits = Limits { max_attempts: 1, ..Limits::for_reading(Duration::from_secs(30)) };
    let store = Arc::clone(&scene.store) as Arc<_>;
    let context = Arc::new(Context::new(store, limits, Arc::default(), Arc::default(), events));
    let pairing = Pairing { names, ..scene.pairing(case, Filter::default(), Bounds::default()) };
    let (planner, mut jobs) = Planner::new(Arc::clone(&context.gauge), 1 << 20);
    let plan = plan(context, planner, pairing).await;
    let mut handed_over = 0;
    while jobs.recv().await.is_some() {
        handed_over += 1;
    }
    (plan, handed_over)
}

/// Both alone would keep what is there: that the run has a failure, and that the plan is cut.
#[tokio::test]
async fn a_plan_knows_itself_what_it_does_not_know() {
    let names = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect();
    for (source, destination, failing) in [
        (names(&["a", "b"]), names(&["a", "x"]), None),
        (names(&["a", "b"]), names(&["a", "x"]), Some(0)),
        (names(&["a", "b"]), names(&["a", "x"]), Some(1)),
        (names(&["a", "../b"]), names(&["a", "x"]), None),
        (names(&["a", "d/e", "d//e"]), names(&["a", "x"]), None),
        (names(&[]), names(&["a", "x"]), None),
    ] {
        let is_whole = failing.is_none() && source == names(&["a", "b"]);
        let case = Case {
            way: Way::Down,
            source,
            destination,
            delete: true,
            by: CompareBy::Auto,
            order: Order::Bytes,
            page: 1,
            naming: Naming::Verbatim,
        };
        let scene = Scene::new(&case);
        if let Some(passing) = failing {
            let error = StoreError::new("ListObjectsV2", Kind::Denied);
            scene.store.fail_later(Operation::List, passing, Failure::Refused(error));
        }
        let (plan, handed_over) = planned(&scene, &case, NameRule::Exact).await;
        let knowledge = if is_whole { Knowledge::Whole } else { Knowledge::Cut };
        assert_eq!(plan.knowledge, knowledge, "{case:?} {failing:?}");
        assert_eq!(plan.extras.count(), u64::from(is_whole), "{case:?} {failing:?}");
        assert!(handed_over > 0);
    }
}

/// A destination that can't be listed is not an empty one.
#[tokio::test]
async fn nothing_is_transferred_to_names_that_were_not_seen() {
    for (passing, jobs) in [(0, 0), (1, 1), (2, 2)] {
        let case = Case {
            way: Way::Up,
            source: ["a", "b", "c", "d"].map(|name| (name.to_owned(), 1)).into(),
            destination: ["a0", "b0", "c0", "d0"].map(|name| (name.to_owned(), 1)).into(),
            delete: true,
            by: CompareBy::Auto,
            order: Order::Bytes,
            page: 1,
            naming: Naming::Verbatim,
        };
        let scene = Scene::new(&case);
        for number in 0..20 {
            let error = StoreError::new("ListObjectsV2", Kind::Denied);
            let passing = if number == 0 { passing } else { 0 };
            scene.store.fail_later(Operation::List, passing, Failure::Refused(error));
        }
        let (plan, handed_over) = planned(&scene, &case, NameRule::Exact).await;
        assert_eq!((plan.knowledge, handed_over), (Knowledge::Cut, jobs + 1), "{passing}");
    }
}

#[tokio::test]
async fn names_that_the_file_system_takes_for_one_are_never_extra() {
    let case = Case {
        way: Way::Down,
        source: [("A".to_owned(), 1)].into(),
        destination: [("a".to_owned(), 1), ("b".to_owned(), 1)].into(),
        delete: true,
        by: CompareBy::Auto,
        order: Order::Bytes,
        page: 10,
        naming: Naming::Verbatim,
    };
    let scene = Scene::new(&case);
    for (names, extras) in [(NameRule::Exact, ["a", "b"].as_slice()), (NameRule::CaseFold, &["b"])]
    {
        let (mut plan, _) = planned(&scene, &case, names).await;
        let found = plan.extras.read().expect("rewound");
        let found: Vec<String> = found.map(|extra| extra.expect("read").name).collect();
        assert_eq!(found, extras);
    }
}
