//! Failures, as people are told of them: the first ones in full as they come, then all of them by
//! cause at the end. However many there are, only a few of each cause are kept.

use std::error::Error;
use std::io::Write as _;

use super::streams::{Answer, Stderr, read_answer};
use super::style::Paint;
use crate::domain::escape::Escaped;
use crate::transfer::outcome::Failure;

/// Prints an error that ended the whole run: what failed, why, and what to do.
pub fn print_error(error: &(dyn Error + 'static), hints: &[String], paint: Paint) {
    Stderr.write_all(error_text(error, hints, paint).as_bytes()).ok();
}

/// Says what became of a command that is no run, in one line.
pub fn print_note(text: &str, paint: Paint) {
    let line = format!("{} {}\n", paint.hint("note:"), Escaped(text));
    Stderr.write_all(line.as_bytes()).ok();
}

/// Asks a person, if there is one: `remove everything in s3://bucket? [y/N]`.
pub fn ask(question: &str, paint: Paint) -> Answer {
    let text = format!("{} {}? [y/N] ", paint.warning("please confirm:"), Escaped(question));
    read_answer(&text)
}

/// As `print_error` shows it: `error: …`, `caused by: …`, `hint: …`, a line each.
pub fn error_text(error: &(dyn Error + 'static), hints: &[String], paint: Paint) -> String {
    let mut lines = vec![format!("{} {}", paint.error("error:"), Escaped(&error.to_string()))];
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
        let cause = cause.to_string();
        // Some libraries repeat the cause in what they say themselves.
        if !said.ends_with(&cause) {
            lines.push(format!("  {} {}", paint.error("caused by:"), Escaped(&cause)));
        }
        said = cause;
    }
    lines.extend(hints.iter().map(|hint| hint_line("  ", hint, paint)));
    lines.join("\n") + "\n"
}

fn hint_line(indent: &str, hint: &str, paint: Paint) -> String {
    format!("{indent}{} {}", paint.hint("hint:"), Escaped(hint))
}

/// The failures of a run, grouped by cause.
#[derive(Debug, Default)]
pub struct Failures {
    groups: Vec<Group>,
    total: u64,
    /// Those of causes beyond the most that are kept.
    of_other_causes: u64,
    counted_only: Told,
    may_pass: bool,
    refused: u64,
}

/// Failures that are printed as they come, besides the first of each cause.
const TOLD_IN_FULL: u64 = 10;
const NAMES_PER_CAUSE: usize = 3;
const MOST_CAUSES: usize = 50;

#[derive(Debug)]
struct Group {
    cause: String,
    count: u64,
    names: Vec<String>,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Told {
    #[default]
    NotYet,
    Once,
}

/// How to tell of a failure that has just come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    InFull,
    /// Say once that more will come, and be told at the end.
    ThatMoreCome,
    Nothing,
}

/// What there is to say of one cause.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Cause<'a> {
    pub cause: &'a str,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
}

impl Failures {
    pub fn add(&mut self, failure: &Failure) -> Tell {
        self.total += 1;
        self.may_pass |= failure.may_pass;
        let is_new = self.group(failure);
        if is_new || self.total <= TOLD_IN_FULL {
            Tell::InFull
        } else if self.counted_only == Told::NotYet {
            self.counted_only = Told::Once;
            Tell::ThatMoreCome
        } else {
            Tell::Nothing
        }
    }

    /// The next one never became a job.
    pub fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// Whether this is the first of a cause.
    fn group(&mut self, failure: &Failure) -> bool {
        if let Some(group) = self.groups.iter_mut().find(|group| group.cause == failure.cause) {
            group.count += 1;
            if group.names.len() < NAMES_PER_CAUSE {
                group.names.push(name(failure));
            }
            return false;
        }
        if self.groups.len() == MOST_CAUSES {
            self.of_other_causes += 1;
            return false;
        }
        self.groups.push(Group {
            cause: failure.cause.clone(),
            count: 1,
            names: vec![name(failure)],
            hint: failure.hint.clone(),
        });
        true
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the same command may do better later.
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }

    /// Those of what never became a job, such as a bad row.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The most frequent first.
    pub fn causes(&self) -> Vec<Cause<'_>> {
        self.sorted()
            .into_iter()
            .map(|group| Cause {
                cause: &group.cause,
                count: group.count,
                hint: group.hint.as_deref(),
            })
            .collect()
    }

    /// The end of a run: what failed why, each with a few names.
    pub fn text(&self, paint: Paint) -> Vec<String> {
        let mut lines = Vec::new();
        for group in self.sorted() {
            group.tell(&mut lines, paint);
        }
        if self.of_other_causes > 0 {
            lines.push(format!("{:>6} of other causes", self.of_other_causes));
        }
        lines
    }

    /// Only what to do about them, where the failures themselves were all told in full.
    pub fn hints(&self, paint: Paint) -> Vec<String> {
        let hints = self.groups.iter().filter_map(|group| group.hint.as_deref());
        hints.map(|hint| hint_line("  ", hint, paint)).collect()
    }

    fn sorted(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

impl Group {
    fn tell(&self, lines: &mut Vec<String>, paint: Paint) {
        let head = format!("{:>6} × {}", self.count, Escaped(&self.cause));
        match self.names.as_slice() {
            // Of the run as a whole.
            [name] if name.is_empty() => lines.push(head),
            [name] => lines.push(format!("{head}: {name}")),
            names => {
                lines.push(head);
                lines.extend(names.iter().map(|name| format!("{:9}{name}", "")));
            }
        }
        let untold = self.count - self.names.len() as u64;
        if untold > 0 {
            lines.push(format!("{:9}and {untold} more", ""));
        }
        lines.extend(self.hint.iter().map(|hint| hint_line("         ", hint, paint)));
    }
}

/// `s3://b/k (line 17)`, or `line 17` of what has no name; safe to show.
fn name(failure: &Failure) -> String {
    let source = Escaped(&failure.source);
    match failure.line {
        Some(line) if failure.source.is_empty() => format!("line {line}"),
        Some(line) => format!("{source} (line {line})"),
        None => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::tests::failure;

    #[test]
    fn failures_are_grouped_with_a_few_names() {
        let mut failures = Failures::default();
        for number in 1..=37 {
            let mut failure = failure("access denied", &format!("s3://b/{number}\u{1b}"));
            failure.hint = Some("check the policy".to_owned());
            failure.line = (number % 2 == 0).then_some(number);
            failures.add(&failure);
        }
        failures.add(&failure("no such object", "s3://b/gone"));
        for line in [4, 5] {
            failures.add(&Failure { line: Some(line), ..failure("bad row", "") });
        }
        insta::assert_snapshot!(failures.text(Paint::Plain).join("\n"), @r#"
        37 × access denied
             s3://b/1\u{1b}
             s3://b/2\u{1b} (line 2)
             s3://b/3\u{1b}
             and 34 more
             hint: check the policy
         2 × bad row
             line 4
             line 5
         1 × no such object: s3://b/gone
        "#);
    }

    #[test]
    fn a_flood_is_told_at_its_start_and_for_each_new_cause() {
        let mut failures = Failures::default();
        let mut told = |cause| failures.add(&failure(cause, "s3://b/k"));
        for _ in 0..10 {
            assert_eq!(told("a"), Tell::InFull);
        }
        assert_eq!(told("a"), Tell::ThatMoreCome);
        assert_eq!(told("a"), Tell::Nothing);
        assert_eq!(told("b"), Tell::InFull);
        assert_eq!(told("b"), Tell::Nothing);
    }

    #[test]
    fn causes_are_bounded() {
        let mut failures = Failures::default();
        for number in 0..1000 {
            failures.add(&failure(&format!("cause {number}"), "s3://b/k"));
        }
        assert_eq!(failures.groups.len(), MOST_CAUSES);
        let text = failures.text(Paint::Plain).join("\n");
        assert!(text.ends_with("950 of other causes"), "{text}");
        assert_eq!(failures.total(), 1000);
    }

    #[test]
    fn an_error_is_told_once_with_its_causes_and_hints() {
        let error = anyhow::anyhow!("connection refused")
            .context("could not list s3://b/\u{1b}[2J")
            .context("could not list s3://b/: could not list s3://b/\u{1b}[2J");
        let text = error_text(error.as_ref(), &["is it running?".to_owned()], Paint::Plain);
        insta::assert_snapshot!(text, @r#"
        error: could not list s3://b/: could not list s3://b/\u{1b}[2J
          caused by: connection refused
          hint: is it running?
        "#);
    }
}
