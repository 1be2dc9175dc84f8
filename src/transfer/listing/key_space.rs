//! The space of keys below a prefix, and where to cut what is left of it. Pure.
//!
//! Keys are taken for numbers: each place has the characters for digits that keys were seen to have
//! there. So a cut falls where keys may well be, and is text that any server can take. A guess that
//! is wrong costs a request, never a key.

/// A cut is worth it only where more pages than these are left, as a power of two.
const LEAST_LEFT: f64 = 2.5;
/// How far it is to the end where two keys look like one number: as far as it may be.
const FAR: f64 = 64.0;
/// Digits that one place may have at most, so that memory is bounded.
const MOST_DIGITS: usize = 512;
/// S3's longest key.
const MOST_PLACES: usize = 1024;
/// Digits of a cut behind the first that differs from the key that it lies behind.
const FINENESS: usize = 2;

/// What was seen of a listing's keys.
#[derive(Debug)]
pub(super) struct KeySpace {
    prefix: String,
    /// For each place of a key behind the prefix, what may be there.
    places: Vec<Place>,
    /// So many places are the same in all keys that were seen.
    common: usize,
    /// The first key that was seen, behind the prefix.
    sample: Option<String>,
}

/// Characters that keys may have at a place, in order.
#[derive(Debug, Default)]
struct Place {
    seen: Vec<char>,
    /// Those, and all of their kind: where there is a digit, there may be any.
    likely: Vec<char>,
}

/// A number between 0 and 2: the digit before the point, then one for each place. The end of a key
/// is the digit 0.
type Number = Vec<u64>;

