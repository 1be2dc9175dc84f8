//! One call of the program, from its arguments to its exit code.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use tokio::sync::mpsc;

use super::args::{Cli, Command, Output};
use super::described::describe;
use super::exit::Exit;
use super::front::behind_the_verb;
use super::line::Parser;
use super::settings::{Misread, Parsed, Setting, Settings};
use super::{logging, named_files, pages, planned, script, shell, signals, threads};
use crate::commands::error::{CommandError, Kind};
use crate::commands::options::Filters;
use crate::commands::session::{self, Session};
use crate::commands::typed::Typed;
use crate::domain::record::OutputError;
use crate::storage::local::limits;
use crate::transfer::cancel::Cancel;
use crate::transfer::error::chain;
use crate::transfer::gauge::{Gauge, Plans};
use crate::transfer::outcome::{End, Failure, Summary};
use crate::ui::data::Format;
use crate::ui::listing::{self, Listing};
use crate::ui::look::{Columns, Look, Sizes};
use crate::ui::options::{Options, Purpose, ShowProgress, Verbosity};
use crate::ui::reporter::Reporter;
use crate::ui::streams::Answer;
use crate::ui::style::{ColorChoice, Paint};
use crate::ui::{failure, lines, streams};

/// Events that wait to be told. A slow terminal slows the run rather than growing memory.
const EVENTS: usize = 1024;

/// Does what `arguments` ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    // First of all: a page that is large already stays so.
    pages::keep_small();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let whole = Cli::command();
    // Help is to be had whatever is set.
    let (mut settings, refused) = match Settings::load(&whole) {
        Ok(settings) => (settings, None),
        Err(error) => (Settings::default(), Some(error)),
    };
    let mut command = settings.apply(whole.clone());
    let ordered = match behind_the_verb(&whole, &arguments) {
        Ok(ordered) => ordered,
        Err(error) => return wrong(&error),
    };
    let tried = settings.parse(&mut command, &whole, &ordered);
    let parsed = tried.and_then(|Parsed { matches, rules }| {
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok((cli, matches, rules))
    });
    let (cli, typed, overruled) = match parsed {
        Ok(parsed) => parsed,
        Err(Misread::Overruled(overruled)) => return wrong(&settings.refuse(&overruled)),
        Err(Misread::Line(error)) => {
            // Help and version go to stdout, the rest to stderr; a closed pipe is no news.
            if let Some(missing) = planned::missing(&error) {
                return wrong(&missing);
            }
            error.print().ok();
            return if error.exit_code() == 0 { Exit::Success } else { Exit::Usage };
        }
    };
    if let Some(error) = refused {
        return refuse(&error, &cli.output);
    }
    let overruled: Vec<_> = overruled.iter().filter_map(|one| settings.note(one)).collect();
    settings.notes.extend(overruled);
    tell_settings(&settings, &settings.in_use(&command, &typed), &cli.output);
    if let Some(described) = describe(&cli.command, &whole, &settings, &cli.output) {
        return described.map_or_else(|error| refuse(&error, &cli.output), |()| Exit::Success);
    }
    if let Err(error) = load_filters(&cli, &typed) {
        return refuse(&error, &cli.output);
    }
    let parser = match &cli.command {
        Command::Run(args) => Some(Parser::new(&settings, &typed, args.purpose())),
        _ => None,
    };
    logging::start(cli.output.verbosity());
    let open_files = limits::raise_open_files();
    limits::outlive_file_size_limit().ok();
    let runtime = match enough_files(open_files).and_then(|()| runtime()) {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&could_not_start(error), &cli.output),
    };
    // On a worker: each job that ends wakes whoever waits for it, and this thread sleeps apart.
    let ran = runtime.spawn(async move {
        match &cli.command {
            command if command.typed().is_some() => {
                Box::pin(transfer((command, parser), &cli.output, &arguments, open_files)).await
            }
            command => list(command, &cli.output, open_files).await,
        }
    });
    let exit = match runtime.block_on(ran) {
        Ok(exit) => exit,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    // A thread may be in a read of standard input that never ends: it is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

/// Says what is wrong with a command line that can't be read.
fn wrong(error: &CommandError) -> Exit {
    let paint = Paint::stderr(ColorChoice::Auto);
    failure::print_error(error.source.as_ref(), &error.hints, paint);
    Exit::Usage
}

/// Says where values come from that were not typed, to who wants to know; and of what was meant to
/// be one and is none, to everybody.
fn tell_settings(settings: &Settings, in_use: &[&Setting], output: &Output) {
    let paint = Paint::stderr(output.color);
    if output.verbosity() == Verbosity::Quiet {
        return;
    }
    for note in &settings.notes {
        failure::print_note(note, paint);
    }
    if output.verbosity() != Verbosity::Normal {
        for Setting { option, values, origin } in in_use {
            let values = values.join(" ");
            failure::print_note(&format!("--{option} is {values}, by {origin}"), paint);
        }
    }
}

/// The runtime does not fail where it gets too few, it panics.
fn enough_files(open_files: Option<u64>) -> std::io::Result<()> {
    match open_files {
        Some(files) if files < limits::LEAST_OPEN_FILES => {
            let least = limits::LEAST_OPEN_FILES;
            let text =
                format!("{files} open files are too few, it needs {least}; raise `ulimit -n`");
            Err(std::io::Error::other(text))
        }
        _ => Ok(()),
    }
}

fn could_not_start(error: std::io::Error) -> CommandError {
    CommandError::failed(anyhow::Error::new(error).context("could not start"))
}

/// One worker more than there are processors: one that is in a file call, or waits for another to
/// leave the same file, does nothing for the network.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = threads::workers(processors + 1).ok_or_else(|| {
        let text = "the system lets this process have too few threads; raise `ulimit -u`";
        std::io::Error::new(std::io::ErrorKind::OutOfMemory, text)
    })?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

