//! One line of a file of commands, as a command: the same command line as that of the program, with
//! what was typed at `haul run`, or set for it alone, as its defaults.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::args::{Cli, Command};
use super::settings::{Misread, Rank, Settings, overruled};
use super::{named_files, planned};
use crate::commands::error::CommandError;
use crate::commands::session::Purpose;
use crate::domain::escape::Escaped;
use crate::domain::words;

/// Verbs that lines may have. Others say what there is, or ask, or are not about objects.
const VERBS: [&str; 6] = ["download", "upload", "cp", "mv", "sync", "rm"];

/// Options of the run as a whole, by the names of their arguments.
const OF_THE_RUN: [&str; 11] = [
    "color",
    "concurrency",
    "fail_fast",
    "journal",
    "json",
    "max_bandwidth",
    "max_errors",
    "max_memory",
    "progress",
    "quiet",
    "verbose",
];

/// Makes commands of lines.
pub(super) struct Parser {
    command: clap::Command,
    settings: Settings,
    defaults: Defaults,
    purpose: Purpose,
    /// Of each verb, the command that has no options of its own: most lines are of this kind, and
    /// reading hundreds of options takes longer than moving a small object.
    plain: HashMap<String, Command>,
}

/// What lines have that say nothing else, by the long names of options.
type Defaults = HashMap<String, (Rank, Vec<OsString>)>;

