//! Options that stand before the verb, where other tools have them. Each is put behind it and is what
//! it would be there; nothing else of a command line is touched.

use std::ffi::OsString;

use clap::{Arg, Command};

use crate::commands::error::CommandError;

/// The same command line with its options behind the verb. What can't be understood stays as it is:
/// whoever parses it says what is wrong.
pub(super) fn behind_the_verb(
    whole: &Command,
    typed: &[OsString],
) -> Result<Vec<OsString>, CommandError> {
    let mut front = Front { whole, kept: Vec::new(), moved: Vec::new(), names: Vec::new() };
    let mut words = typed.iter().cloned();
    front.kept.extend(words.next());
    let verb = loop {
        let Some(word) = words.next() else { break None };
        match front.take(&word) {
            Some(Word::Verb) => break Some(word),
            Some(Word::Whole) => front.kept.push(word),
            Some(Word::WithValue) => {
                let value = words.next();
                front.place(word, value);
            }
            Some(Word::Option) => front.place(word, None),
            None => return Ok(typed.to_vec()),
        }
        // Whatever stands there besides.
        if front.asks_for_help() {
            return Ok(if front.moved.is_empty() { typed.to_vec() } else { front.kept });
        }
    };
    match verb {
        // It has none, whatever it is the help of.
        Some(verb) if verb == "help" => {
            Ok(front.kept.into_iter().chain([verb]).chain(words).collect())
        }
        Some(verb) => {
            front.check(&verb)?;
            Ok(front.kept.into_iter().chain([verb]).chain(front.moved).chain(words).collect())
        }
        None => match front.names.first() {
            Some(name) => Err(CommandError::misuse(format!("there is no command behind {name}"))
                .hint("`haul --help` shows the commands")),
            None => Ok(typed.to_vec()),
        },
    }
}

/// What a word before the verb is.
enum Word {
    Verb,
    /// An option of all commands, by itself.
    Whole,
    Option,
    WithValue,
}

struct Front<'a> {
    whole: &'a Command,
    /// What stays before the verb.
    kept: Vec<OsString>,
    moved: Vec<OsString>,
    /// Of the options that are moved, as they are shown.
    names: Vec<String>,
}

impl Front<'_> {
    /// `None`: nobody has such an option.
    fn take(&self, word: &OsString) -> Option<Word> {
        let text = word.to_string_lossy();
        if text == "--" {
            return None;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, has_value) = match long.split_once('=') {
                Some((name, _)) => (name, true),
                None => (long, false),
            };
            if matches!(name, "help" | "version") {
                return Some(Word::Whole);
            }
            let arg = self.find(|arg| is_called(arg, name))?;
            let wants_more = arg.get_action().takes_values() && !has_value;
            return Some(if wants_more { Word::WithValue } else { Word::Option });
        }
        match text.strip_prefix('-') {
            None | Some("") => Some(Word::Verb),
            Some("h" | "V") => Some(Word::Whole),
            Some(letters) => {
                for (at, letter) in letters.char_indices() {
                    let arg = self.find(|arg| arg.get_short() == Some(letter))?;
                    if arg.get_action().takes_values() {
                        let is_last = at + letter.len_utf8() == letters.len();
                        return Some(if is_last { Word::WithValue } else { Word::Option });
                    }
                }
                Some(Word::Option)
            }
        }
    }

    /// Of all commands first, then of any.
    fn find(&self, is_meant: impl Fn(&Arg) -> bool) -> Option<&Arg> {
        let verbs = self.whole.get_subcommands().flat_map(Command::get_arguments);
        self.whole.get_arguments().chain(verbs).find(|arg| is_meant(arg))
    }

    fn place(&mut self, word: OsString, value: Option<OsString>) {
        let text = word.to_string_lossy().into_owned();
        self.names.push(text.split('=').next().unwrap_or_default().to_owned());
        self.moved.extend([word].into_iter().chain(value));
    }

    fn asks_for_help(&self) -> bool {
        self.kept.len() > 1
    }

    /// A verb that is known has all the options, or the first that it has not is told.
    fn check(&self, verb: &OsString) -> Result<(), CommandError> {
        let Some(of) = verb.to_str().and_then(|verb| self.whole.find_subcommand(verb)) else {
            return Ok(());
        };
        let has = |is_meant: &dyn Fn(&Arg) -> bool| {
            self.whole.get_arguments().chain(of.get_arguments()).any(is_meant)
        };
        let missing = self.names.iter().find_map(|name| {
            if let Some(long) = name.strip_prefix("--") {
                return (!has(&|arg| is_called(arg, long))).then(|| name.clone());
            }
            let mut letters = name.chars().skip(1);
            let missing = letters.find(|letter| !has(&|arg| arg.get_short() == Some(*letter)));
            missing.map(|letter| format!("-{letter}"))
        });
        let Some(name) = missing else { return Ok(()) };
        let verb = of.get_name();
        Err(CommandError::misuse(format!("`haul {verb}` has no option {name}"))
            .hint(format!("`haul {verb} --help` shows those that it has")))
    }
}

