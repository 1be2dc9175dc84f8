//! The end of a run, told: what was done, what was not and why, and what to type next. Pure.
//!
//! As JSON, `docs/json.md` lists its fields. Whatever was asked for is in exactly one of `objects`,
//! `removed`, `skipped`, `done_before`, `failed` and `stopped`.

use serde::Serialize;

use super::comparison::{self, CompareCounts};
use super::failure::{Cause, Failures};
use super::style::{self, Paint};
use crate::domain::escape::Escaped;
use crate::domain::quantity::ByteSize;
use crate::transfer::gauge::Sample;
use crate::transfer::outcome::{End, Summary};

/// All that is known at the end.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub summary: &'a Summary,
    /// The last look at the gauge.
    pub sample: Sample,
    pub failures: &'a Failures,
    pub planned: Option<Planned>,
}

/// What a dry run would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    pub objects: u64,
    pub bytes: u64,
    /// Objects whose size is not known.
    pub unsized_objects: u64,
}

/// The last line of `--json`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "summary")]
pub struct SummaryLine<'a> {
    success: bool,
    end: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    objects: u64,
    bytes: u64,
    resumed: u64,
    seconds: f64,
    removed: u64,
    buckets: u64,
    unconfirmed: u64,
    verified: u64,
    verified_by_parts: u64,
    length_only: u64,
    retries: u64,
    skipped: u64,
    done_before: u64,
    failed: u64,
    stopped: u64,
    kept: u64,
    kept_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<CompareCounts>,
    causes: Vec<Cause<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_objects: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_bytes: Option<u64>,
}

