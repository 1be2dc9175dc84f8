//! The table of faults: each fault once, most of them with a test, and no test that is not there.

use std::fs;
use std::path::Path;

use super::source::{Part, rust_files};

/// How many faults there are of each kind.
const FAULTS: [(char, usize); 4] = [('N', 73), ('L', 46), ('M', 24), ('S', 11)];
const TESTED: usize = 140;
/// Shorter words than this are no names of tests.
const JOINTS: usize = 3;

#[test]
fn the_table_of_faults_has_each_of_them_and_only_tests_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/FAULTS.md");
    let table = fs::read_to_string(path).expect("the table is there");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect())
        .filter(|cells: &Vec<&str>| cells.len() == 4 && is_number(cells[0]))
        .collect();
    let found: Vec<_> = rows.iter().map(|cells| cells[0].to_owned()).collect();
    let wanted: Vec<_> = FAULTS
        .iter()
        .flat_map(|(kind, most)| (1..=*most).map(move |number| format!("{kind}{number}")))
        .collect();
    assert_eq!(found, wanted);
    let sources: String = rust_files(&Part::ALL).into_iter().map(|file| file.text).collect();
    let mut missing = Vec::new();
    let mut tested = 0;
    for cells in &rows {
        let names = names(cells[2]);
        tested += usize::from(!names.is_empty());
        let absent = |name: &&str| !sources.contains(&format!("fn {name}"));
        missing
            .extend(names.into_iter().filter(absent).map(|name| format!("{}: {name}", cells[0])));
    }
    assert!(missing.is_empty(), "tests that are not there:\n{}", missing.join("\n"));
    assert!(tested >= TESTED, "only {tested} faults have a test");
}

fn is_number(cell: &str) -> bool {
    let mut characters = cell.chars();
    let kind = characters.next();
    FAULTS.iter().any(|(known, _)| Some(*known) == kind)
        && !characters.as_str().is_empty()
        && characters.all(|digit| digit.is_ascii_digit())
}

/// Names of tests, or how they begin where the cell leaves the rest out.
fn names(cell: &str) -> Vec<&str> {
    let words = cell.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.matches('_').count() >= JOINTS).collect()
}
