//! A sync between a store in memory and a folder, or two prefixes: what the tests of plans run on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{CompareBy, Finish, Known, Pairing, Wanted, finish, plan, plan_later};
use crate::domain::allowance::Allowance;
use crate::domain::bounds::Bounds;
use crate::domain::location::{Bucket, Key, ObjectName, S3Uri};
use crate::domain::naming::Naming;
use crate::domain::pattern::Filter;
use crate::jobs::comparisons::Tree;
use crate::jobs::guard::NameRule;
use crate::jobs::planner::Planner;
use crate::storage::local::FollowLinks;
use crate::storage::memory::{MemoryStore, Operation, Order, Pages};
use crate::transfer::context::{Context, FileTimes, Limits};
use crate::transfer::engine;
use crate::transfer::landing::Landing;
use crate::transfer::outcome::Summary;
use crate::transfer::prune::{From, Leaving, prune};

/// Names and what they hold. Each length is another content, so that sizes tell them apart.
pub(super) type Names = BTreeMap<String, usize>;

pub(super) const PREFIX: &str = "p/";
/// Where copies go to.
pub(super) const OTHER: &str = "q/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
    Across,
}

impl Way {
    /// Whether a source with nothing in it is taken for a mistake.
    pub(super) fn doubts_nothing(self) -> bool {
        matches!(self, Self::Down | Self::Across)
    }
}

/// One sync, and what it found before.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) way: Way,
    pub(super) source: Names,
    pub(super) destination: Names,
    pub(super) delete: bool,
    pub(super) by: CompareBy,
    pub(super) order: Order,
    pub(super) page: usize,
    /// Of files.
    pub(super) naming: Naming,
}

pub(super) struct Scene {
    pub(super) store: Arc<MemoryStore>,
    pub(super) folder: TempDir,
    pub(super) way: Way,
    naming: Naming,
}

impl Scene {
    pub(super) fn new(case: &Case) -> Self {
        let store = Arc::new(MemoryStore::with_bucket("bucket"));
        store.list_in(Pages { size: case.page, order: case.order });
        let folder = tempfile::tempdir_in(fast_folder()).expect("a folder");
        let (objects, files) = match case.way {
            Way::Up => (&case.destination, &case.source),
            Way::Down => (&case.source, &case.destination),
            Way::Across => {
                for (name, length) in &case.destination {
                    store.seed(&object(&format!("{OTHER}{name}")), "x".repeat(*length));
                }
                (&case.source, &Names::new())
            }
        };
        for (name, length) in objects {
            store.seed(&object(&format!("{PREFIX}{name}")), "x".repeat(*length));
        }
        // A neighbour that nobody may touch, and so that the prefix is never the whole bucket.
        store.seed(&object("p.neighbour"), "x");
        for (name, length) in files {
            let path = case.naming.path(name).expect("a safe name").to_path();
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("made");
            fs::write(path, "x".repeat(*length)).expect("written");
        }
        Self { store, folder, way: case.way, naming: case.naming }
    }

    pub(super) fn objects(&self, prefix: &str) -> Names {
        let keys = self.store.keys("bucket");
        let below = keys.iter().filter_map(|key| key.strip_prefix(prefix));
        let length = |name: &str| {
            self.store.bytes(&object(&format!("{prefix}{name}"))).map_or(0, |bytes| bytes.len())
        };
        below.map(|name| (name.to_owned(), length(name))).collect()
    }

    pub(super) fn files(&self) -> Names {
        let mut names = Names::new();
        read_into(self.folder.path(), "", &mut names);
        let name = |path: &str| self.naming.name(path).expect("an encoded name").into_owned();
        names.into_iter().map(|(path, length)| (name(&path), length)).collect()
    }

    pub(super) fn destination(&self) -> Names {
        match self.way {
            Way::Up => self.objects(PREFIX),
            Way::Down => self.files(),
            Way::Across => self.objects(OTHER),
        }
    }

    pub(super) fn pairing(&self, case: &Case, filter: Filter, bounds: Bounds) -> Pairing {
        let bucket = Bucket::new("bucket").expect("a name");
        let objects = |prefix: &str| {
            let uri = S3Uri { bucket: bucket.clone(), rest: prefix.into() };
            Tree::Objects { uri, wildcard: None }
        };
        let (root, naming) = (self.folder.path().to_owned(), self.naming);
        let (source, destination) = match self.way {
            Way::Up => (Tree::Files { root, links: FollowLinks::Yes, naming }, objects(PREFIX)),
            Way::Down => (objects(PREFIX), Tree::Files { root, links: FollowLinks::No, naming }),
            Way::Across => (objects(PREFIX), objects(OTHER)),
        };
        Pairing {
            source,
            destination,
            filter,
            bounds,
            by: case.by,
            attributes: Arc::default(),
            names: NameRule::Exact,
            extras: if case.delete { Wanted::Yes } else { Wanted::No },
            clears_way: Wanted::Yes,
        }
    }

