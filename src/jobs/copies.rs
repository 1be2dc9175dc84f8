//! S3 URIs become copies to other objects: one object, everything below a prefix, or what matches a
//! wildcard. No job may write to what another one reads: that would mix up both.

use std::sync::Arc;

use super::downloads::{Layout, Selection, Source};
use super::listed::{Broken, Listed};
use super::named::{self, Named};
use super::planner::{Closed, CustomerKeys, Plan, Planner, Sides};
use super::uploads::Target;
use crate::domain::attributes::Attributes;
use crate::domain::escape::Escaped;
use crate::domain::job::{Expected, Fate, ObjectCopy, Refused, Standing, Task};
use crate::domain::location::{LocationError, ObjectName, S3Uri};
use crate::domain::object::ListedObject;
use crate::transfer::context::Context;
use crate::transfer::error::JobError;

/// What copies have in common.
#[derive(Debug, Clone)]
pub struct Common {
    pub sources: Vec<Source>,
    pub target: Target,
    pub selection: Selection,
    pub attributes: Arc<Attributes>,
    pub fate: Fate,
    pub sides: Sides,
    pub keys: CustomerKeys,
}

/// Why copies can't be, which shows before any of them starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    #[error("{0} is where it is to go already")]
    OntoItself(String),
    #[error("{target} is below {source_uri}: what is copied would be copied again")]
    IntoItself { source_uri: String, target: String },
}

impl Common {
    /// Refuses what could do nothing, or would never end.
    pub fn check(&self) -> Result<(), Senseless> {
        self.sources.iter().try_for_each(|source| self.check_source(source))
    }

    fn check_source(&self, source: &Source) -> Result<(), Senseless> {
        if self.sides == Sides::TwoStores {
            return Ok(());
        }
        if let Source::Object(object) = source {
            let lands = self.target.object_of(object.key.file_name());
            let is_itself = lands.is_ok_and(|lands| is_same_name(&lands, object));
            // An old version becomes what has the key.
            let is_senseless =
                self.fate == Fate::Removed || self.changes_nothing() && object.version.is_none();
            return if is_senseless && is_itself {
                Err(Senseless::OntoItself(object.to_string()))
            } else {
                Ok(())
            };
        }
        let (Some((uri, base)), Target::Prefix(target)) = (base_of(source), &self.target) else {
            return Ok(());
        };
        if uri.bucket != target.bucket || self.selection.layout == Layout::Flat {
            return Ok(());
        }
        let base = uri.rest.get(..base).unwrap_or_default();
        match target.rest.strip_prefix(base) {
            Some("") if self.changes_nothing() => Err(Senseless::OntoItself(uri.to_string())),
            Some(below) if !below.is_empty() && self.takes(uri, &format!("{}x", target.rest)) => {
                let (source_uri, target) = (uri.to_string(), target.to_string());
                Err(Senseless::IntoItself { source_uri, target })
            }
            _ => Ok(()),
        }
    }

    /// Whether a copy onto itself would leave the object as it is.
    fn changes_nothing(&self) -> bool {
        let is_kept = *self.attributes == Attributes::default() && self.keys == CustomerKeys::Same;
        self.fate == Fate::Removed || is_kept
    }

    /// Whether the sources take this object of a bucket, as far as its name tells.
    fn takes(&self, uri: &S3Uri, key: &str) -> bool {
        let admits = |base| {
            key.get(base..).is_some_and(|relative| self.selection.sieve.names.admits(relative))
        };
        self.sources.iter().any(|source| match source {
            Source::Object(object) => object.bucket == uri.bucket && object.key.as_str() == key,
            Source::Prefix(source) => {
                source.bucket == uri.bucket
                    && key.starts_with(&source.rest)
                    && admits(source.rest.len())
            }
            Source::Matching { uri: source, wildcard } => {
                source.bucket == uri.bucket
                    && wildcard.matches(key)
                    && admits(wildcard.base_length())
            }
        })
    }
}

fn is_same_name(one: &ObjectName, other: &ObjectName) -> bool {
    one.bucket == other.bucket && one.key == other.key
}

/// What is listed, and how many bytes of its keys are not part of their relative names.
fn base_of(source: &Source) -> Option<(&S3Uri, usize)> {
    match source {
        Source::Object(_) => None,
        Source::Prefix(uri) => Some((uri, uri.rest.len())),
        Source::Matching { uri, wildcard } => Some((uri, wildcard.base_length())),
    }
}

/// Plans the copies of all sources, in order.
pub async fn plan(context: Arc<Context>, mut planner: Planner, common: Common) -> Plan {
    for source in &common.sources {
        let handed_over = match source {
            Source::Object(object) => plan_object(&context, &mut planner, object, &common).await,
            Source::Prefix(uri) => {
                let listing = Listing { context: &context, uri, common: &common };
                listing.plan(&mut planner, (&uri.rest, uri.rest.len()), |_| true).await
            }
            Source::Matching { uri, wildcard } => {
                let listing = Listing { context: &context, uri, common: &common };
                let start = (wildcard.prefix(), wildcard.base_length());
                listing.plan(&mut planner, start, |key| wildcard.matches(key)).await
            }
        };
        if handed_over == Err(Closed) {
            break;
        }
    }
    planner.finish()
}

