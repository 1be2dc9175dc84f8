//! Settings as the defaults of a command line: whatever is typed goes before them.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::overruled::{Misread, Overruled, Parsed, Rank};
use super::setting::{Origin, Setting};
use super::{environment, file, overruled};
use crate::commands::error::CommandError;

/// All that is set, for this call of the program.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Settings {
    /// The first that is about an option is the one that counts.
    settings: Vec<Setting>,
    /// What is worth saying of those that do not count at all.
    pub(in crate::app) notes: Vec<String>,
}

impl Settings {
    /// Of the environment and the file that it names, or the usual one.
    pub(in crate::app) fn load(command: &Command) -> Result<Self, CommandError> {
        let named = std::env::var_os(environment::FILE);
        Self::of(command, std::env::vars_os(), named.as_deref())
    }

    fn of(
        command: &Command,
        variables: impl Iterator<Item = (OsString, OsString)>,
        file: Option<&OsStr>,
    ) -> Result<Self, CommandError> {
        let (mut settings, notes) = environment::read(command, variables)?;
        let mut of_file = file::read(command, file)?;
        // What is said of one command goes before what is said of all.
        of_file.sort_by_key(|setting| matches!(setting.origin, Origin::File(_, None)));
        settings.append(&mut of_file);
        Ok(Self { settings, notes })
    }

    /// The command line, with what is set as its defaults.
    pub(in crate::app) fn apply(&self, command: Command) -> Command {
        self.apply_but(command, &[])
    }

    /// The same but for some options, which are named as their arguments are.
    pub(in crate::app) fn apply_but(&self, command: Command, but: &[String]) -> Command {
        let names: Vec<_> = command.get_subcommands().map(|of| of.get_name().to_owned()).collect();
        let set = |arg: Arg, of: Option<&str>| {
            if but.iter().any(|id| arg.get_id() == id) { arg } else { self.set(arg, of) }
        };
        let mut command = command.mut_args(|arg| set(arg, None));
        for name in names {
            command = command.mut_subcommand(&name, |of| {
                let name = of.get_name().to_owned();
                of.mut_args(|arg| set(arg, Some(&name)))
            });
        }
        command
    }

    fn set(&self, arg: Arg, command: Option<&str>) -> Arg {
        let setting = arg.get_long().and_then(|long| self.of_option(long, command));
        match setting {
            Some(setting) if !setting.values.is_empty() => {
                arg.default_values(setting.values.iter().map(OsString::from).collect::<Vec<_>>())
            }
            _ => arg,
        }
    }

    /// Reads a command line that was made of the `plain` one by `apply`. What is set and speaks
    /// against what is typed, or against what is set in a place that goes before, does not count.
    pub(in crate::app) fn parse(
        &self,
        command: &mut Command,
        plain: &Command,
        typed: &[OsString],
    ) -> Result<Parsed, Misread> {
        let rank = |arg: &Arg, of: &str| self.rank(arg.get_long()?, of);
        let without = |but: &[String]| self.apply_but(plain.clone(), but);
        overruled::parse(command, typed, rank, without)
    }

    /// What to say where a setting would have to be left out that must not be.
    pub(in crate::app) fn refuse(&self, overruled: &Overruled) -> CommandError {
        let Overruled { command, option, by } = overruled;
        let (place, way_out) = match self.of_option(option, Some(command)) {
            Some(Setting { origin: origin @ Origin::Environment(name), .. }) => {
                (origin.to_string(), format!("unset {name} for this command"))
            }
            Some(Setting { origin: origin @ Origin::File(..), .. }) => {
                let way_out = format!(
                    "take `{option}` out of the file, or name another one with HAUL_CONFIG"
                );
                (origin.to_string(), way_out)
            }
            None => ("the command of these lines".to_owned(), format!("leave out --{option}")),
        };
        let text = format!(
            "--{option} is set by {place} and can't be had with --{by}: more would be done without it"
        );
        CommandError::misuse(text).hint(format!("{way_out}, or do without --{by}"))
    }

    /// What to say of rules that do not count.
    pub(in crate::app) fn note(&self, overruled: &Overruled) -> Option<String> {
        let Overruled { command, option, by } = overruled;
        let origin = &self.of_option(option, Some(command))?.origin;
        Some(format!(
            "--{option}, by {origin}, does not count: rules are one list, and --{by} goes before"
        ))
    }

    /// Who goes before what is set for an option of a command.
    pub(in crate::app) fn rank(&self, long: &str, command: &str) -> Option<Rank> {
        let setting = self.of_option(long, Some(command))?;
        Some(match setting.origin {
            Origin::Environment(_) => Rank::Environment,
            Origin::File(_, Some(_)) => Rank::OfCommand,
            Origin::File(_, None) => Rank::OfAll,
        })
    }

    /// What is set for an option, of one command or of all.
    pub(in crate::app) fn of_option(&self, long: &str, command: Option<&str>) -> Option<&Setting> {
        self.settings.iter().find(|setting| {
            let is_meant = match &setting.origin {
                Origin::File(_, Some(of)) => Some(of.as_str()) == command,
                Origin::File(_, None) | Origin::Environment(_) => true,
            };
            is_meant && setting.option == long
        })
    }

