//! The bars: one for the run, above those of the few objects that take longest. Pure: numbers
//! become lines that fit the terminal; `screen` draws them.

use std::time::Duration;

use super::progress::Progress;
use super::state::{Active, State};
use super::streams::Size;
use super::style::{self, Paint};
use crate::domain::escape::Escaped;
use crate::domain::job::{Job, Task};
use crate::domain::quantity::ByteSize;

/// Objects with a bar, at most.
const MOST_OBJECTS: usize = 5;
/// Lines of the run itself.
const TOTAL_LINES: usize = 2;
/// Below this a bar says nothing.
const SHORTEST_BAR: usize = 8;
const OBJECT_BAR: usize = 12;

/// Everything that is drawn at one moment, each line narrower than the terminal.
pub fn frame(
    state: &mut State,
    progress: &Progress,
    now: Duration,
    (size, paint): (Size, Paint),
) -> Vec<String> {
    // The last column stays empty: some terminals wrap a line that fills it. The last row is the
    // cursor's.
    let columns = size.columns.saturating_sub(1);
    let room = size.rows.saturating_sub(1 + TOTAL_LINES).min(MOST_OBJECTS);
    let mut lines = vec![total(progress, columns, paint), counts(progress, columns, paint)];
    lines.extend(state.choose_bars(now, room).into_iter().map(|a| object(a, columns, paint)));
    lines.truncate(size.rows.saturating_sub(1));
    lines
}

/// ` 44% ━━━━━━━━━━─────────────  452.0 MiB of 1.0 GiB      45.2 MiB/s     0:12 left`
fn total(progress: &Progress, columns: usize, paint: Paint) -> String {
    // Fixed widths, so that nothing dances while numbers grow.
    let mut facts = vec![
        format!("{:<22}", progress.bytes_text()),
        format!("{:>11}", progress.rate_text().unwrap_or_default()),
        format!("{:>12}", progress.left_text().unwrap_or_default()),
    ];
    let percent = percent(progress.fraction());
    loop {
        let used = percent.len() + 1 + facts.iter().map(|fact| fact.len() + 2).sum::<usize>();
        if used + SHORTEST_BAR <= columns {
            let bar = bar(progress.fraction(), columns - used, paint);
            facts.insert(0, bar);
            let line = format!("{} {}", paint.strong(&percent), facts.join("  "));
            return line.trim_end().to_owned();
        }
        if facts.pop().is_none() {
            return style::cut_right(&percent, columns).to_owned();
        }
    }
}

/// `     15 of 300 objects, 2 failed, 64 requests in flight, 3 retries`
fn counts(progress: &Progress, columns: usize, paint: Paint) -> String {
    let mut line = String::new();
    let mut used = 0;
    let mut add = |text: String, color: fn(Paint, &str) -> String| {
        let lead = if used == 0 { "     " } else { ", " };
        if used + lead.len() + text.len() <= columns {
            used += lead.len() + text.len();
            line.push_str(lead);
            line.push_str(&color(paint, &text));
        }
    };
    let plain: fn(Paint, &str) -> String = |_, text| text.to_owned();
    add(progress.objects_text(), plain);
    if progress.failed > 0 {
        add(format!("{} failed", progress.failed), Paint::error);
    }
    add(format!("{} in flight", style::count(progress.requests, "request")), plain);
    if let Some(waiting) = progress.waiting_text() {
        add(waiting, plain);
    }
    if progress.retries > 0 {
        add(style::count(progress.retries, "retry"), plain);
    }
    line
}

/// `     …2024/11/part-00017.parquet    ━━━━━━━─────  58%    1.0 GiB`
fn object(active: &Active, columns: usize, paint: Paint) -> String {
    let (moved, size) = (active.gauge.bytes(), active.gauge.size());
    #[expect(clippy::cast_precision_loss, reason = "shown as whole per cent")]
    let fraction = size.filter(|size| *size > 0).map(|size| moved as f64 / size as f64);
    let amount = format!("{:>9}", ByteSize(size.unwrap_or(moved)).to_string());
    let percent = percent(fraction);
    let indent = 5;
    let (with_bar, without) = (indent + 2 + OBJECT_BAR + 1 + 4 + 2 + 9, indent + 2 + 4 + 2 + 9);
    let shortest_name = 8;
    let name = display_name(&active.job);
    if columns >= with_bar + shortest_name {
        let name = padded(&name, columns - with_bar);
        let bar = bar(fraction, OBJECT_BAR, paint);
        format!("{:indent$}{name}  {bar} {percent}  {amount}", "")
    } else if columns >= without + shortest_name {
        format!("{:indent$}{}  {percent}  {amount}", "", padded(&name, columns - without))
    } else {
        style::cut_left(&name, columns)
    }
}

/// What a person knows the object by: its key, or the path of the file it comes from.
fn display_name(job: &Job) -> String {
    match &job.task {
        Task::Download(download) => download.object.key.to_string(),
        task @ (Task::Upload(_)
        | Task::Copy(_)
        | Task::Compare(_)
        | Task::MakeFolder { .. }
        | Task::Remove(_)) => Escaped(&task.source()).to_string(),
    }
}