async fn plan_object(
    context: &Context,
    planner: &mut Planner,
    object: &ObjectName,
    common: &Common,
) -> Result<(), Closed> {
    let name = object.key.file_name();
    let known = match named::judge(context, object, name, &common.selection.sieve).await {
        Ok(Named::Meant) => Known::default(),
        Ok(Named::Seen(facts)) => {
            let (size, etag, last_modified) = (Some(facts.size), facts.etag, facts.last_modified);
            Known { size, etag, last_modified, standing: Standing::Meant }
        }
        Ok(Named::LeftOut) => return Ok(()),
        Err(JobError::Stopped) => return Err(Closed),
        Err(error) if named::may_be_moved(context, common.fate, &error) => {
            Known { standing: Standing::Unjudged, ..Known::default() }
        }
        Err(error) => return planner.refuse(named::unjudged(context, object, &error).await).await,
    };
    submit(planner, (object.clone(), name), known, common).await
}

/// What a listing tells.
#[derive(Default)]
struct Known {
    size: Option<u64>,
    etag: Option<crate::domain::object::ETag>,
    last_modified: Option<std::time::SystemTime>,
    standing: Standing,
}

async fn submit(
    planner: &mut Planner,
    (source, name): (ObjectName, &str),
    known: Known,
    common: &Common,
) -> Result<(), Closed> {
    let object = match common.target.object_of(name) {
        Ok(object) => object,
        Err(error) => return planner.refuse(no_key(&source, &error)).await,
    };
    if common.sides == Sides::OneStore
        && let Some(refused) = refuse(&source, &object, common)
    {
        return planner.refuse(refused).await;
    }
    let Known { size, etag, last_modified, standing } = known;
    let attributes = Arc::clone(&common.attributes);
    let expected = Expected::default();
    let copy = ObjectCopy { source, size, etag, last_modified, object, attributes, expected };
    let task = Task::Copy(Box::new(copy));
    match standing {
        Standing::Meant => planner.submit(None, task).await,
        Standing::Unjudged => planner.submit_unjudged(task).await,
    }
}

/// A job that would write to what it reads, or to what another one reads.
fn refuse(source: &ObjectName, object: &ObjectName, common: &Common) -> Option<Refused> {
    if is_same_name(source, object) {
        let is_senseless =
            common.fate == Fate::Removed || common.changes_nothing() && source.version.is_none();
        return is_senseless.then(|| onto_itself(source));
    }
    let uri = S3Uri { bucket: object.bucket.clone(), rest: String::new() };
    common.takes(&uri, object.key.as_str()).then(|| {
        let reason = format!(
            "could not write {object}: it is a source of this command, and would be read and \
             written at once"
        );
        let hint = "leave it out with --exclude, or choose another destination".to_owned();
        let cause = "a source is a destination, too";
        Refused { hint: Some(hint), ..Refused::new(source.uri(), cause, reason) }
    })
}

pub(super) fn onto_itself(source: &ObjectName) -> Refused {
    let reason = format!("could not copy {source}: it is where it is to go already");
    Refused::new(source.uri(), "copied onto itself", reason)
}

fn no_key(source: &ObjectName, error: &LocationError) -> Refused {
    let reason = format!("could not copy {}: {error}", Escaped(&source.uri()));
    Refused::new(source.uri(), "not a key", reason)
}

/// An object whose key ends in a slash, where only what follows the last one is to be kept.
fn nameless(source: &ObjectName, size: u64) -> Refused {
    let error = JobError::FullMarker(size);
    let reason = format!("could not copy {source}: {error}, and no name that --flatten could keep");
    Refused::new(source.uri(), error.cause(), reason)
}

/// One listing on its way to jobs.
struct Listing<'a> {
    context: &'a Arc<Context>,
    uri: &'a S3Uri,
    common: &'a Common,
}

