//! Archives: what is asked for is there at once.

use super::store::{State, failed};
use super::stored::Stored;
use crate::domain::location::ObjectName;
use crate::storage::error::Kind;
use crate::storage::object_store::Result;

const RESTORE: &str = "RestoreObject";

impl State {
    pub(super) fn restore(&mut self, object: &ObjectName) -> Result<()> {
        self.object(RESTORE, object)?;
        let objects = self.bucket(RESTORE, &object.bucket)?;
        match objects.get_mut(object.key.as_str()) {
            Some(stored) if stored.is_archived() => {
                stored.is_restored = true;
                Ok(())
            }
            _ => Err(failed(RESTORE, Kind::Refused, "the object is in no archive")),
        }
    }
}

impl Stored {
    fn is_archived(&self) -> bool {
        matches!(self.attributes.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
    }

    /// As a reply to HeadObject tells it.
    pub(super) fn told(&self) -> Vec<(&'static str, String)> {
        let class = self.attributes.storage_class.clone();
        let restore = self.is_restored.then(|| "ongoing-request=\"false\"".to_owned());
        let told = [("storage_class", class), ("restore", restore)].into_iter();
        told.filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
