//! Destinations as hashes. The keys are drawn anew for each run, so that nobody can write a
//! manifest whose names collide.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// How many parts a table has. A name's part is told by bits that its entry does not hold.
pub(super) const SHARDS: usize = 1024;

const SHARD_BITS: u32 = SHARDS.trailing_zeros();
const SOURCE_BITS: u32 = 48;

/// What a destination is known by: 90 bits, ten of which are the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) shard: usize,
    /// The 80 bits that entries hold, in the place where they hold them. Never 0.
    bits: u128,
}

impl Name {
    fn new(first: u64, second: u64) -> Self {
        // Nothing is lost: the top bits become the shard, the next sixteen are kept.
        let shard = second >> (u64::BITS - SHARD_BITS);
        let more = (second >> (u64::BITS - SHARD_BITS - 16)) & 0xffff;
        let bits = (u128::from(first.max(1)) << 64) | (u128::from(more) << SOURCE_BITS);
        Self { shard: usize::try_from(shard).unwrap_or(0), bits }
    }
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Jobs need it as a folder.
    Folder,
    /// A job writes it, and this is its source.
    Job(SourceDigest),
}

/// 48 bits of a source's hash, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceDigest(u64);

/// A name and its holder, as they are kept. Entries of a shard sort by their names, which are
/// evenly spread. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u128);

impl Entry {
    pub(super) const BYTES: usize = size_of::<Self>();

    pub(super) fn new(name: Name, holder: Holder) -> Self {
        Self(match holder {
            Holder::Folder => name.bits,
            Holder::Job(SourceDigest(digest)) => name.bits | u128::from(digest),
        })
    }

    pub(super) fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u128 {
        self.0
    }

    pub(super) fn is_of(self, name: Name) -> bool {
        self.0 >> SOURCE_BITS == name.bits >> SOURCE_BITS
    }

    pub(super) fn holder(self) -> Holder {
        match u64::try_from(self.0 & ((1 << SOURCE_BITS) - 1)).unwrap_or(0) {
            0 => Holder::Folder,
            digest => Holder::Job(SourceDigest(digest)),
        }
    }

    /// Where it lies among `places` that share out the whole range of names evenly.
    pub(super) fn place(self, places: usize) -> usize {
        place(self.0, places)
    }
}

impl Name {
    /// Where its entry lies, as [`Entry::place`] tells it.
    pub(super) fn place(self, places: usize) -> usize {
        place(self.bits, places)
    }

    /// Whether its entry comes before another one, and is not this one.
    pub(super) fn is_before(self, entry: Entry) -> bool {
        self.bits >> SOURCE_BITS < entry.0 >> SOURCE_BITS
    }
}

fn place(bits: u128, places: usize) -> usize {
    // The product of the upper half and a usize has its integer part above bit 64.
    let product = (bits >> 64) * (places as u128);
    usize::try_from(product >> 64).unwrap_or(0)
}

/// What a name is the name of: one text may be both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Path,
    Object,
}

/// The keys of a run.
#[derive(Debug, Default)]
pub(super) struct Keys {
    first: RandomState,
    second: RandomState,
    source: RandomState,
}

impl Keys {
    pub(super) fn trail(&self, kind: Kind) -> Trail {
        let mut trail =
            Trail { first: self.first.build_hasher(), second: self.second.build_hasher() };
        trail.step(&[kind as u8]);
        trail
    }

    pub(super) fn source(&self, source: &[u8]) -> SourceDigest {
        SourceDigest((self.source.hash_one(source) >> (u64::BITS - SOURCE_BITS)).max(1))
    }
}

/// A path that is being hashed part by part, so that all folders on its way cost one pass.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    first: DefaultHasher,
    second: DefaultHasher,
}

impl Trail {
    /// Goes one part further.
    pub(super) fn step(&mut self, part: &[u8]) {
        // A part ends with a byte that no UTF-8 has, so that `ab` is not `a` and `b`.
        self.first.write(part);
        self.first.write_u8(0xff);
        self.second.write(part);
        self.second.write_u8(0xff);
    }

    pub(super) fn name(&self) -> Name {
        Name::new(self.first.finish(), self.second.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(keys: &Keys, parts: &[&str]) -> Name {
        let mut trail = keys.trail(Kind::Path);
        for part in parts {
            trail.step(part.as_bytes());
        }
        trail.name()
    }

    #[test]
    fn an_entry_keeps_its_name_and_holder() {
        let keys = Keys::default();
        for number in 0..1000 {
            let own = name(&keys, &["folder", &number.to_string()]);
            let other = name(&keys, &["folder", &(number + 1).to_string()]);
            for holder in [Holder::Folder, Holder::Job(keys.source(&[1, 2]))] {
                let entry = Entry::new(own, holder);
                assert!(entry.is_of(own) && !entry.is_of(other));
                assert_eq!(entry.holder(), holder);
                assert_eq!(Entry::from_bits(entry.bits()), entry);
                assert_eq!(entry.place(77), own.place(77));
                assert!(own.place(77) < 77 && own.shard < SHARDS);
            }
        }
    }

    #[test]
    fn the_extremes_are_names_too() {
        for hash in [0, 1, u64::MAX] {
            let extreme = Name::new(hash, hash);
            assert!(extreme.shard < SHARDS && extreme.place(10) < 10);
            assert_ne!(Entry::new(extreme, Holder::Folder).bits(), 0);
        }
    }

    #[test]
    fn parts_and_kinds_are_told_apart() {
        let keys = Keys::default();
        assert_ne!(name(&keys, &["a", "b"]), name(&keys, &["ab"]));
        assert_ne!(keys.trail(Kind::Path).name(), keys.trail(Kind::Object).name());
        assert_ne!(keys.source(b"a"), keys.source(b"b"));
    }

    #[test]
    fn entries_sort_by_name() {
        let keys = Keys::default();
        let mut entries: Vec<Entry> = (0..1000)
            .map(|number| Entry::new(name(&keys, &[&number.to_string()]), Holder::Folder))
            .collect();
        entries.sort_unstable();
        assert!(entries.windows(2).all(|pair| pair[0].place(9999) <= pair[1].place(9999)));
    }
}
