//! `haul presign`: links that let anyone who has them read or write one object, for a while. Nothing
//! is sent to the store.

use std::time::SystemTime;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::error::CommandError;
use super::options::{Connection, name_version};
use super::session::Session;
use crate::domain::location::{Location, ObjectName};
use crate::domain::period::Period;
use crate::domain::record::{OutputError, Record, RecordSink};
use crate::storage::s3::{CredentialsEnd, LONGEST_LINK, Link, LinkTo, S3Store};

/// Make a link to an object
///
/// Whoever has the link may read the object, or with --method put write it, until it expires; it is
/// as good as a password. Keys are taken literally, nothing is sent, and the object need not exist.
/// It is signed for the region of --region, the profile or the environment, which has to be the
/// bucket's.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul presign s3://bucket/key                       to read, for an hour
  haul presign s3://bucket/key --expires 7d          the longest there is
  haul presign s3://bucket/new --method put --expires 15m
  curl -T FILE \"$(haul presign s3://bucket/new --method put)\"
  haul presign s3://bucket/k --response-content-disposition 'attachment; filename=\"a.txt\"'")]
pub struct PresignArgs {
    /// S3 URIs of objects
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<String>,

    /// What the link is for: get or put
    #[arg(long, value_enum, default_value_t = Method::Get, hide_possible_values = true)]
    method: Method,

    /// How long it is good, such as 90s, 15m, 1h or 7d, which is the longest
    #[arg(long, value_name = "TIME", default_value = "1h")]
    expires: Period,

    /// Read this version of one object
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,

    /// The type that a reader is told, or that a writer has to send
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// The Content-Disposition that a reader is told, such as 'attachment; filename="a.txt"'
    #[arg(long, value_name = "TEXT")]
    response_content_disposition: Option<String>,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    Get,
    Put,
}

impl PresignArgs {
    /// Pushes a link for each object; what is worth a warning.
    pub async fn run(
        &self,
        session: &Session,
        records: &mut dyn RecordSink,
    ) -> Result<Option<String>, CommandError> {
        let objects = self.objects()?;
        let Period(expires_in) = self.expires;
        if expires_in.is_zero() || expires_in > LONGEST_LINK {
            let text = "--expires: a link is good for 7 days at most, and a second at least";
            return Err(CommandError::misuse(text));
        }
        if self.connection.is_anonymous() {
            let text = "a link is signed, and --no-sign-request sends no credentials";
            return Err(CommandError::misuse(text).hint("leave it out"));
        }
        if let Some(option) = self.connection.named_in_headers() {
            let text = format!("{option} takes a header in each request, and a link has none");
            let hint = "whoever has the link would be refused: leave it out";
            return Err(CommandError::misuse(text).hint(hint));
        }
        let store = session.store(&self.connection).await?;
        let mut warning = None;
        for object in objects {
            let to = match self.method {
                Method::Get => LinkTo::Get {
                    content_type: self.content_type.clone(),
                    content_disposition: self.response_content_disposition.clone(),
                },
                Method::Put => LinkTo::Put { content_type: self.content_type.clone() },
            };
            let link = Link { object, to, expires_in };
            warning = self.push(&store, &link, records).await?;
        }
        Ok(warning)
    }

    async fn push(
        &self,
        store: &S3Store,
        link: &Link,
        records: &mut dyn RecordSink,
    ) -> Result<Option<String>, CommandError> {
        let presigned = store.presign(link).await.map_err(|error| {
            let hint = error.kind.hint();
            let error = anyhow::Error::new(error);
            let failed = error.context(format!("could not make a link to {}", link.object));
            let failed = CommandError::failed(failed);
            match hint {
                Some(hint) => failed.hint(hint),
                None => failed,
            }
        })?;
        let expires = SystemTime::now().checked_add(link.expires_in);
        let record = Record::Link {
            object: &link.object,
            method: match self.method {
                Method::Get => "GET",
                Method::Put => "PUT",
            },
            url: &presigned.url,
            expires,
        };
        match records.push(&record) {
            Ok(()) | Err(OutputError::Closed) => {}
            Err(error) => return Err(CommandError::failed(error)),
        }
        Ok(match presigned.credentials_end {
            CredentialsEnd::At(end) if expires.is_none_or(|expires| end < expires) => {
                let left = end.duration_since(SystemTime::now()).unwrap_or_default();
                Some(format!(
                    "the credentials are temporary and end in {} min, and the link with them",
                    left.as_secs() / 60
                ))
            }
            CredentialsEnd::Sometime => {
                Some("the credentials are temporary: the link ends with them".to_owned())
            }
            CredentialsEnd::At(_) | CredentialsEnd::Never => None,
        })
    }

    fn objects(&self) -> Result<Vec<ObjectName>, CommandError> {
        let objects = self.uris.iter().map(|text| {
            match Location::parse(text).map_err(CommandError::usage)? {
                Location::S3(uri) => uri.object().map_err(CommandError::usage),
                other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                    .hint("S3 URIs look like s3://bucket/key")),
            }
        });
        let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
        if self.method == Method::Put && self.response_content_disposition.is_some() {
            let text =
                "--response-content-disposition is for readers, and the link is for a writer";
            return Err(CommandError::misuse(text));
        }
        if self.version_id.is_some() && self.method == Method::Put {
            return Err(CommandError::misuse("a version is read, and never written again"));
        }
        name_version(self.version_id.as_deref(), objects.iter_mut().map(Some))?;
        Ok(objects)
    }
}
