//! The reporter: listens to a run and tells people and programs of it. It fans out, and decides
//! nothing about the run; what things look like is in the rooms beside it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;
use tokio::time::MissedTickBehavior;

use super::bars;
use super::comparison::CompareLine;
use super::data::Format;
use super::failure::Tell;
use super::lines::{EventLine, PlanLine};
use super::options::{Options, Purpose, ShowProgress, Verbosity};
use super::progress::{Meters, Progress};
use super::report::{Report, Streams};
use super::screen::Screen;
use super::state::State;
use super::streams::{Output, Size, Stderr, Watched};
use super::style::Paint;
use crate::transfer::event::{Event, Skip};
use crate::transfer::gauge::Gauge;

/// How progress is shown, all things considered.
#[derive(Debug)]
enum Shown {
    Bars(Screen),
    Lines { next: Duration },
    Nothing,
}

impl Shown {
    fn new(options: &Options, watched: Watched) -> Self {
        let bars = || match watched {
            Watched::Terminal => Self::Bars(Screen::default()),
            Watched::No => Self::Lines { next: PLAIN_PERIOD },
        };
        // Logs of every job, and JSON on what may be the same terminal, do not mix with bars.
        let is_busy = options.format == Format::Json || options.verbosity == Verbosity::Everything;
        match options.progress {
            _ if options.verbosity == Verbosity::Quiet => Self::Nothing,
            _ if options.purpose == Purpose::DryRun => Self::Nothing,
            ShowProgress::None => Self::Nothing,
            ShowProgress::Bar => bars(),
            ShowProgress::Auto if !is_busy => bars(),
            ShowProgress::Auto | ShowProgress::Plain => Self::Lines { next: PLAIN_PERIOD },
        }
    }
}

/// Time between two looks at the gauge, and two frames.
const TICK: Duration = Duration::from_millis(100);
const PLAIN_PERIOD: Duration = Duration::from_secs(5);
/// Events taken at once, and the rest after them: ten thousand jobs a second must not mean twenty
/// thousand wake-ups.
const BATCH: usize = 1024;
const REST: Duration = Duration::from_millis(3);
/// The first batches are not rested after: a run of one object is over by then, and would wait for
/// its last words.
const AT_ONCE: u32 = 16;

/// Listens to one run.
pub struct Reporter {
    options: Options,
    gauge: Arc<Gauge>,
    began: Instant,
    state: State,
    meters: Meters,
    shown: Shown,
    /// Lines for stderr that wait for the next frame.
    lines: Vec<String>,
    report: Report,
}

impl Reporter {
    pub fn new(options: Options, gauge: Arc<Gauge>) -> Self {
        let (watched, paint) = (Watched::stderr(), Paint::stderr(options.color));
        let streams = Streams { data: Output::stdout(), messages: Box::new(Stderr) };
        Self::with_streams(options, gauge, streams, (watched, paint))
    }

    fn with_streams(
        options: Options,
        gauge: Arc<Gauge>,
        streams: Streams,
        (watched, paint): (Watched, Paint),
    ) -> Self {
        let shown = Shown::new(&options, watched);
        let report = Report::new(&options, gauge.clone(), streams, paint);
        Self {
            options,
            gauge,
            began: Instant::now(),
            state: State::default(),
            meters: Meters::new(),
            shown,
            lines: Vec::new(),
            report,
        }
    }

