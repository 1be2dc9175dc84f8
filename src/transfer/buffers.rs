//! Buffers for the parts of uploads, used again and again: a fresh one of 8 MiB costs two thousand
//! page faults.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Smaller ones come from the allocator, which keeps them itself.
const SMALLEST_KEPT: usize = 256 * 1024;

/// Free buffers. They and those in use never come to more than the memory of the run: each that is
/// in use is counted by the permit of its request, and free ones give way to it.
#[derive(Clone)]
pub(super) struct Buffers {
    shared: Arc<Shared>,
}

struct Shared {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The longest unused first.
    free: VecDeque<Vec<u8>>,
    /// In bytes, as `used`.
    kept: u64,
    used: u64,
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
    /// Of a run that may use `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { shared: Arc::new(Shared { limit, state: Mutex::default() }) }
    }

    /// A buffer of `length` bytes with any content.
    pub(super) fn take(&self, length: usize) -> Buffer {
        let mut bytes = if length >= SMALLEST_KEPT {
            // What gives way is dropped once nobody waits for the lock.
            let (bytes, _too_many) = self.shared.take(length);
            bytes.unwrap_or_default()
        } else {
            Vec::new()
        };
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        Buffer { bytes, length, home: self.clone() }
    }
}

impl Shared {
    /// A free buffer that fits, and those that there is no room for beside it.
    fn take(&self, length: usize) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<u8>| (length..=length * 2).contains(&buffer.len());
        let at = state.free.iter().rposition(fits);
        let bytes = at.and_then(|at| state.free.swap_remove_back(at));
        let taken = bytes.as_ref().map_or(length, Vec::len) as u64;
        state.kept -= bytes.as_ref().map_or(0, |_| taken);
        state.used += taken;
        let mut too_many = Vec::new();
        while state.kept + state.used > self.limit {
            let Some(oldest) = state.free.pop_front() else { break };
            state.kept -= oldest.len() as u64;
            too_many.push(oldest);
        }
        (bytes, too_many)
    }

    fn put_back(&self, buffer: Vec<u8>) {
        if buffer.len() < SMALLEST_KEPT {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let length = buffer.len() as u64;
        state.used = state.used.saturating_sub(length);
        if state.kept + state.used + length <= self.limit {
            state.kept += length;
            state.free.push_back(buffer);
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
        self.home.shared.put_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn kept(buffers: &Buffers) -> Vec<usize> {
        buffers.shared.state.lock().expect("no holder panics").free.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_large_buffer_comes_back_when_its_bytes_are_dropped() {
        let buffers = Buffers::new(10 << 20);
        let bytes = buffers.take(MIB).freeze();
        let copy = bytes.clone();
        drop(bytes);
        assert!(kept(&buffers).is_empty());
        drop(copy);
        assert_eq!(kept(&buffers), [MIB]);
        let again = buffers.take(MIB - 1);
        assert_eq!((kept(&buffers), again.as_ref().len()), (vec![], MIB - 1));
    }

    #[test]
    fn free_buffers_give_way_to_those_in_use() {
        let buffers = Buffers::new(10 << 20);
        let many: Vec<_> = (0..6).map(|_| buffers.take(MIB)).collect();
        drop(many);
        assert_eq!(kept(&buffers).len(), 6);
        let large = buffers.take(8 * MIB);
        assert_eq!(kept(&buffers).len(), 2);
        let rest = buffers.take(2 * MIB);
        assert_eq!(kept(&buffers).len(), 0);
        drop((large, rest));
        assert_eq!(kept(&buffers), [8 * MIB, 2 * MIB]);
    }
}
