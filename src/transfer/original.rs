//! What a copy is made of, and what its store says of the bytes: all that tells of them where they are
//! never seen here.

use tokio::sync::OnceCell;

use super::context::{Verify, Work};
use super::error::JobError;
use super::verify::said_by_store;
use crate::domain::checksum::Checksum;
use crate::domain::evidence::Evidence;
use crate::domain::location::ObjectName;
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::storage::object_store::Described;

/// The source of a copy, as it was looked at first.
pub(super) struct Original<'a> {
    pub(super) object: &'a ObjectName,
    pub(super) described: Described,
    /// What the sums of its parts say, once they were asked for.
    parts: OnceCell<Option<Evidence>>,
}

impl<'a> Original<'a> {
    pub(super) fn new(object: &'a ObjectName, described: Described) -> Self {
        Self { object, described, parts: OnceCell::new() }
    }

    pub(super) fn facts(&self) -> &ObjectFacts {
        &self.described.facts
    }

    /// Whether what is made of it is held against it: by no checksum if none is to be compared,
    /// unless nothing else pins the parts to one version.
    pub(super) fn is_compared(&self, work: &Work) -> bool {
        work.context.limits.verify != Verify::Off || self.facts().etag.is_none()
    }

    /// What it has that a checksum of all bytes can be held against. The sums of its parts are asked
    /// for only where they fold to such a one, and once.
    pub(super) async fn like(
        &self,
        work: &Work,
        whole: Option<&Checksum>,
    ) -> Result<Option<Evidence>, JobError> {
        let (facts, Some(whole)) = (self.facts(), whole) else { return Ok(None) };
        if let StoredChecksum::Composite(composite) = &facts.checksum
            && (composite.algorithm() != whole.algorithm() || whole.algorithm().crc().is_none())
        {
            return Ok(None);
        }
        let ask = || said_by_store(work, self.object, facts, &facts.checksum);
        self.parts.get_or_try_init(ask).await.cloned()
    }
}
