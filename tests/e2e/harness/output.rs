//! What a finished command left: exit code and both streams, with checks that show all of it
//! when they fail. It must never decide what is right; it only says what was there.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) line: String,
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Output {
    /// Requires this exit code.
    #[track_caller]
    pub(crate) fn code(&self, wanted: i32) -> &Self {
        assert!(self.code == Some(wanted), "wanted exit code {wanted}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout_has(&self, text: &str) -> &Self {
        let found = self.stdout_text().contains(text);
        assert!(found, "stdout lacks {text:?}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout_is(&self, wanted: impl AsRef<[u8]>) -> &Self {
        let wanted = wanted.as_ref();
        assert!(self.stdout == wanted, "wanted {} on stdout\n{self}", shown(wanted));
        self
    }

    #[track_caller]
    pub(crate) fn stderr_has(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn stderr_lacks(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "stderr has {text:?}\n{self}");
        self
    }

    /// Requires that neither stream has bytes that would move a terminal's cursor or colour it.
    #[track_caller]
    pub(crate) fn no_escapes(&self) -> &Self {
        let plain = |byte: &u8| matches!(byte, b'\n' | b'\t') || (*byte >= b' ' && *byte != 0x7f);
        let clean = self.stdout.iter().all(plain) && self.stderr.bytes().all(|byte| plain(&byte));
        assert!(clean, "a stream has control bytes\n{self}");
        self
    }

    /// The objects of JSON Lines on stdout, in order.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not JSON ({error}): {line:?}\n{self}"))
        };
        self.stdout_text().lines().map(parse).collect()
    }

    #[track_caller]
    pub(crate) fn stdout_text(&self) -> &str {
        std::str::from_utf8(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not UTF-8: {error}\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, took, .. } = self;
        let end = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "not ended".to_owned(),
        };
        writeln!(f, "--- {line}\n--- {end} after {took:.2?}, stdout:")?;
        writeln!(f, "{}\n--- stderr:", shown(&self.stdout))?;
        writeln!(f, "{}\n---", shown(self.stderr.as_bytes()))
    }
}

/// The text, and of a long one the two ends: a failure must stay readable.
fn shown(bytes: &[u8]) -> String {
    const END: usize = 8 << 10;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if bytes.len() <= 2 * END {
        return text(bytes);
    }
    let left_out = bytes.len() - 2 * END;
    let (head, tail) = (&bytes[..END], &bytes[bytes.len() - END..]);
    format!("{}\n[{left_out} bytes left out]\n{}", text(head), text(tail))
}
