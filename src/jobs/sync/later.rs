//! What comes only when extras have gone: those are in its way.

use std::io;

use super::entry::Entry;
use super::pairing::Pairing;
use super::stored::Stored;
use super::task;
use crate::domain::job::Refused;
use crate::jobs::planner::Planner;

/// Names of the source that wait.
#[derive(Debug, Default)]
pub struct Later(Stored<Entry>);

impl Later {
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    pub(super) fn push(&mut self, entry: &Entry) -> io::Result<()> {
        self.0.push(entry)
    }
}

/// Plans a job for each of them. Whether its way is free, the job finds out.
pub async fn plan_later(mut planner: Planner, pairing: Pairing, mut later: Later) {
    let handed_over = async {
        let entries = match later.0.read() {
            Ok(entries) => entries,
            Err(error) => return planner.refuse(unreadable(&error)).await,
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return planner.refuse(unreadable(&error)).await,
            };
            match task::task(&pairing, &entry) {
                Ok(task) => planner.submit(None, task).await?,
                Err(reason) => planner.refuse(task::impossible(entry.own(), &reason)).await?,
            }
        }
        Ok(())
    };
    // Where nobody takes jobs any more, the run has ended, and knows.
    let _ended = handed_over.await;
    planner.finish();
}

fn unreadable(error: &io::Error) -> Refused {
    let reason = format!("could not read what is still to come: {error}");
    Refused::new("", "the plan could not be kept", reason)
}
