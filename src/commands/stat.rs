//! `haul stat`: all that the store tells of objects that are named. It must never be about more than
//! those: listings are `ls`.

use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures::{StreamExt as _, stream};

use super::error::CommandError;
use super::options::{Connection, name_version};
use super::session::Session;
use crate::domain::location::{Location, ObjectName};
use crate::domain::record::{OutputError, Record, RecordSink};
use crate::jobs::downloads::hint_for_missing;
use crate::storage::error::Kind;
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing;

/// Show all that is known of an object
///
/// Size, time, ETag, version, storage class, headers, metadata, checksums, encryption, and whether
/// it is archived or being restored: whatever the store tells. Keys are taken literally.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul stat s3://bucket/key
  haul stat s3://bucket/a s3://bucket/b --json
  haul stat s3://bucket/key --version-id ID")]
pub struct StatArgs {
    /// S3 URIs of objects
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<String>,

    /// Show this version of one object
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,

    #[command(flatten)]
    connection: Connection,
}

/// Looks at once.
const AT_ONCE: usize = 16;

impl StatArgs {
    /// Pushes what is found, in the order of the arguments; the errors of those that are not there.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<Vec<CommandError>, CommandError> {
        let objects = self.objects()?;
        let context = Arc::new(session.reading_context(&self.connection).await?);
        let look = |object: ObjectName| {
            let context = Arc::clone(&context);
            async move {
                let details = context.or_stopped(listing::details(&context, &object)).await;
                (object, details.and_then(|details| details))
            }
        };
        let mut looked = stream::iter(objects).map(look).buffered(AT_ONCE);
        let mut errors = Vec::new();
        while let Some((object, details)) = looked.next().await {
            match details {
                Ok(details) => {
                    let record = Record::Stat { object: &object, details: &details };
                    match records.push(&record) {
                        Ok(()) => {}
                        Err(OutputError::Closed) => break,
                        Err(error) => return Err(CommandError::failed(error)),
                    }
                }
                Err(JobError::Stopped) => break,
                Err(error) => errors.push(missing(&context, &object, error).await),
            }
        }
        Ok(errors)
    }

    fn objects(&self) -> Result<Vec<ObjectName>, CommandError> {
        let objects = self.uris.iter().map(|text| {
            match Location::parse(text).map_err(CommandError::usage)? {
                Location::S3(uri) if uri.rest.is_empty() => {
                    Err(CommandError::misuse(format!("`{uri}` is a bucket, and no object"))
                        .hint("haul ls lists what is in it, haul du sums it up"))
                }
                Location::S3(uri) => uri.object().map_err(CommandError::usage),
                other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                    .hint("S3 URIs look like s3://bucket/key")),
            }
        });
        let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
        name_version(self.version_id.as_deref(), objects.iter_mut().map(Some))?;
        Ok(objects)
    }
}

/// Why nothing is told of an object; a slash may be what is missing.
async fn missing(context: &Context, object: &ObjectName, error: JobError) -> CommandError {
    let is_missing = error.store_kind() == Some(&Kind::MissingKey) && object.version.is_none();
    let error = CommandError::from(error);
    if !is_missing {
        return error;
    }
    if object.key.is_folder_marker() {
        let text = "haul ls lists what is below a prefix, haul du sums it up";
        return CommandError { hints: vec![text.to_owned()], ..error };
    }
    match hint_for_missing(context, object).await {
        Some(hint) => CommandError { hints: vec![hint], ..error },
        None => error,
    }
}