impl Listing<'_> {
    async fn plan(
        &self,
        planner: &mut Planner,
        (prefix, base): (&str, usize),
        matches: impl Fn(&str) -> bool,
    ) -> Result<(), Closed> {
        let listed = Listed::new(self.context, self.uri, prefix, matches);
        let mut listed = listed.that_may_be_moved(planner.may_have_moved(self.context));
        loop {
            match listed.next().await {
                Ok(Some(object)) => self.plan_one(planner, object, base).await?,
                Ok(None) => return Ok(()),
                Err(Broken::Stopped) => return Err(Closed),
                Err(Broken::Refused(refused)) => return planner.refuse(refused).await,
            }
        }
    }

    async fn plan_one(
        &self,
        planner: &mut Planner,
        listed: ListedObject,
        base: usize,
    ) -> Result<(), Closed> {
        let selection = &self.common.selection;
        let relative = listed.key.as_str().get(base..).unwrap_or_default();
        // A folder's marker is an object like any other, that of the listed folder itself included.
        if !selection.sieve.admits_listed(relative, &listed) {
            return Ok(());
        }
        let source = ObjectName::new(self.uri.bucket.clone(), listed.key.clone());
        let is_full = listed.size > 0;
        let name = match selection.layout {
            Layout::Flat if listed.key.is_folder_marker() && is_full => {
                return planner.refuse(nameless(&source, listed.size)).await;
            }
            Layout::Flat if listed.key.is_folder_marker() => return Ok(()),
            Layout::Flat => listed.key.file_name(),
            Layout::Tree => relative,
        };
        if name.is_empty()
            && !is_full
            && matches!(&self.common.target, Target::Prefix(uri) if uri.rest.is_empty())
        {
            // A bucket is the folder by itself.
            return Ok(());
        }
        let known = Known {
            size: Some(listed.size),
            etag: listed.etag,
            last_modified: listed.last_modified,
            standing: Standing::Meant,
        };
        submit(planner, (source, name), known, self.common).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::downloads::Keys;
    use super::*;
    use crate::domain::naming::Naming;
    use crate::domain::sieve::Sieve;

    fn common(sources: &[&str], target: &str) -> Common {
        let uri = |text: &str| S3Uri::parse(text).expect("a URI");
        let source = |text: &&str| Source::new(uri(text), Keys::Patterns).expect("a source");
        Common {
            sources: sources.iter().map(source).collect(),
            target: Target::new(uri(target)).expect("a target"),
            selection: Selection {
                sieve: Sieve::default(),
                layout: Layout::Tree,
                naming: Naming::Verbatim,
            },
            attributes: Arc::default(),
            fate: Fate::Kept,
            sides: Sides::OneStore,
            keys: CustomerKeys::Same,
        }
    }

    #[test]
    fn what_would_land_where_it_is_is_refused_as_a_whole() {
        for (source, target) in [
            ("s3://b/k", "s3://b/k"),
            ("s3://b/p/k", "s3://b/p/"),
            ("s3://b/p/", "s3://b/p/"),
            ("s3://b/p/*", "s3://b/p/"),
            ("s3://b/p/a*/x", "s3://b/p/"),
            ("s3://b", "s3://b/"),
        ] {
            let found = common(&[source], target).check();
            assert!(matches!(found, Err(Senseless::OntoItself(_))), "{source} {target}");
            let mut changed = common(&[source], target);
            let acl = Some("private".to_owned());
            changed.attributes = Arc::new(Attributes { acl, ..Attributes::default() });
            assert_eq!(changed.check(), Ok(()), "{source} {target}");
            let mut locked = common(&[source], target);
            locked.keys = CustomerKeys::Different;
            assert_eq!(locked.check(), Ok(()), "another key for {source}");
            locked.fate = Fate::Removed;
            assert!(locked.check().is_err(), "a move onto itself would remove it");
            changed.fate = Fate::Removed;
            assert!(changed.check().is_err(), "a move onto itself would remove it");
            changed.sides = Sides::TwoStores;
            assert_eq!(changed.check(), Ok(()), "another object");
        }
        for (source, target) in [
            ("s3://b/k", "s3://b/l"),
            ("s3://b/k", "s3://c/k"),
            ("s3://b/p/k", "s3://b/"),
            ("s3://b/p/", "s3://b/q/"),
            ("s3://b/p/q/", "s3://b/p/"),
        ] {
            assert_eq!(common(&[source], target).check(), Ok(()), "{source} {target}");
        }
    }

    #[test]
    fn a_tree_does_not_go_into_itself() {
        for source in ["s3://b/", "s3://b/p/", "s3://b/p/*"] {
            let found = common(&[source], "s3://b/p/q/").check();
            assert!(matches!(found, Err(Senseless::IntoItself { .. })), "{source}");
        }
        assert_eq!(common(&["s3://b/p/*.csv"], "s3://b/p/q/").check(), Ok(()));
        assert_eq!(common(&["s3://b/p/"], "s3://c/p/q/").check(), Ok(()));
    }

    #[test]
    fn a_job_that_writes_to_a_source_is_refused() {
        let name = |text: &str| S3Uri::parse(text).and_then(|uri| uri.object()).expect("a name");
        let common = common(&["s3://b/p/"], "s3://b/");
        // `p/p/x` would land on `p/x`, which is read.
        assert!(refuse(&name("s3://b/p/p/x"), &name("s3://b/p/x"), &common).is_some());
        assert!(refuse(&name("s3://b/p/x"), &name("s3://b/x"), &common).is_none());
        let senseless = refuse(&name("s3://b/p/x"), &name("s3://b/p/x"), &common);
        assert_eq!(senseless.map(|refused| refused.cause), Some("copied onto itself".to_owned()));
    }
}
