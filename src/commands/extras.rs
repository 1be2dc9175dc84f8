//! What `haul sync --delete` does behind its plan: sees that nothing goes which is the source itself,
//! and brings what was waiting for something to go.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::copying::sides;
use super::session::{Purpose, Session};
use crate::jobs::guard::NameRule;
use crate::jobs::planner::{Planned, Planner};
use crate::jobs::sync::{self, Buckets, Extras, Later, Pairing, TwinError};
use crate::transfer::context::Context;
use crate::transfer::error::chain;
use crate::transfer::outcome::{self, End, Summary};

/// Makes jobs of one plan.
pub(super) fn planner(
    session: &Session,
    context: &Context,
    names: NameRule,
) -> (Planner, mpsc::Receiver<Planned>) {
    let (gauge, memory) = (Arc::clone(&session.gauge), context.plan_memory() / 4);
    let (planner, jobs) = Planner::with_names(gauge, memory, names);
    (planner.between(sides(context)), jobs)
}

/// What extras were in the way of comes now, where they have gone.
pub(super) async fn finish_later(
    session: &Session,
    context: &Arc<Context>,
    (pairing, later, has_removed): (Pairing, Later, bool),
    summary: &mut Summary,
) {
    if summary.end != End::Complete {
        summary.stopped += later.count();
    } else if has_removed {
        let (planner, jobs) = planner(session, context, pairing.names);
        let planning = tokio::spawn(sync::plan_later(planner, pairing, later));
        let mut rest = session.run(Arc::clone(context), jobs, Purpose::Transfer).await;
        session.planned(planning, &mut rest).await;
        summary.join(&rest);
        summary.elapsed += rest.elapsed;
        (summary.retries, summary.end) = (rest.retries, rest.end);
    } else {
        let count = later.count();
        let message = format!(
            "could not write {count} names: a file or a folder that the source has not is in the way \
             of each, and nothing was removed"
        );
        let failure = outcome::Failure::of_run("something is in the way", message);
        session.fail(summary, failure).await;
    }
}

/// Why nothing may go, where what would is the source by another name.
pub(super) async fn may_be_one(
    context: &Arc<Context>,
    buckets: &Buckets,
    extras: &mut Extras,
) -> Option<outcome::Failure> {
    let extras = extras.read().map_err(TwinError::Unreadable);
    let twin = match extras {
        Ok(extras) => buckets.twin(context, extras).await,
        Err(error) => Err(error),
    };
    let failure = match twin {
        Ok(None) => return None,
        Ok(Some(twin)) => outcome::Failure {
            source: twin.uri(),
            hint: Some(
                "sync to a prefix that is beside the source, or to another bucket".to_owned(),
            ),
            ..outcome::Failure::of_run(
                "source and destination may be one",
                format!(
                    "nothing was removed: the source has {twin}, too, of the same size and time, so \
                     that both may be one bucket by two names"
                ),
            )
        },
        Err(TwinError::Unreadable(_)) => could_not_plan(),
        Err(TwinError::Unlisted(error)) => outcome::Failure {
            hint: error.hint(),
            may_pass: error.may_pass(),
            ..outcome::Failure::of_run(
                error.cause(),
                format!("nothing was removed: {}", chain(&error)),
            )
        },
    };
    Some(failure)
}

pub(super) fn could_not_plan() -> outcome::Failure {
    let message = "could not keep what is to be removed";
    outcome::Failure::of_run("the plan could not be kept", message)
}
