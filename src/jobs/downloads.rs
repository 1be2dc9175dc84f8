//! S3 URIs become downloads: one object, everything below a prefix, or what matches a wildcard.

use std::path::PathBuf;
use std::sync::Arc;

use super::listed::{Broken, Listed};
use super::named::{self, Named};
use super::planner::{Closed, Plan, Planner};
use crate::domain::job::{Download, Expected, Fate, LocalTarget, Refused, Standing, Task};
use crate::domain::location::{Bucket, Key, ObjectName, S3Uri};
use crate::domain::naming::Naming;
use crate::domain::object::ListedObject;
use crate::domain::pattern::Wildcard;
use crate::domain::relative_path::RelativePath;
use crate::domain::sieve::Sieve;
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::{JobError, NAME_IT};

/// What a URI on the command line means.
#[derive(Debug, Clone)]
pub enum Source {
    Object(ObjectName),
    Prefix(S3Uri),
    Matching { uri: S3Uri, wildcard: Wildcard },
}

/// How a URI's key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// `*` and `?` are wildcards, and a final `/` means everything below.
    Patterns,
    /// Verbatim: one object.
    Raw,
}

impl Source {
    pub fn new(uri: S3Uri, keys: Keys) -> Result<Self, crate::domain::location::LocationError> {
        if keys == Keys::Raw {
            return uri.object().map(Self::Object);
        }
        match Wildcard::parse(&uri.rest) {
            Some(wildcard) => Ok(Self::Matching { uri, wildcard }),
            None if uri.is_prefix() => Ok(Self::Prefix(uri)),
            None => uri.object().map(Self::Object),
        }
    }

    pub fn bucket(&self) -> &Bucket {
        match self {
            Self::Object(object) => &object.bucket,
            Self::Prefix(uri) | Self::Matching { uri, .. } => &uri.bucket,
        }
    }

    /// The object, where it is one.
    pub fn object_mut(&mut self) -> Option<&mut ObjectName> {
        match self {
            Self::Object(object) => Some(object),
            Self::Prefix(_) | Self::Matching { .. } => None,
        }
    }

    /// Whether it may be more than one object.
    pub fn is_many(&self) -> bool {
        !matches!(self, Self::Object(_))
    }
}

/// Where downloads land.
#[derive(Debug, Clone)]
pub enum Target {
    /// Below the run's destination folder.
    Folder,
    /// One object, to a path that the user typed.
    Exact(PathBuf),
    Stdout,
}

/// Which objects, and how their names become paths.
#[derive(Debug, Clone)]
pub struct Selection {
    pub sieve: Sieve,
    pub layout: Layout,
    /// What files are called.
    pub naming: Naming,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As the keys have it.
    Tree,
    /// All files in one folder.
    Flat,
}