impl<'a> Account<'a> {
    pub fn json(&self) -> SummaryLine<'a> {
        let summary = self.summary;
        let (end, signal) = match summary.end {
            End::Complete => ("complete", None),
            End::GaveUp => ("gave_up", None),
            End::Interrupted(signal) => ("interrupted", Some(signal)),
        };
        SummaryLine {
            success: summary.is_success(),
            end,
            signal,
            objects: summary.done + summary.compared.total(),
            bytes: summary.bytes,
            resumed: summary.resumed,
            seconds: summary.elapsed.as_secs_f64(),
            removed: summary.removed,
            buckets: summary.buckets,
            unconfirmed: summary.unconfirmed,
            verified: summary.verified,
            verified_by_parts: summary.verified_by_parts,
            length_only: summary.length_only,
            retries: summary.retries,
            skipped: self.skipped(),
            done_before: summary.done_before,
            failed: summary.failed,
            stopped: self.not_done(),
            kept: summary.kept,
            kept_bytes: summary.kept_bytes,
            compared: CompareCounts::new(&summary.compared),
            causes: self.failures.causes(),
            planned_objects: self.planned.map(|planned| planned.objects),
            planned_bytes: self.planned.map(|planned| planned.bytes),
        }
    }

    /// The lines for stderr, of which the last says what to type next.
    pub fn text(&self, next: Option<&str>, paint: Paint) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_one_failure() {
            lines.extend(self.failures.hints(paint));
        } else {
            lines.push(self.head(paint));
            lines.extend(self.failures.text(paint));
        }
        if self.summary.kept > 0 {
            let kept = style::count(self.summary.kept, "unfinished transfer");
            let bytes = ByteSize(self.summary.kept_bytes);
            let what = "the same command goes on there";
            lines.push(format!("{kept} kept, {bytes} so far: {what}"));
        }
        if let Some(next) = next.filter(|_| !self.summary.is_success()) {
            lines.push(format!("{} {}", paint.strong("next:"), Escaped(next)));
        }
        lines
    }

    /// One object was asked for and failed: its error said everything.
    fn is_one_failure(&self) -> bool {
        let Summary { done, removed, skipped, failed, stopped, end, .. } = self.summary;
        (*done, *removed, *skipped, *failed, *stopped) == (0, 0, 0, 1, 0)
            && self.summary.compared.total() == 0
            && self.failures.total() == 1
            && match end {
                End::Complete => true,
                // What else was asked for was not tried, and no error says so.
                End::GaveUp => self.is_one_job(),
                End::Interrupted(_) => false,
            }
    }

    /// Whether nothing was asked for but the job that failed.
    fn is_one_job(&self) -> bool {
        let Sample { planned_objects, is_plan_complete, .. } = self.sample;
        planned_objects == 1 && is_plan_complete && self.failures.refused() == 0
    }

    /// `312 objects, 1.4 GiB in 12.3 s (116.2 MiB/s), 312 verified end to end, 3 retries`.
    fn head(&self, paint: Paint) -> String {
        let summary = self.summary;
        let mut facts = match self.planned {
            Some(planned) => planned.facts(),
            None => self.done(),
        };
        let counts = [
            (summary.done_before, "done before"),
            (self.skipped(), "skipped"),
            (summary.failed, "failed"),
        ];
        for (number, what) in counts {
            if number > 0 {
                let fact = format!("{number} {what}");
                facts.push(if what == "failed" { paint.error(&fact) } else { fact });
            }
        }
        if self.not_done() > 0 {
            facts.push(format!("{}{} not done", self.not_done(), self.or_more()));
        }
        if summary.unconfirmed > 0 {
            facts.push(format!("{} of them may be gone: no reply came", summary.unconfirmed));
        }
        let facts = facts.join(", ");
        match summary.end {
            End::Complete => facts,
            End::GaveUp => format!("{} {facts}", paint.error("stopped early:")),
            End::Interrupted(_) => format!("{} {facts}", paint.error("interrupted:")),
        }
    }

    fn done(&self) -> Vec<String> {
        let summary = self.summary;
        let looked_at = self.settled() + summary.skipped + summary.failed + summary.stopped;
        let buckets = (summary.buckets > 0)
            .then(|| format!("{} removed", style::count(summary.buckets, "bucket")));
        if looked_at == 0 && summary.end == End::Complete {
            return vec![buckets.unwrap_or_else(|| "nothing to do".to_owned())];
        }
        let retries = (summary.retries > 0).then(|| style::count(summary.retries, "retry"));
        if self.is_removal() {
            let fact = format!("{} in {}", self.objects(), style::elapsed(summary.elapsed));
            return [fact].into_iter().chain(buckets).chain(retries).collect();
        }
        let seconds = summary.elapsed.as_secs_f64();
        let mut amount =
            format!("{} in {}", ByteSize(summary.bytes), style::elapsed(summary.elapsed));
        let moved = summary.bytes.saturating_sub(summary.resumed);
        // What is only compared did not move at any rate.
        if moved > 0 && seconds > 0.0 && summary.compared.total() == 0 {
            #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
            let rate = moved as f64 / seconds;
            amount = format!("{amount} ({})", style::rate(rate));
        }
        let mut facts = vec![self.objects(), amount];
        if summary.resumed > 0 {
            facts.push(format!("{} of them from an earlier run", ByteSize(summary.resumed)));
        }
        facts.extend(comparison::facts(&summary.compared));
        facts.extend(self.verified());
        if summary.removed > 0 {
            facts.push(format!("{} removed", summary.removed));
        }
        facts.extend(retries);
        facts
    }

    /// `316 verified end to end`, or how many by what.
    fn verified(&self) -> Vec<String> {
        let summary = self.summary;
        let ways = [
            (summary.verified, "verified end to end"),
            (summary.verified_by_parts, "verified by their parts"),
            (summary.length_only, "by length and ETag only"),
        ];
        let ways = ways.into_iter().filter(|(count, _)| *count > 0);
        ways.map(|(count, way)| format!("{count} {way}")).collect()
    }

    /// Objects that were done, compared, or removed.
    fn settled(&self) -> u64 {
        self.summary.done + self.summary.compared.total() + self.summary.removed
    }

    /// Whether objects only went.
    fn is_removal(&self) -> bool {
        self.summary.removed > 0 && self.settled() == self.summary.removed
    }

    fn objects(&self) -> String {
        let (done, verb) = if self.is_removal() {
            (self.summary.removed, "removed")
        } else {
            (self.settled() - self.summary.removed, "done")
        };
        if self.summary.end == End::Complete {
            let objects = style::count(done, "object");
            return if verb == "removed" { format!("{objects} {verb}") } else { objects };
        }
        let all = self.asked_for();
        match self.or_more() {
            "" => format!("{done} of {} {verb}", style::count(all, "object")),
            more => format!("{done} of {all}{more} objects {verb}"),
        }
    }

    /// All that was asked for, as far as it is known: jobs, and what never became one, such as a bad
    /// row. A manifest that promises a number has its bad rows in it.
    fn asked_for(&self) -> u64 {
        let Sample { planned_objects, promised_objects, .. } = self.sample;
        let refused = if promised_objects > 0 { 0 } else { self.failures.refused() };
        (planned_objects + refused).max(self.looked_at())
    }

    fn or_more(&self) -> &'static str {
        if self.sample.is_plan_complete { "" } else { "+" }
    }

    /// Of what was asked for, what came to some end.
    fn looked_at(&self) -> u64 {
        self.settled() + self.summary.skipped + self.summary.failed
    }

    /// What was given up, or never begun, since the run was stopped. What the engine gave up itself
    /// counts though the plan may not know of it.
    fn not_done(&self) -> u64 {
        if self.summary.end == End::Complete {
            return self.summary.stopped;
        }
        self.asked_for().saturating_sub(self.looked_at()).max(self.summary.stopped)
    }

    /// Those that the journal knows are told apart, and those that a dry run would do are no skipped
    /// ones.
    fn skipped(&self) -> u64 {
        let planned = self.planned.map_or(0, |planned| planned.objects);
        self.summary.skipped.saturating_sub(self.summary.done_before + planned)
    }
}