    /// Runs on a thread of its own: a terminal that hangs must not hang a worker of the engine.
    /// Needs a runtime's context.
    pub fn spawn(self, events: Receiver<Event>) -> tokio::task::JoinHandle<Report> {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(self.run(events)))
    }

    /// Listens until every sender is gone, then takes the bars off the terminal.
    pub async fn run(mut self, mut events: Receiver<Event>) -> Report {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        let mut batches = 0_u32;
        loop {
            tokio::select! {
                received = events.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        break;
                    }
                    self.take(&mut batch);
                    batches = batches.saturating_add(1);
                    if batches > AT_ONCE {
                        tokio::time::sleep(REST).await;
                    }
                }
                _ = ticks.tick() => self.tick(self.began.elapsed()),
            }
        }
        self.end()
    }

    fn take(&mut self, batch: &mut Vec<Event>) {
        let now = self.began.elapsed();
        for event in batch.drain(..) {
            self.state.fold(&event, now);
            self.tell(&event);
        }
        self.report.flush_data();
        // Beside bars, lines wait for the next frame: one write for all of them.
        if !matches!(self.shown, Shown::Bars(_)) {
            self.print_lines();
        }
    }

    fn tell(&mut self, event: &Event) {
        if let (Event::Skipped { job, why: Skip::DryRun }, Some(planned)) =
            (event, &mut self.report.planned)
        {
            planned.add(job.task.size());
            let line = PlanLine::new(job, self.options.base.as_deref());
            self.report.write(|data| data.push(&line));
            return;
        }
        if let Event::Compared { job, comparison } = event {
            self.tell_comparison(&CompareLine::new(job, comparison));
            return;
        }
        let tell = match event {
            Event::Failed { job, failure } => {
                if job.is_none() {
                    self.report.failures.count_refused();
                }
                self.report.failures.add(failure)
            }
            _ => Tell::InFull,
        };
        let is_text = self.is_text(event);
        if !is_text && self.options.format == Format::Text {
            return;
        }
        let Some(line) = EventLine::new(event, self.options.base.as_deref()) else { return };
        if is_text {
            match tell {
                Tell::InFull => self.lines.push(line.text(self.report.paint)),
                Tell::ThatMoreCome => {
                    self.lines.push(format!("{} {MORE_COME}", self.report.paint.hint("note:")));
                }
                Tell::Nothing => {}
            }
        }
        if self.options.format == Format::Json {
            self.report.write(|data| data.push_json(&line));
        }
    }

    /// Differences are data; as text, what is the same goes without saying.
    fn tell_comparison(&mut self, line: &CompareLine) {
        let is_told = line.is_difference()
            || self.options.format == Format::Json
            || self.options.verbosity == Verbosity::Everything;
        if is_told {
            self.report.write(|data| data.push(line));
        }
    }

    /// Whether an event is a line on stderr.
    fn is_text(&self, event: &Event) -> bool {
        let least = match event {
            Event::Failed { .. } => Verbosity::Quiet,
            Event::Notice(_) => Verbosity::Normal,
            Event::Retrying { .. }
            | Event::Postponed { .. }
            | Event::Skipped { .. }
            | Event::Removed { .. } => Verbosity::Verbose,
            Event::Started { .. } | Event::Done { .. } | Event::Compared { .. } => {
                Verbosity::Everything
            }
            Event::PlanComplete => return false,
        };
        self.options.verbosity >= least
    }

    fn tick(&mut self, now: Duration) {
        if matches!(self.shown, Shown::Nothing) {
            return;
        }
        let sample = self.gauge.sample();
        self.meters.push(now, &sample, &self.state);
        let progress = Progress::new(now, &sample, &self.state, &self.meters);
        match &mut self.shown {
            Shown::Bars(screen) => {
                let size = Size::stderr();
                let frame = bars::frame(&mut self.state, &progress, now, (size, self.report.paint));
                let bytes = screen.draw(&self.lines, frame, size);
                self.lines.clear();
                self.report.print(&bytes);
            }
            Shown::Lines { next } => {
                if now >= *next {
                    *next = now + PLAIN_PERIOD;
                    self.lines.push(progress.plain_line());
                    self.print_lines();
                }
            }
            Shown::Nothing => {}
        }
    }

    fn print_lines(&mut self) {
        if !self.lines.is_empty() {
            let text = self.lines.join("\n") + "\n";
            self.lines.clear();
            self.report.print(&text);
        }
    }

    fn end(mut self) -> Report {
        match &mut self.shown {
            Shown::Bars(screen) => {
                let bytes = screen.draw(&self.lines, Vec::new(), Size::stderr());
                self.report.print(&bytes);
            }
            Shown::Lines { .. } | Shown::Nothing => self.print_lines(),
        }
        self.report
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reporter").field("options", &self.options).finish_non_exhaustive()
    }
}

