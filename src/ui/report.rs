//! What is left of a run when its events have ended, and the telling of its end.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use super::data::{DataLines, Format};
use super::failure::{Failures, error_text};
use super::options::{Options, Purpose, Verbosity};
use super::streams::Output;
use super::style::Paint;
use super::summary::{Account, Planned};
use crate::domain::record::OutputError;
use crate::transfer::gauge::Gauge;
use crate::transfer::outcome::Summary;

/// Where a run is told of.
pub(super) struct Streams {
    pub(super) data: Output,
    pub(super) messages: Box<dyn Write + Send>,
}

/// What the reporter knows when the events have ended.
pub struct Report {
    /// `None` once stdout is broken: the transfer goes on without.
    data: Option<DataLines>,
    data_error: Option<OutputError>,
    messages: Box<dyn Write + Send>,
    verbosity: Verbosity,
    gauge: Arc<Gauge>,
    pub(super) failures: Failures,
    pub(super) planned: Option<Planned>,
    pub(super) paint: Paint,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        gauge: Arc<Gauge>,
        streams: Streams,
        paint: Paint,
    ) -> Self {
        Self {
            data: Some(DataLines::new(streams.data, options.format)),
            data_error: None,
            messages: streams.messages,
            verbosity: options.verbosity,
            gauge,
            failures: Failures::default(),
            planned: (options.purpose == Purpose::DryRun).then(Planned::default),
            paint,
        }
    }

    /// Whether the same command may do better later, so that it is worth naming as the next.
    pub fn may_pass(&self) -> bool {
        self.failures.may_pass()
    }

    /// Tells the end of the run. `next` is what to type now, shown if not all is done.
    ///
    /// An error means that stdout did not take every line: the run itself may be fine. `Closed`
    /// says that the reader left, which is its right; of `Failed` the user has been told here.
    pub fn finish(mut self, summary: &Summary, next: Option<&str>) -> Result<(), OutputError> {
        let account = Account {
            summary,
            sample: self.gauge.sample(),
            failures: &self.failures,
            planned: self.planned,
        };
        let json = account.json();
        if self.verbosity > Verbosity::Quiet || !summary.is_success() {
            let mut text = account.text(next, self.paint).join("\n");
            if !text.is_empty() {
                text.push('\n');
            }
            self.messages.write_all(text.as_bytes()).ok();
        }
        if let Some(data) = self.data.as_mut().filter(|data| data.format() == Format::Json)
            && let Err(error) = data.push_json(&json)
        {
            self.data_error.get_or_insert(error);
        }
        self.flush_data();
        if let Some(error @ OutputError::Failed(_)) = &self.data_error {
            let text = error_text(error, &[], self.paint);
            self.messages.write_all(text.as_bytes()).ok();
        }
        self.data_error.map_or(Ok(()), Err)
    }

    /// Data stops at the first error, which is kept for the end.
    pub(super) fn write(&mut self, line: impl FnOnce(&mut DataLines) -> Result<(), OutputError>) {
        if let Some(data) = &mut self.data
            && let Err(error) = line(data)
        {
            self.data = None;
            self.data_error = Some(error);
        }
    }

    pub(super) fn flush_data(&mut self) {
        self.write(DataLines::flush);
    }

    pub(super) fn print(&mut self, text: &str) {
        if !text.is_empty() {
            self.messages.write_all(text.as_bytes()).ok();
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Report").field("failures", &self.failures).finish_non_exhaustive()
    }
}
