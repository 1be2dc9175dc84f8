//! From `--journal` to an open journal that is found to be of this command, and from a journal
//! that is a manifest to the folder that its paths are below.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::download::location;
use super::error::CommandError;
use super::options::Jobs;
use super::rehearsal::Opened;
use crate::domain::job::Fate;
use crate::domain::journal::{Binding, FORMAT, LONGEST_LINE, parse};
use crate::domain::location::{Location, S3Uri};
use crate::jobs::manifested::{self, Common, Direction};
use crate::storage::local::{is_stdin, open_without_waiting};
use crate::transfer::context::Context;
use crate::transfer::journal::{Journal, JournalError};

/// What a command means: only the same one may go on with its journal.
#[derive(Debug, Clone, Default)]
pub(super) struct Meaning {
    pub(super) verb: &'static str,
    pub(super) sources: Vec<String>,
    pub(super) manifest: Option<String>,
    pub(super) destination: String,
    /// What paths of downloads are below.
    pub(super) folder: Option<PathBuf>,
    pub(super) options: Vec<String>,
}

impl Meaning {
    /// Of a manifest's rows.
    pub(super) fn of_rows(name: &str, common: &Common, options: Vec<String>) -> Self {
        let remote = common.bases.remote.as_ref().map(exact).unwrap_or_default();
        let local = absolute(&common.bases.local);
        let text = local.to_string_lossy().into_owned();
        let manifest = match Location::parse(name) {
            Ok(Location::Local(path)) => absolute(&path).to_string_lossy().into_owned(),
            _ => name.to_owned(),
        };
        let (verb, sources, destination, folder) = match common.direction {
            Direction::Down => ("download", vec![remote], text, Some(local)),
            Direction::Up => ("upload", vec![text], remote, None),
            Direction::ByRow => ("cp", vec![remote], text, Some(local)),
            Direction::Between => {
                let target = common.bases.target.as_ref().map(exact).unwrap_or_default();
                ("cp", vec![remote], target, None)
            }
            // Keeps no journal.
            Direction::Compared(_) => ("verify", vec![remote], text, None),
        };
        let verb = if common.fate == Fate::Removed { "mv" } else { verb };
        Self { verb, sources, manifest: Some(manifest), destination, folder, options }
    }

    fn binding(self, endpoint: &str) -> Binding {
        Binding {
            format: FORMAT,
            verb: self.verb.to_owned(),
            sources: self.sources,
            manifest: self.manifest,
            destination: self.destination,
            folder: self.folder.map(|folder| folder.to_string_lossy().into_owned()),
            endpoint: without_secrets(endpoint),
            options: self.options,
        }
    }
}

/// As it was typed, whatever is in it.
pub(super) fn exact(uri: &S3Uri) -> String {
    format!("s3://{}/{}", uri.bucket, uri.rest)
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // `out` and `out/` are one folder.
    absolute.components().collect()
}

/// An endpoint may be written with a user's name and password, or with a token.
fn without_secrets(endpoint: &str) -> String {
    let endpoint = endpoint.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}{path}")
}

/// Opens the journal that was asked for, and lets the run keep it.
pub(super) async fn open(
    context: &Context,
    jobs: &Jobs,
    meaning: Meaning,
) -> Result<(), CommandError> {
    let Some(path) = jobs.journal.clone() else { return Ok(()) };
    if !matches!(location(&path), Ok(Location::Local(_))) {
        let text = format!("`{}` can't be a journal, which is a local file", path.display());
        return Err(CommandError::misuse(text));
    }
    if meaning.destination == "-" || meaning.sources.iter().any(|source| source == "-") {
        let text = "standard input and output pass once: no journal can say that they are done";
        return Err(CommandError::misuse(text));
    }
    let mut meaning = meaning;
    if context.source.endpoint() != context.store.endpoint() {
        let source = without_secrets(context.source.endpoint());
        meaning.options.push(format!("--source-endpoint-url={source}"));
    }
    let binding = meaning.binding(context.store.endpoint());
    let opened = tokio::task::spawn_blocking(move || Journal::open(&path, binding)).await;
    let journal = opened.map_err(CommandError::failed)?.map_err(refused)?;
    let _first = context.journal.set(journal);
    Ok(())
}

/// Holds all rows against the journal, before anything moves.
pub(super) async fn check_rows(
    context: &Arc<Context>,
    opened: Opened,
    common: &Common,
) -> Result<Opened, CommandError> {
    if context.journal.get().is_none_or(Journal::is_empty) {
        return Ok(opened);
    }
    let (context, common) = (Arc::clone(context), common.clone());
    opened
        .rehearse(move |rows| match context.journal.get() {
            Some(journal) => manifested::check(rows, &common, journal).map_err(refused),
            None => Ok(()),
        })
        .await
}

fn refused(error: JournalError) -> CommandError {
    let hint = match &error {
        JournalError::OtherCommand { .. } | JournalError::OtherRow { .. } => {
            "a journal goes with one command and one list; name another file for another run"
        }
        JournalError::Damaged { .. } => {
            "begin a new journal with --overwrite changed, or cut this one before that line"
        }
        JournalError::Foreign(_) => "name a file that does not exist yet",
        _ => return CommandError::usage(error),
    };
    CommandError::usage(error).hint(hint)
}

/// The folder that the paths of a journal's downloads are below, where none was typed.
pub(super) fn folder_of(name: &str) -> Result<PathBuf, CommandError> {
    let unknown = || {
        let text = format!("`{name}` does not say which folder its paths are below");
        CommandError::misuse(text).hint("name the destination folder as the last argument")
    };
    let Ok(Location::Local(path)) = Location::parse(name) else { return Err(unknown()) };
    let Ok(file) = open_without_waiting(&path) else {
        // Whoever opens it as a manifest says why that can't be.
        return Ok(PathBuf::from("."));
    };
    // What passes once is not for a look at its first line.
    if is_stdin(&path) || file.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err(unknown());
    }
    let mut first = Vec::new();
    let most = LONGEST_LINE as u64;
    let read = BufReader::new(file).take(most).read_until(b'\n', &mut first);
    let binding = read.ok().and_then(|_| parse::<Binding>(first.trim_ascii_end()).ok());
    match binding {
        // One of uploads has none: its paths are absolute.
        Some(binding) => Ok(binding.folder.map_or_else(|| PathBuf::from("."), PathBuf::from)),
        None if first.is_empty() => Ok(PathBuf::from(".")),
        None => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn no_password_of_an_endpoint_gets_into_a_journal() {
        for (endpoint, kept) in [
            ("S3", "S3"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("https://user:pass@word@host:1/path?token=x#y", "https://host:1/path"),
            ("https://host?token=x", "https://host"),
        ] {
            assert_eq!(without_secrets(endpoint), kept);
        }
    }
}
