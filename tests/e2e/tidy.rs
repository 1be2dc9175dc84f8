//! The house rules that no compiler checks, proved over the sources: floors import only floors
//! below, the SDK stays in its room, prints have one place, files stay small and say what they
//! are for. A rule is a function from one file to its violations; it must never read more than
//! that file, so that each one can be tried on a bad snippet.

mod faults;
mod floors;
mod source;
mod syntax;

use source::{Part, SourceFile, rust_files};

const LONGEST_FILE: usize = 500;
const PRINTING_ROOM: &str = "src/ui/streams.rs";
const SDK_ROOM: &str = "src/storage/s3";

#[test]
fn a_floor_imports_only_floors_below_it() {
    hold(&[Part::Library], floors::upward_imports);
}

#[test]
fn the_sdk_is_known_only_in_its_room() {
    hold(&[Part::Library], sdk_elsewhere);
}

#[test]
fn only_the_streams_print() {
    hold(&[Part::Library], prints_elsewhere);
}

#[test]
fn no_file_is_too_long() {
    hold(&Part::ALL, too_long);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    hold(&Part::ALL, no_head);
}

#[test]
fn a_mod_file_only_declares_and_re_exports() {
    hold(&Part::ALL, more_than_declarations);
}

#[test]
fn no_lint_is_allowed_without_being_expected() {
    hold(&Part::ALL, allowed_lints);
}

#[test]
fn nothing_is_unwrapped_or_left_to_do_outside_tests() {
    hold(&[Part::Library], unfinished_code);
}

#[test]
fn names_of_files_say_what_is_in_them() {
    hold(&[Part::Library], empty_names);
}

/// Applies one rule to every file of these parts of the repository.
#[track_caller]
fn hold(parts: &[Part], rule: fn(&SourceFile) -> Vec<String>) {
    let files = rust_files(parts);
    assert!(!files.is_empty(), "there is nothing to check");
    let violations: Vec<_> = files.iter().flat_map(rule).collect();
    let list = violations.join("\n  ");
    assert!(violations.is_empty(), "the house rules are broken:\n  {list}");
}

fn sdk_elsewhere(file: &SourceFile) -> Vec<String> {
    if file.is_below(SDK_ROOM) {
        return Vec::new();
    }
    let sdk = |word: &str| word.starts_with("aws_");
    let paths = syntax::path_starts(&file.code).into_iter();
    paths
        .filter(|start| sdk(&start.name))
        .map(|start| file.violation(start.line, &format!("{} outside {SDK_ROOM}", start.name)))
        .collect()
}

fn prints_elsewhere(file: &SourceFile) -> Vec<String> {
    if file.path == PRINTING_ROOM {
        return Vec::new();
    }
    // To hand a descriptor on is not to print.
    let handed_on = ["stdout().as_fd()", "stderr().as_fd()"].into_iter();
    let code = handed_on.fold(file.code.clone(), |code, call| code.replace(call, "descriptor"));
    let macros = ["println!", "eprintln!", "print!", "eprint!"].into_iter();
    let prints = macros.flat_map(|name| syntax::words(&code, name));
    let streams = syntax::imports_of(&code, "io", &["stdout", "stderr"]);
    prints
        .chain(streams)
        .map(|line| file.violation(line, &format!("prints outside {PRINTING_ROOM}")))
        .collect()
}

fn too_long(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    let long = lines > LONGEST_FILE;
    let complaint = || file.violation(LONGEST_FILE, &format!("{lines} lines in one file"));
    long.then(complaint).into_iter().collect()
}

fn no_head(file: &SourceFile) -> Vec<String> {
    let headed = file.text.starts_with("//!");
    let complaint = || file.violation(1, "does not start with //! and what it is for");
    (!headed).then(complaint).into_iter().collect()
}

fn more_than_declarations(file: &SourceFile) -> Vec<String> {
    if !file.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    syntax::statements(&file.code)
        .into_iter()
        .filter(|statement| !is_declaration(&statement.name))
        .map(|statement| file.violation(statement.line, "more than mod and use in a mod.rs"))
        .collect()
}

fn is_declaration(statement: &str) -> bool {
    let mut words = statement.split_whitespace();
    let mut first = words.next().unwrap_or_default();
    if first == "pub" || (first.starts_with("pub(") && first.ends_with(')')) {
        first = words.next().unwrap_or_default();
    }
    let has_body = statement.trim_end().ends_with('}');
    first == "use" || (first == "mod" && !has_body)
}

fn allowed_lints(file: &SourceFile) -> Vec<String> {
    let allows = ["#[allow(", "#![allow("].into_iter();
    allows
        .flat_map(|attribute| syntax::places(&file.code, attribute))
        .map(|line| file.violation(line, "allows a lint; expect it, with the reason"))
        .collect()
}

