//! A file of patterns, one a line. Whatever is no such file is an error: what its rules would have
//! left out could be removed otherwise.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::commands::error::CommandError;
use crate::domain::quantity::ByteSize;
use crate::storage::local::{is_stdin, open_without_waiting};

/// Which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Pipes and standard input, too, before anything runs.
    Any,
    /// Those that keep nobody waiting.
    Regular,
}

/// More is no list that somebody wrote.
const MOST: u64 = 64 << 20;

/// What a file, or standard input, has.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    pub(super) globs: Vec<String>,
    /// What is hardly meant as it is written, in sentences.
    pub(super) notes: Vec<String>,
}

/// Reads patterns, one a line.
pub(super) fn read(path: &Path, files: Files) -> Result<Patterns, CommandError> {
    let name = path.display();
    let unreadable = |error: io::Error| {
        let doing = format!("could not read the patterns in `{name}`");
        CommandError::usage(anyhow::Error::new(error).context(doing))
    };
    let mut bytes = Vec::new();
    let read: Box<dyn Read> = if !is_stdin(path) {
        let file = match files {
            Files::Any => File::open(path),
            Files::Regular => open_without_waiting(path),
        };
        let file = file.map_err(unreadable)?;
        if files == Files::Regular && !file.metadata().map_err(unreadable)?.is_file() {
            let text = format!("`{name}` is no regular file, and its patterns are needed at once");
            return Err(CommandError::misuse(text));
        }
        Box::new(file)
    } else if files == Files::Any {
        Box::new(io::stdin().lock())
    } else {
        return Err(CommandError::misuse("standard input can't be read for patterns here"));
    };
    read.take(MOST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        let text =
            format!("`{name}` is longer than {}: that is no list of patterns", ByteSize(MOST));
        return Err(CommandError::misuse(text));
    }
    let told = |(line, what)| format!("line {line} of the patterns in `{name}` {what}");
    let (globs, odd) = patterns(&bytes).map_err(|bad| CommandError::misuse(told(bad)))?;
    Ok(Patterns { globs, notes: odd.into_iter().map(told).collect() })
}

/// The number of a line, and what it is, or has.
type OddLine = (usize, &'static str);

/// The patterns, and the first line of each kind that is hardly meant as it is.
fn patterns(bytes: &[u8]) -> Result<(Vec<String>, Vec<OddLine>), OddLine> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut patterns, mut odd) = (Vec::new(), Vec::<OddLine>::new());
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| (at + 1, "is no UTF-8"))?;
        // Names may begin and end with blanks.
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_matches(BLANKS).is_empty() || line.starts_with('#') {
            continue;
        }
        // Of another encoding, most likely, or with other ends of lines: as a pattern it would match
        // nothing that was meant.
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err((at + 1, "has a control character in it; `?` stands for any one"));
        }
        if let Some(reason) = foreign(line) {
            return Err((at + 1, reason));
        }
        if let Some(what) = hardly_meant(line).filter(|what| odd.iter().all(|(_, o)| o != what)) {
            odd.push((at + 1, what));
        }
        patterns.push(line.to_owned());
    }
    Ok((patterns, odd))
}

const BLANKS: [char; 2] = [' ', '\t'];

/// What other tools read in a way of their own, and what to write here. As a pattern it would match
/// nothing that was meant: what it should leave out would be removed.
fn foreign(line: &str) -> Option<&'static str> {
    const FOREIGN: [(&str, &str); 5] = [
        (
            "!",
            "begins with `!`: what is an exception goes into a file for the opposite option, behind \
             this one; a name that begins so is written `\\!`",
        ),
        (
            "+ ",
            "begins with `+ `: what is to be taken goes into a file for --include-from, without a \
             sign; a name that begins so is written `\\+ `",
        ),
        (
            "- ",
            "begins with `- `: what is to be left out goes into a file for --exclude-from, without a \
             sign; a name that begins so is written `\\- `",
        ),
        (
            "./",
            "begins with `./`: names are those below the prefix or the folder, leave it out; a name \
             that begins so is written `\\./`",
        ),
        (
            "s3://",
            "begins with `s3://`: names are those below the prefix, leave it and the bucket out; a \
             name that begins so is written `\\s3://`",
        ),
    ];
    let begins = FOREIGN.into_iter().find(|(begin, _)| line.starts_with(begin));
    begins.map(|(_, reason)| reason).or_else(|| {
        let has_comment = BLANKS.iter().any(|blank| line.contains(&format!("{blank}#")));
        has_comment.then_some(
            "has ` #` in it: comments have lines of their own; in a name the sign is written `[#]`",
        )
    })
}

