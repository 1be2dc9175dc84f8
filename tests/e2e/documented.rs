//! What is written for readers, against the program: each option that is named is one, and each
//! that there is stands in `docs/commands.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::haul;

/// Set to write the reference anew, and not to compare it.
const WRITE: &str = "HAUL_TEST_WRITE_REFERENCE";
const REFERENCE: &str = "docs/commands.md";
const HEAD: &str = "\
# Commands and options

What `haul COMMAND -h` says of each command; `--help` says more. Written by the program itself, and
compared with it by a test.
";

/// Options of other programs that readers are told of.
const OTHERS: [&str; 8] = [
    "--example",
    "--files-from",
    "--locked",
    "--nocapture",
    "--path",
    "--quick",
    "--release",
    "--test",
];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn help(words: &[&str]) -> String {
    let output = haul().args(words).arg("-h").run();
    output.code(0).stdout_text().to_owned()
}

fn commands() -> Vec<String> {
    let help = help(&[]);
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut add = |title: &str, help: String| {
        let lines = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        write!(text, "\n## {title}\n\n```text\n{}\n```\n", lines.trim_end()).expect("it is memory");
    };
    add("haul", help(&[]));
    for command in commands() {
        add(&format!("haul {command}"), help(&[&command]));
    }
    text
}

/// Long options that stand in a text.
fn options(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
    let words = text.split(|c: char| !is_name(c));
    let is_option = |word: &&str| word.len() > 3 && word.starts_with("--") && &word[2..3] != "-";
    words.filter(is_option).collect()
}

#[test]
fn every_option_is_in_the_reference_as_the_program_says_it() {
    let now = reference();
    let path = root(REFERENCE);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &now).expect("the folder is there");
    }
    let written = fs::read_to_string(path).expect("the reference is there");
    let wrong = now.lines().zip(written.lines()).find(|(now, written)| now != written);
    assert_eq!(wrong, None, "{REFERENCE} is old: set {WRITE} and run this test");
    assert_eq!(now.len(), written.len(), "{REFERENCE} is old: set {WRITE} and run this test");
}

#[test]
fn every_option_that_readers_are_told_of_is_one() {
    let help = reference();
    let known = options(&help);
    assert!(known.len() > 80, "{known:?}");
    for page in ["README.md", "CHANGELOG.md", "docs/json.md", "CONTRIBUTING.md"] {
        let Ok(text) = fs::read_to_string(root(page)) else { continue };
        let told = options(&text);
        let unknown = told.difference(&known).filter(|option| !OTHERS.contains(option));
        assert_eq!(unknown.collect::<Vec<_>>(), [&""; 0], "{page}");
    }
}

/// Each line that is to be typed has a command, and options that are that command's.
#[test]
fn every_line_that_readers_are_told_to_type_is_one() {
    let known = commands();
    let text = fs::read_to_string(root("README.md")).expect("it is there");
    let mut typed = 0;
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("haul ")) {
        let line = line.split(['#', '|']).next().unwrap_or_default();
        let verb = line.split_whitespace().next().unwrap_or_default();
        let is_verb = known.iter().any(|name| name == verb);
        let help = if is_verb { help(&[verb]) } else { help(&[]) };
        let unknown: Vec<_> = options(line).difference(&options(&help)).copied().collect();
        assert!(
            unknown.is_empty() && (verb.starts_with('-') || known.iter().any(|name| name == verb)),
            "haul {line}: {unknown:?}"
        );
        typed += 1;
    }
    assert!(typed > 40, "{typed}");
}