fn unfinished_code(file: &SourceFile) -> Vec<String> {
    if file.is_test_only() {
        return Vec::new();
    }
    let code = syntax::without_tests(&file.code);
    let macros = ["todo!", "unimplemented!", "dbg!"].into_iter();
    macros
        .flat_map(|name| syntax::words(&code, name))
        .chain(syntax::places(&code, ".unwrap()"))
        .map(|line| file.violation(line, "unwrap, todo or dbg outside tests"))
        .collect()
}

fn empty_names(file: &SourceFile) -> Vec<String> {
    const EMPTY: [&str; 6] = ["utils", "util", "helpers", "common", "misc", "imp"];
    let mut names = file.path.trim_end_matches(".rs").split('/');
    let empty = names.any(|name| EMPTY.contains(&name));
    let complaint = || file.violation(1, "a name that says nothing");
    empty.then(complaint).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(rule: fn(&SourceFile) -> Vec<String>, path: &str, text: &str) -> bool {
        !rule(&SourceFile::new(path, text)).is_empty()
    }

    #[test]
    fn the_sdk_is_found_in_paths_and_imports_but_not_in_words() {
        let found = |text| breaks(sdk_elsewhere, "src/transfer/a.rs", text);
        assert!(found("use aws_sdk_s3::Client;"));
        assert!(found("use {std::fs, aws_config::Region};"));
        assert!(found("fn f() { aws_sdk_s3::Client::new(); }"));
        assert!(!found("// as aws_sdk_s3::Client does\nlet aws_profile = \"aws_x::y\";"));
        assert!(!breaks(sdk_elsewhere, "src/storage/s3/a.rs", "use aws_sdk_s3::Client;"));
        assert!(breaks(sdk_elsewhere, "src/storage/s3_other.rs", "use aws_sdk_s3::Client;"));
    }

    #[test]
    fn prints_are_found_as_macros_and_as_streams() {
        let found = |text| breaks(prints_elsewhere, "src/app/a.rs", text);
        assert!(found("fn f() { println!(\"x\"); }"));
        assert!(found("fn f() { std::eprint!(\"x\"); }"));
        assert!(found("let out = std::io::stdout().lock();"));
        assert!(found("use std::io::{self, stderr, Write};"));
        assert!(found("let w = io::stderr;"));
        assert!(!found("// println!(\"x\")\nlet s = \"eprintln!\"; command.stdout(x);"));
        assert!(!found("use crate::ui::streams::{stdout, Streams};"));
        assert!(!found("std::io::stdout().as_fd().try_clone_to_owned()"));
        assert!(!breaks(prints_elsewhere, "src/ui/streams.rs", "println!(\"x\")"));
    }

    #[test]
    fn length_and_head_are_checked() {
        assert!(breaks(too_long, "src/a.rs", &"\n".repeat(LONGEST_FILE + 1)));
        assert!(!breaks(too_long, "src/a.rs", &"\n".repeat(LONGEST_FILE)));
        assert!(breaks(no_head, "src/a.rs", "// what\nuse x;"));
        assert!(breaks(no_head, "src/a.rs", "\n//! what"));
        assert!(!breaks(no_head, "src/a.rs", "//! what\nuse x;"));
    }

    #[test]
    fn a_mod_file_with_code_is_found() {
        let found = |text| breaks(more_than_declarations, "src/a/mod.rs", text);
        assert!(found("mod a;\nfn f() {}"));
        assert!(found("mod a { fn f() {} }"));
        assert!(found("pub const A: u8 = 1;"));
        assert!(found("pub struct A;"));
        assert!(!found(
            "//! what\n\n#[cfg(unix)]\nmod a;\npub(crate) mod b;\n\npub use a::{B, c::{D, E}};\n"
        ));
        assert!(!breaks(more_than_declarations, "src/a/b.rs", "fn f() {}"));
    }

    #[test]
    fn allowed_lints_are_found() {
        let found = |text| breaks(allowed_lints, "src/a.rs", text);
        assert!(found("#[allow(dead_code)]\nfn f() {}"));
        assert!(found("#![allow(dead_code)]"));
        assert!(!found("#[expect(dead_code, reason = \"#[allow(\")]\nfn f() {}"));
    }

    #[test]
    fn unfinished_code_is_found_outside_tests_only() {
        let found = |text| breaks(unfinished_code, "src/a.rs", text);
        assert!(found("fn f() { x.unwrap(); }"));
        assert!(found("fn f() { todo!() }"));
        assert!(found("#[cfg(test)]\nmod t { fn g() { x.unwrap() } }\nfn f() { dbg!(1); }"));
        assert!(!found("fn f() { x.unwrap_or(1); \"todo!\"; }"));
        assert!(!found("fn f() {}\n#[cfg(test)]\nmod tests { fn g() { '{'; x.unwrap() } }"));
        assert!(!breaks(unfinished_code, "src/a/tests.rs", "fn f() { x.unwrap(); }"));
    }

    #[test]
    fn empty_names_are_found() {
        assert!(breaks(empty_names, "src/transfer/utils.rs", ""));
        assert!(breaks(empty_names, "src/common/a.rs", ""));
        assert!(!breaks(empty_names, "src/transfer/plan.rs", ""));
    }
}
