//! As much of Rust's syntax as the house rules need, and no more: where comments and literals
//! are, which paths a file names, where a test module ends. It must never find a word inside a
//! comment or a string, for then a rule would forbid speaking of what it forbids.

use std::iter::Peekable;
use std::str::CharIndices;

/// A name and the line that it stands on, counted from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) line: usize,
}

/// The text with comments and the inside of string and character literals turned to blanks, so
/// that every line and column stays where it was.
pub(super) fn blank_words_and_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_length(rest, code.chars().next_back());
        let (taken, blank) = if hidden == 0 { (first.len_utf8(), false) } else { (hidden, true) };
        for character in rest[..taken].chars() {
            let keep = !blank || character == '\n';
            code.push(if keep { character } else { ' ' });
        }
        rest = &rest[taken..];
    }
    code
}

/// Lines where `text` stands, wherever it stands.
pub(super) fn places(code: &str, text: &str) -> Vec<usize> {
    code.match_indices(text).map(|(at, _)| line_of(code, at)).collect()
}

/// Lines where `word` stands and is not the end of a longer one.
pub(super) fn words(code: &str, word: &str) -> Vec<usize> {
    let matches = code.match_indices(word);
    matches.filter(|(at, _)| starts_a_word(code, *at)).map(|(at, _)| line_of(code, at)).collect()
}

/// Each identifier that begins a path: `a` of `a::b`, and of `use {a::b, c::d};` both.
pub(super) fn path_starts(code: &str) -> Vec<Found> {
    identifiers(code)
        .filter(|(at, name)| {
            let before = code[..*at].trim_end();
            let after = code[at + name.len()..].trim_start();
            let imported = before.ends_with("use") || before.ends_with("extern crate");
            !before.ends_with("::") && (after.starts_with("::") || imported)
        })
        .map(|(at, name)| found(code, at, name))
        .collect()
}

/// The first name after every path to the crate's root, from a file that lies `depth` modules
/// below it: `a` of `crate::a::b`, of `crate::{a, c}` both, and of enough `super::`.
pub(super) fn crate_paths(code: &str, depth: usize) -> Vec<Found> {
    let mut paths = Vec::new();
    for (at, name) in identifiers(code) {
        let mut rest = after_colons(code, at + name.len());
        let rooted = match name {
            "crate" => true,
            "super" if !code[..at].trim_end().ends_with("::") => {
                let mut climbed = 1;
                while let Some(place) = rest.filter(|place| code[*place..].starts_with("super")) {
                    climbed += 1;
                    rest = after_colons(code, place + "super".len());
                }
                climbed >= depth
            }
            _ => false,
        };
        if let Some(rest) = rest.filter(|_| rooted) {
            paths.extend(first_names(code, rest));
        }
    }
    paths
}

/// Lines that name one of `items` of a module called `module`, in a path or in an import.
pub(super) fn imports_of(code: &str, module: &str, items: &[&str]) -> Vec<usize> {
    let modules = identifiers(code).filter(|(_, name)| *name == module);
    modules
        .filter_map(|(at, name)| after_colons(code, at + name.len()))
        .flat_map(|at| first_names(code, at))
        .filter(|found| items.contains(&found.name.as_str()))
        .map(|found| found.line)
        .collect()
}

