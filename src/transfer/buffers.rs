//! Buffers for the parts of uploads, used again and again: a fresh one of 8 MiB costs two thousand
//! page faults.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Smaller ones come from the allocator, which keeps them itself.
const SMALLEST_KEPT: usize = 256 * 1024;
const MOST_KEPT: usize = 64;

/// Free buffers. Those in use count against the gate's memory; those here were counted by the
/// permit of the request that they served, and will be by that of the next.
#[derive(Clone, Default)]
pub(super) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// A buffer that goes back when the last `Bytes` made of it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Buffers,
}

impl Buffers {
    /// A buffer of `length` bytes with any content.
    pub(super) fn take(&self, length: usize) -> Buffer {
        let mut bytes =
            if length >= SMALLEST_KEPT { self.pop(length).unwrap_or_default() } else { Vec::new() };
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        Buffer { bytes, length, home: self.clone() }
    }

    fn pop(&self, length: usize) -> Option<Vec<u8>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free.iter().rposition(|buffer| (length..=length * 2).contains(&buffer.len()));
        fitting.map(|at| free.swap_remove(at))
    }

    fn put_back(&self, buffer: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.len() >= SMALLEST_KEPT && free.len() < MOST_KEPT {
            free.push(buffer);
        }
    }
}

impl Buffer {
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// Keeps only the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// The content, without a copy.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.put_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back_when_its_bytes_are_dropped() {
        let buffers = Buffers::default();
        let bytes = buffers.take(SMALLEST_KEPT).freeze();
        let copy = bytes.clone();
        drop(bytes);
        assert!(buffers.pop(SMALLEST_KEPT).is_none());
        drop(copy);
        assert!(buffers.pop(SMALLEST_KEPT).is_some());
    }
}
