//! The lines of `haul run`, many at once: each is a command of its own that shares what bounds the
//! run. Must never hold more lines than are under way.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::args::Command;
use super::line::{Bad, Parser};
use super::places::Places;
use crate::commands::error::CommandError;
use crate::commands::run::RunArgs;
use crate::commands::session::{Line, Pool, Session};
use crate::commands::typed::Typed;
use crate::jobs::manifest::TextLine;
use crate::transfer::outcome::{Failure, Summary};

/// Lines under way, at most. Most are one small object, and as many requests as that are worth it
/// where the store is far away.
const LINES: usize = 256;

/// A line that came to an end.
struct Ended {
    number: u64,
    text: String,
    result: Result<Summary, CommandError>,
}

/// Does what all lines say.
pub(super) async fn run(
    args: &RunArgs,
    session: &Session,
    parser: &mut Parser,
) -> Result<Summary, CommandError> {
    let started = Instant::now();
    let pool = args.pool(session).await?;
    if args.is_strict() {
        check(args, &pool, parser).await?;
    }
    let mut lines = args.lines(&pool).await?;
    let mut places = Places::default();
    let mut script = Script { session, pool: &pool, summary: Summary::default() };
    let work = async {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => script.ended(ended).await,
                () = session.cancel.drained() => break,
                next = lines.recv(), if tasks.len() < LINES.min(pool.run.lines_at_once()) => match next {
                    Some(Ok(TextLine { number, content })) => {
                        let parsed = content.as_ref().map_err(|reason| bad(reason));
                        match parsed.and_then(|text| places.parse(parser, (number, text))) {
                            Ok(Some(command)) => {
                                let session = script.of_line(number);
                                let text = content.unwrap_or_default();
                                tasks.spawn(one(session, command, (number, text)));
                            }
                            Ok(None) => {}
                            Err(bad) => {
                                script.failed(no_command(number, content, bad)).await;
                            }
                        }
                    }
                    Some(Err(error)) => {
                        let name = args.name();
                        script.failed(cut_off(&name, &CommandError::failed(error))).await;
                        break;
                    }
                    None => break,
                },
            }
        }
        while let Some(ended) = tasks.join_next().await {
            script.ended(ended).await;
        }
    };
    pool.run.driving(work).await;
    let mut summary = script.summary;
    if !session.cancel.is_draining() {
        pool.run.plans_are_complete().await;
    }
    summary.retries = pool.run.retries();
    summary.elapsed = started.elapsed();
    summary.end = session.cancel.end();
    Ok(summary)
}

/// Reads all lines, and starts none: each that is no command is told.
async fn check(args: &RunArgs, pool: &Arc<Pool>, parser: &mut Parser) -> Result<(), CommandError> {
    let mut lines = args.lines(pool).await?;
    let (mut all, mut refused) = (0_u64, 0_u64);
    let mut places = Places::default();
    while let Some(line) = lines.recv().await {
        let TextLine { number, content } = line.map_err(CommandError::usage)?;
        all += 1;
        let parsed = content.as_ref().map_err(|reason| bad(reason));
        let parsed = parsed.and_then(|text| places.parse(parser, (number, text)));
        let checked = parsed.and_then(|command| {
            let typed = command.as_ref().and_then(Command::typed);
            typed.map_or(Ok(()), Typed::check).map_err(|error| Bad::of(&error))
        });
        if let Err(bad) = checked {
            refused += 1;
            pool.run.line_failed(no_command(number, content, bad)).await;
        }
    }
    if refused == 0 {
        return Ok(());
    }
    let text = format!("{refused} of {all} lines are no commands: nothing was started");
    Err(CommandError::misuse(text).hint("without --strict, the others are done"))
}

struct Script<'a> {
    session: &'a Session,
    pool: &'a Arc<Pool>,
    summary: Summary,
}

impl Script<'_> {
    fn of_line(&self, number: u64) -> Session {
        let session = self.session;
        Session {
            cancel: Arc::clone(&session.cancel),
            gauge: Arc::clone(&session.gauge),
            events: session.events.clone(),
            object_output: session.object_output,
            open_files: session.open_files,
            line: Some(Line { number, pool: Arc::clone(self.pool) }),
        }
    }

    async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended { result: Ok(summary), .. }) => self.summary.join(&summary),
            Ok(Ended { result: Err(error), .. }) if error.is_stop() => self.summary.stopped += 1,
            Ok(Ended { number, text, result: Err(error) }) => {
                self.failed(not_done((number, text), &error)).await;
            }
            Err(error) => {
                let text = format!("internal error: {error}; please report this");
                self.failed(failure(None, String::new(), ("internal error", text))).await;
            }
        }
    }

    async fn failed(&mut self, failure: Failure) {
        self.summary.failed += 1;
        self.pool.run.line_failed(failure).await;
    }
}

async fn one(session: Session, command: Command, (number, text): (u64, String)) -> Ended {
    let session = &session;
    let result = match &command {
        Command::Download(args) => args.run(session).await,
        Command::Upload(args) => args.run(session).await,
        Command::Cp(args) => Box::pin(args.run(session)).await,
        Command::Mv(args) => Box::pin(args.run(session)).await,
        Command::Sync(args) => Box::pin(args.run(session)).await,
        Command::Rm(args) => args.run(session).await,
        // No line may be another one.
        _ => Err(CommandError::misuse("it is nothing that a line may do")),
    };
    Ended { number, text, result }
}

fn bad(reason: &str) -> Bad {
    Bad { reason: reason.to_owned(), hint: None }
}

fn no_command(number: u64, content: Result<String, String>, bad: Bad) -> Failure {
    let text = content.unwrap_or_default();
    // Lines are wrong in many ways, and each way has a hint of its own.
    let hint = bad.hint.map_or_else(String::new, |hint| format!("; {hint}"));
    let message = format!("not a command: {}{hint}", bad.reason);
    failure(Some(number), text, ("not a command", message))
}

fn not_done((number, text): (u64, String), error: &CommandError) -> Failure {
    let hint = error.hints.first().map_or_else(String::new, |hint| format!("; {hint}"));
    let message = format!("could not do `{}`: {:#}{hint}", text.trim(), error.source);
    failure(Some(number), text, ("the command failed", message))
}

fn cut_off(name: &str, error: &CommandError) -> Failure {
    let message = format!("not all lines of `{name}` could be read: {:#}", error.source);
    failure(None, name.to_owned(), ("not all lines were read", message))
}

fn failure(line: Option<u64>, source: String, (cause, message): (&str, String)) -> Failure {
    Failure { line, source, ..Failure::of_run(cause, message) }
}
