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
        let seen = refuse_existing(&context, &bucket).await?;
        let made = context.or_stopped(listing::make_bucket(&context, &bucket)).await;
        match made.and_then(|made| made) {
            Ok(()) => {}
            // There was none a moment ago: the reply to an earlier try was lost.
            Err(error) if seen == Seen::Missing && code(&error) == Some(OURS) => {}
            Err(error) => return Err(explained(&bucket, error)),
        }
        match records.push(&Record::Made { bucket: &bucket }) {
            Ok(()) | Err(OutputError::Closed) => Ok(()),
            Err(error) => Err(CommandError::failed(error)),
        }
    }
}

/// What a look at a bucket that is to be made came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Missing,
    /// Nobody here may look.
    Unknown,
}

const OURS: &str = "BucketAlreadyOwnedByYou";

/// In its oldest region S3 says yes to whoever makes a bucket again, and so do some other stores.
async fn refuse_existing(context: &Context, bucket: &Bucket) -> Result<Seen, CommandError> {
    let request = ListRequest::new(bucket.clone(), "", Depth::OneLevel);
    let request = ListRequest { limit: Some(1), ..request };
    let Err(error) = context.or_stopped(listing::page(context, &request)).await? else {
        let error = anyhow::anyhow!("s3://{bucket} is there already");
        return Err(CommandError::failed(error));
    };
    match error.store_kind() {
        Some(Kind::MissingBucket) => Ok(Seen::Missing),
        // To make it will tell whose it is.
        Some(Kind::Denied | Kind::WrongRegion { .. }) => Ok(Seen::Unknown),
        _ => Err(error.into()),
    }
}

fn code(error: &JobError) -> Option<&str> {
    match error {
        JobError::Store { source, .. } => source.code.as_deref(),
        _ => None,
    }
}

fn explained(bucket: &Bucket, error: JobError) -> CommandError {
    let hint = match code(&error) {
        Some(OURS) => format!("s3://{bucket} is there already, and yours"),
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
