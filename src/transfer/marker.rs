//! A folder marker becomes a folder, and never a file: all that is below it needs the name.

use super::context::{Outcome, Work};
use super::error::JobError;
use super::head::head;
use super::moving::Origin;
use super::outcome::Verified;
use super::verify::{empty, expected as holds};
use crate::domain::job::{Expected, Fate};
use crate::domain::location::ObjectName;
use crate::domain::relative_path::RelativePath;

/// Makes the folder. A marker that only a manifest tells of is looked at before: it must be there,
/// and have no bytes, which would be lost.
pub(super) async fn make_folder(
    work: &Work,
    (marker, folder): (&ObjectName, &RelativePath),
    expected: Option<&Expected>,
) -> Result<Outcome, JobError> {
    if expected.is_some() || work.job.fate == Fate::Removed {
        let facts = head(work, marker).await?;
        if facts.size > 0 {
            return Err(JobError::FullMarker(facts.size));
        }
        if let Some(expected) = expected {
            holds(expected, &facts)?;
            empty(expected)?;
        }
        work.moves(|| Origin::Object(facts));
    }
    work.context.destination()?.make_folder(folder)?;
    Ok(work.done(0, Verified::NoContent))
}
