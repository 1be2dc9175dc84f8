//! `tests/PARITY.md`: what it says that runs has a test that is there, and options that are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::haul;

mod readme;

const TESTED: usize = 180;

struct Row {
    theirs: String,
    ours: String,
    tests: String,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(root("tests/PARITY.md")).expect("the table is there");
    let lines = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    let rows = cells.map(|cells| {
        assert_eq!(cells.len(), 3, "{cells:?}");
        let [theirs, ours, tests] = [0, 1, 2].map(|at| cells[at].to_owned());
        Row { theirs, ours, tests }
    });
    rows.filter(|row| row.ours != "haul").collect()
}

/// What stands in backticks.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_test(span: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    span.contains("::") && span.split("::").all(is_name)
}

#[test]
fn every_row_has_tests_that_are_there_or_a_reason() {
    let mut wrong = Vec::new();
    let mut tested = 0;
    for Row { theirs, ours, tests } in rows() {
        let names: Vec<_> = spans(&tests).filter(|span| is_test(span)).collect();
        let has_reason = tests.starts_with("no:") || tests.starts_with("no flag:");
        if (ours == "—") != names.is_empty() || (names.is_empty() && !has_reason) {
            wrong.push(format!("{theirs}: neither a test nor a reason"));
        }
        tested += usize::from(!names.is_empty());
        wrong.extend(names.into_iter().filter(|name| !exists(name)).map(str::to_owned));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tested >= TESTED, "only {tested} rows have a test");
}

fn exists(test: &str) -> bool {
    let (_, name) = test.rsplit_once("::").expect("it has a module");
    let source = fs::read_to_string(file_of(test)).unwrap_or_default();
    let head = format!("fn {name}()");
    let (before, _) = source.split_once(&head).unwrap_or_default();
    before.trim_end().lines().rev().take(2).any(|line| line.trim() == "#[test]")
}

/// Where it is written.
fn file_of(test: &str) -> PathBuf {
    let (module, _) = test.rsplit_once("::").expect("it has a module");
    root(&format!("tests/e2e/{}.rs", module.replace("::", "/")))
}

#[test]
fn every_option_that_is_named_is_in_the_help_of_its_command() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let verbs = verbs();
    let mut wrong = Vec::new();
    for Row { theirs, ours, .. } in rows().into_iter().filter(|row| row.ours != "—") {
        let [command] = spans(&ours).collect::<Vec<_>>()[..] else {
            wrong.push(format!("{theirs}: {ours} is not one command"));
            continue;
        };
        let mut words = command.split(' ');
        // Options may stand before the verb, which has to have them, too.
        let verb = words.clone().find(|word| verbs.contains(*word));
        let verb = verb.or_else(|| words.clone().nth(1));
        let (Some("haul"), Some(verb)) = (words.next(), verb) else {
            wrong.push(format!("{theirs}: {command} has no verb"));
            continue;
        };
        let known = known.entry(verb.to_owned()).or_insert_with(|| options_of(verb));
        let named = words.filter(|word| *word != verb);
        let named = named.filter(|word| word.len() > 1 && word.starts_with('-'));
        // `-vv` is `-v`, and `-100` a value.
        let named = named.map(|word| if word.starts_with("--") { word } else { &word[..2] });
        let named = named.filter(|word| !word[1..].starts_with(|c: char| c.is_ascii_digit()));
        wrong.extend(
            named.filter(|word| !known.contains(*word)).map(|word| format!("{verb} {word}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A test that has nothing of what its row says proves nothing of it.
#[test]
fn every_option_that_is_named_is_typed_beside_the_tests_of_its_row() {
    let mut wrong = Vec::new();
    let mut short: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let verbs = verbs();
    for Row { theirs, ours, tests } in rows() {
        let files: BTreeSet<_> = spans(&tests).filter(|span| is_test(span)).map(file_of).collect();
        let read = |file: &PathBuf| fs::read_to_string(file).unwrap_or_default();
        let source: String = files.iter().map(read).collect();
        let verb = ours.split(['`', ' ']).find(|word| verbs.contains(*word));
        let Some(verb) = verb.filter(|_| !source.is_empty()) else { continue };
        let short = short.entry(verb.to_owned()).or_insert_with(|| short_names_of(verb));
        let is_typed = |option: &str| {
            let short = short.get(option).map(|short| format!("\"{short}\""));
            source.contains(option) || short.is_some_and(|short| source.contains(&short))
        };
        let named = spans(&ours).flat_map(|command| command.split(' '));
        let named = named.filter(|word| word.starts_with("--"));
        wrong.extend(
            named.filter(|word| !is_typed(word)).map(|word| format!("{theirs}: {word}, {tests}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The short names of options, by their long ones.
fn short_names_of(verb: &str) -> BTreeMap<String, String> {
    let help = haul().args([verb, "--help"]).run();
    let help = help.code(0).stdout_text();
    let both = help.lines().filter_map(|line| line.trim_start().split_once(", --"));
    let both = both.filter(|(short, _)| short.len() == 2 && short.starts_with('-'));
    let long = |rest: &str| format!("--{}", rest.split([' ', '.', '[']).next().unwrap_or_default());
    both.map(|(short, rest)| (long(rest), short.to_owned())).collect()
}

fn verbs() -> BTreeSet<String> {
    let help = haul().arg("--help").run();
    let lines = help.code(0).stdout_text().lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn options_of(verb: &str) -> BTreeSet<String> {
    let help = haul().args([verb, "--help"]).run();
    let help = help.code(0).stdout_text();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split("  ").next().unwrap_or_default().split(' '));
    let words = words.map(|word| word.trim_end_matches(',').trim_end_matches('.'));
    let aliases = help.split("[alias: ").skip(1).filter_map(|rest| rest.split(']').next());
    let words = words.chain(aliases).filter(|word| word.starts_with('-'));
    words.map(str::to_owned).collect()
}
