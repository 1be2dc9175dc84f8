//! `haul rb`: a bucket goes, and with --force all that is in it. It must never empty one that was
//! not agreed to, nor say that a bucket is gone that the store still has.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio_stream::wrappers::ReceiverStream;

use super::error::CommandError;
use super::mb::whole_bucket;
use super::options::{self, Connection, Speed};
use super::session::{Purpose, Session};
use super::typed::Typed;
use crate::domain::location::{Bucket, S3Uri};
use crate::domain::sieve::Sieve;
use crate::jobs::downloads::Keys;
use crate::jobs::removals::{Removals, Selection, Versions};
use crate::jobs::trees::{Reach, Source};
use crate::storage::error::Kind;
use crate::storage::object_store::{Depth, ListRequest, UploadsRequest, VersionsRequest};
use crate::transfer::context::{Context, Scope};
use crate::transfer::error::{JobError, chain};
use crate::transfer::listing::{self, UploadPages, VersionPages};
use crate::transfer::outcome::{Failure, Summary};
use crate::transfer::removals;

/// Remove a bucket
///
/// An empty one. With --force everything in it goes first, for good: all objects with all their
/// versions, and unfinished uploads.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul rb s3://bucket                  an empty bucket
  haul rb s3://bucket --force          all that is in it, too; asks first
  haul rb s3://bucket --force --yes    where nobody is there to be asked")]
pub struct RbArgs {
    /// s3://bucket
    #[arg(value_name = "S3_URI")]
    uri: String,

    /// Remove all that is in it first
    #[arg(long)]
    force: bool,

    /// Do not ask before it is emptied
    #[arg(long, requires = "force")]
    yes: bool,

    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
}

impl Typed for RbArgs {
    fn paths(&self) -> &[PathBuf] {
        &[]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Transfer
    }

    fn reads_stdin(&self) -> bool {
        false
    }

    fn question(&self) -> Result<Option<String>, CommandError> {
        let bucket = whole_bucket(&self.uri)?;
        let question = format!("remove s3://{bucket} and everything in it, all versions included");
        Ok((self.force && !self.yes).then_some(question))
    }
}

impl RbArgs {
    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let bucket = whole_bucket(&self.uri)?;
        let (speed, failure) = (&self.speed, options::Failure::default());
        let connection = &self.connection;
        let context =
            session.comparing_context(connection, speed, &failure, Scope::OneBucket).await?;
        let context = Arc::new(context);
        let mut summary = Summary::default();
        if self.force {
            summary = empty(session, &context, &bucket).await?;
            if !summary.is_success() {
                let text =
                    format!("s3://{bucket} is still there, and so is what could not be removed");
                session.notice(text).await;
                return Ok(summary);
            }
        }
        match self.remove(&context, &bucket).await {
            Ok(()) => summary.buckets = 1,
            Err(NotRemoved::Job(JobError::Stopped)) => {
                let text =
                    format!("the run ended before the store said that s3://{bucket} is gone");
                session.notice(text).await;
            }
            Err(error) => session.fail(&mut summary, error.failure(&bucket)).await,
        }
        summary.end = context.cancel.end();
        Ok(summary)
    }

    /// The bucket itself, and what is in it that is no object.
    async fn remove(&self, context: &Arc<Context>, bucket: &Bucket) -> Result<(), NotRemoved> {
        if self.force {
            abort_uploads(context, bucket).await?;
        }
        refuse_full(context, bucket).await?;
        match context.or_stopped(listing::remove_bucket(context, bucket)).await? {
            // It was there a moment ago: the reply to an earlier try was lost.
            Err(error) if error.store_kind() == Some(&Kind::MissingBucket) => Ok(()),
            removed => Ok(removed?),
        }
    }
}

/// Why a bucket is still there.
enum NotRemoved {
    Full,
    Job(JobError),
}

impl From<JobError> for NotRemoved {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl NotRemoved {
    fn failure(&self, bucket: &Bucket) -> Failure {
        let (cause, message, hint, may_pass) = match self {
            Self::Full => {
                let text = format!("s3://{bucket} is not empty, and was not removed");
                (NOT_EMPTY.to_owned(), text, Some(how_to_empty(bucket)), false)
            }
            Self::Job(error) if is_of_full(error) => {
                (NOT_EMPTY.to_owned(), chain(error), Some(how_to_empty(bucket)), false)
            }
            Self::Job(error) => (error.cause(), chain(error), error.hint(), error.may_pass()),
        };
        let source = format!("s3://{bucket}");
        Failure { line: None, source, destination: None, cause, message, hint, may_pass }
    }
}

const NOT_EMPTY: &str = "the bucket is not empty";

fn is_of_full(error: &JobError) -> bool {
    match error {
        JobError::Store { source, .. } => source.code.as_deref() == Some("BucketNotEmpty"),
        _ => false,
    }
}

async fn empty(
    session: &Session,
    context: &Arc<Context>,
    bucket: &Bucket,
) -> Result<Summary, CommandError> {
    let uri = S3Uri { bucket: bucket.clone(), rest: String::new() };
    let source = Source::new(uri, Keys::Raw, Reach::Below).map_err(CommandError::usage)?;
    let (planner, batches) = Removals::new(Arc::clone(&session.gauge));
    let selection = Selection { sieve: Sieve::default(), versions: Versions::All };
    let planning = tokio::spawn(planner.plan(Arc::clone(context), vec![source], selection));
    let batches = ReceiverStream::new(batches);
    let purpose = removals::Purpose::Remove;
    let mut summary = removals::run(Arc::clone(context), batches, purpose).await;
    session.planned(planning, &mut summary).await;
    Ok(summary)
}

async fn abort_uploads(context: &Context, bucket: &Bucket) -> Result<(), JobError> {
    let request = UploadsRequest { bucket: bucket.clone(), prefix: String::new(), after: None };
    let mut pages = UploadPages::new(request);
    while let Some(page) = context.or_stopped(pages.next(context)).await?? {
        for open in &page.uploads {
            context.or_stopped(listing::abort(context, &open.upload)).await??;
        }
    }
    Ok(())
}

/// S3 itself removes no bucket that has something in it; SeaweedFS does.
async fn refuse_full(context: &Arc<Context>, bucket: &Bucket) -> Result<(), NotRemoved> {
    let request = ListRequest::new(bucket.clone(), "", Depth::Everything);
    let request = ListRequest { limit: Some(1), ..request };
    let page = context.or_stopped(listing::page(context, &request)).await??;
    let has_objects = !page.objects.is_empty() || page.next.is_some();
    if has_objects || has_versions(context, bucket).await? {
        return Err(NotRemoved::Full);
    }
    Ok(())
}

/// A page may be empty, and the next one not.
async fn has_versions(context: &Arc<Context>, bucket: &Bucket) -> Result<bool, JobError> {
    let mut pages = VersionPages::new(context, VersionsRequest::new(bucket.clone(), ""));
    loop {
        match pages.next().await {
            Ok(Some(page)) if page.versions.is_empty() => {}
            Ok(page) => return Ok(page.is_some()),
            // Who may not list them, or where there is no such request, the store has the last word.
            Err(error) if matches!(error.store_kind(), Some(Kind::Denied | Kind::Refused)) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}

fn how_to_empty(bucket: &Bucket) -> String {
    format!(
        "see what is in it: haul ls -r s3://{bucket}, and with --all-versions what it had; \
         --force removes all of it first"
    )
}