async fn transfer(
    (command, parser): (&Command, Option<Parser>),
    output: &Output,
    arguments: &[OsString],
    open_files: Option<u64>,
) -> Exit {
    if let Err(error) = check_streams(command, output).and_then(|()| ask(command, output)) {
        return refuse(&error, output);
    }
    let (events, heard) = mpsc::channel(EVENTS);
    let is_many = matches!(command, Command::Run(_));
    let gauge = Arc::new(Gauge::new(if is_many { Plans::Many } else { Plans::One }));
    let cancel = Arc::<Cancel>::default();
    if let Err(error) = signals::listen(Arc::clone(&cancel)) {
        return refuse(&could_not_start(error), output);
    }
    let reporter = Reporter::new(options(command, output), Arc::clone(&gauge)).spawn(heard);
    let session = Session {
        cancel: Arc::clone(&cancel),
        gauge,
        events,
        object_output: streams::object_output,
        open_files,
        line: None,
    };
    let ran = match command {
        Command::Download(args) => args.run(&session).await,
        Command::Upload(args) => args.run(&session).await,
        Command::Cp(args) => Box::pin(args.run(&session)).await,
        Command::Mv(args) => Box::pin(args.run(&session)).await,
        Command::Sync(args) => Box::pin(args.run(&session)).await,
        Command::Verify(args) => args.run(&session).await,
        Command::Rm(args) => args.run(&session).await,
        Command::Run(args) => match parser {
            Some(mut parser) => Box::pin(script::run(args, &session, &mut parser)).await,
            None => Ok(Summary::default()),
        },
        Command::Cat(args) => args.run(&session).await,
        Command::Rb(args) => args.run(&session).await,
        // Those that only say what there is.
        _ => Ok(Summary::default()),
    };
    let ran = match ran {
        // Who reads records does not look at standard error, and waits for their end.
        Err(error) if is_to_be_recorded(&error, output, &cancel) => {
            let mut summary = Summary::default();
            session.fail(&mut summary, failure_of(&error)).await;
            Ok(summary)
        }
        ran => ran,
    };
    // The reporter ends when nobody can tell it anything any more.
    drop(session);
    let report = reporter.await;
    let summary = match ran {
        Ok(summary) => summary,
        Err(error) => {
            let exit = refuse(&error, output);
            return match cancel.end() {
                End::Interrupted(signal) => Exit::Interrupted(signal),
                _ => exit,
            };
        }
    };
    let exit = Exit::from(&summary);
    if exit == Exit::OutputClosed {
        return exit;
    }
    let Ok(report) = report else { return Exit::Incomplete };
    // What fed or read a stream is no part of the command that was typed; and a file of commands
    // would do once more what is done.
    let is_repeatable = !is_many && !command.typed().is_some_and(Typed::moves_a_stream);
    let is_worth_repeating =
        is_repeatable && (report.may_pass() || matches!(exit, Exit::Interrupted(_)));
    let next = is_worth_repeating.then(|| shell::typed(arguments));
    match report.finish(&summary, next.as_deref()) {
        Err(OutputError::Failed(_)) if exit == Exit::Success => Exit::Incomplete,
        _ => exit,
    }
}