impl KeySpace {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, places: Vec::new(), common: MOST_PLACES, sample: None }
    }

    /// Whether the key is below the prefix at all.
    pub(super) fn holds(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
    }

    /// Learns from a key which characters there are.
    pub(super) fn observe(&mut self, key: &str) {
        let Some(rest) = key.strip_prefix(&self.prefix) else { return };
        let sample = self.sample.get_or_insert_with(|| rest.to_owned());
        let alike = sample.chars().zip(rest.chars()).take_while(|(one, other)| one == other);
        self.common = self.common.min(alike.count());
        for (at, character) in rest.chars().take(MOST_PLACES).enumerate() {
            if self.places.len() == at {
                self.places.push(Place::default());
            }
            if let Some(place) = self.places.get_mut(at) {
                place.learn(character);
            }
        }
    }

    /// Keys come in order: what is behind the first place that changes was seen in many of them,
    /// what is up to there in one.
    fn digits(&self, place: usize) -> &[char] {
        match self.places.get(place) {
            Some(found) if place <= self.common => &found.likely,
            Some(found) => &found.seen,
            None => &[],
        }
    }

    /// Where to cut what is left of a range, a page of which had these first and last keys, and
    /// which goes on up to `end`, that included. Behind `last`, and before `end`. `None` where the
    /// rest is small, or has no room.
    pub(super) fn cut(&self, first: &str, last: &str, end: Option<&str>) -> Option<String> {
        let places = last.strip_prefix(&self.prefix)?.chars().count() + FINENESS;
        let (from, to) = (self.number(last, places)?, self.end(end, places)?);
        let left = self.minus(&to, &from);
        let page = self.minus(&from, &self.number(first, places)?);
        let pages = self.bits(&left)? - self.bits(&page).unwrap_or(-FAR);
        if pages < LEAST_LEFT {
            return None;
        }
        let cut = self.plus(&from, &self.halved(left, halvings(pages)));
        let text = self.text(&cut, &from)?;
        let is_between = text.as_str() > last && end.is_none_or(|end| text.as_str() < end);
        (is_between && text.len() <= MOST_PLACES).then_some(text)
    }

    fn end(&self, end: Option<&str>, places: usize) -> Option<Number> {
        match end {
            Some(end) => self.number(end, places),
            None => Some(std::iter::once(1).chain(std::iter::repeat_n(0, places)).collect()),
        }
    }

    /// `None` for a key that is not below the prefix.
    fn number(&self, key: &str, places: usize) -> Option<Number> {
        let rest = key.strip_prefix(&self.prefix)?;
        let mut number = vec![0];
        for (at, character) in rest.chars().take(places).enumerate() {
            match self.digits(at).binary_search(&character) {
                Ok(found) => number.push(found as u64 + 1),
                Err(above) => {
                    // Between two digits: as high as one can be behind the lower one.
                    number.push(above as u64);
                    number.extend((at + 1..places).map(|at| self.radix(at) - 1));
                    break;
                }
            }
        }
        number.resize(places + 1, 0);
        Some(number)
    }

    /// The text of a number that is higher than `above`, as short as does.
    fn text(&self, number: &Number, above: &Number) -> Option<String> {
        let differs = number.iter().zip(above).position(|(one, other)| one != other)?;
        let mut text = self.prefix.clone();
        for (at, digit) in number.iter().skip(1).enumerate().take(differs + FINENESS - 1) {
            let Some(index) = digit.checked_sub(1) else { break };
            text.push(*self.digits(at).get(usize::try_from(index).ok()?)?);
        }
        Some(text)
    }

    fn radix(&self, place: usize) -> u64 {
        self.digits(place).len() as u64 + 1
    }

    /// Radices of a number's digits but the first, the last one first.
    fn radices(&self, number: &Number) -> impl Iterator<Item = u64> {
        (0..number.len().saturating_sub(1)).rev().map(|place| self.radix(place))
    }

    /// What `from` lacks of `to`; 0 where it is no less.
    fn minus(&self, to: &Number, from: &Number) -> Number {
        if to <= from {
            return vec![0; to.len()];
        }
        let mut borrowed = 0;
        let mut digits: Number = self
            .radices(to)
            .zip(to.iter().zip(from).rev())
            .map(|(radix, (to, from))| {
                let (to, from) = (*to, from + borrowed);
                borrowed = u64::from(to < from);
                to + borrowed * radix - from
            })
            .collect();
        let whole = to.first().zip(from.first()).map_or(0, |(to, from)| to - from - borrowed);
        digits.push(whole);
        digits.reverse();
        digits
    }

    fn plus(&self, one: &Number, other: &Number) -> Number {
        let mut carried = 0;
        let mut digits: Number = self
            .radices(one)
            .zip(one.iter().zip(other).rev())
            .map(|(radix, (one, other))| {
                let sum = one + other + carried;
                carried = sum / radix;
                sum % radix
            })
            .collect();
        digits.push(one.first().zip(other.first()).map_or(0, |(one, other)| one + other + carried));
        digits.reverse();
        digits
    }

    /// Divided by two so many times.
    fn halved(&self, mut number: Number, times: u32) -> Number {
        let mut left = times;
        while left > 0 {
            // So few at once that no product overflows.
            let step = left.min(16);
            let mut carried = 0;
            for (at, digit) in number.iter_mut().enumerate() {
                let radix = at.checked_sub(1).map_or(2, |place| self.radix(place));
                let value = carried * radix + *digit;
                *digit = value >> step;
                carried = value & ((1 << step) - 1);
            }
            left -= step;
        }
        number
    }

    /// The logarithm to the base 2; `None` of 0.
    fn bits(&self, number: &Number) -> Option<f64> {
        let first = number.iter().position(|digit| *digit > 0)?;
        let radix = |place: usize| as_float(self.radix(place));
        let digit = |at: usize| number.get(at).map_or(0.0, |digit| as_float(*digit));
        let lead = digit(first) + digit(first + 1) / radix(first);
        Some(lead.log2() - (0..first).map(|place| radix(place).log2()).sum::<f64>())
    }
}

/// How often the way to the end is halved to find a cut. What is far beyond any guess is most
/// likely empty, so that the cut falls much nearer.
fn halvings(pages: f64) -> u32 {
    let share = if pages > 16.0 { 2.0 } else { 4.0 };
    let wanted = (pages / share).floor().max(1.0);
    (1..=8 * 1024).find(|halvings| f64::from(*halvings) >= wanted).unwrap_or(1)
}

/// Digits and radices are small.
fn as_float(digit: u64) -> f64 {
    u32::try_from(digit).map_or(f64::MAX, f64::from)
}

