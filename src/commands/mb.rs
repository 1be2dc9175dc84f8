//! `haul mb`: a new bucket.

use clap::Args;

use super::error::CommandError;
use super::options::Connection;
use super::session::Session;
use crate::domain::location::{Bucket, Location};
use crate::domain::record::{OutputError, Record, RecordSink};
use crate::storage::error::Kind;
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing;

/// Make a bucket
///
/// In the region of --region, the profile or the environment. Names of buckets are shared by all
/// accounts; one that exists already is an error, whosever it is.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul mb s3://my-new-bucket
  haul mb s3://my-new-bucket --region eu-central-1")]
pub struct MbArgs {
    /// s3://bucket
    #[arg(value_name = "S3_URI")]
    uri: String,

    #[command(flatten)]
    connection: Connection,
}

impl MbArgs {
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<(), CommandError> {
        let bucket = whole_bucket(&self.uri)?;
        let context = session.reading_context(&self.connection).await?;
        refuse_existing(&context, &bucket).await?;
        let made = context.or_stopped(listing::make_bucket(&context, &bucket)).await;
        made.and_then(|made| made).map_err(|error| explained(&bucket, error))?;
        match records.push(&Record::Made { bucket: &bucket }) {
            Ok(()) | Err(OutputError::Closed) => Ok(()),
            Err(error) => Err(CommandError::failed(error)),
        }
    }
}

/// In its oldest region S3 says yes to whoever makes a bucket again, and so do some other stores.
async fn refuse_existing(context: &Context, bucket: &Bucket) -> Result<(), CommandError> {
    let request = ListRequest::new(bucket.clone(), "", Depth::OneLevel);
    let request = ListRequest { limit: Some(1), ..request };
    match context.or_stopped(listing::page(context, &request)).await? {
        Ok(_) => Err(CommandError::failed(anyhow::anyhow!("s3://{bucket} is there already"))),
        // It is not there, or not ours: to make it will tell.
        Err(error)
            if matches!(
                error.store_kind(),
                Some(Kind::MissingBucket | Kind::Denied | Kind::WrongRegion { .. })
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn explained(bucket: &Bucket, error: JobError) -> CommandError {
    let code = match &error {
        JobError::Store { source, .. } => source.code.clone(),
        _ => None,
    };
    let hint = match code.as_deref() {
        Some("BucketAlreadyOwnedByYou") => format!("s3://{bucket} is there already, and yours"),
        Some("BucketAlreadyExists") => {
            format!("s3://{bucket} is there already, and somebody else's: choose another name")
        }
        Some("IllegalLocationConstraintException" | "InvalidLocationConstraint") => {
            "the endpoint is for another region: name the bucket's with --region".to_owned()
        }
        Some("InvalidBucketName") => {
            "3 to 63 lower-case letters, digits, dots and hyphens make a name".to_owned()
        }
        _ => return error.into(),
    };
    CommandError::failed(error).hint(hint)
}

/// A bucket, and nothing in it.
pub(super) fn whole_bucket(text: &str) -> Result<Bucket, CommandError> {
    match Location::parse(text).map_err(CommandError::usage)? {
        Location::S3(uri) if uri.rest.is_empty() => Ok(uri.bucket),
        Location::S3(uri) => Err(CommandError::misuse(format!("`{uri}` is more than a bucket"))
            .hint(format!("the bucket alone is s3://{}", uri.bucket))),
        other => Err(CommandError::misuse(format!("`{other}` is no bucket"))
            .hint("buckets look like s3://bucket")),
    }
}
