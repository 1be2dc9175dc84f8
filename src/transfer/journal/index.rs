//! Where in a journal the last line of each job stands: 16 bytes a job, whatever the lines hold.

/// Built line by line, then asked. A job's key is its place in the manifest, or its digest.
#[derive(Debug, Default)]
pub struct Index {
    /// Key and offset; sorted, and each key once, from `finish` on.
    places: Vec<(u64, u64)>,
}

impl Index {
    pub fn push(&mut self, key: u64, offset: u64) {
        self.places.push((key, offset));
    }

    /// Of several lines about one job, the last one counts.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.places.sort_unstable_by_key(|(key, offset)| (*key, std::cmp::Reverse(*offset)));
        self.places.dedup_by_key(|(key, _)| *key);
        self.places.shrink_to_fit();
        self
    }

    /// Which of the jobs it is, in the order of keys, and where its line starts.
    pub fn find(&self, key: u64) -> Option<(usize, u64)> {
        let at = self.places.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.places.get(at).map(|(_, offset)| (at, *offset))
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn key(&self, at: usize) -> Option<u64> {
        self.places.get(at).map(|(key, _)| *key)
    }

    pub fn offsets(&self) -> impl Iterator<Item = u64> {
        self.places.iter().map(|(_, offset)| *offset)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_rows_take_sixteen_bytes_each() {
        let mut index = Index::default();
        for row in 0..1_000_000 {
            index.push(row * 7919 % 1_000_003, row * 300);
        }
        let index = index.finish();
        assert_eq!(index.len(), 1_000_000);
        assert_eq!(index.bytes(), 16_000_000);
    }

    proptest! {
        #[test]
        fn the_last_line_of_a_job_counts(keys in proptest::collection::vec(0..20_u64, 0..60)) {
            let (mut index, mut oracle) = (Index::default(), HashMap::new());
            for (key, offset) in keys.into_iter().zip((0..).step_by(100)) {
                index.push(key, offset);
                oracle.insert(key, offset);
            }
            let index = index.finish();
            prop_assert_eq!(index.len(), oracle.len());
            for key in 0..25 {
                let found = index.find(key);
                prop_assert_eq!(found.map(|(_, offset)| offset), oracle.get(&key).copied());
                prop_assert!(found.is_none_or(|(at, _)| index.key(at) == Some(key)));
            }
        }
    }
}
