//! From `--manifest` to rows: a file, standard input, or an object.

use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::download::{location, tell_plan};
use super::error::CommandError;
use super::journal::{self, Meaning};
use super::options::{Jobs, Only, Transfer};
use super::rehearsal::{self, Opened};
use super::session::Session;
use crate::domain::escape::Escaped;
use crate::domain::location::{Location, S3Uri};
use crate::jobs::manifest::{self, Compression, Format, Rows};
use crate::jobs::manifested::{self, Common, SourcePaths};
use crate::jobs::planner::{Plan, Planned, Planner};
use crate::storage::local::is_stdin;
use crate::transfer::context::Context;
use crate::transfer::outcome::Summary;
use crate::transfer::spool::spool;

/// What the rows are joined to: at most one prefix, and at most one folder.
pub(super) fn bases(paths: &[PathBuf]) -> Result<(Option<S3Uri>, Option<PathBuf>), CommandError> {
    let (mut remote, mut local) = (None, None);
    for path in paths {
        match location(path)? {
            // Names would be glued to it: `s3://b/2024` and `june` make `2024june`.
            Location::S3(uri) if !uri.is_prefix() => {
                let text = format!("the base `{uri}` is one object, and rows need a prefix");
                let hint = format!("end it with a slash to mean a prefix: {uri}/");
                return Err(CommandError::misuse(text).hint(hint));
            }
            Location::S3(uri) if remote.is_none() => remote = Some(uri),
            Location::Local(path) if local.is_none() => local = Some(path),
            other => {
                let text = format!("`{other}` can't be a base for the manifest's rows");
                return Err(CommandError::misuse(text));
            }
        }
    }
    Ok((remote, local))
}

/// The folder that paths are below, typed or told by a journal that is the manifest.
pub(super) fn folder(
    typed: Option<PathBuf>,
    (jobs, name): (&Jobs, &str),
) -> Result<Option<PathBuf>, CommandError> {
    match typed {
        None if is_journal(jobs, name) => journal::folder_of(name).map(Some),
        typed => Ok(typed),
    }
}

/// Which files the rows of the manifest `name` may take.
pub(super) fn sources(jobs: &Jobs, name: &str) -> SourcePaths {
    if is_journal(jobs, name) { SourcePaths::Anywhere } else { SourcePaths::BelowBase }
}

fn is_journal(jobs: &Jobs, name: &str) -> bool {
    format_of(jobs, name) == Some(Format::Journal)
}

/// Does the jobs of the manifest `name`.
pub(super) async fn run(
    session: &Session,
    context: Arc<Context>,
    (transfer, name): (&Transfer, &str),
    common: Common,
) -> Result<Summary, CommandError> {
    let jobs = &transfer.jobs;
    let mut opened = open(&context, jobs, name).await?;
    if jobs.strict {
        opened = rehearsal::refuse_bad_rows(opened, &common, context.plan_memory() / 4).await?;
    }
    if manifested::may_chain(&common) && !jobs.strict {
        opened = rehearsal::refuse_chains(opened, &common, context.plan_memory() / 4).await?;
    }
    let meaning = Meaning::of_rows(name, &common, options(transfer, opened.format));
    journal::open(&context, jobs, meaning).await?;
    let opened = journal::check_rows(&context, opened, &common).await?;
    let (planned, planning) = plan(opened, common, session, context.plan_memory() / 4).await?;
    let mut summary = session.run(context, planned, jobs.purpose()).await;
    if let Some(plan) = session.planned(planning, &mut summary).await {
        tell_plan(session, plan).await;
    }
    Ok(summary)
}

/// What selects rows.
fn options(transfer: &Transfer, format: Format) -> Vec<String> {
    let mut options = vec![format!("--manifest-format={format}")];
    options.extend(transfer.jobs.only.map(|Only::Failed| "--only=failed".to_owned()));
    options.extend(transfer.selection.described());
    options
}

/// What the manifest is written in: said, or told by its name.
fn format_of(jobs: &Jobs, name: &str) -> Option<Format> {
    jobs.manifest_format.or_else(|| Format::from_name(name))
}

/// The jobs of the manifest's rows, and the planning that goes on beside them.
pub(super) async fn planned(
    session: &Session,
    context: &Arc<Context>,
    (jobs, name): (&Jobs, &str),
    common: Common,
) -> Result<(mpsc::Receiver<Planned>, tokio::task::JoinHandle<Plan>), CommandError> {
    let opened = open(context, jobs, name).await?;
    plan(opened, common, session, context.plan_memory() / 4).await
}

