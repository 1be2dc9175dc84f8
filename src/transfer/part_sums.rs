//! The checksums of an object's parts, asked for page by page. They count only if they add up to
//! what the object says of itself.

use super::context::Work;
use super::error::JobError;
use super::retry::until_done;
use crate::domain::composite::{Composite, PartSums};
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::Kind;

const ATTRIBUTES: &str = "GetObjectAttributes";

/// `None` where the store does not tell, or does not let these credentials ask.
pub(super) async fn part_sums(
    work: &Work,
    object: &ObjectName,
    facts: &ObjectFacts,
    composite: &Composite,
) -> Result<Option<PartSums>, JobError> {
    let context = &work.context;
    // Of no memory: whoever asks may hold all of it, and a list takes a megabyte at most.
    let _in_flight = work.pass(0).await?;
    let mut parts = Vec::new();
    let mut after = 0;
    loop {
        let ask = || context.in_time(ATTRIBUTES, 0, context.source.object_parts(object, after));
        let page = until_done(work.tries(format!("ask for the parts of {object}")), ask).await;
        let page = match page {
            Ok(page) => page,
            Err(error) if error.store_kind().is_some_and(is_unknown) => return Ok(None),
            Err(error) => return Err(error),
        };
        parts.extend(page.parts);
        match page.next {
            Some(next) => after = next,
            // Those of another version by now do not add up either.
            None => return Ok(PartSums::listed(parts, facts.size, composite)),
        }
    }
}

/// Whether the store does not know the request, or not this object, or does not allow it.
fn is_unknown(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Refused | Kind::Denied | Kind::NotPublic | Kind::MissingKey | Kind::Malformed
    )
}
