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

/// The patterns in a file, or in standard input.
pub(super) fn read(path: &Path, files: Files) -> Result<Vec<String>, CommandError> {
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
    patterns(&bytes).map_err(|(line, reason)| {
        CommandError::misuse(format!("line {line} of the patterns in `{name}` {reason}"))
    })
}

/// The number of a bad line, and what it is.
type BadLine = (usize, &'static str);

fn patterns(bytes: &[u8]) -> Result<Vec<String>, BadLine> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut patterns = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| (at + 1, "is no UTF-8"))?;
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Of another encoding, most likely, or with other ends of lines: as a pattern it would match
        // nothing that was meant.
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err((at + 1, "has a control character in it; `?` stands for any one"));
        }
        patterns.push(line.to_owned());
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_line_that_is_no_comment() {
        let text = "\u{feff}# why\r\n*.tmp\r\n\n  cache/** \n \\#x\n[ ]#y\n\ta b\nü";
        let wanted = ["*.tmp", "cache/**", "\\#x", "[ ]#y", "a b", "ü"].map(str::to_owned);
        assert_eq!(patterns(text.as_bytes()), Ok(wanted.to_vec()));
        assert_eq!(patterns(b""), Ok(Vec::new()));
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
