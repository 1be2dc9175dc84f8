//! How keys and the names of files become each other: as they are, where that can be, or written in
//! a way that every file system holds and that leads back to the same key.
//!
//! The written form is the same on all systems, so that a tree can be carried from one to another.
//! In each name between slashes, `%` and two hexadecimal digits stand for one character: for `%`
//! itself, for a backslash and what Windows refuses, for control characters, for a final dot or
//! blank, and for the first character of a name that means something else there (`CON`) or here
//! (`.haul-…`). A name without any characters, as in `a//b` or behind the slash of `a/`, is a single
//! `%`. All other characters stand for themselves.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::escape::Escaped;
use super::relative_path::{RelativePath, UnsafeName};

/// How keys become names of files, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// A key that can be no path is refused.
    #[default]
    Verbatim,
    /// Every key has a path, and leads back from it.
    Encoded,
}

/// The name of a file that no key is written as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not how --encode-names writes any name: in those, `%` stands before two digits",
    Escaped(.0)
)]
pub struct NotEncoded(String);

impl Naming {
    /// The path of an object's file. `name` is its key, or what is left of that below a prefix.
    pub fn path(self, name: &str) -> Result<RelativePath, UnsafeName> {
        match self {
            Self::Verbatim => RelativePath::new(name),
            Self::Encoded => RelativePath::new(&encode(name)),
        }
    }

    /// The folder that a marker stands for, whose key ends in a slash.
    pub fn folder(self, marker: &str) -> Result<RelativePath, UnsafeName> {
        self.path(marker.strip_suffix('/').unwrap_or(marker))
    }

    /// What is left of a key below its prefix, for a file of this path below a folder.
    pub fn name(self, path: &str) -> Result<Cow<'_, str>, NotEncoded> {
        if self == Self::Verbatim {
            return Ok(Cow::Borrowed(path));
        }
        let refuse = || NotEncoded(path.to_owned());
        let name = if path.contains('%') {
            Cow::Owned(decode(path).ok_or_else(refuse)?)
        } else {
            Cow::Borrowed(path)
        };
        // Two files would be one object if there were two ways to write it.
        if encode(&name) == path { Ok(name) } else { Err(refuse()) }
    }
}

/// What no name on Windows holds, a backslash among them; slashes stand between names.
const RESERVED: [char; 8] = ['<', '>', ':', '"', '\\', '|', '?', '*'];
/// Names of devices on Windows, with any extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// These with a digit behind them.
const NUMBERED: [&str; 2] = ["COM", "LPT"];
/// What names of our own temporary files begin with: `storage::local` passes them over.
const OWN: &str = ".haul-";

fn encode(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for (number, component) in name.split('/').enumerate() {
        if number > 0 {
            path.push('/');
        }
        encode_component(component, &mut path);
    }
    path
}

fn encode_component(component: &str, path: &mut String) {
    if component.is_empty() {
        path.push('%');
    }
    let is_special = component.starts_with(OWN) || is_device(component);
    for (position, character) in component.char_indices() {
        let is_last = position + character.len_utf8() == component.len();
        let is_written = character == '%'
            || is_reserved(character)
            || is_last && is_dropped(character)
            || position == 0 && is_special;
        if is_written {
            // All of them are ASCII.
            write!(path, "%{:02X}", u32::from(character)).ok();
        } else {
            path.push(character);
        }
    }
}

/// Whether Windows has no file of that name, or another one.
pub fn is_refused_by_windows(component: &str) -> bool {
    let is_folder_itself = matches!(component, "." | "..");
    !is_folder_itself
        && (component.chars().any(is_reserved)
            || component.ends_with(is_dropped)
            || is_device(component))
}

fn is_reserved(character: char) -> bool {
    character.is_ascii_control() || RESERVED.contains(&character)
}

/// At the end of a name.
fn is_dropped(character: char) -> bool {
    matches!(character, '.' | ' ')
}

fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or_default().trim_end_matches(' ');
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    let Some((last, digit)) = stem.char_indices().next_back() else { return false };
    matches!(digit, '0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}')
        && stem
            .get(..last)
            .is_some_and(|word| NUMBERED.iter().any(|name| word.eq_ignore_ascii_case(name)))
}

fn decode(path: &str) -> Option<String> {
    let mut name = String::with_capacity(path.len());
    for (number, component) in path.split('/').enumerate() {
        if number > 0 {
            name.push('/');
        }
        if component == "%" {
            continue;
        }
        let mut pieces = component.split('%');
        name.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (digits, rest) = piece.split_at_checked(2)?;
            let code = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?;
            name.push(char::from(code));
            name.push_str(rest);
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_no_file_system_holds_are_written_so_that_they_lead_back() {
        for (name, path) in [
            ("plain/name", "plain/name"),
            ("100%", "100%25"),
            ("a:b/c?", "a%3Ab/c%3F"),
            ("a//b", "a/%/b"),
            ("/abs", "%/abs"),
            ("a/", "a/%"),
            ("", "%"),
            ("..", ".%2E"),
            ("../x", ".%2E/x"),
            ("a/./b", "a/%2E/b"),
            ("a\\b", "a%5Cb"),
            ("a\0b\n", "a%00b%0A"),
            ("CON", "%43ON"),
            ("com1.txt", "%63om1.txt"),
            ("Nul .x", "%4Eul .x"),
            ("lpt\u{b9}", "%6Cpt\u{b9}"),
            ("console", "console"),
            ("com10", "com10"),
            ("dot.", "dot%2E"),
            ("blank ", "blank%20"),
            (".haul-0123456789abcdef.part", "%2Ehaul-0123456789abcdef.part"),
            (".hidden", ".hidden"),
            ("é ü", "é ü"),
        ] {
            assert_eq!(Naming::Encoded.path(name).expect("a path").as_str(), path);
            assert_eq!(Naming::Encoded.name(path).expect("a name"), name);
        }
    }

    #[test]
    fn what_nothing_is_written_as_is_refused() {
        for path in ["100%", "%zz", "%+1", "%61", "a%2Fb", "a%3ab", "a:b", "%C3%A9", "a%", "%é"] {
            let error = Naming::Encoded.name(path).expect_err(path);
            assert!(error.to_string().contains("--encode-names"), "{error}");
        }
        assert_eq!(Naming::Verbatim.name("100%").expect("a name"), "100%");
    }

    #[test]
    fn what_windows_would_take_for_something_else_is_known() {
        for name in
            ["a:b", "nul", "aux.txt", "end.", "end ", "a?", "tab\t", "COM7.x.y", "com0", "a\u{1}"]
        {
            assert!(is_refused_by_windows(name), "{name:?}");
        }
        for name in ["", ".", "..", "a.b", ".a", "x nul", "nulls", "comma", "%", "com", "lpt10"] {
            assert!(!is_refused_by_windows(name), "{name:?}");
        }
    }

    #[test]
    fn the_folder_of_a_marker_has_no_slash() {
        assert_eq!(Naming::Encoded.folder("a:/b/").expect("a folder").as_str(), "a%3A/b");
        assert_eq!(Naming::Verbatim.folder("a/b/").expect("a folder").as_str(), "a/b");
    }

    proptest! {
        #[test]
        fn every_name_leads_back(name in "[a%./\\\\: \0cCoOnN1]{0,12}|\\PC{0,20}") {
            let path = Naming::Encoded.path(&name).expect("each has one");
            prop_assert_eq!(Naming::Encoded.name(path.as_str()).expect("it is written so"), name);
        }

        #[test]
        fn no_two_paths_are_one_name(path in "[a%./250EeC]{1,12}") {
            if let Ok(name) = Naming::Encoded.name(&path) {
                let back = Naming::Encoded.path(&name).expect("a path");
                prop_assert_eq!(back.as_str(), path);
            }
        }
    }
}
