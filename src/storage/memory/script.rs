//! What is to fail, and when.

use std::collections::VecDeque;

use crate::domain::location::Key;
use crate::storage::error::StoreError;

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Get,
    Head,
    Parts,
    Put,
    CreateUpload,
    PutPart,
    CompleteUpload,
    Tags,
    Restore,
    Copy,
    CopyPart,
    AbortUpload,
    ListParts,
    ListUploads,
    List,
    ListBuckets,
    ListVersions,
    CreateBucket,
    DeleteBucket,
    /// Of one object: by itself, or as one of many.
    Delete,
    DeleteMany,
}

/// How one request fails.
#[derive(Debug)]
pub enum Failure {
    /// Nothing is done.
    Refused(StoreError),
    /// All is done, and nobody hears of it.
    LostReply(StoreError),
}

/// Failures to come, in the order in which they were scripted.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) failures: VecDeque<Scripted>,
    pub(super) broken_bodies: VecDeque<BrokenBody>,
}

#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) operation: Operation,
    /// `None`: of any key.
    pub(super) key: Option<String>,
    /// So many such requests pass before.
    pub(super) passing: usize,
    pub(super) failure: Failure,
}

#[derive(Debug)]
pub(super) struct BrokenBody {
    pub(super) key: String,
    pub(super) after: usize,
    pub(super) error: StoreError,
}

impl Script {
    /// Takes the first failure that is meant for such a request.
    pub(super) fn next(&mut self, operation: Operation, key: Option<&Key>) -> Option<Failure> {
        let is_meant = |scripted: &Scripted| {
            scripted.operation == operation
                && scripted
                    .key
                    .as_deref()
                    .is_none_or(|wanted| key.is_some_and(|key| key.as_str() == wanted))
        };
        let at = self.failures.iter().position(is_meant)?;
        let scripted = self.failures.get_mut(at)?;
        if let Some(fewer) = scripted.passing.checked_sub(1) {
            scripted.passing = fewer;
            return None;
        }
        self.failures.remove(at).map(|scripted| scripted.failure)
    }

    pub(super) fn broken_body(&mut self, key: &str) -> Option<BrokenBody> {
        let at = self.broken_bodies.iter().position(|broken| broken.key == key)?;
        self.broken_bodies.remove(at)
    }
}