/// Plans the downloads of all sources, in order.
pub async fn plan(
    context: Arc<Context>,
    mut planner: Planner,
    sources: Vec<Source>,
    target: Target,
    selection: Selection,
) -> Plan {
    for source in sources {
        let handed_over = match source {
            Source::Object(object) => {
                plan_object(&context, &mut planner, object, (&target, &selection)).await
            }
            Source::Prefix(uri) => {
                let base = uri.rest.len();
                let listing = Listing { context: &context, uri: &uri, base, selection: &selection };
                listing.plan(&mut planner, &uri.rest, |_| true).await
            }
            Source::Matching { uri, wildcard } => {
                let base = wildcard.base_length();
                let listing = Listing { context: &context, uri: &uri, base, selection: &selection };
                listing.plan(&mut planner, wildcard.prefix(), |key| wildcard.matches(key)).await
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
    object: ObjectName,
    (target, selection): (&Target, &Selection),
) -> Result<(), Closed> {
    let name = object.key.file_name();
    let mut standing = Standing::Meant;
    let seen = match named::judge(context, &object, name, &selection.sieve).await {
        Ok(Named::Meant) => None,
        Ok(Named::Seen(facts)) => Some(facts),
        Ok(Named::LeftOut) => return Ok(()),
        Err(JobError::Stopped) => return Err(Closed),
        Err(error) if named::may_be_moved(context, planner.fate(), &error) => {
            standing = Standing::Unjudged;
            None
        }
        Err(error) => {
            return planner.refuse(named::unjudged(context, &object, &error).await).await;
        }
    };
    let target = match target {
        Target::Exact(path) => LocalTarget::Exact(path.clone()),
        Target::Stdout => LocalTarget::Stdout,
        Target::Folder => match selection.naming.path(name) {
            Ok(path) => LocalTarget::Below(path),
            Err(error) => return planner.refuse(unsafe_name(object.uri(), &error)).await,
        },
    };
    let download = Download {
        object,
        size: seen.as_ref().map(|seen| seen.size),
        etag: seen.as_ref().and_then(|seen| seen.etag.clone()),
        last_modified: seen.as_ref().and_then(|seen| seen.last_modified),
        target,
        expected: Expected::default(),
    };
    let task = Task::Download(download);
    match standing {
        Standing::Meant => planner.submit(None, task).await,
        Standing::Unjudged => planner.submit_unjudged(task).await,
    }
}

/// One listing on its way to jobs.
struct Listing<'a> {
    context: &'a Arc<Context>,
    uri: &'a S3Uri,
    /// Bytes of a key that are not part of its relative path.
    base: usize,
    selection: &'a Selection,
}

impl Listing<'_> {
    async fn plan(
        &self,
        planner: &mut Planner,
        prefix: &str,
        matches: impl Fn(&str) -> bool,
    ) -> Result<(), Closed> {
        let listed = Listed::new(self.context, self.uri, prefix, matches);
        let mut listed = listed.that_may_be_moved(planner.may_have_moved(self.context));
        loop {
            match listed.next().await {
                Ok(Some(object)) => self.plan_one(planner, object).await?,
                Ok(None) => return Ok(()),
                Err(Broken::Stopped) => return Err(Closed),
                Err(Broken::Refused(refused)) => return planner.refuse(refused).await,
            }
        }
    }

    async fn plan_one(&self, planner: &mut Planner, listed: ListedObject) -> Result<(), Closed> {
        let relative = listed.key.as_str().get(self.base..).unwrap_or_default();
        let is_marker = listed.key.is_folder_marker();
        let is_folder_itself = relative.is_empty() && listed.size == 0;
        if is_folder_itself || !self.selection.sieve.admits_listed(relative, &listed) {
            return Ok(());
        }
        let object = ObjectName::new(self.uri.bucket.clone(), listed.key.clone());
        let naming = self.selection.naming;
        if is_marker && listed.size > 0 && naming == Naming::Verbatim {
            return planner.refuse(full_marker(&object, listed.size)).await;
        }
        let is_marker = is_marker && listed.size == 0;
        let name = match self.selection.layout {
            Layout::Flat if is_marker => return Ok(()),
            Layout::Flat => listed.key.as_str().rsplit('/').next().unwrap_or_default(),
            Layout::Tree => relative,
        };
        let path = if is_marker { naming.folder(name) } else { naming.path(name) };
        let path = match path {
            Ok(path) => path,
            Err(error) => return planner.refuse(unsafe_name(object.uri(), &error)).await,
        };
        if path.is_altered(name) && naming == Naming::Verbatim {
            if planner.fate() == Fate::Removed {
                return planner.refuse(altered(&object, name, &path)).await;
            }
            planner.tell_altered(Some(name), path.as_str());
        }
        let task = if is_marker {
            Task::MakeFolder { marker: object, folder: path, expected: None }
        } else {
            Task::Download(Download {
                object,
                size: Some(listed.size),
                etag: listed.etag,
                last_modified: listed.last_modified,
                target: LocalTarget::Below(path),
                expected: Expected::default(),
            })
        };
        planner.submit(None, task).await
    }
}

/// Whether something lies below `object`'s key, which itself does not exist: then a `/` was
/// forgotten.
pub async fn hint_for_missing(context: &Context, object: &ObjectName) -> Option<String> {
    let prefix = format!("{}/", object.key.as_str());
    let request = ListRequest::new(object.bucket.clone(), prefix.as_str(), Depth::OneLevel);
    let request = ListRequest { limit: Some(1), ..request };
    let page = context.source.list(&request).await.ok()?;
    let is_prefix = !page.objects.is_empty() || !page.prefixes.is_empty();
    let key = Key::new(&prefix).ok()?;
    is_prefix.then(|| {
        format!(
            "s3://{}/{key} is a prefix: end it with a slash to mean everything below it",
            object.bucket
        )
    })
}

pub(super) fn unsafe_name(
    name: String,
    error: &crate::domain::relative_path::UnsafeName,
) -> Refused {
    let reason = format!("could not download {}: {error}", crate::domain::escape::Escaped(&name));
    Refused { hint: Some(NAME_IT.to_owned()), ..Refused::new(name, "unsafe name", reason) }
}

/// A move would leave nothing that has the name.
fn altered(object: &ObjectName, name: &str, path: &RelativePath) -> Refused {
    let name = crate::domain::escape::Escaped(name);
    let reason =
        format!("could not move {object}: no file is called `{name}`; it would be `{path}`");
    Refused { hint: Some(ENCODE.to_owned()), ..Refused::new(object.uri(), "unsafe name", reason) }
}

/// What keeps names that no file can have.
const ENCODE: &str = "--encode-names writes it so that it leads back to the key";

pub(super) fn full_marker(object: &ObjectName, size: u64) -> Refused {
    let error = JobError::FullMarker(size);
    let reason = format!("could not download {object}: {error}");
    Refused { hint: error.hint(), ..Refused::new(object.uri(), error.cause(), reason) }
}
