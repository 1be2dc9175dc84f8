//! Whether what is to go from the destination is the source itself by another name: an access
//! point, an alias of the server's, a second address. What one bucket has below both prefixes would
//! be extra to itself.

use std::io;
use std::sync::Arc;

use super::extras::Extra;
use super::pairing::Pairing;
use crate::domain::location::{Bucket, ObjectName, S3Uri};
use crate::domain::object::ListedObject;
use crate::domain::pattern::Wildcard;
use crate::jobs::comparisons::Tree;
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing::Pages;

/// In one bucket each is found, but for what somebody removes or writes meanwhile.
const LOOKS: usize = 3;

/// Where both sides are in S3: what the source's keys begin with, and those of the destination.
#[derive(Debug, Clone)]
pub struct Buckets {
    source: (Bucket, String),
    /// Before the names of extras.
    prefix: String,
}

#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    #[error("could not read what is to be removed")]
    Unreadable(#[source] io::Error),
    #[error(transparent)]
    Unlisted(#[from] JobError),
}

impl Buckets {
    /// `None` where a side is a folder.
    pub fn of(pairing: &Pairing) -> Option<Self> {
        let (Tree::Objects { uri, wildcard }, Tree::Objects { uri: to, .. }) =
            (&pairing.source, &pairing.destination)
        else {
            return None;
        };
        let source = (uri.bucket.clone(), base(uri, wildcard.as_ref()).to_owned());
        Some(Self { source, prefix: to.rest.clone() })
    }

    /// A key that is to go, and that the source's bucket has as well, of the same size and time.
    pub async fn twin(
        &self,
        context: &Arc<Context>,
        extras: impl Iterator<Item = io::Result<Extra>> + Send,
    ) -> Result<Option<ObjectName>, TwinError> {
        let (bucket, base) = &self.source;
        let mut looks = 0;
        for extra in extras {
            let extra = extra.map_err(TwinError::Unreadable)?;
            let key = format!("{}{}", self.prefix, extra.name);
            if !key.starts_with(base) {
                continue;
            }
            // As it was listed there: to be read it may need rights that nothing here asked for.
            let first = ListRequest {
                limit: Some(1),
                ..ListRequest::new(bucket.clone(), key.as_str(), Depth::Everything)
            };
            let page = Pages::new(context, first).next().await?;
            let found = page.into_iter().flat_map(|page| page.objects);
            if let Some(twin) = found.into_iter().find(|found| is_twin(found, &key, &extra)) {
                return Ok(Some(ObjectName::new(bucket.clone(), twin.key)));
            }
            looks += 1;
            if looks == LOOKS {
                break;
            }
        }
        Ok(None)
    }
}

/// What the keys of a source begin with.
pub fn base<'a>(uri: &'a S3Uri, wildcard: Option<&Wildcard>) -> &'a str {
    let length = wildcard.map_or(uri.rest.len(), Wildcard::base_length);
    uri.rest.get(..length).unwrap_or_default()
}

fn is_twin(found: &ListedObject, key: &str, extra: &Extra) -> bool {
    // What one of both does not tell sets nothing apart.
    let is_time_one = match (found.last_modified, extra.modified) {
        (Some(found), Some(listed)) => found == listed,
        _ => true,
    };
    found.key.as_str() == key && found.size == extra.size && is_time_one
}
