//! What is to be done for one name that the destination has not, or has otherwise.

use std::fmt::Display;
use std::sync::Arc;

use super::entry::{Entry, EntryKind};
use super::pairing::Pairing;
use crate::domain::comparison::{Compare, Place, Presence, Unproven};
use crate::domain::escape::Escaped;
use crate::domain::job::{
    Download, Expected, LocalSource, LocalTarget, ObjectCopy, Refused, Task, Upload,
};
use crate::domain::relative_path::UnsafeName;
use crate::jobs::comparisons::Tree;
use crate::storage::local::FollowLinks;

/// The job that makes the destination's name what the source's is; the reason where there can be
/// none.
pub(super) fn task(pairing: &Pairing, entry: &Entry) -> Result<Task, String> {
    let source = pairing.source.place(entry.own())?;
    match (source, &pairing.source, &pairing.destination) {
        (Place::File(path), Tree::Files { root, links, .. }, destination) => {
            let Place::Object(object) = destination.place(&entry.name)? else {
                return Err("neither side is in S3".to_owned());
            };
            let below = (*links == FollowLinks::No).then(|| Arc::from(root.as_path()));
            let source = LocalSource::File { path, size: Some(entry.size), below };
            let attributes = Arc::clone(&pairing.attributes);
            Ok(Task::Upload(Upload { source, object, attributes, expected: Expected::default() }))
        }
        (Place::Object(object), _, Tree::Files { naming, .. }) => {
            let unsafe_name = |error: UnsafeName| error.to_string();
            if entry.kind == EntryKind::Marker {
                let folder = naming.folder(&entry.name).map_err(unsafe_name)?;
                return Ok(Task::MakeFolder { marker: object, folder, expected: None });
            }
            let path = naming.path(&entry.name).map_err(unsafe_name)?;
            Ok(Task::Download(Download {
                object,
                size: Some(entry.size),
                etag: entry.etag.clone(),
                last_modified: entry.modified,
                target: LocalTarget::Below(path),
                expected: Expected::default(),
            }))
        }
        (Place::Object(source), _, destination @ Tree::Objects { .. }) => {
            let Place::Object(object) = destination.place(&entry.name)? else {
                return Err("the destination is no object".to_owned());
            };
            Ok(Task::Copy(Box::new(ObjectCopy {
                source,
                size: Some(entry.size),
                etag: entry.etag.clone(),
                last_modified: entry.modified,
                object,
                attributes: Arc::clone(&pairing.attributes),
                expected: Expected::default(),
            })))
        }
        (Place::File(_), Tree::Objects { .. }, _) => Err("it is no file".to_owned()),
    }
}

/// That there can be none.
pub(super) fn impossible(name: &str, reason: &impl Display) -> Refused {
    let shown = if name.is_empty() { "what the prefix itself names" } else { name };
    let reason = format!("could not sync {}: {reason}", Escaped(shown));
    Refused::new(name, "unsafe name", reason)
}

/// The two sides of one name, to compare.
pub(super) fn pair(pairing: &Pairing, entry: &Entry) -> Result<Compare, String> {
    Ok(Compare {
        source: pairing.source.place(entry.own())?,
        destination: pairing.destination.place(&entry.name)?,
        size: Some(entry.size),
        presence: Presence::Open,
        expected: Expected::default(),
        unproven: Unproven::Tell,
    })
}