/// The items of a file without their attributes, each up to its `;` or its closing brace.
pub(super) fn statements(code: &str) -> Vec<Found> {
    let mut statements = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    let mut import = false;
    for (at, character) in code.char_indices() {
        match character {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let text = code[start..at + character.len_utf8()].trim_start();
        if depth == 0 && character == ']' && text.starts_with('#') {
            start = at + 1;
            continue;
        }
        import |= depth == 0 && text.split_whitespace().any(|word| word == "use");
        let closes = character == ';' || (character == '}' && !import);
        if depth == 0 && closes {
            let offset = code[start..].len() - code[start..].trim_start().len();
            statements.push(found(code, start + offset, text));
            start = at + 1;
            import = false;
        }
    }
    statements
}

/// The code with everything that is only compiled for tests blanked.
pub(super) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, tests) = rest.split_at(at);
        kept.push_str(before);
        let (tests, after) = tests.split_at(item_length(tests));
        kept.extend(tests.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Up to and including the first `;`, or the brace that closes the first one.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in item.char_indices() {
        match character {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    item.len()
}

/// How much of `rest` is a comment or a literal that begins right here; `before` is what stands
/// before it.
fn hidden_length(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(is_word);
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return string(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let raw = rest[..prefix].ends_with('r') && prefix <= 2;
    let hashes = rest[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    if in_word || !raw || !rest[prefix + hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let inside = prefix + hashes + 1;
    let end = rest[inside..].find(&close);
    end.map_or(rest.len(), |end| inside + end + close.len())
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Zero for a lifetime, which looks like a character that never closes.
fn character(rest: &str) -> usize {
    let mut inside = rest.char_indices().skip(1);
    match inside.next() {
        Some((_, '\\')) => escaped_character(inside.peekable()),
        Some(_) => match inside.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn escaped_character<I>(mut inside: Peekable<I>) -> usize
where
    I: Iterator<Item = (usize, char)>,
{
    // The escaped one may itself be a quote.
    inside.next();
    let close = inside.find(|(_, character)| *character == '\'');
    close.map_or(0, |(at, _)| at + 1)
}

/// Where the path goes on after `::`, if it does.
fn after_colons(code: &str, at: usize) -> Option<usize> {
    let rest = code[at..].trim_start().strip_prefix("::")?.trim_start();
    Some(code.len() - rest.len())
}

/// The name that a path goes on with, or all of them where it branches.
fn first_names(code: &str, at: usize) -> Vec<Found> {
    if !code[at..].starts_with('{') {
        return identifier_at(code, at).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut expected = false;
    for (offset, character) in code[at..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match character {
            _ if depth == 0 => break,
            '{' | ',' if depth == 1 => expected = true,
            _ if character.is_whitespace() => {}
            _ if expected => {
                names.extend(identifier_at(code, at + offset));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier_at(code: &str, at: usize) -> Option<Found> {
    let name: String = code[at..].chars().take_while(|it| is_word(*it)).collect();
    (!name.is_empty()).then(|| found(code, at, &name))
}

fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = |(at, character): &(usize, char)| is_word(*character) && starts_a_word(code, *at);
    let characters: CharIndices<'_> = code.char_indices();
    characters.filter(starts).map(|(at, _)| {
        let length = code[at..].find(|it| !is_word(it));
        (at, &code[at..at + length.unwrap_or(code.len() - at)])
    })
}

fn starts_a_word(code: &str, at: usize) -> bool {
    !code[..at].chars().next_back().is_some_and(is_word)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn found(code: &str, at: usize, name: &str) -> Found {
    let name = name.to_owned();
    let line = line_of(code, at);
    Found { name, line }
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_turn_to_blanks() {
        for (text, wanted) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"b\\\"c\") + g", "f(      ) + g"),
            ("r#\"a\"b\"# + br\"c\"", "         +      "),
            ("x = '\"'; y = '\\''; 'a: loop", "x =    ; y =     ; 'a: loop"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("\"é\nb\" c", "  \n   c"),
        ] {
            assert_eq!(blank_words_and_comments(text), wanted, "of {text}");
        }
    }

    #[test]
    fn statements_end_at_semicolons_and_braces() {
        let code = "#[cfg(unix)]\nmod a;\npub use b::{c, d};\nfn f() { g(); }\nmod h {}\n";
        let names: Vec<_> = statements(code).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["mod a;", "pub use b::{c, d};", "fn f() { g(); }", "mod h {}"]);
    }

    #[test]
    fn what_is_only_for_tests_is_cut_up_to_its_end() {
        let code =
            "a();\n#[cfg(test)]\nmod tests { fn f() { b } }\nc();\n#[cfg(test)]\nmod d;\ne();";
        let kept = without_tests(code);
        assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["a();", "c();", "e();"]);
        assert_eq!(kept.lines().count(), code.lines().count());
    }
}