/// Whether a command that failed before its first job is to end as one that failed later.
fn is_to_be_recorded(error: &CommandError, output: &Output, cancel: &Cancel) -> bool {
    let is_ended = matches!(cancel.end(), End::Interrupted(_));
    output.format() == Format::Json && error.kind == Kind::Failed && !error.is_stop() && !is_ended
}

fn failure_of(error: &CommandError) -> Failure {
    let hint = (!error.hints.is_empty()).then(|| error.hints.join("; "));
    Failure { hint, ..Failure::of_run("could not start", chain(error.source.as_ref())) }
}

/// Commands that say what there is, record by record.
async fn list(command: &Command, output: &Output, open_files: Option<u64>) -> Exit {
    let (events, mut heard) = mpsc::channel(EVENTS);
    let cancel = Arc::<Cancel>::default();
    if let Err(error) = signals::listen(Arc::clone(&cancel)) {
        return refuse(&could_not_start(error), output);
    }
    // Retries of listings are not told: they are over in a moment, or end in an error that is. What
    // is told once a run, such as that no connection can be had, is.
    let paint = Paint::stderr(output.color);
    let is_quiet = output.verbosity() == Verbosity::Quiet;
    let notices = tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            if !is_quiet {
                lines::print_notice(&event, paint);
            }
        }
    });
    let session = Session {
        cancel: Arc::clone(&cancel),
        gauge: Arc::default(),
        events,
        object_output: streams::object_output,
        open_files,
        line: None,
    };
    let is_readable = match command {
        Command::Ls(args) => args.is_human_readable(),
        Command::Du(args) => args.is_human_readable(),
        _ => false,
    };
    let is_long = matches!(command, Command::Ls(args) if args.is_long());
    let look = Look {
        sizes: if is_readable { Sizes::Readable } else { Sizes::Bytes },
        columns: if is_long { Columns::All } else { Columns::Few },
    };
    let mut listing = Listing::new(listing::Options { format: output.format(), look });
    let listed = match command {
        Command::Ls(args) => args.run(&session, &mut listing).await.map(|()| Closing::default()),
        Command::Stat(args) => args.run(&session, &mut listing).await.map(Closing::with),
        Command::Du(args) => args.run(&session, &mut listing).await.map(Closing::with),
        Command::Presign(args) => args
            .run(&session, &mut listing)
            .await
            .map(|warning| Closing { text: warning, errors: Vec::new() }),
        Command::Mb(args) => args.run(&session, &mut listing).await.map(|()| Closing::default()),
        Command::Restore(args) => args
            .run(&session, &mut listing)
            .await
            .map(|tally| Closing { text: Some(tally.text()), errors: tally.into_errors() }),
        Command::Clean(args) => args
            .run(&session, &mut listing)
            .await
            .map(|tally| Closing { text: Some(tally.text()), errors: tally.into_errors() }),
        _ => Ok(Closing::default()),
    };
    drop(session);
    notices.await.ok();
    let finished = listing.finish();
    if let End::Interrupted(signal) = cancel.end() {
        return Exit::Interrupted(signal);
    }
    match (listed, finished) {
        (Err(error), _) => refuse(&error, output),
        (Ok(_), Err(error @ OutputError::Failed(_))) => {
            refuse(&CommandError::failed(error), output)
        }
        (Ok(closing), _) => {
            for error in &closing.errors {
                refuse(error, output);
            }
            if let Some(text) = closing.text.filter(|_| !output.quiet) {
                failure::print_note(&text, Paint::stderr(output.color));
            }
            if closing.errors.is_empty() { Exit::Success } else { Exit::Incomplete }
        }
    }
}