impl Planned {
    pub fn add(&mut self, size: Option<u64>) {
        self.objects += 1;
        match size {
            Some(size) => self.bytes += size,
            None => self.unsized_objects += 1,
        }
    }

    /// `dry run: 312 objects, 1.4 GiB, nothing was moved`.
    fn facts(self) -> Vec<String> {
        let mut facts = vec![format!("dry run: {}", style::count(self.objects, "object"))];
        if self.objects > self.unsized_objects {
            facts.push(ByteSize(self.bytes).to_string());
        }
        if self.unsized_objects > 0 {
            facts.push(format!("{} of unknown size", self.unsized_objects));
        }
        facts.push("nothing was moved".to_owned());
        facts
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::quantity::MIB;
    use crate::transfer::outcome::Comparisons;
    use crate::ui::state::tests::failure;

    fn summary() -> Summary {
        Summary {
            done: 312,
            bytes: 1429 * MIB,
            resumed: 0,
            skipped: 0,
            done_before: 0,
            failed: 0,
            missing: 0,
            stopped: 0,
            kept: 0,
            kept_bytes: 0,
            removed: 0,
            buckets: 0,
            unconfirmed: 0,
            verified: 310,
            verified_by_parts: 0,
            length_only: 2,
            compared: Comparisons::NONE,
            retries: 3,
            output_closed: false,
            elapsed: Duration::from_millis(12_300),
            end: End::Complete,
        }
    }

    fn text(summary: &Summary, failures: &Failures) -> String {
        let sample = Sample { planned_objects: 400, is_plan_complete: true, ..Sample::default() };
        let account = Account { summary, sample, failures, planned: None };
        account.text(Some("haul download --manifest m.csv out"), Paint::Plain).join("\n")
    }

    #[test]
    fn a_good_end_is_one_line() {
        insta::assert_snapshot!(text(&summary(), &Failures::default()), @r#"312 objects, 1.4 GiB in 12.3 s (116.2 MiB/s), 310 verified end to end, 2 by length and ETag only, 3 retries"#);
        let nothing = Summary::default();
        assert_eq!(text(&nothing, &Failures::default()), "nothing to do");
    }

    #[test]
    fn a_bad_end_says_what_failed_why_and_what_next() {
        let mut failures = Failures::default();
        for number in 1..=5 {
            failures.add(&failure("access denied", &format!("s3://b/{number}")));
        }
        let summary = Summary { failed: 5, skipped: 2, ..summary() };
        insta::assert_snapshot!(text(&summary, &failures), @r#"
        312 objects, 1.4 GiB in 12.3 s (116.2 MiB/s), 310 verified end to end, 2 by length and ETag only, 3 retries, 2 skipped, 5 failed
             5 × access denied
                 s3://b/1
                 s3://b/2
                 s3://b/3
                 and 2 more
        next: haul download --manifest m.csv out
        "#);
    }

    #[test]
    fn an_interrupted_run_says_how_far_it_came() {
        let summary =
            Summary { done: 12, stopped: 64, end: End::Interrupted(2), retries: 0, ..summary() };
        insta::assert_snapshot!(text(&summary, &Failures::default()), @r#"
        interrupted: 12 of 400 objects done, 1.4 GiB in 12.3 s (116.2 MiB/s), 310 verified end to end, 2 by length and ETag only, 388 not done
        next: haul download --manifest m.csv out
        "#);
    }

    #[test]
    fn one_object_is_one_and_what_is_kept_of_it_is_said() {
        let summary = Summary {
            stopped: 1,
            kept: 1,
            kept_bytes: 144 * MIB,
            elapsed: Duration::from_millis(9_900),
            end: End::Interrupted(2),
            ..Summary::default()
        };
        let sample = Sample { planned_objects: 1, is_plan_complete: true, ..Sample::default() };
        let failures = Failures::default();
        let account = Account { summary: &summary, sample, failures: &failures, planned: None };
        insta::assert_snapshot!(account.text(None, Paint::Plain).join("\n"), @r#"
        interrupted: 0 of 1 object done, 0 B in 9.9 s, 1 not done
        1 unfinished transfer kept, 144.0 MiB so far: the same command goes on there
        "#);
    }

    /// `--max-errors 2`, and both were keys that never became jobs; or rows that were promised.
    #[test]
    fn a_run_that_stops_early_counts_all_that_it_was_asked_for() {
        let mut failures = Failures::default();
        for name in ["a/../b", "/c"] {
            failures.count_refused();
            failures.add(&failure("unsafe name", name));
        }
        let summary = Summary {
            failed: 2,
            done_before: 3,
            skipped: 4,
            end: End::GaveUp,
            ..Summary::default()
        };
        let said = |sample: Sample| {
            let account = Account { summary: &summary, sample, failures: &failures, planned: None };
            let line: serde_json::Value = serde_json::to_value(account.json()).expect("JSON");
            let sum: u64 = ["objects", "skipped", "done_before", "failed", "stopped"]
                .iter()
                .map(|field| line[field].as_u64().expect("a number"))
                .sum();
            (account.text(None, Paint::Plain).swap_remove(0), sum)
        };
        let listing = Sample { planned_objects: 18, ..Sample::default() };
        let text = "stopped early: 0 of 20+ objects done, 0 B in 0.00 s, 3 done before, 1 skipped, \
                    2 failed, 14+ not done";
        assert_eq!(said(listing), (text.to_owned(), 20));
        let promised = Sample {
            planned_objects: 40,
            promised_objects: 40,
            is_plan_complete: true,
            ..Sample::default()
        };
        let text = "stopped early: 0 of 40 objects done, 0 B in 0.00 s, 3 done before, 1 skipped, \
                    2 failed, 34 not done";
        assert_eq!(said(promised), (text.to_owned(), 40));
    }

    #[test]
    fn one_object_that_failed_needs_no_statistics() {
        let mut failures = Failures::default();
        let mut failure = failure("cannot connect", "s3://b/k");
        failure.hint = Some("check the endpoint".to_owned());
        failures.add(&failure);
        let summary = Summary { failed: 1, ..Summary::default() };
        insta::assert_snapshot!(text(&summary, &failures), @r#"
          hint: check the endpoint
        next: haul download --manifest m.csv out
        "#);
    }

    #[test]
    fn a_dry_run_counts_what_it_would_do() {
        let mut planned = Planned::default();
        for size in [Some(MIB), Some(MIB), None] {
            planned.add(size);
        }
        let summary = Summary { skipped: 4, ..Summary::default() };
        let failures = Failures::default();
        let account = Account {
            summary: &summary,
            sample: Sample::default(),
            failures: &failures,
            planned: Some(planned),
        };
        assert_eq!(
            account.text(None, Paint::Plain),
            ["dry run: 3 objects, 2.0 MiB, 1 of unknown size, nothing was moved, 1 skipped"]
        );
    }

    #[test]
    fn the_json_has_every_number() {
        let mut failures = Failures::default();
        failures.add(&failure("access denied", "s3://b/k"));
        let summary = Summary { failed: 1, end: End::Interrupted(15), ..summary() };
        let account = Account {
            summary: &summary,
            sample: Sample::default(),
            failures: &failures,
            planned: None,
        };
        insta::assert_snapshot!(serde_json::to_string(&account.json()).expect("JSON"), @r#"{"event":"summary","success":false,"end":"interrupted","signal":15,"objects":312,"bytes":1498415104,"resumed":0,"seconds":12.3,"removed":0,"buckets":0,"unconfirmed":0,"verified":310,"verified_by_parts":0,"length_only":2,"retries":3,"skipped":0,"done_before":0,"failed":1,"stopped":0,"kept":0,"kept_bytes":0,"causes":[{"cause":"access denied","count":1}]}"#);
    }
}
