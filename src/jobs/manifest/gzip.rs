//! gzip as files have it: members in a row, and zeros behind the last one, which tapes and some
//! stores put there. Anything else behind a member is an error.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Unpacks all members.
pub(super) struct Members<R>(State<R>);

enum State<R> {
    Within(GzDecoder<BufReader<R>>),
    Ended,
}

impl<R: Read> Members<R> {
    pub(super) fn new(packed: BufReader<R>) -> Self {
        Self(State::Within(GzDecoder::new(packed)))
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let State::Within(member) = &mut self.0 else { return Ok(0) };
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if skip_zeros(member.get_mut())? {
                self.0 = State::Ended;
            } else if let State::Within(member) = std::mem::replace(&mut self.0, State::Ended) {
                self.0 = State::Within(GzDecoder::new(member.into_inner()));
            }
        }
    }
}

/// Whether nothing comes behind them.
fn skip_zeros(packed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match packed.fill_buf() {
            Ok([]) => return Ok(true),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let is_all = zeros == bytes.len();
        packed.consume(zeros);
        if !is_all {
            return Ok(false);
        }
    }
}