/// What is a pattern, and matches what few names are.
fn hardly_meant(line: &str) -> Option<&'static str> {
    let is_in = |quote| line.len() > 1 && line.starts_with(quote) && line.ends_with(quote);
    if line.starts_with('/') {
        Some("begins with `/`, as names below a prefix or a folder do not, but behind `//`")
    } else if is_in('"') || is_in('\'') {
        Some("is in quotes, which are part of the pattern here")
    } else if line.starts_with(BLANKS) || line.ends_with(BLANKS) {
        Some("begins or ends with a blank, which is part of the pattern")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pattern::{Filter, Verdict};

    #[test]
    fn a_pattern_is_a_line_that_is_no_comment() {
        let text = "\u{feff}# why\r\n*.tmp\r\n\n  cache/** \n \\#x\n[ ]#y\n\ta b\nü";
        let wanted = ["*.tmp", "  cache/** ", " \\#x", "[ ]#y", "\ta b", "ü"].map(str::to_owned);
        let (found, odd) = patterns(text.as_bytes()).expect("patterns");
        assert_eq!(found, wanted);
        assert!(matches!(odd.as_slice(), [(4, blank)] if blank.contains("ends with a blank")));
        assert_eq!(patterns(b" \t\r\n  "), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn each_kind_of_odd_line_is_told_once() {
        let (found, odd) = patterns(b"/a\n'b'\n\"c\"\n/d\n'\n'e\"\nf\n").expect("patterns");
        assert_eq!(found.len(), 7);
        assert_eq!(odd.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
    }

    /// What an error names as the way to write such a name is one.
    #[test]
    fn what_other_tools_write_is_refused_and_has_a_way_to_be_written() {
        for (line, written) in [
            ("!x", "\\!x"),
            ("+ x", "\\+ x"),
            ("- x", "\\- x"),
            ("./x", "\\./x"),
            ("s3://b/x", "\\s3://b/x"),
            ("x #y", "x [#]y"),
            ("x\t#y", "x\t[#]y"),
        ] {
            let text = format!("fine\n{line}\n");
            let (number, reason) = patterns(text.as_bytes()).expect_err("refused");
            assert_eq!(number, 2, "{line}");
            let begin = if line.contains('#') { "`[#]`" } else { &written[..2] };
            assert!(reason.contains(begin), "{line}: {reason}");
            let (found, odd) = patterns(written.as_bytes()).expect("a pattern");
            assert!(odd.is_empty(), "{written}");
            let rules = found.into_iter().map(|glob| (Verdict::Include, glob));
            assert!(Filter::new(rules).expect("globs").admits(line), "{written}");
        }
        for line in ["+x", "-x", "-", "x!", ".x", "x ./y", "x#y", "s3:x"] {
            assert!(patterns(line.as_bytes()).is_ok_and(|(_, odd)| odd.is_empty()), "{line}");
        }
    }

    #[test]
    fn what_is_no_text_is_no_list() {
        for (bytes, line) in [
            (b"a\n\xff\n".as_slice(), 2),
            (b"\xff\xfea\0\n\0", 1),
            (b"a\0\n\0b\0", 1),
            (b"\n\na\rb\n", 3),
            (b"# \xe9\n", 1),
        ] {
            let bad = patterns(bytes).expect_err("a bad line");
            assert_eq!(bad.0, line, "{bytes:?} {}", bad.1);
        }
    }
}