/// What a command that lists says at its end.
#[derive(Debug, Default)]
struct Closing {
    text: Option<String>,
    errors: Vec<CommandError>,
}

impl Closing {
    fn with(errors: Vec<CommandError>) -> Self {
        Self { text: None, errors }
    }
}

/// Says why a command did not run, or not to its end.
fn refuse(error: &CommandError, output: &Output) -> Exit {
    failure::print_error(error.source.as_ref(), &error.hints, Paint::stderr(output.color));
    match error.kind {
        Kind::Usage => Exit::Usage,
        Kind::Failed => Exit::Incomplete,
    }
}

/// Standard output has one use at a time, and streams that are used have to be there.
fn check_streams(command: &Command, output: &Output) -> Result<(), CommandError> {
    let Some(typed) = command.typed() else { return Ok(()) };
    if typed.reads_stdin() && streams::stdin_is_closed() {
        return Err(CommandError::misuse("standard input is closed: there is nothing to read"));
    }
    if typed.base().as_deref() != Some("-") {
        return Ok(());
    }
    if output.json {
        return Err(CommandError::misuse(
            "standard output can't hold both --json and the object's bytes",
        ));
    }
    if streams::stdout_is_closed() {
        return Err(CommandError::misuse("standard output is closed: nobody would get the bytes"));
    }
    // Bytes that mean something else to a terminal may leave it unusable.
    let is_meant = matches!(command, Command::Cat(_));
    if streams::stdout_is_terminal() && typed.purpose() == session::Purpose::Transfer && !is_meant {
        return Err(CommandError::misuse("the object's bytes would go to the terminal")
            .hint("pipe them (`| less`, `| cat`), or name a file instead of -"));
    }
    Ok(())
}

/// Reads what chooses among objects, before anything else may wait for it. Standard input is read
/// once, and one that is closed is no list without a line.
fn load_filters(cli: &Cli, typed: &ArgMatches) -> Result<(), CommandError> {
    let Cli { command, output, .. } = cli;
    let readers = command.filters().map_or(0, Filters::reads_of_stdin);
    let streams = usize::from(command.typed().is_some_and(Typed::reads_stdin));
    let keys = typed.subcommand().map_or(0, |(_, of)| named_files::plain_in_stdin(of));
    if readers + streams + keys > 1 {
        return Err(CommandError::misuse("standard input can be read once, and is named twice"));
    }
    let Some(filters) = command.filters() else { return Ok(()) };
    if readers > 0 && streams::stdin_is_closed() {
        return Err(CommandError::misuse("standard input is closed: there are no patterns in it"));
    }
    let notes = filters.load()?;
    for note in notes.into_iter().filter(|_| !output.quiet) {
        failure::print_note(note, Paint::stderr(output.color));
    }
    Ok(())
}

/// What destroys more than a name says is agreed to first. Nothing in the environment can do that.
fn ask(command: &Command, output: &Output) -> Result<(), CommandError> {
    let question = command.typed().map_or(Ok(None), Typed::question)?;
    let Some(question) = question else { return Ok(()) };
    match failure::ask(&question, Paint::stderr(output.color)) {
        Answer::Yes => Ok(()),
        Answer::No => Err(CommandError::failed(anyhow::anyhow!("it was not agreed to {question}"))
            .hint("nothing was changed")),
        Answer::Nobody => {
            Err(CommandError::misuse(format!("nobody is there to be asked whether to {question}"))
                .hint("--yes says so; --dry-run shows what would go"))
        }
    }
}

fn options(command: &Command, output: &Output) -> Options {
    let typed = command.typed();
    Options {
        format: output.format(),
        progress: match command {
            // They would be drawn into the text that is to be read.
            Command::Cat(_) if streams::stdout_is_terminal() => ShowProgress::None,
            _ => output.progress,
        },
        verbosity: output.verbosity(),
        color: output.color,
        purpose: match typed.map(Typed::purpose) {
            Some(session::Purpose::DryRun) => Purpose::DryRun,
            Some(session::Purpose::Transfer) | None => Purpose::Transfer,
        },
        base: typed.and_then(Typed::base).filter(|base| base != "-" && base != "."),
    }
}