fn padded(name: &str, width: usize) -> String {
    let name = style::cut_left(name, width);
    let padding = width.saturating_sub(style::columns(&name));
    format!("{name}{:padding$}", "")
}

/// Rounded down: 100 % is said when it is true.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
fn percent(fraction: Option<f64>) -> String {
    let percent = fraction.map(|fraction| (fraction.clamp(0.0, 1.0) * 100.0) as u8);
    percent.map_or_else(|| " ".repeat(4), |percent| format!("{percent:>3}%"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and the width"
)]
fn bar(fraction: Option<f64>, width: usize, paint: Paint) -> String {
    let filled = (fraction.unwrap_or(0.0).clamp(0.0, 1.0) * width as f64) as usize;
    let rest = "─".repeat(width - filled);
    format!("{}{}", paint.filled(&"━".repeat(filled)), paint.dim(&rest))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::quantity::{GIB, MIB};
    use crate::transfer::event::Event;
    use crate::transfer::gauge::Gauge;
    use crate::ui::progress::Total;
    use crate::ui::state::tests::{job, started};

    fn progress() -> Progress {
        Progress {
            bytes: 452 * MIB,
            all_bytes: Total::Exact(GIB),
            objects: 15,
            all_objects: Total::Exact(300),
            bytes_per_second: Some(45.2 * 1024.0 * 1024.0),
            left: Some(Duration::from_secs(12)),
            failed: 2,
            retries: 3,
            requests: 64,
            waiting: None,
        }
    }

    fn state() -> State {
        let run = Arc::new(Gauge::default());
        let mut state = State::default();
        let keys = [
            "2024/x.bin",
            "日本/データ/a\u{1b}[2J\u{202e}/a-rather-long-folder/of/parts/part-00017.parquet",
        ];
        for (number, key) in (1..).zip(keys) {
            let event = started(&run, &job(number, key, Some(number * GIB)));
            if let Event::Started { gauge, .. } = &event {
                gauge.count(593 * MIB);
            }
            state.fold(&event, Duration::ZERO);
        }
        let unknown = started(&run, &job(9, "stream", None));
        if let Event::Started { gauge, .. } = &unknown {
            gauge.count(5 * MIB);
        }
        state.fold(&unknown, Duration::ZERO);
        state
    }

    fn screen(columns: usize, rows: usize) -> String {
        let view = (Size { columns, rows }, Paint::Plain);
        marked(&frame(&mut state(), &progress(), Duration::from_secs(5), view))
    }

    /// With a `|` where each line starts: snapshots drop spaces there.
    fn marked(lines: &[String]) -> String {
        lines.iter().map(|line| format!("|{line}")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_screen_of_80_columns() {
        insta::assert_snapshot!(screen(80, 24), @r#"
        | 44% ━━━━━━━━━━─────────────  452.0 MiB of 1.0 GiB     45.2 MiB/s     0:12 left
        |     15 of 300 objects, 2 failed, 64 requests in flight, 3 retries
        |     2024/x.bin                                    ━━━━━━──────  57%    1.0 GiB
        |     …her-long-folder/of/parts/part-00017.parquet  ━━━─────────  28%    2.0 GiB
        |     stream                                        ────────────         5.0 MiB
        "#);
    }

    #[test]
    fn a_narrow_and_low_screen() {
        insta::assert_snapshot!(screen(40, 5), @r#"
        | 44% ━━━━──────  452.0 MiB of 1.0 GiB
        |     15 of 300 objects, 2 failed
        |     2024/x.bin          57%    1.0 GiB
        |     …rt-00017.parquet   28%    2.0 GiB
        "#);
    }

    #[test]
    fn totals_that_may_grow_have_no_bar_to_fill() {
        let progress = Progress {
            all_bytes: Total::AtLeast(GIB),
            all_objects: Total::AtLeast(300),
            left: None,
            failed: 0,
            retries: 0,
            ..progress()
        };
        let view = (Size { columns: 80, rows: 24 }, Paint::Plain);
        let lines = frame(&mut State::default(), &progress, Duration::ZERO, view);
        insta::assert_snapshot!(marked(&lines), @r#"
        |     ───────────────────────  452.0 MiB of 1.0 GiB+    45.2 MiB/s
        |     15 of 300+ objects, 64 requests in flight
        "#);
    }

    #[test]
    fn colours_are_escapes_and_change_no_width() {
        let lines = frame(
            &mut state(),
            &progress(),
            Duration::from_secs(5),
            (Size { columns: 80, rows: 24 }, Paint::Colored),
        );
        assert!(lines[1].contains("\x1b[1;31m2 failed\x1b[0m"), "{:?}", lines[1]);
    }

    proptest! {
        #[test]
        fn every_line_fits_every_terminal(columns in 0..200usize, rows in 0..40usize) {
            let view = (Size { columns, rows }, Paint::Plain);
            let lines = frame(&mut state(), &progress(), Duration::from_secs(5), view);
            prop_assert!(lines.len() <= rows.saturating_sub(1));
            for line in lines {
                prop_assert!(style::columns(&line) < columns.max(1), "{line:?}");
            }
        }
    }
}