/// Why a line is no command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// One line.
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Bad {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    pub(super) fn of(error: &CommandError) -> Self {
        Self { reason: error.source.to_string(), hint: error.hints.first().cloned() }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Parser {
    /// `typed`: the command line of `haul run`.
    pub(super) fn new(settings: &Settings, typed: &ArgMatches, purpose: Purpose) -> Self {
        let defaults = defaults(&Cli::command(), typed, settings);
        let command = with(settings, &defaults, &[]);
        Self { command, settings: settings.clone(), defaults, purpose, plain: HashMap::new() }
    }

    /// `None`: there is nothing to do.
    pub(super) fn parse(&mut self, line: &str) -> Result<Option<Command>, Bad> {
        let mut words = words::split(line).map_err(|error| Bad::new(error.to_string()))?;
        if words.first().is_some_and(|first| first == "haul" || first == "s5cmd") {
            words.remove(0);
        }
        let Some(verb) = words.first() else { return Ok(None) };
        let is_plain = !words.iter().any(|word| word.is_empty() || word.starts_with('-'));
        match words.as_slice() {
            [verb, paths @ ..] if is_plain && is_usual(verb, paths.len()) => {
                let known = self.plain.get(verb);
                let known = known.and_then(|plain| with_paths(plain, paths));
                if let Some(command) = known {
                    return Ok(Some(command));
                }
                let command = self.parse_words(&words)?;
                self.plain.insert(verb.clone(), command.clone());
                Ok(Some(command))
            }
            _ if verb.starts_with('-') => Err(Bad::new(format!(
                "`{verb}` stands before a command"
            ))
            .hint("options of all lines are typed at `haul run`, those of one behind its verb")),
            _ => self.parse_words(&words).map(Some),
        }
    }

    fn parse_words(&mut self, words: &[String]) -> Result<Command, Bad> {
        let typed = std::iter::once("haul").chain(words.iter().map(String::as_str));
        let typed: Vec<_> = typed.map(OsString::from).collect();
        let (settings, defaults) = (&self.settings, &self.defaults);
        let rank = |arg: &Arg, verb: &str| {
            let long = arg.get_long()?;
            let of_run = defaults.get(long).map(|(rank, _)| *rank);
            of_run.or_else(|| settings.rank(long, verb))
        };
        let mut is_less = false;
        let without = |but: &[String]| {
            is_less = true;
            with(settings, defaults, but)
        };
        let parsed = overruled::parse(&mut self.command, &typed, rank, without);
        if is_less {
            // It was this line that had less.
            self.command = with(settings, defaults, &[]);
        }
        let matches = match parsed {
            Ok(parsed) => parsed.matches,
            Err(Misread::Line(error)) => return Err(bad(&error)),
            Err(Misread::Overruled(overruled)) => {
                return Err(Bad::of(&self.settings.refuse(&overruled)));
            }
        };
        let cli = Cli::from_arg_matches(&matches).map_err(|error| bad(&error))?;
        self.check(&cli.command, &matches)?;
        Ok(cli.command)
    }

    fn check(&self, command: &Command, matches: &ArgMatches) -> Result<(), Bad> {
        let Some((verb, of)) = matches.subcommand() else { return Err(Bad::new("no command")) };
        let typed = command.typed().filter(|_| VERBS.contains(&verb));
        let Some(typed) = typed else {
            return Err(Bad::new(format!("`{verb}` is nothing that a line may do"))
                .hint(format!("lines may do: {}", VERBS.join(", "))));
        };
        let of_the_run = of.ids().map(clap::Id::as_str).find(|id| {
            OF_THE_RUN.contains(id) && of.value_source(id) == Some(ValueSource::CommandLine)
        });
        if let Some(id) = of_the_run {
            let option = id.replace('_', "-");
            let text = format!("--{option} is about the run as a whole, and not about one line");
            let hint = match id {
                "journal" => "haul run keeps no journal: cp --manifest does".to_owned(),
                _ => format!("haul run --{option} ..."),
            };
            return Err(Bad::new(text).hint(hint));
        }
        if typed.journal().is_some() {
            return Err(Bad::new("--journal is set, and lines share none")
                .hint("unset HAUL_JOURNAL, and `journal` in the configuration file"));
        }
        let has_patterns = command.filters().is_some_and(|filters| filters.reads_of_stdin() > 0);
        let has_keys = named_files::plain_in_stdin(of) > 0;
        if has_patterns || has_keys || typed.reads_stdin() || typed.moves_a_stream() {
            return Err(Bad::new("lines run side by side: `-`, a stream, is not for one of them"));
        }
        if let Some(path) = named_files::that_may_wait(of) {
            let name = Escaped(&path.to_string_lossy()).to_string();
            return Err(Bad::new(format!(
                "`{name}` is no regular file, and lines wait for nothing"
            ))
            .hint("write what comes through it to a file first"));
        }
        if typed.purpose() != self.purpose {
            return Err(
                Bad::new("--dry-run is for all lines, or for none").hint("haul run --dry-run ...")
            );
        }
        match typed.question() {
            Ok(Some(question)) => Err(Bad::new(format!("nobody is asked whether to {question}"))
                .hint("--yes in the line says so")),
            // The command tells it itself.
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// The command line of lines, but for the defaults of some options, which are named as their
/// arguments are.
fn with(settings: &Settings, defaults: &Defaults, but: &[String]) -> clap::Command {
    let set = |arg: Arg| {
        let set = arg.get_long().and_then(|long| defaults.get(long));
        match set.filter(|_| !but.iter().any(|id| arg.get_id() == id)) {
            Some((_, values)) => arg.default_values(values.clone()),
            None => arg,
        }
    };
    VERBS.into_iter().fold(settings.apply_but(Cli::command(), but), |command, verb| {
        command.mut_subcommand(verb, |of| of.mut_args(set))
    })
}

/// So many paths are no mistake.
fn is_usual(verb: &str, paths: usize) -> bool {
    match verb {
        "download" | "upload" | "cp" | "mv" => paths == 2,
        _ => false,
    }
}

/// Such paths are the same to each command, but for the streams.
fn with_paths(plain: &Command, paths: &[String]) -> Option<Command> {
    let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
    match plain {
        Command::Download(args) => Some(Command::Download(args.with_paths(paths))),
        Command::Upload(args) => Some(Command::Upload(args.with_paths(paths))),
        Command::Cp(args) => Some(Command::Cp(args.with_paths(paths))),
        Command::Mv(args) => Some(Command::Mv(args.with_paths(paths))),
        _ => None,
    }
}

/// What was typed at `haul run`, or is set for it alone, that lines have, too.
fn defaults(command: &clap::Command, typed: &ArgMatches, settings: &Settings) -> Defaults {
    let Some((verb, of)) = typed.subcommand() else { return HashMap::new() };
    let args = command.find_subcommand(verb).into_iter().flat_map(clap::Command::get_arguments);
    let typed = args.filter_map(|arg| {
        // It is about the lines themselves.
        let long = arg.get_long().filter(|long| *long != "strict")?;
        let id = arg.get_id().as_str();
        let is_flag = match arg.get_action() {
            ArgAction::SetTrue => true,
            action if action.takes_values() => false,
            _ => return None,
        };
        let default = if of.value_source(id) == Some(ValueSource::CommandLine) {
            let values = if is_flag {
                vec!["true".into()]
            } else {
                of.get_raw(id)?.map(OsString::from).collect()
            };
            (Rank::TypedForLines, values)
        } else if settings.rank(long, verb) == Some(Rank::OfCommand) {
            let values = match settings.of_option(long, Some(verb))?.values.as_slice() {
                // A flag that is not set here, though it may be for all commands.
                [] if is_flag => vec!["false".into()],
                values => values.iter().map(OsString::from).collect(),
            };
            (Rank::SetForLines, values)
        } else {
            return None;
        };
        Some((long.to_owned(), default))
    });
    typed.collect()
}

/// What clap says in a paragraph, in one line and a hint.
fn bad(error: &clap::Error) -> Bad {
    if let Some(missing) = planned::missing(error) {
        return Bad::of(&missing);
    }
    if !error.use_stderr() {
        return Bad::new("help and version are no commands");
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let (tips, told): (Vec<_>, Vec<_>) =
        lines.filter(|line| !line.is_empty()).partition(|line| line.starts_with("tip: "));
    let reason = told.join(" ");
    let hint = tips.first().map(|tip| tip.trim_start_matches("tip: ").to_owned());
    Bad { reason: reason.trim_start_matches("error: ").to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(typed: &[&str]) -> Parser {
        parser_of(&Settings::default(), typed)
    }

    fn parser_of(settings: &Settings, typed: &[&str]) -> Parser {
        let mut command = settings.apply(Cli::command());
        let matches = command.try_get_matches_from_mut(typed).expect("a command line");
        let cli = Cli::from_arg_matches(&matches).expect("a command line");
        let purpose = cli.command.typed().expect("a run").purpose();
        Parser::new(settings, &matches, purpose)
    }

    fn parse(line: &str) -> Result<Option<Command>, Bad> {
        parser(&["haul", "run", "f"]).parse(line)
    }

    #[test]
    fn a_line_is_a_command_with_or_without_a_name_before_it() {
        for line in ["cp s3://b/k .", "haul cp s3://b/k .", "s5cmd cp s3://b/k .  # why"] {
            let parsed = parse(line).expect("a command").expect("something to do");
            assert!(matches!(&parsed, Command::Cp(_)), "{line}");
            assert_eq!(parsed.typed().expect("typed").paths().len(), 2, "{line}");
        }
        for line in ["", "  ", "# cp a b", "haul", "s5cmd # nothing"] {
            assert!(parse(line).expect("no mistake").is_none(), "{line}");
        }
    }

    #[test]
    fn a_plain_line_is_what_it_would_be_if_it_were_read_in_full() {
        let mut parser = parser(&["haul", "run", "--region", "r", "--max-attempts", "3", "f"]);
        for verb in ["download", "upload", "cp", "mv"] {
            let line = format!("{verb} 's3://b/k 1' dir/");
            parser.parse(&format!("{verb} a s3://b/c")).expect("a command");
            assert!(parser.plain.contains_key(verb));
            let quick = parser.parse(&line).expect("a command");
            parser.plain.clear();
            let full = parser.parse(&line).expect("a command");
            assert_eq!(format!("{quick:?}"), format!("{full:?}"));
            assert!(format!("{full:?}").contains("region: Some(\"r\")"), "{full:?}");
        }
    }

    #[test]
    fn what_a_line_says_goes_before_what_was_typed_for_all() {
        let mut parser = parser(&["haul", "run", "--region", "all", "--no-sign-request", "f"]);
        let own = parser.parse("rm s3://b/k --region own").expect("a command");
        let own = format!("{own:?}");
        assert!(own.contains("region: Some(\"own\")") && own.contains("no_sign_request: true"));
    }

    #[test]
    fn what_is_no_command_says_why_in_one_line() {
        for (line, reason, hint) in [
            ("cpp a b", "unrecognized subcommand 'cpp'", Some("a similar subcommand exists")),
            ("cp s3://b/k . --overwite never", "unexpected argument '--overwite'", Some("--over")),
            ("cp s3://b/k . --overwrite maybe", "invalid value 'maybe'", None),
            ("rm", "required arguments were not provided", None),
            ("cp 'a b", "a ' is opened and not closed", None),
            ("ls s3://b/", "`ls` is nothing that a line may do", Some("download, upload")),
            ("run other.txt", "`run` is nothing", None),
            ("cp s3://b/k . --json", "--json is about the run", Some("haul run --json")),
            ("cp s3://b/k . --concurrency 5", "--concurrency is about", Some("haul run")),
            ("cp s3://b/k . --journal j", "--journal is about", Some("keeps no journal")),
            ("cp s3://b/k -", "`-`, a stream", None),
            ("cp - s3://b/k", "`-`, a stream", None),
            ("cp --manifest - .", "`-`, a stream", None),
            ("rm s3://b/k --exclude-from -", "`-`, a stream", None),
            ("cp s3://b/k . --dry-run", "--dry-run is for all lines", Some("haul run --dry-run")),
            ("rm -r s3://b/", "nobody is asked", Some("--yes")),
            ("--json cp a b", "`--json` stands before", Some("typed at")),
            ("cp --help", "help and version", None),
        ] {
            let bad = parse(line).expect_err(line);
            assert!(bad.reason.contains(reason) && !bad.reason.contains('\n'), "{line}: {bad:?}");
            let told = bad.hint.clone().unwrap_or_default();
            assert!(told.contains(hint.unwrap_or_default()), "{line}: {bad:?}");
        }
        assert!(parser(&["haul", "run", "f", "--dry-run"]).parse("rm -r s3://b/").is_ok());
    }

    #[test]
    fn plain_lines_refuse_streams_too() {
        let mut parser = parser(&["haul", "run", "f"]);
        assert!(parser.parse("cp s3://b/k .").is_ok());
        assert!(parser.parse("cp s3://b/k -").is_err());
    }
}
