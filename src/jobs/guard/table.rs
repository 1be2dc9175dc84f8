//! The part of the memory that is in memory: 1,024 open-addressing tables, each growing on its
//! own and in place, so that growth never needs twice the memory.

use super::name::{Entry, Holder, Name, SHARDS};

/// A set of entries, no two with one name.
#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Shard>,
    /// Memory of all shards' segments.
    held: usize,
    len: u64,
    peak: usize,
    /// The entries of a shard while it grows; as long as the largest shard.
    moving: Vec<u128>,
}

impl Table {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let mut table = Self { shards, held: 0, len: 0, peak: 0, moving: Vec::new() };
        table.peak = table.bytes();
        table
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What it takes now.
    pub(super) fn bytes(&self) -> usize {
        SHARDS * size_of::<Shard>() + self.held + self.moving.capacity() * Entry::BYTES
    }

    /// The most that it ever took.
    pub(super) fn peak_bytes(&self) -> usize {
        self.peak
    }

    pub(super) fn get(&self, name: Name) -> Option<Holder> {
        self.shards[name.shard].get(name)
    }

    /// The bytes that must be free for the next name of this one's shard.
    pub(super) fn growth(&self, name: Name) -> usize {
        self.shards[name.shard].missing_segments() * size_of::<Segment>()
    }

    /// Adds a name that is not there yet.
    pub(super) fn insert(&mut self, name: Name, holder: Holder) {
        let shard = &mut self.shards[name.shard];
        let more = shard.missing_segments();
        if more > 0 {
            self.held -= shard.bytes();
            shard.grow(more, &mut self.moving);
            self.held += shard.bytes();
            self.peak = self.peak.max(self.bytes());
        }
        self.shards[name.shard].insert(Entry::new(name, holder));
        self.len += 1;
    }

    /// Takes all entries of a shard, sorted.
    pub(super) fn take_sorted(&mut self, shard: usize) -> Vec<u128> {
        let taken = std::mem::take(&mut self.shards[shard]);
        self.held -= taken.bytes();
        self.len -= taken.used as u64;
        let mut entries: Vec<_> = taken.entries().collect();
        entries.sort_unstable();
        entries
    }
}

/// Slots of one allocation. All have one size, so that what one shard frees fits every other, and
/// nothing is lost to the allocator's size classes: blocks as large as whole shards cost a third
/// more than what was in them.
type Segment = [u128; SEGMENT];
const SEGMENT: usize = 32;

/// Linear probing from where the name lies in the range of names, so that a shard is nearly sorted
/// and growing goes through memory in order. 0 is a free slot.
#[derive(Debug, Default)]
struct Shard {
    #[expect(clippy::vec_box, reason = "a longer `Vec` of arrays would copy them, and need both")]
    segments: Vec<Box<Segment>>,
    used: usize,
}

impl Shard {
    fn get(&self, name: Name) -> Option<Holder> {
        if self.segments.is_empty() {
            return None;
        }
        let mut slot = name.place(self.slots());
        // A fifth of the slots is free, so that this ends.
        while self.at(slot) != 0 {
            let entry = Entry::from_bits(self.at(slot));
            if entry.is_of(name) {
                return Some(entry.holder());
            }
            slot = self.after(slot);
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        let mut slot = entry.place(self.slots());
        while self.at(slot) != 0 {
            slot = self.after(slot);
        }
        self.segments[slot / SEGMENT][slot % SEGMENT] = entry.bits();
        self.used += 1;
    }

    fn slots(&self) -> usize {
        self.segments.len() * SEGMENT
    }

    fn at(&self, slot: usize) -> u128 {
        self.segments[slot / SEGMENT][slot % SEGMENT]
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots() { 0 } else { slot + 1 }
    }

    fn entries(&self) -> impl Iterator<Item = u128> + '_ {
        self.segments.iter().flat_map(|segment| segment.iter().copied()).filter(|&bits| bits != 0)
    }

    fn bytes(&self) -> usize {
        self.segments.len() * size_of::<Segment>()
            + self.segments.capacity() * size_of::<Box<Segment>>()
    }

    /// How many segments it needs before one more entry. By an eighth: at 4/5 full, 16 bytes an
    /// entry become at most 16 / 0.8 × 1.125 = 22.5, and the pointers to segments.
    fn missing_segments(&self) -> usize {
        let is_full = (self.used + 1) * 5 > self.slots() * 4;
        if is_full { (self.segments.len() / 8).max(1) } else { 0 }
    }

    /// Puts every entry where it belongs among more slots.
    fn grow(&mut self, more: usize, moving: &mut Vec<u128>) {
        moving.clear();
        moving.extend(self.entries());
        for segment in &mut self.segments {
            segment.fill(0);
        }
        self.segments.reserve_exact(more);
        self.segments.extend((0..more).map(|_| Box::new([0; SEGMENT])));
        self.used = 0;
        for &bits in moving.iter() {
            self.insert(Entry::from_bits(bits));
        }
    }
}
