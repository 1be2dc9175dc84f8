//! `haul run`: many commands in one process. What the lines mean is for the floor above, which knows
//! the command line; here is what they share, and where they come from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::sync::mpsc;

use super::download::location;
use super::error::CommandError;
use super::manifest::{is_regular, open_file};
use super::options::{Connection, Failure, Speed};
use super::session::{Pool, Purpose, Session};
use super::typed::Typed;
use crate::domain::location::Location;
use crate::jobs::manifest::{Compression, ManifestError, Text, TextLine};
use crate::storage::local::is_stdin;
use crate::transfer::context::Scope;
use crate::transfer::spool::spool;

/// Run many commands from a file, one a line, in one process
///
/// The lines are commands as they are typed, with or without `haul` before them: download, upload,
/// cp, mv, sync and rm, their options, wildcards and prefixes. They share connections, memory and
/// bandwidth, many are under way at once, and THEIR ORDER IS NOT PROMISED: what has to happen
/// after something else belongs in a second file. A line that writes, removes or moves an object or
/// file that an earlier one moves, or moves there, is refused. Options that are typed here go for all
/// lines; those of a line go before them.
///
/// Words are split as a shell does it: spaces and tabs separate them; 'single' and "double" quotes
/// and a backslash take characters literally; `#` at the beginning of a line or of a word begins a
/// comment. Nothing is expanded: no variables, no `~`; `*` and `?` are wildcards of keys. Lines
/// written for `s5cmd run` work, where the options in them are haul's, too.
///
/// A line that is no command, or fails, is an error that names it (exit 1); the others go on.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  haul run commands.txt
  haul run --dry-run commands.txt            what all lines would do
  haul run --strict commands.txt             nothing, if one line is no command
  haul run --max-bandwidth 100M --json big.txt.gz
  generate-commands | haul run -
  haul run s3://bucket/commands.txt

A file:
  # comments and empty lines are fine
  cp s3://bucket/2024/*.gz logs/
  upload 'my report.pdf' s3://bucket/reports/ --storage-class STANDARD_IA
  mv s3://bucket/new/a.csv s3://bucket/done/a.csv
  rm s3://bucket/tmp/*")]
pub struct RunArgs {
    /// Where the lines are: a file, s3://bucket/key, or standard input (-); .gz and .zst are read
    #[arg(value_name = "FILE", required = true, num_args = 1)]
    file: Vec<PathBuf>,

    /// Show what all lines would do, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Start nothing if one of the lines is no command (exit 2)
    #[arg(long, help_heading = "Failure")]
    strict: bool,

    #[command(flatten)]
    failure: Failure,
    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    connection: Connection,
}

impl Typed for RunArgs {
    fn paths(&self) -> &[PathBuf] {
        &self.file
    }

    fn purpose(&self) -> Purpose {
        if self.dry_run { Purpose::DryRun } else { Purpose::Transfer }
    }

    fn reads_stdin(&self) -> bool {
        self.file.iter().any(|file| is_stdin(file))
    }
}

/// What a reader of lines gives.
pub type Given = Result<TextLine, ManifestError>;

/// Lines that wait to be started.
const AHEAD: usize = 256;

impl RunArgs {
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// The file's name, as it was typed.
    pub fn name(&self) -> String {
        let name = self.file.first().map_or_else(|| Path::new(""), PathBuf::as_path);
        name.to_string_lossy().into_owned()
    }

    /// Sets up what all lines share.
    pub async fn pool(&self, session: &Session) -> Result<Arc<Pool>, CommandError> {
        let scope = Scope::ManyBuckets;
        let (speed, failure) = (&self.speed, &self.failure);
        let run = session.comparing_context(&self.connection, speed, failure, scope).await?;
        let connection = self.connection.resolve()?;
        let stores = tokio::sync::Mutex::default();
        Ok(Arc::new(Pool { run: Arc::new(run), connection, stores }))
    }

    /// Reads the lines on a thread of its own: a pipe may say nothing for ever.
    pub async fn lines(&self, pool: &Pool) -> Result<mpsc::Receiver<Given>, CommandError> {
        let name = self.name();
        let unreadable = |error: std::io::Error| {
            let error = anyhow::Error::new(error).context(format!("could not open `{name}`"));
            CommandError::usage(error)
        };
        let place = self.file.first().map(|path| location(path)).transpose()?;
        let read: Box<dyn Read + Send> = match place {
            Some(Location::Local(path)) if !is_stdin(&path) => {
                let file = open_file(&path).map_err(unreadable)?;
                if self.strict && !is_regular(&file) {
                    return Err(self.passes_once());
                }
                Box::new(file)
            }
            Some(Location::S3(uri)) => {
                let object = uri.object().map_err(CommandError::usage)?;
                Box::new(spool(&pool.run, object).await?)
            }
            _ if self.strict => return Err(self.passes_once()),
            Some(Location::Stream | Location::Local(_)) | None => Box::new(std::io::stdin()),
        };
        let compression = Compression::from_name(&name);
        let (lines, taken) = mpsc::channel(AHEAD);
        drop(tokio::task::spawn_blocking(move || {
            // Whoever takes the lines may have enough of them.
            if let Err(error) = hand_over(read, compression, &lines) {
                lines.blocking_send(Err(error)).ok();
            }
        }));
        Ok(taken)
    }

    fn passes_once(&self) -> CommandError {
        let text = format!("--strict reads the lines twice, and `{}` passes once", self.name());
        CommandError::misuse(text).hint("write them to a file first")
    }
}

fn hand_over(
    read: Box<dyn Read + Send>,
    compression: Compression,
    lines: &mpsc::Sender<Given>,
) -> Result<(), ManifestError> {
    let mut text = Text::open(read, compression)?;
    while let Some(line) = text.next_line()? {
        if lines.blocking_send(Ok(line)).is_err() {
            break;
        }
    }
    Ok(())
}