    /// Whether the file sets it for one command alone, and nothing goes before that.
    pub(in crate::app) fn is_set_for(&self, long: &str, command: &str) -> bool {
        let setting = self.of_option(long, Some(command));
        setting.is_some_and(|setting| matches!(setting.origin, Origin::File(_, Some(_))))
    }

    /// The settings that count in a command line as it was typed.
    pub(in crate::app) fn in_use<'a>(
        &'a self,
        command: &'a Command,
        matches: &'a ArgMatches,
    ) -> Vec<&'a Setting> {
        let Some((name, of)) = matches.subcommand() else { return Vec::new() };
        // What is global is the subcommand's own by now.
        let args = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
        let set = args.filter_map(|arg| {
            let setting = self.of_option(arg.get_long()?, Some(name))?;
            let source = of.value_source(arg.get_id().as_str());
            let is_default = source == Some(ValueSource::DefaultValue);
            let is_in_use = is_default && arg.get_default_values() == setting.values.as_slice();
            is_in_use.then_some(setting)
        });
        set.filter(|setting| !setting.values.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::app::args::{Cli, Command as Verb};

    fn settings(variables: &[(&str, &str)], file: &str) -> Result<Settings, CommandError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file).expect("writable");
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Settings::of(&Cli::command(), variables, Some(path.as_os_str()))
    }

    fn parse(settings: &Settings, typed: &[&str]) -> (Cli, Vec<String>) {
        let mut command = settings.apply(Cli::command());
        let typed: Vec<_> = typed.iter().map(OsString::from).collect();
        let matches =
            settings.parse(&mut command, &Cli::command(), &typed).expect("a command line").matches;
        let in_use = settings.in_use(&command, &matches);
        let in_use = in_use.iter().map(|of| format!("{} {}", of.option, of.origin)).collect();
        (Cli::from_arg_matches(&matches).expect("a command line"), in_use)
    }

    fn is_readable(cli: &Cli) -> bool {
        matches!(&cli.command, Verb::Ls(args) if args.is_human_readable())
    }

    #[test]
    fn what_is_typed_goes_before_the_environment_and_that_before_the_file() {
        let file = "verbose = 1\nquiet = true\n[ls]\nhuman-readable = true\n";
        let set = settings(&[("HAUL_VERBOSE", "2"), ("HAUL_QUIET", "no")], file).expect("good");
        let (cli, in_use) = parse(&set, &["haul", "ls"]);
        assert!(is_readable(&cli) && cli.output.verbose == 2 && !cli.output.quiet);
        assert_eq!(in_use.len(), 2, "{in_use:?}");
        assert!(in_use[0].starts_with("human-readable ") && in_use[0].ends_with("c.toml [ls]"));
        assert_eq!(in_use[1], "verbose HAUL_VERBOSE");
        let (cli, in_use) = parse(&set, &["haul", "ls", "-vvv"]);
        assert!(cli.output.verbose == 3 && in_use.len() == 1, "{in_use:?}");
    }

    #[test]
    fn what_speaks_against_what_is_typed_does_not_count() {
        let set = settings(&[("HAUL_QUIET", "yes")], "verbose = 2\n").expect("good");
        let (cli, in_use) = parse(&set, &["haul", "ls", "-v"]);
        assert!(!cli.output.quiet && cli.output.verbose == 1 && in_use.is_empty(), "{in_use:?}");
        let (cli, in_use) = parse(&set, &["haul", "ls"]);
        assert!(cli.output.quiet && cli.output.verbose == 0, "the file goes behind");
        assert_eq!(in_use, ["quiet HAUL_QUIET"]);
        let set = settings(&[("HAUL_INCLUDE", "**"), ("HAUL_NO_CLOBBER", "1")], "").expect("good");
        for typed in [
            ["haul", "ls", "s3://b", "--exclude", "keep/**"].as_slice(),
            &["haul", "cp", "a", "b", "--overwrite", "always", "--exclude", "keep/**"],
        ] {
            assert_eq!(parse(&set, typed).1, [""; 0], "{typed:?}");
        }
        let (_, in_use) = parse(&set, &["haul", "cp", "a", "b"]);
        assert_eq!(in_use.len(), 2, "{in_use:?}");
    }

    #[test]
    fn no_setting_removes_anything() {
        for name in ["HAUL_YES", "HAUL_ALL", "HAUL_DELETE", "HAUL_FORCE", "HAUL_RECURSIVE"] {
            let set = settings(&[(name, "true")], "").expect("no error");
            assert!(set.settings.is_empty());
            assert!(set.notes[0].starts_with(name) && set.notes[0].ends_with("has to be typed"));
        }
    }

    #[test]
    fn every_command_line_holds_together_with_every_option_set() {
        let command = Cli::command();
        let mut variables = Vec::new();
        for (long, arg) in super::super::setting::settable_anywhere(&command) {
            let value = match arg.get_action() {
                clap::ArgAction::SetTrue => "true",
                clap::ArgAction::Count => "1",
                _ => continue,
            };
            variables.push((format!("HAUL_{}", long.to_uppercase().replace('-', "_")), value));
        }
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let set = Settings::of(&command, variables, Some(OsStr::new("/dev/null"))).expect("good");
        assert!(set.settings.len() > 20 && set.notes.is_empty());
        set.apply(command).debug_assert();
    }
}