fn is_called(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || aliases.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use clap::CommandFactory as _;

    use super::*;
    use crate::app::args::Cli;

    fn moved(line: &str) -> Result<String, String> {
        let typed: Vec<_> = line.split(' ').map(OsString::from).collect();
        let line = behind_the_verb(&Cli::command(), &typed);
        let line = line.map_err(|error| format!("{error}"))?;
        let words: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn options_go_behind_the_verb_in_their_order() {
        for (line, wanted) in [
            ("haul --endpoint-url u ls s3://b", "haul ls --endpoint-url u s3://b"),
            ("haul --endpoint-url=u --json ls -r", "haul ls --endpoint-url=u --json -r"),
            ("haul -vr --region ls ls", "haul ls -vr --region ls"),
            (
                "haul --include a --exclude b ls --include c",
                "haul ls --include a --exclude b --include c",
            ),
            ("haul --humanize du s3://b", "haul du --humanize s3://b"),
            ("haul --progress none cp a b", "haul cp --progress none a b"),
            ("haul --delete sync a b", "haul sync --delete a b"),
        ] {
            assert_eq!(moved(line).as_deref(), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_touched() {
        for line in [
            "haul",
            "haul ls s3://b --region r",
            "haul cp -- --region ls",
            "haul -- --region ls",
            "haul --no-such ls",
            "haul -rx ls",
            "haul --help ls",
            "haul help ls",
        ] {
            assert_eq!(moved(line).as_deref(), Ok(line));
        }
        assert_eq!(moved("haul --region r --help ls").as_deref(), Ok("haul --help"));
        assert_eq!(moved("haul --json help ls").as_deref(), Ok("haul help ls"));
        assert_eq!(moved("haul --region r help").as_deref(), Ok("haul help"));
        assert_eq!(moved("haul --region r lss").as_deref(), Ok("haul lss --region r"));
    }

    #[test]
    fn what_the_verb_has_not_is_told_with_both_names() {
        for (line, wanted) in [
            ("haul --delete ls s3://b", "`haul ls` has no option --delete"),
            ("haul --json --storage-class=X ls", "`haul ls` has no option --storage-class"),
            ("haul -vn rm s3://b/k", "`haul rm` has no option -n"),
            ("haul --region r", "there is no command behind --region"),
            ("haul --region", "there is no command behind --region"),
        ] {
            assert_eq!(moved(line), Err(wanted.to_owned()), "{line}");
        }
    }

    /// Before the verb is known, it has to be known what is an option's value.
    #[test]
    fn an_option_is_of_one_kind_whichever_verb_has_it() {
        let whole = Cli::command();
        let mut kinds: HashMap<String, bool> = HashMap::new();
        let verbs = whole.get_subcommands().flat_map(Command::get_arguments);
        for arg in whole.get_arguments().chain(verbs) {
            let longs = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
            let names = longs.map(|long| format!("--{long}"));
            let takes = arg.get_action().takes_values();
            for name in names.chain(arg.get_short().map(|short| format!("-{short}"))) {
                assert_eq!(*kinds.entry(name.clone()).or_insert(takes), takes, "{name}");
                let counts = arg.get_num_args();
                assert!(!takes || counts.is_none_or(|counts| counts.min_values() == 1), "{name}");
            }
        }
        assert!(kinds.len() > 60);
    }
}
