//! `Content-Range` against a reading of it in numbers that can't overflow.

use fastrand::Rng;
use haul::domain::range::ContentRange;

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;

const TOKENS: [&[u8]; 10] =
    [b"bytes ", b"bytes", b"-", b"/", b"*", b"+", b" ", b"0", b"18446744073709551615", b"items "];

pub(super) fn headers(random: &mut Rng) -> Checked {
    let number = |random: &mut Rng| random.u64(..) >> random.u32(0..64);
    let start = number(random);
    let last = start.saturating_add(number(random) >> 1);
    let total = last.saturating_add(number(random) >> 1);
    let mut bytes = format!("bytes {start}-{last}/{total}").into_bytes();
    mutate(random, &mut bytes, &TOKENS);
    let text = String::from_utf8_lossy(&bytes);
    show(|| format!("{text:?}"));
    let read = ContentRange::parse(&text);
    let read = read.map(|it| (it.range.start(), it.range.length(), it.total));
    let wanted = oracle(&text);
    if read == wanted {
        Ok(1)
    } else {
        Err(format!("{text:?} is read as {read:?}, not {wanted:?}"))
    }
}

/// First byte, length and total.
fn oracle(text: &str) -> Option<(u64, u64, u64)> {
    let rest = text.trim().strip_prefix("bytes ")?;
    let parts: Vec<&str> = rest.split(['-', '/']).collect();
    let separators: String = rest.chars().filter(|c| matches!(c, '-' | '/')).collect();
    let [first, last, total] = parts[..] else { return None };
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    let is_sound = separators == "-/" && first <= last && last < total;
    let small = |value: u128| u64::try_from(value).ok();
    if is_sound { Some((small(first)?, small(last - first + 1)?, small(total)?)) } else { None }
}

fn number(text: &str) -> Option<u128> {
    let digits = text.trim_start_matches('0');
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
    value.filter(|value| is_number && *value <= u128::from(u64::MAX))
}
