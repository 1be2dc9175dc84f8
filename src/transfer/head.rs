//! What has a key now: one HEAD, tried again as any other request is.

use super::context::Work;
use super::error::JobError;
use super::retry::until_done;
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::Kind;

/// What has the key; an error where nothing has.
pub(super) async fn head(work: &Work, object: &ObjectName) -> Result<ObjectFacts, JobError> {
    let _in_flight = work.pass(0).await?;
    head_now(work, object).await
}

/// What has the key, if anything has.
pub(super) async fn find(
    work: &Work,
    object: &ObjectName,
) -> Result<Option<ObjectFacts>, JobError> {
    if_there(head(work, object).await)
}

/// As `find`, under a permit that the caller has.
pub(super) async fn find_now(
    work: &Work,
    object: &ObjectName,
) -> Result<Option<ObjectFacts>, JobError> {
    if_there(head_now(work, object).await)
}

async fn head_now(work: &Work, object: &ObjectName) -> Result<ObjectFacts, JobError> {
    let context = &work.context;
    let tries = work.tries(format!("look at {object}"));
    until_done(tries, || context.in_time("HeadObject", 0, context.store.head(object))).await
}

fn if_there(found: Result<ObjectFacts, JobError>) -> Result<Option<ObjectFacts>, JobError> {
    match found {
        Err(error) if error.store_kind() == Some(&Kind::MissingKey) => Ok(None),
        found => found.map(Some),
    }
}
