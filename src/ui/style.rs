//! How words look: colours, plurals, durations, names cut to a width. Pure.

use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;

use super::streams::Watched;
use crate::domain::quantity::ByteSize;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    Always,
    Never,
}

/// Whether words are coloured. They say the same without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Colored,
}

impl Paint {
    /// For stderr.
    pub fn stderr(choice: ColorChoice) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::decide(choice, Watched::stderr(), no_color)
    }

    fn decide(choice: ColorChoice, watched: Watched, no_color: bool) -> Self {
        let is_colored = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => watched == Watched::Terminal && !no_color,
        };
        if is_colored { Self::Colored } else { Self::Plain }
    }

    pub fn error(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    pub fn warning(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    pub fn hint(self, text: &str) -> String {
        self.wrap("1;36", text)
    }

    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub fn filled(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Colored if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// `1 object`, `2 objects`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{number} {}", if number == 1 { noun } else { &plural })
}

/// `45.2 MiB/s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and is shown with four digits"
)]
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", ByteSize(bytes_per_second as u64))
}

/// Time to come, `0:21` or `1:02:03`: no finer than an estimate is.
pub fn countdown(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600, seconds / 86400);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{:02}", seconds % 60),
        (0, 1..) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        (1..1000, _) => format!("{days} d {} h", hours % 24),
        _ => "over 999 d".to_owned(),
    }
}

/// Time that has passed: `0.04 s`, `12.3 s`, `2 min 5 s`, `3 h 7 min`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{:.2} s", time.as_secs_f64()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Terminal columns of a text without escape sequences.
pub fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

/// Cuts a name from the left, where names that belong together are the same, to at most `width`
/// columns.
pub fn cut_left(name: &str, width: usize) -> String {
    if columns(name) <= width {
        return name.to_owned();
    }
    let Some(mut room) = width.checked_sub(1) else { return String::new() };
    let start = name
        .char_indices()
        .rev()
        .take_while(|(_, character)| {
            let needed = character_columns(*character);
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        })
        .last()
        .map_or(name.len(), |(at, _)| at);
    format!("…{}", &name[start..])
}

/// Cuts a text from the right to at most `width` columns.
pub fn cut_right(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character_columns(character);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The variation selector for emoji makes the character before it wider in some terminals; a line
/// that is too short is better than one that wraps.
fn character_columns(character: char) -> usize {
    if character == '\u{fe0f}' { 1 } else { character.width().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colour_follows_the_flag_then_the_environment_then_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, watched, no_color, paint) in [
            (Auto, Watched::Terminal, false, Paint::Colored),
            (Auto, Watched::Terminal, true, Paint::Plain),
            (Auto, Watched::No, false, Paint::Plain),
            (Always, Watched::No, true, Paint::Colored),
            (Never, Watched::Terminal, false, Paint::Plain),
        ] {
            assert_eq!(Paint::decide(choice, watched, no_color), paint);
        }
    }

    #[test]
    fn durations_are_short() {
        let seconds = Duration::from_secs;
        assert_eq!(countdown(seconds(21)), "0:21");
        assert_eq!(countdown(seconds(3723)), "1:02:03");
        assert_eq!(countdown(seconds(200_000)), "2 d 7 h");
        assert_eq!(elapsed(Duration::from_millis(40)), "0.04 s");
        assert_eq!(elapsed(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(elapsed(seconds(125)), "2 min 5 s");
        assert_eq!(elapsed(seconds(11_240)), "3 h 7 min");
    }

    #[test]
    fn words_have_plurals() {
        assert_eq!(count(1, "object"), "1 object");
        assert_eq!(count(0, "retry"), "0 retries");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(cut_left("data/2024/part-1.parquet", 15), "…part-1.parquet");
        assert_eq!(cut_left("日本語", 5), "…本語");
        assert_eq!(cut_left("日本語", 4), "…語");
        assert_eq!(cut_left("abc", 0), "");
    }

    proptest! {
        #[test]
        fn a_cut_text_fits(text in "\\PC{0,40}", width in 0..50usize) {
            prop_assert!(columns(&cut_left(&text, width)) <= width);
            prop_assert!(columns(cut_right(&text, width)) <= width);
        }
    }
}
