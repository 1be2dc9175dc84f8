//! The guard against a model that remembers names, in memory and on disk.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Admission, Destination, Guard, NameRule, Refusal};

const PLENTY: usize = 1 << 30;
const SAME: Admission = Admission::Refused(Refusal::SameDestination);
const FILE_IS_FOLDER: Admission = Admission::Refused(Refusal::FileIsFolder);

/// What the guard should say, by comparing names.
#[derive(Default)]
struct Model {
    /// Folders have no source.
    held: HashMap<String, Option<String>>,
    markers: Vec<String>,
}

impl Model {
    fn admit(&mut self, job: &Job) -> Admission {
        let mut path = job.path.to_lowercase();
        if job.asks_for == AsksFor::File {
            if let Some(refused) = self.blocked(&path, &job.path) {
                return refused;
            }
            match self.held.get(&path) {
                Some(None) => return FILE_IS_FOLDER,
                Some(Some(known)) if *known == job.source => return Admission::Duplicate,
                Some(Some(_)) => return SAME,
                None => self.held.insert(path.clone(), Some(job.source.clone())),
            };
        } else {
            if let Some(refused) = self.blocked(&format!("{path}/x"), &job.path) {
                return refused;
            }
            if self.markers.contains(&path) {
                return Admission::Duplicate;
            }
            self.markers.push(path.clone());
            self.held.insert(path.clone(), None);
        }
        while let Some((folder, _)) = path.rsplit_once('/') {
            path = folder.to_owned();
            self.held.insert(path.clone(), None);
        }
        Admission::Fresh
    }

    fn blocked(&self, path: &str, written: &str) -> Option<Admission> {
        let mut folder = path;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folder = parent;
            if matches!(self.held.get(folder), Some(Some(_))) {
                return Some(Admission::Refused(Refusal::FolderIsFile {
                    file: written[..folder.len()].to_owned(),
                }));
            }
        }
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AsksFor {
    File,
    Folder,
}

#[derive(Debug, Clone)]
struct Job {
    asks_for: AsksFor,
    path: String,
    source: String,
}

fn job() -> impl Strategy<Value = Job> {
    let asks_for = prop_oneof![9 => Just(AsksFor::File), 1 => Just(AsksFor::Folder)];
    let path = "[abcA]{1,2}(/[abB]){0,3}";
    (asks_for, path, "[12]").prop_map(|(asks_for, path, source)| Job { asks_for, path, source })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_says_what_comparing_names_would_say(jobs in vec(job(), 1..150)) {
        let mut model = Model::default();
        let fixed = Guard::new(PLENTY, NameRule::Exact).memory_bytes();
        // Never, at nearly each entry, and at some of them.
        let mut guards = [PLENTY, 0, fixed + 4_000].map(|b| Guard::new(b, NameRule::CaseFold));
        for job in &jobs {
            let want = model.admit(job);
            for guard in &mut guards {
                let destination = match job.asks_for {
                    AsksFor::File => Destination::File(&job.path),
                    AsksFor::Folder => Destination::Folder(&job.path),
                };
                let got = guard.admit(destination, job.source.as_bytes()).expect("a disk");
                prop_assert_eq!(&got, &want, "{:?}", job);
            }
        }
        prop_assert!(model.held.len() < 64 || guards.iter().skip(1).all(|g| g.spilled_bytes() > 0));
        let remembered = (model.held.len() + model.markers.len()) as u64;
        for guard in &guards {
            prop_assert_eq!(guard.entries(), remembered);
        }
    }
}
