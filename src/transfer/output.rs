//! Where the bytes of an object go when they do not go to a file: a pipe, a device, standard
//! output. In order, and without a way back.

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;

use super::error::JobError;

/// A stream that takes object bytes.
pub struct Output(Box<dyn Write + Send>);

impl Output {
    pub fn new(stream: Box<dyn Write + Send>) -> Self {
        Self(stream)
    }

    /// Writes frames. May block for as long as a reader likes: not for a runtime's worker.
    pub(super) fn write(&mut self, frames: &[Bytes]) -> Result<(), JobError> {
        frames.iter().try_for_each(|frame| self.0.write_all(frame)).map_err(failed)
    }

    pub(super) fn finish(&mut self) -> Result<(), JobError> {
        self.0.flush().map_err(failed)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Output").finish_non_exhaustive()
    }
}

fn failed(source: io::Error) -> JobError {
    if source.kind() == io::ErrorKind::BrokenPipe {
        JobError::OutputClosed
    } else {
        JobError::Io { doing: "write the object's bytes".to_owned(), source }
    }
}
