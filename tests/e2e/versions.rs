//! Versions of objects: one that is named is read, moved or compared, and no other one; all of them
//! are listed. What is removed of them is in `rm`.

mod listing;
mod moving;
mod reading;

use crate::stage::{BUCKET, Stage};

/// `k` with an old and a new version, in that order, a neighbour, and what was removed.
fn stage(old: impl Into<Vec<u8>>) -> (Stage, [String; 2]) {
    let stage = Stage::new();
    stage.testbed.keep_versions(BUCKET);
    stage.testbed.put_object(BUCKET, "k", old.into());
    stage.testbed.put_object(BUCKET, "k", "new");
    stage.testbed.put_object(BUCKET, "k2", "another");
    let [new, old] = &ids(&stage, "k")[..] else { panic!("there are two versions") };
    let ids = [old.clone(), new.clone()];
    (stage, ids)
}

/// Of a key, the newest first; delete markers included.
fn ids(stage: &Stage, key: &str) -> Vec<String> {
    let all = stage.testbed.versions(BUCKET).into_iter();
    all.filter(|(of, _)| of == key).map(|(_, id)| id).collect()
}
