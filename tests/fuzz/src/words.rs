//! Names as an enemy would choose them. It must never hold anything that S3 does not take as a
//! key, but for length.

use fastrand::Rng;

const PARTS: [&str; 34] = [
    "",
    "",
    ".",
    "..",
    "...",
    "a",
    "a",
    "A",
    "b",
    "B",
    "c",
    "ab",
    "AB",
    "a ",
    " a",
    "a.",
    "-rf",
    "CON",
    "~",
    "$(rm)",
    "%2e%2e",
    "%2F",
    "é",
    "e\u{301}",
    "É",
    "Σ",
    "ς",
    "σ",
    "ß",
    "İ",
    "\u{202e}",
    "日本",
    "🦀",
    ".haul-0123456789abcdef.part",
];
const ODD: [char; 20] = [
    '/',
    '/',
    '.',
    '\\',
    '\0',
    '\n',
    '\r',
    '\t',
    '"',
    '\'',
    ',',
    ':',
    '*',
    '?',
    '[',
    '{',
    '\u{7f}',
    '\u{85}',
    '\u{feff}',
    '\u{10ffff}',
];

/// A key of a few parts, out of so few that two often meet.
pub(crate) fn key(random: &mut Rng) -> String {
    let mut key = String::new();
    for index in 0..random.usize(1..5) {
        if index > 0 {
            key.push('/');
        }
        key.push_str(PARTS[random.usize(0..PARTS.len())]);
        if random.u8(0..40) == 0 {
            key.push(odd(random));
        }
    }
    if random.u8(0..200) == 0 {
        key.push_str(&"x".repeat(random.usize(0..1100)));
    }
    key
}

/// Any text: parts, odd characters, and characters of any kind.
pub(crate) fn text(random: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(0..6) {
        match random.u8(0..4) {
            0 => text.push(odd(random)),
            1 => text.push(random.char(..)),
            2 => text.push_str(&random.u32(..).to_string()),
            _ => text.push_str(PARTS[random.usize(0..PARTS.len())]),
        }
    }
    text
}

fn odd(random: &mut Rng) -> char {
    ODD[random.usize(0..ODD.len())]
}