const MORE_COME: &str = "more failures are counted from here on, and summed up at the end";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::record::OutputError;
    use crate::transfer::outcome::{Comparisons, End, Summary};
    use crate::ui::state::tests::{done, failure, job, started};
    use crate::ui::streams::tests::Shared;

    /// What a run of three jobs, one of which fails, leaves on stdout and stderr.
    async fn told(options: Options, watched: Watched) -> (String, String) {
        let (data, messages) = (Shared::default(), Shared::default());
        let streams = Streams {
            data: Output::to(Box::new(data.clone())),
            messages: Box::new(messages.clone()),
        };
        let gauge = Arc::new(Gauge::default());
        let reporter =
            Reporter::with_streams(options, gauge.clone(), streams, (watched, Paint::Plain));
        let report = run(reporter, &gauge).await;
        report.finish(&SUMMARY, Some("haul again")).expect("stdout took all");
        (data.text(), messages.text())
    }

    const SUMMARY: Summary = Summary {
        done: 1,
        bytes: 1 << 20,
        resumed: 0,
        skipped: 1,
        done_before: 0,
        failed: 1,
        missing: 0,
        stopped: 0,
        kept: 0,
        kept_bytes: 0,
        removed: 0,
        buckets: 0,
        unconfirmed: 0,
        verified: 0,
        verified_by_parts: 0,
        length_only: 1,
        compared: Comparisons::NONE,
        retries: 0,
        output_closed: false,
        elapsed: Duration::from_secs(1),
        end: End::Complete,
    };

    async fn run(reporter: Reporter, gauge: &Arc<Gauge>) -> Report {
        let (sender, receiver) = mpsc::channel(16);
        let listening = tokio::spawn(reporter.run(receiver));
        let jobs = [1, 2, 3].map(|number| job(number, &format!("k{number}"), Some(1 << 20)));
        let failure = failure("access denied", "s3://bucket/k2");
        for event in [
            started(gauge, &jobs[0]),
            started(gauge, &jobs[1]),
            done(&jobs[0]),
            Event::Failed { job: Some(jobs[1].clone()), failure },
            Event::Skipped { job: jobs[2].clone(), why: Skip::DryRun },
            Event::PlanComplete,
        ] {
            sender.send(event).await.expect("it listens");
        }
        drop(sender);
        listening.await.expect("no panic")
    }

    #[tokio::test]
    async fn without_a_terminal_there_are_words_and_no_escapes() {
        let (data, messages) = told(Options::default(), Watched::No).await;
        assert_eq!(data, "");
        insta::assert_snapshot!(messages, @r#"
        error: could not download s3://bucket/k2: access denied
        1 object, 1.0 MiB in 1.0 s (1.0 MiB/s), 1 by length and ETag only, 1 skipped, 1 failed
             1 × access denied: s3://bucket/k2
        next: haul again
        "#);
    }

    #[test]
    fn bars_are_for_terminals_that_nothing_else_writes_to() {
        let bars =
            |options: &Options, watched| matches!(Shown::new(options, watched), Shown::Bars(_));
        let auto = Options::default();
        assert!(bars(&auto, Watched::Terminal) && !bars(&auto, Watched::No));
        let forced = Options { progress: ShowProgress::Bar, ..auto.clone() };
        assert!(bars(&forced, Watched::Terminal) && !bars(&forced, Watched::No));
        let json = Options { format: Format::Json, ..auto.clone() };
        let plain = Options { progress: ShowProgress::Plain, ..auto };
        assert!(!bars(&json, Watched::Terminal) && !bars(&plain, Watched::Terminal));
    }

    #[tokio::test]
    async fn bars_are_gone_at_the_end() {
        let (_, messages) = told(Options::default(), Watched::Terminal).await;
        let (_, after) = messages.rsplit_once("\u{1b}[J").expect("cleared");
        assert!(after.starts_with("1 object, "), "{after:?}");
    }

    #[tokio::test]
    async fn quiet_is_errors_only() {
        let options = Options { verbosity: Verbosity::Quiet, ..Options::default() };
        let (_, messages) = told(options, Watched::Terminal).await;
        assert!(messages.starts_with("error: could not download s3://bucket/k2"), "{messages}");
    }

    #[tokio::test]
    async fn everything_is_told_where_it_is_asked_for() {
        let options = Options { verbosity: Verbosity::Everything, ..Options::default() };
        let (_, messages) = told(options, Watched::Terminal).await;
        let labels: Vec<_> = messages.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(labels[..5], ["start", "start", "done", "error", "skip"]);
    }

    #[tokio::test]
    async fn json_has_a_line_for_each_event_and_the_summary() {
        let options = Options { format: Format::Json, ..Options::default() };
        let (data, _) = told(options, Watched::Terminal).await;
        let events: Vec<_> = data
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
            .map(|line| line["event"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(events, ["start", "start", "done", "failed", "skipped", "summary"]);
    }

    #[tokio::test]
    async fn a_dry_run_tells_its_plan_on_stdout() {
        let options = Options {
            purpose: Purpose::DryRun,
            base: Some("out".to_owned()),
            ..Options::default()
        };
        let (data, messages) = told(options, Watched::Terminal).await;
        assert_eq!(data, "download  s3://bucket/k3 -> out/k3  1.0 MiB\n");
        assert!(messages.contains("dry run: 1 object, 1.0 MiB, nothing was moved, 1 failed"));
    }

    /// A stdout that never takes anything.
    struct Broken(std::io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_broken_stdout_stops_the_json_and_not_the_run() {
        use std::io::ErrorKind::{BrokenPipe, StorageFull};
        for (kind, is_told) in [(BrokenPipe, false), (StorageFull, true)] {
            let messages = Shared::default();
            let streams = Streams {
                data: Output::to(Box::new(Broken(kind))),
                messages: Box::new(messages.clone()),
            };
            let gauge = Arc::new(Gauge::default());
            let options = Options { format: Format::Json, ..Options::default() };
            let view = (Watched::No, Paint::Plain);
            let reporter = Reporter::with_streams(options, gauge.clone(), streams, view);
            let report = run(reporter, &gauge).await;
            let error = report.finish(&SUMMARY, None).expect_err("nothing was written");
            assert_eq!(matches!(error, OutputError::Failed(_)), is_told);
            let text = messages.text();
            assert!(text.contains("1 object, "), "{text}");
            assert_eq!(text.contains("error: could not write to standard output"), is_told);
        }
    }
}
