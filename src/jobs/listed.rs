//! The objects that a listing has of what was named, one after the other.

use std::sync::Arc;
use std::vec;

use crate::domain::job::Refused;
use crate::domain::location::S3Uri;
use crate::domain::object::ListedObject;
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing::Pages;

/// What is below a prefix, or matches, in the order of the listing.
#[derive(Debug)]
pub struct Listed<'a, M> {
    uri: &'a S3Uri,
    pages: Pages,
    page: vec::IntoIter<ListedObject>,
    matches: M,
    has_found: bool,
    /// Whether an earlier run may have moved all of it.
    may_be_moved: bool,
}

/// Why there is no next object.
#[derive(Debug)]
pub enum Broken {
    /// The run ends.
    Stopped,
    /// It can't be listed, or nothing is there.
    Refused(Refused),
}

impl<'a, M: Fn(&str) -> bool> Listed<'a, M> {
    /// Of all keys that begin with `prefix`, those that match; `uri` is what was typed.
    pub fn new(context: &Arc<Context>, uri: &'a S3Uri, prefix: &str, matches: M) -> Self {
        let request = ListRequest::new(uri.bucket.clone(), prefix, Depth::Everything);
        let (pages, page) = (Pages::new(context, request), Vec::new().into_iter());
        Self { uri, pages, page, matches, has_found: false, may_be_moved: false }
    }

    /// Where an earlier run may have moved all of it, to find nothing is no error.
    #[must_use]
    pub fn that_may_be_moved(self, may_be_moved: bool) -> Self {
        Self { may_be_moved, ..self }
    }

    /// `None` at the end. To find nothing is no error where a whole bucket was named.
    pub async fn next(&mut self) -> Result<Option<ListedObject>, Broken> {
        loop {
            if let Some(object) = self.page.find(|object| (self.matches)(object.key.as_str())) {
                self.has_found = true;
                return Ok(Some(object));
            }
            match self.pages.next().await {
                Ok(Some(page)) => self.page = page.objects.into_iter(),
                Ok(None) if self.has_found || self.uri.rest.is_empty() => return Ok(None),
                Ok(None) if self.may_be_moved => return Ok(None),
                Ok(None) => return Err(Broken::Refused(nothing_found(self.uri))),
                Err(JobError::Stopped) => return Err(Broken::Stopped),
                Err(error) => return Err(Broken::Refused(unlisted(self.uri, &error))),
            }
        }
    }
}

pub fn unlisted(uri: &S3Uri, error: &JobError) -> Refused {
    let reason = crate::transfer::error::chain(error);
    Refused {
        hint: error.hint(),
        may_pass: error.may_pass(),
        ends_run: error.ends_run(),
        ..Refused::new(uri.to_string(), error.cause(), reason)
    }
}

pub fn nothing_found(uri: &S3Uri) -> Refused {
    let (reason, hint) = if uri.is_prefix() {
        (
            format!("nothing is below {uri}"),
            format!("see what is there: haul ls s3://{}/", uri.bucket),
        )
    } else {
        let hint = "`*` and `?` are wildcards; --raw takes the key literally".to_owned();
        (format!("no object matches {uri}"), hint)
    };
    Refused { hint: Some(hint), ..Refused::new(uri.to_string(), "nothing found", reason) }
}
