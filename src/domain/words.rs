//! A line of a file of commands, as words. As a shell splits it, as far as quoting goes: nothing is
//! expanded, neither `*` nor `~` nor `$`.

use std::iter::Peekable;
use std::str::Chars;

/// Why a line is no list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    #[error("a {0} is opened and not closed")]
    OpenQuote(char),
    #[error("it ends in a backslash, and lines do not go on in the next one")]
    LastBackslash,
}

/// Splits a line. Spaces and tabs separate words; between single quotes everything is itself,
/// between double ones all but a backslash before `"`, `\`, `$` and a backtick; a backslash
/// elsewhere takes the next character literally. A word that begins with `#` begins a comment.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|next| is_blank(*next)).is_some() {}
        match rest.peek() {
            None | Some('#') => return Ok(words),
            Some(_) => words.push(word(&mut rest)?),
        }
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, WordsError> {
    let mut word = String::new();
    while let Some(next) = rest.next_if(|next| !is_blank(*next)) {
        match next {
            '\'' => loop {
                match rest.next().ok_or(WordsError::OpenQuote('\''))? {
                    '\'' => break,
                    other => word.push(other),
                }
            },
            '"' => loop {
                match rest.next().ok_or(WordsError::OpenQuote('"'))? {
                    '"' => break,
                    '\\' => {
                        let escaped = rest.next_if(|next| matches!(next, '"' | '\\' | '$' | '`'));
                        word.push(escaped.unwrap_or('\\'));
                    }
                    other => word.push(other),
                }
            },
            '\\' => word.push(rest.next().ok_or(WordsError::LastBackslash)?),
            other => word.push(other),
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_a_shell_makes_of_them() {
        let table: [(&str, &[&str]); 22] = [
            ("", &[]),
            (" \t ", &[]),
            ("cp a b", &["cp", "a", "b"]),
            ("\tcp  a\t b  ", &["cp", "a", "b"]),
            ("cp 'a b' \"c d\"", &["cp", "a b", "c d"]),
            ("cp a\\ b c\\\\d \\'e", &["cp", "a b", "c\\d", "'e"]),
            (r#""a\"b" "a\\b" "a\nb" "\$x\`" "#, &["a\"b", "a\\b", "a\\nb", "$x`"]),
            (r#"'a\b' 'say \"'"#, &[r"a\b", r#"say \""#]),
            (r#"'it'"'"'s'"#, &["it's"]),
            ("pre'fix 'x\" y\"z", &["prefix x yz"]),
            ("cp '' \"\"", &["cp", "", ""]),
            ("# all of it", &[]),
            ("  # all of it", &[]),
            ("cp a b # the rest", &["cp", "a", "b"]),
            ("cp a b\t#the rest", &["cp", "a", "b"]),
            ("cp s3://b/a#1 b#", &["cp", "s3://b/a#1", "b#"]),
            ("cp '#a' \"#b\" \\#c", &["cp", "#a", "#b", "#c"]),
            ("cp 'a # b' c", &["cp", "a # b", "c"]),
            ("cp s3://b/ä/日本/🙂 ~/x", &["cp", "s3://b/ä/日本/🙂", "~/x"]),
            ("cp s3://b/a\u{a0}b c", &["cp", "s3://b/a\u{a0}b", "c"]),
            ("cp s3://b/*.gz $HOME; x|y &", &["cp", "s3://b/*.gz", "$HOME;", "x|y", "&"]),
            ("rm 's3://b/%20 +?'", &["rm", "s3://b/%20 +?"]),
        ];
        for (line, words) in table {
            assert_eq!(split(line).as_deref(), Ok(words.map_strings().as_slice()), "{line}");
        }
    }

    trait Strings {
        fn map_strings(&self) -> Vec<String>;
    }

    impl Strings for [&str] {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn what_is_opened_is_to_be_closed() {
        for (line, error) in [
            ("cp 'a b", WordsError::OpenQuote('\'')),
            ("cp it's", WordsError::OpenQuote('\'')),
            ("cp \"a", WordsError::OpenQuote('"')),
            ("cp \"a\\\"", WordsError::OpenQuote('"')),
            ("cp a b\\", WordsError::LastBackslash),
        ] {
            assert_eq!(split(line), Err(error), "{line}");
        }
    }
}
