//! One object that was named, and so is in no listing: where its size or time decides whether it is
//! meant, it is looked at first. What can't be looked at is not meant.

use super::downloads::hint_for_missing;
use crate::domain::job::{Fate, Refused};
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::domain::sieve::Sieve;
use crate::storage::error::Kind;
use crate::transfer::context::Context;
use crate::transfer::error::{JobError, chain};
use crate::transfer::listing;

/// What the filters say of it.
#[derive(Debug)]
pub enum Named {
    /// Its name is enough, and nobody has looked at it.
    Meant,
    /// So is what it is now.
    Seen(Box<ObjectFacts>),
    LeftOut,
}

/// Asks the store that is read from only where it matters. `name` is as filters see it.
pub async fn judge(
    context: &Context,
    object: &ObjectName,
    name: &str,
    sieve: &Sieve,
) -> Result<Named, JobError> {
    if !sieve.names.admits(name) {
        return Ok(Named::LeftOut);
    }
    if sieve.bounds.are_open() {
        return Ok(Named::Meant);
    }
    let facts = context.or_stopped(listing::source_facts(context, object)).await??;
    let is_meant = sieve.bounds.admit(Some(facts.size), facts.last_modified);
    Ok(if is_meant { Named::Seen(Box::new(facts)) } else { Named::LeftOut })
}

/// Whether it may be gone because it was moved: a journal tells.
pub fn may_be_moved(context: &Context, fate: Fate, error: &JobError) -> bool {
    let is_missing = error.store_kind() == Some(&Kind::MissingKey);
    is_missing && fate == Fate::Removed && context.journal.get().is_some()
}

/// What can't be judged is not done: somebody else may have put there what is not meant by then.
pub async fn unjudged(context: &Context, object: &ObjectName, error: &JobError) -> Refused {
    let is_missing = error.store_kind() == Some(&Kind::MissingKey);
    let slash = if is_missing { hint_for_missing(context, object).await } else { None };
    Refused {
        hint: slash.or_else(|| error.hint()),
        may_pass: error.may_pass(),
        ends_run: error.ends_run(),
        ..Refused::new(object.uri(), error.cause(), chain(error))
    }
}