/// Opens the manifest. What is wrong with its name or its first row shows here, before any job.
async fn open(context: &Arc<Context>, jobs: &Jobs, name: &str) -> Result<Opened, CommandError> {
    let format = match format_of(jobs, name) {
        Some(format) => format,
        None if is_stdin(Path::new(name)) => Format::Csv,
        None => {
            let text = format!("`{name}` does not say by its name what it is");
            return Err(CommandError::misuse(text)
                .hint("say it: --manifest-format csv, tsv, jsonl, keys, keys0 or journal"));
        }
    };
    if jobs.only.is_some() && format != Format::Journal {
        let text = format!("--only is for journals, and `{name}` is read as {format}");
        return Err(
            CommandError::misuse(text).hint("say that it is one: --manifest-format journal")
        );
    }
    let compression = Compression::from_name(name);
    let unreadable = |error: std::io::Error| {
        CommandError::usage(
            anyhow::Error::new(error).context(format!("could not open the manifest `{name}`")),
        )
    };
    let (read, again): (Box<dyn Read + Send>, _) =
        match Location::parse(name).map_err(CommandError::usage)? {
            Location::Stream => (Box::new(std::io::stdin()), None),
            Location::Local(path) if is_stdin(&path) => (Box::new(std::io::stdin()), None),
            Location::Local(path) => {
                let file = open_file(&path).map_err(unreadable)?;
                let again = is_regular(&file).then(|| open_file(&path).ok()).flatten();
                (Box::new(file), again)
            }
            Location::S3(uri) => {
                let file = spool(context, uri.object().map_err(CommandError::usage)?).await?;
                (Box::new(file), None)
            }
        };
    Ok(Opened { read, again, format, compression, only: jobs.only })
}

pub(super) fn open_file(path: &Path) -> std::io::Result<File> {
    let mut file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    file.rewind().or_else(|error| if is_regular(&file) { Err(error) } else { Ok(()) })?;
    Ok(file)
}

pub(super) fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.is_file())
}

/// Reads the manifest on a thread of its own, and gives the jobs of its rows.
async fn plan(
    opened: Opened,
    common: Common,
    session: &Session,
    memory: u64,
) -> Result<(mpsc::Receiver<Planned>, tokio::task::JoinHandle<Plan>), CommandError> {
    let mut opened = opened;
    // What of a journal is left out has sizes, too.
    let again = opened.again.take().filter(|_| opened.only.is_none());
    let (format, compression) = (opened.format, opened.compression);
    let opening = tokio::task::spawn_blocking(move || {
        let read = std::mem::replace(&mut opened.read, Box::new(std::io::empty()));
        opened.rows(read)
    });
    let rows = tokio::select! {
        biased;
        // A pipe may say nothing for ever.
        () = session.cancel.drained() => {
            let text = "stopped before the manifest's first row came: nothing was started";
            return Err(CommandError::failed(anyhow::Error::msg(text)));
        }
        rows = opening => rows,
    };
    let rows: Rows = rows.map_err(CommandError::failed)?.map_err(CommandError::usage)?;
    if !rows.ignored_columns().is_empty() {
        // A misspelt name would otherwise send files to where nobody meant them.
        let names: Vec<_> =
            rows.ignored_columns().iter().map(|name| format!("`{}`", Escaped(name))).collect();
        session
            .notice(format!(
                "the manifest's columns {} mean nothing here and are ignored",
                names.join(", ")
            ))
            .await;
    }
    let gauge = &session.gauge;
    if let Some(again) = again {
        // Counted while the first rows are already on their way.
        let gauge = Arc::clone(gauge);
        drop(tokio::task::spawn_blocking(move || {
            if let Ok(totals) = manifest::totals(Box::new(again), format, compression)
                && let Some(bytes) = totals.bytes
            {
                gauge.promise(totals.rows, bytes);
            }
        }));
    }
    let (planner, jobs) = Planner::with_names(Arc::clone(gauge), memory, common.names);
    let planner = planner.with_fate(common.fate).between(common.sides);
    let planning = tokio::task::spawn_blocking(move || manifested::plan(planner, rows, &common));
    Ok((jobs, planning))
}
