//! Values that are remembered until the rest of a plan is known: a few in memory, more in a file
//! without a name.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, Write as _};
use std::marker::PhantomData;

use super::coded::Coded;

/// Bytes in memory, and what is written at once.
pub(super) const HELD: usize = 256 * 1024;

/// Values in the order in which they were found.
#[derive(Debug)]
pub(super) struct Stored<T> {
    count: u64,
    held: Vec<u8>,
    file: Option<File>,
    of: PhantomData<T>,
}

impl<T> Default for Stored<T> {
    fn default() -> Self {
        Self { count: 0, held: Vec::new(), file: None, of: PhantomData }
    }
}

impl<T> Stored<T> {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    #[cfg(test)]
    pub(super) fn bytes_in_memory(&self) -> usize {
        self.held.len()
    }
}

impl<T: Coded> Stored<T> {
    pub(super) fn push(&mut self, value: &T) -> io::Result<()> {
        self.count += 1;
        value.write(&mut self.held);
        if self.held.len() < HELD {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        file.write_all(&self.held)?;
        self.held.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Hands them out, from the first one. What can't be read is an error, and never the end.
    pub(super) fn read(&mut self) -> io::Result<impl Iterator<Item = io::Result<T>> + Send> {
        let file = match &mut self.file {
            Some(file) => {
                file.rewind()?;
                Some(BufReader::new(&*file))
            }
            None => None,
        };
        let on_disk: Box<dyn io::Read + Send + '_> = match file {
            Some(file) => Box::new(file),
            None => Box::new(io::empty()),
        };
        let mut source = io::Read::chain(on_disk, self.held.as_slice());
        Ok((0..self.count).map(move |_| T::read(&mut source)))
    }
}
