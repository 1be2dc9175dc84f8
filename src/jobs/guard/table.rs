//! The part of the memory that is in memory: 1,024 open-addressing tables, each growing on its
//! own, so that growth never needs twice the memory.

use super::name::{Entry, Holder, Name, SHARDS};

/// A set of entries, no two with one name.
#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Shard>,
    slots: usize,
    len: u64,
    peak: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let mut table = Self { shards, slots: 0, len: 0, peak: 0 };
        table.peak = table.bytes();
        table
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What it takes now.
    pub(super) fn bytes(&self) -> usize {
        SHARDS * size_of::<Shard>() + self.slots * Entry::BYTES
    }

    /// The most that it ever took, growing included.
    pub(super) fn peak_bytes(&self) -> usize {
        self.peak
    }

    pub(super) fn get(&self, name: Name) -> Option<Holder> {
        self.shards[name.shard].get(name)
    }

    /// The bytes that must be free for the next name of this one's shard.
    pub(super) fn growth(&self, name: Name) -> usize {
        self.shards[name.shard].grown().map_or(0, |slots| slots * Entry::BYTES)
    }

    /// Adds a name that is not there yet.
    pub(super) fn insert(&mut self, name: Name, holder: Holder) {
        let shard = &mut self.shards[name.shard];
        if let Some(slots) = shard.grown() {
            let before = shard.slots.len();
            shard.grow(slots);
            self.slots += slots;
            let both = self.bytes();
            self.slots -= before;
            self.peak = self.peak.max(both);
        }
        self.shards[name.shard].insert(Entry::new(name, holder));
        self.len += 1;
    }

    /// Takes all entries of a shard, sorted. Needs no memory beyond what they are in.
    pub(super) fn take_sorted(&mut self, shard: usize) -> Vec<u128> {
        let taken = std::mem::take(&mut self.shards[shard]);
        self.slots -= taken.slots.len();
        self.len -= taken.used as u64;
        let mut entries = taken.slots.into_vec();
        entries.retain(|&bits| bits != 0);
        entries.sort_unstable();
        entries
    }
}

/// Linear probing from where the name lies in the range of names, so that a shard is nearly sorted
/// and growing goes through memory in order. 0 is a free slot.
#[derive(Debug, Default)]
struct Shard {
    slots: Box<[u128]>,
    used: usize,
}

impl Shard {
    fn get(&self, name: Name) -> Option<Holder> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = name.place(self.slots.len());
        // A quarter of the slots is free, so that this ends.
        while self.slots[slot] != 0 {
            let entry = Entry::from_bits(self.slots[slot]);
            if entry.is_of(name) {
                return Some(entry.holder());
            }
            slot = self.after(slot);
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        let mut slot = entry.place(self.slots.len());
        while self.slots[slot] != 0 {
            slot = self.after(slot);
        }
        self.slots[slot] = entry.bits();
        self.used += 1;
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }

    /// How many slots it must have before one more entry, if more than it has. By a fifth: at 3/4
    /// full, 16 bytes an entry become at most 16 / 0.75 × 1.2 = 25.6.
    /// Smaller steps were tried: the allocator's size classes, an eighth apart, then cost more than
    /// the steps saved.
    fn grown(&self) -> Option<usize> {
        let slots = self.slots.len();
        ((self.used + 1) * 4 > slots * 3).then(|| slots + (slots / 5).max(8))
    }

    fn grow(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, vec![0; slots].into_boxed_slice());
        self.used = 0;
        for &bits in old.iter().filter(|&&bits| bits != 0) {
            self.insert(Entry::from_bits(bits));
        }
    }
}
