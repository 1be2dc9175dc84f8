//! `haul rb`: a bucket goes, and with --force all that is in it. It must never empty one that was
//! not agreed to, nor say that a bucket is gone that the store still has.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio_stream::wrappers::ReceiverStream;

use super::error::CommandError;
use super::mb::whole_bucket;
use super::options::{Connection, Failure, Speed};
use super::session::{Purpose, Session};
use super::typed::Typed;
use crate::domain::location::{Bucket, S3Uri};
use crate::domain::pattern::Filter;
use crate::jobs::downloads::Keys;
use crate::jobs::removals::{Removals, Selection, Versions};
use crate::jobs::trees::{Reach, Source};
use crate::storage::object_store::{Depth, ListRequest, UploadsRequest, VersionsRequest};
use crate::transfer::context::{Context, Scope};
use crate::transfer::error::JobError;
use crate::transfer::listing::{self, UploadPages, VersionPages};
use crate::transfer::outcome::Summary;
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
        let (speed, failure) = (&self.speed, Failure::default());
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
            abort_uploads(&context, &bucket).await?;
        }
        refuse_full(&context, &bucket).await?;
        let removed = context.or_stopped(listing::remove_bucket(&context, &bucket)).await;
        removed.and_then(|removed| removed).map_err(|error| explained(&bucket, error))?;
        summary.buckets = 1;
        summary.end = context.cancel.end();
        Ok(summary)
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
    let selection = Selection { filter: Filter::default(), versions: Versions::All };
    let planning = tokio::spawn(planner.plan(Arc::clone(context), vec![source], selection));
    let batches = ReceiverStream::new(batches);
    let purpose = removals::Purpose::Remove;
    let mut summary = removals::run(Arc::clone(context), batches, purpose).await;
    session.planned(planning, &mut summary).await;
    Ok(summary)
}

async fn abort_uploads(context: &Context, bucket: &Bucket) -> Result<(), CommandError> {
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
async fn refuse_full(context: &Arc<Context>, bucket: &Bucket) -> Result<(), CommandError> {
    let request = ListRequest::new(bucket.clone(), "", Depth::Everything);
    let request = ListRequest { limit: Some(1), ..request };
    let page = context.or_stopped(listing::page(context, &request)).await??;
    let mut is_full = !page.objects.is_empty() || page.next.is_some();
    if !is_full {
        let request = VersionsRequest::new(bucket.clone(), "");
        is_full = match VersionPages::new(context, request).next().await {
            Ok(page) => page.is_some_and(|page| !page.versions.is_empty()),
            Err(error @ JobError::Stopped) => return Err(error.into()),
            // Who may not list them, or where there is no such request, the store has the last word.
            Err(_) => false,
        };
    }
    if is_full {
        let error = anyhow::anyhow!("s3://{bucket} is not empty, and was not removed");
        return Err(CommandError::failed(error).hint(how_to_empty(bucket)));
    }
    Ok(())
}

fn explained(bucket: &Bucket, error: JobError) -> CommandError {
    let is_full = match &error {
        JobError::Store { source, .. } => source.code.as_deref() == Some("BucketNotEmpty"),
        _ => false,
    };
    if !is_full {
        return error.into();
    }
    CommandError::failed(error).hint(how_to_empty(bucket))
}

fn how_to_empty(bucket: &Bucket) -> String {
    format!(
        "see what is in it: haul ls -r s3://{bucket}, and old versions: --all-versions; \
         --force removes all of it first"
    )
}