impl Place {
    fn learn(&mut self, character: char) {
        if self.seen.len() >= MOST_DIGITS {
            return;
        }
        let Err(at) = self.seen.binary_search(&character) else { return };
        self.seen.insert(at, character);
        match character {
            '0'..='9' => self.likely.extend('0'..='9'),
            'a'..='f' => self.likely.extend('a'..='f'),
            'A'..='F' => self.likely.extend('A'..='F'),
            'a'..='z' => self.likely.extend('a'..='z'),
            'A'..='Z' => self.likely.extend('A'..='Z'),
            other => self.likely.push(other),
        }
        self.likely.sort_unstable();
        self.likely.dedup();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn space(prefix: &str, keys: &[&str]) -> KeySpace {
        let mut space = KeySpace::new(prefix.to_owned());
        for key in keys {
            space.observe(key);
        }
        space
    }

    fn cut(prefix: &str, first: &str, last: &str, end: Option<&str>) -> Option<String> {
        space(prefix, &[first, last]).cut(first, last, end)
    }

    #[test]
    fn a_cut_falls_where_keys_may_be() {
        // A thousand of a million numbers: the first quarter of them, and so on.
        let found = cut("d/", "d/000000", "d/000999", None).expect("a cut");
        assert!(("d/2".."d/3").contains(&found.as_str()), "{found}");
        let found = cut("d/", "d/000000", "d/000999", Some("d/25")).expect("a cut");
        assert!(("d/05".."d/07").contains(&found.as_str()), "{found}");
        assert_eq!(cut("d/", "d/000000", "d/000999", Some("d/002")), None, "little is left");
    }

    #[test]
    fn far_from_the_end_cuts_come_near_in_a_few_steps() {
        // Nothing but this one folder: each cut shows that nothing lies behind it.
        let (first, last) = ("a/very/long/folder/000000", "a/very/long/folder/000999");
        let space = space("", &[first, last]);
        let mut end = None;
        let mut cuts = 0;
        while end.as_deref().is_none_or(|end| end > "a/very/long/folder/1") {
            end = space.cut(first, last, end.as_deref());
            assert!(end.is_some(), "there is more to be cut off");
            cuts += 1;
        }
        assert!(cuts < 12, "{cuts}");
    }

    #[test]
    fn a_cut_has_no_character_that_no_key_has_there() {
        let (first, last) = ("a\u{1}\né00日", "a\u{1}\né03日");
        let found = cut("", first, last, None).expect("a cut");
        let found = cut("", first, last, Some(&found)).unwrap_or(found);
        let plain = found.trim_start_matches("a\u{1}\né");
        assert!(plain.chars().all(|character| character.is_ascii_alphanumeric()), "{found:?}");
    }

    proptest! {
        #[test]
        fn a_cut_lies_between(
            prefix in "[a-c/]{0,3}",
            mut keys in proptest::collection::vec("[0-9a-f/\u{1}é日\u{10FFFD}]{0,12}", 2..20),
            end in proptest::option::of("[0-9a-g/日]{0,6}"),
        ) {
            keys.sort();
            let keys: Vec<_> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
            let end = end.map(|end| format!("{prefix}{end}"));
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let (first, last) = (keys[0], keys[keys.len() - 1]);
            if let Some(cut) = space(&prefix, &keys).cut(first, last, end.as_deref()) {
                prop_assert!(cut.as_str() > last);
                prop_assert!(end.is_none_or(|end| cut < end));
                prop_assert!(cut.starts_with(&prefix));
            }
        }

        #[test]
        fn arithmetic_holds(one in "[0-9a-f日]{1,9}", other in "[0-9a-f日]{1,9}") {
            let space = space("", &[&one, &other]);
            let number = |key: &str| space.number(key, 12).expect("below the prefix");
            let (low, high) = (one.clone().min(other.clone()), one.max(other));
            let (low, high) = (number(&low), number(&high));
            let difference = space.minus(&high, &low);
            prop_assert_eq!(space.plus(&low, &difference), high);
            let half = space.halved(difference.clone(), 1);
            let twice = space.plus(&half, &half);
            prop_assert!(twice <= difference);
            if let (Some(half), Some(whole)) = (space.bits(&half), space.bits(&difference)) {
                prop_assert!(half < whole);
            }
        }
    }
}
