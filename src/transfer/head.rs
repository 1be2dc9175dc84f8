//! What has a key now: one HEAD, tried again as any other request is.

use std::sync::Arc;

use super::context::Work;
use super::error::JobError;
use super::retry::until_done;
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::Kind;
use crate::storage::object_store::{Described, ObjectStore};

const HEAD: &str = "HeadObject";

/// What has the key of a source; an error where nothing has.
pub(super) async fn head(work: &Work, object: &ObjectName) -> Result<ObjectFacts, JobError> {
    let _in_flight = work.pass(0).await?;
    ask(work, &work.context.source, object).await
}

/// The same, and what it was told to keep.
pub(super) async fn describe(work: &Work, object: &ObjectName) -> Result<Described, JobError> {
    let _in_flight = work.pass(0).await?;
    let context = &work.context;
    let tries = work.tries(format!("look at {object}"));
    until_done(tries, || context.in_time(HEAD, 0, context.source.describe(object))).await
}

/// What has the key of a source, if anything has.
pub(super) async fn find_source(
    work: &Work,
    object: &ObjectName,
) -> Result<Option<ObjectFacts>, JobError> {
    if_there(head(work, object).await)
}

/// What has the key of a destination, if anything has.
pub(super) async fn find(
    work: &Work,
    object: &ObjectName,
) -> Result<Option<ObjectFacts>, JobError> {
    let _in_flight = work.pass(0).await?;
    find_now(work, object).await
}

/// As `find`, under a permit that the caller has.
pub(super) async fn find_now(
    work: &Work,
    object: &ObjectName,
) -> Result<Option<ObjectFacts>, JobError> {
    if_there(ask(work, &work.context.store, object).await)
}

async fn ask(
    work: &Work,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectName,
) -> Result<ObjectFacts, JobError> {
    let tries = work.tries(format!("look at {object}"));
    until_done(tries, || work.context.in_time(HEAD, 0, store.head(object))).await
}

fn if_there(found: Result<ObjectFacts, JobError>) -> Result<Option<ObjectFacts>, JobError> {
    match found {
        Err(error) if error.store_kind() == Some(&Kind::MissingKey) => Ok(None),
        found => found.map(Some),
    }
}
