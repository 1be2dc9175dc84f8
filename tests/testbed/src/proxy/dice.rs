//! Chance that can be replayed: numbers that follow from a seed and from what they are asked for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Throws the same for the same question, whenever it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice {
    seed: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number from 0 up to, and without, 1.
    pub(super) fn throw(self, rule: usize, question: &str, time: u64) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, rule, question, time).hash(&mut hasher);
        // 32 bits are exact in a float, and as many as any test can tell apart.
        let bits = u32::try_from(mixed(hasher.finish()) >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The last step of `SplitMix64`.
fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_can_be_repeated_and_are_even() {
        let throw = |seed, time| Dice::new(seed).throw(3, "GET /b/k", time);
        assert!((0..100).all(|time| throw(7, time).to_bits() == throw(7, time).to_bits()));
        assert!((0..100).any(|time| throw(7, time).to_bits() != throw(8, time).to_bits()));
        let low = (0..10_000).filter(|time| throw(7, *time) < 0.3).count();
        assert!((2_800..3_200).contains(&low), "{low}");
    }
}