    /// As the command does it, with all of the destination at stake.
    pub(super) async fn sync(&self, case: &Case) -> Summary {
        self.sync_some(case, Filter::default(), Bounds::default()).await
    }

    pub(super) async fn sync_some(&self, case: &Case, filter: Filter, bounds: Bounds) -> Summary {
        let (events, mut heard) = mpsc::channel(64);
        let limits = Limits {
            // A mebibyte of entries at most: then what has to be sorted goes to disk.
            memory: 16 << 20,
            max_attempts: 1,
            file_times: FileTimes::LikeObject,
            ..Limits::for_reading(Duration::from_secs(30))
        };
        let store = Arc::clone(&self.store) as Arc<_>;
        let mut context = Context::new(store, limits, Arc::default(), Arc::default(), events);
        context.landing = Some(Landing::new(self.folder.path().to_owned()));
        let context = Arc::new(context);
        let pairing = self.pairing(case, filter, bounds);
        let from = match self.way {
            Way::Down => From::Files,
            way => From::Objects {
                bucket: Bucket::new("bucket").expect("a name"),
                prefix: if way == Way::Up { PREFIX.to_owned() } else { OTHER.to_owned() },
                source: (way == Way::Up).then(|| (self.folder.path().to_owned(), self.naming)),
            },
        };
        let syncing = async {
            let (planner, jobs) = Planner::new(Arc::clone(&context.gauge), 1 << 20);
            let planning = plan(Arc::clone(&context), planner, pairing.clone());
            let running = engine::run(Arc::clone(&context), ReceiverStream::new(jobs));
            let (mut plan, mut summary) = tokio::join!(planning, running);
            summary.skipped += plan.equal;
            let removals = plan.extras.count();
            let (knowledge, there) = (plan.knowledge, plan.there);
            let known = Known { knowledge, summary: &summary, removals, there };
            if case.delete && finish(known, Allowance::Percent(100)) == Finish::Remove {
                let leaving = plan.extras.read().expect("rewound");
                let leaving = leaving.map(|extra| extra.map(Leaving::from));
                prune(&context, &from, leaving, &mut summary).await;
                let (planner, jobs) = Planner::new(Arc::clone(&context.gauge), 1 << 20);
                let planning = plan_later(planner, pairing, std::mem::take(&mut plan.later));
                let running = engine::run(Arc::clone(&context), ReceiverStream::new(jobs));
                let ((), later) = tokio::join!(planning, running);
                summary.join(&later);
            }
            summary.failed += plan.later.count();
            drop(context);
            summary
        };
        let (summary, ()) = tokio::join!(syncing, async { while heard.recv().await.is_some() {} });
        summary
    }

    /// Requests that move or remove something.
    pub(super) fn changes(&self) -> usize {
        use Operation::{Copy, CreateUpload, Delete, DeleteMany, Get, Put};
        [Get, Put, CreateUpload, Copy, Delete, DeleteMany]
            .map(|asked| self.store.count(asked))
            .iter()
            .sum()
    }

    pub(super) fn removals(&self) -> usize {
        self.store.count(Operation::Delete) + self.store.count(Operation::DeleteMany)
    }
}

/// Files are synced when they are made: in memory that costs nothing.
pub(super) fn fast_folder() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

pub(super) fn object(key: &str) -> ObjectName {
    ObjectName::new(Bucket::new("bucket").expect("a name"), Key::new(key).expect("a key"))
}

pub(super) fn read_into(folder: &Path, above: &str, names: &mut Names) {
    for entry in fs::read_dir(folder).expect("readable") {
        let entry = entry.expect("readable");
        let name = format!("{above}{}", entry.file_name().to_str().expect("UTF-8"));
        let metadata = entry.metadata().expect("there");
        if metadata.is_dir() {
            read_into(&entry.path(), &format!("{name}/"), names);
        } else {
            names.insert(name, usize::try_from(metadata.len()).expect("short"));
        }
    }
}
