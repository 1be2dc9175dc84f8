//! `haul cat`: objects to standard output, one after the other, each verified on its way. What can't
//! be had to its end ends it: whoever reads must not take what follows for what was missing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures::stream;

use super::download::location;
use super::error::CommandError;
use super::options::{Connection, Failure, Speed, name_version};
use super::session::{Purpose, Session};
use super::typed::Typed;
use crate::domain::job::{Download, Expected, Job, LocalTarget, Refused, Task};
use crate::domain::location::{Location, ObjectName, S3Uri};
use crate::domain::pattern::Wildcard;
use crate::domain::range::Span;
use crate::jobs::downloads::{Keys, Source, hint_for_missing};
use crate::jobs::listed::{Broken, Listed};
use crate::transfer::context::{Context, Scope};
use crate::transfer::engine;
use crate::transfer::outcome::{End, Summary};
use crate::transfer::output::Output;

/// Print objects to standard output
///
/// One after the other, in the order in which they were named; what a wildcard matches, in the order
/// of the listing. Every byte is verified as a download's is, but where --range asks for some of
/// them: no checksum is of those alone, and their number and the ETag are checked.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul cat s3://bucket/notes.txt
  haul cat 's3://bucket/logs/2024-*.gz' | gunzip
  haul cat s3://bucket/a.csv s3://bucket/b.csv > all.csv
  haul cat s3://bucket/large.bin --range 0-1023    its first 1024 bytes
  haul cat s3://bucket/large.log --range=-1000     its last 1000")]
pub struct CatArgs {
    /// S3 URIs of objects, or wildcards
    #[arg(value_name = "S3_URI", required = true)]
    uris: Vec<PathBuf>,

    /// Print these bytes of each object: 0-99, 100- or, of the last ones, -100
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    range: Option<Span>,

    /// Print this version of one object
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    version_id: Option<String>,

    /// Take keys literally: `*` and `?` mean nothing
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
}

impl Typed for CatArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.uris
    }

    fn purpose(&self) -> Purpose {
        Purpose::Transfer
    }

    fn reads_stdin(&self) -> bool {
        false
    }

    fn base(&self) -> Option<String> {
        Some("-".to_owned())
    }

    fn moves_a_stream(&self) -> bool {
        true
    }
}

impl CatArgs {
    pub async fn run(&self, session: &Session) -> Result<Summary, CommandError> {
        let sources = self.sources()?;
        let (connection, failure) = (&self.connection, Failure::default());
        let scope = Scope::ManyBuckets;
        let mut context =
            session.comparing_context(connection, &self.speed, &failure, scope).await?;
        context.span = self.range;
        let (context, summary) = (Arc::new(context), Summary::default());
        let mut cat = Cat { session, context, number: 0, summary };
        for source in sources {
            match source {
                Source::Object(object) => cat.print_named(object).await,
                Source::Matching { uri, wildcard } => cat.print_matching(&uri, &wildcard).await,
                Source::Prefix(_) => {}
            }
            if cat.is_over() {
                break;
            }
        }
        session.gauge.complete_plan();
        cat.summary.end = cat.context.cancel.end();
        Ok(cat.summary)
    }

    fn sources(&self) -> Result<Vec<Source>, CommandError> {
        let keys = if self.raw { Keys::Raw } else { Keys::Patterns };
        let sources = self.uris.iter().map(|path| match location(path)? {
            Location::S3(uri) => match Source::new(uri, keys).map_err(CommandError::usage)? {
                Source::Prefix(uri) => {
                    let text = format!("{uri} is a prefix, and no object");
                    let all = format!("'s3://{}/{}*'", uri.bucket, uri.rest);
                    Err(CommandError::misuse(text)
                        .hint(format!("everything below it: haul cat {all}")))
                }
                source => Ok(source),
            },
            other => Err(CommandError::misuse(format!("`{other}` is no S3 URI"))
                .hint("S3 URIs look like s3://bucket/key")),
        });
        let mut sources = sources.collect::<Result<Vec<_>, _>>()?;
        name_version(self.version_id.as_deref(), sources.iter_mut().map(Source::object_mut))?;
        Ok(sources)
    }
}

struct Cat<'a> {
    session: &'a Session,
    context: Arc<Context>,
    number: u64,
    summary: Summary,
}

impl Cat<'_> {
    /// Whether nothing more is to be printed.
    fn is_over(&self) -> bool {
        self.context.cancel.is_draining()
    }

    async fn print_named(&mut self, object: ObjectName) {
        let missing = self.summary.missing;
        self.print(object.clone(), None).await;
        if self.summary.missing > missing
            && object.version.is_none()
            && !self.is_over()
            && let Some(hint) = hint_for_missing(&self.context, &object).await
        {
            self.session.notice(hint).await;
        }
    }

    async fn print_matching(&mut self, uri: &S3Uri, wildcard: &Wildcard) {
        let matches = |key: &str| wildcard.matches(key);
        let mut listed = Listed::new(&self.context, uri, wildcard.prefix(), matches);
        while !self.is_over() {
            match listed.next().await {
                Ok(Some(found)) => {
                    let object = ObjectName::new(uri.bucket.clone(), found.key);
                    self.print(object, Some(found.size)).await;
                }
                Ok(None) | Err(Broken::Stopped) => return,
                Err(Broken::Refused(refused)) => return self.refuse(refused).await,
            }
        }
    }

    /// One object, to its end.
    async fn print(&mut self, object: ObjectName, size: Option<u64>) {
        self.number += 1;
        let task = Task::Download(Download {
            object,
            size,
            etag: None,
            last_modified: None,
            target: LocalTarget::Stdout,
            expected: Expected::default(),
        });
        let job = Job::new(self.number, None, task);
        self.session.gauge.plan(size);
        let output = Output::new((self.session.object_output)());
        *self.output() = Some(output);
        self.run(Ok(job)).await;
    }

    async fn refuse(&mut self, refused: Refused) {
        self.run(Err(refused)).await;
    }

    /// What is not there leaves the others to be printed; anything else that fails is the end.
    async fn run(&mut self, planned: Result<Job, Refused>) {
        let context = Arc::clone(&self.context);
        let next = engine::run(context, stream::iter([planned])).await;
        self.summary.add(&next);
        if next.failed > next.missing {
            self.context.cancel.drain(End::GaveUp);
        }
    }

    fn output(&self) -> std::sync::MutexGuard<'_, Option<Output>> {
        let output: &Mutex<_> = &self.context.output;
        output.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
