//! Keys to paths: no key leaves the destination, and no two keys silently share a file. Keys go
//! through the path's own rules and the guard, and are held against a model that keeps names.

use std::collections::{HashMap, HashSet};
use std::path::Component;

use fastrand::Rng;
use haul::domain::relative_path::RelativePath;
use haul::jobs::guard::{Admission, Destination, Guard, NameRule, Refusal};

use super::Checked;
use crate::runner::show;
use crate::words;

/// In one run of the guard.
const KEYS: usize = 48;
const PLENTY: usize = 1 << 30;

pub(super) fn keys(random: &mut Rng) -> Checked {
    // On the disk now and then: there each key costs a hundred times as much.
    let budget = if random.u16(0..2000) == 0 { 0 } else { PLENTY };
    let mut worlds = [NameRule::Exact, NameRule::CaseFold]
        .map(|rule| (Guard::new(budget, rule), Model::of(rule)));
    for _ in 0..KEYS {
        let key = words::key(random);
        let source = [random.u8(0..3)];
        show(|| format!("{key:?} from {source:?}"));
        let path = match (RelativePath::new(&key), safe_parts(&key)) {
            (Ok(path), Some(parts)) => {
                check_inside(&key, &path, &parts)?;
                path
            }
            (Err(_), None) => continue,
            (read, parts) => return Err(format!("{key:?} is {read:?}, and should be {parts:?}")),
        };
        for (guard, model) in &mut worlds {
            let is_folder = key.ends_with('/');
            let destination = if is_folder {
                Destination::Folder(path.as_str())
            } else {
                Destination::File(path.as_str())
            };
            let said = guard.admit(destination, &source).map_err(|error| error.to_string())?;
            let wanted = model.admit(path.as_str(), is_folder, source[0]);
            if Said::of(&said) != wanted {
                return Err(format!("{key:?}: the guard says {said:?}, and should {wanted:?}"));
            }
        }
    }
    for (_, model) in &worlds {
        model.check()?;
    }
    Ok(KEYS as u64)
}

/// The parts of a key's path, if it may have one at all.
fn safe_parts(key: &str) -> Option<Vec<&str>> {
    if key.starts_with('/') || key.contains(['\0', '\\']) {
        return None;
    }
    let parts: Vec<_> = key.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_safe = !parts.is_empty() && !parts.contains(&"..");
    is_safe.then_some(parts)
}

fn check_inside(key: &str, path: &RelativePath, parts: &[&str]) -> Result<(), String> {
    let joined = path.to_path();
    let found: Option<Vec<&str>> = joined
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let is_it = found.as_deref() == Some(parts) && path.as_str() == parts.join("/");
    if is_it { Ok(()) } else { Err(format!("{key:?} has the path {}", joined.display())) }
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Fresh,
    Duplicate,
    SameDestination,
    FileIsFolder,
    FolderIsFile,
}

impl Said {
    fn of(admission: &Admission) -> Self {
        match admission {
            Admission::Fresh => Self::Fresh,
            Admission::Duplicate => Self::Duplicate,
            Admission::Refused(Refusal::SameDestination) => Self::SameDestination,
            Admission::Refused(Refusal::FileIsFolder) => Self::FileIsFolder,
            Admission::Refused(Refusal::FolderIsFile { .. }) => Self::FolderIsFile,
        }
    }
}

/// Names, and what has them. Nothing is hashed away.
struct Model {
    rule: NameRule,
    files: HashMap<String, u8>,
    folders: HashSet<String>,
    markers: HashSet<String>,
}

impl Model {
    fn of(rule: NameRule) -> Self {
        let (files, folders, markers) = Default::default();
        Self { rule, files, folders, markers }
    }

    fn admit(&mut self, path: &str, is_folder: bool, source: u8) -> Said {
        let name = match self.rule {
            NameRule::Exact => path.to_owned(),
            NameRule::CaseFold => path.chars().flat_map(char::to_lowercase).collect(),
            other => panic!("{other:?} has no model here"),
        };
        if ancestors(&name).any(|folder| self.files.contains_key(folder)) {
            return Said::FolderIsFile;
        }
        if is_folder {
            if self.files.contains_key(&name) {
                return Said::FolderIsFile;
            }
            if !self.markers.insert(name.clone()) {
                return Said::Duplicate;
            }
            self.folders.insert(name.clone());
        } else {
            if self.folders.contains(&name) {
                return Said::FileIsFolder;
            }
            match self.files.get(&name) {
                Some(known) if *known == source => return Said::Duplicate,
                Some(_) => return Said::SameDestination,
                None => drop(self.files.insert(name.clone(), source)),
            }
        }
        self.folders.extend(ancestors(&name).map(str::to_owned));
        Said::Fresh
    }

    /// What was admitted, made on a disk, would be what was asked for.
    fn check(&self) -> Result<(), String> {
        let both = self.files.keys().find(|name| self.folders.contains(*name));
        both.map_or(Ok(()), |name| Err(format!("{name:?} is a file and a folder")))
    }
}

fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}
