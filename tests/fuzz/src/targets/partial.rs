//! The record of a file on its way, damaged by a crash or by somebody: it is read up to the first
//! line that is none, as a plain reading of it would, and every piece has an end.

use fastrand::Rng;
use haul::storage::local::Recorded;
use haul::storage::local::record::parse;

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const HEAD: &str = "haul-partial 1 ";
const TOKENS: [&[u8]; 9] = [
    b"\n",
    b" ",
    b"haul-partial 1 ",
    b"\0",
    b"ffffffffffffffff",
    b"-1",
    b"+1",
    b"\r\n",
    b"18446744073709551615",
];

pub(super) fn records(random: &mut Rng) -> Checked {
    let identity = words::text(random).replace('\n', "");
    let mut text = format!("{HEAD}{identity}\n");
    for _ in 0..random.usize(0..6) {
        text.push_str(&line(random));
    }
    let mut bytes = text.into_bytes();
    mutate(random, &mut bytes, &TOKENS);
    show(|| bytes.escape_ascii().to_string());
    let read = parse(&bytes).map(|(earlier, length)| (earlier.identity, earlier.pieces, length));
    let wanted = oracle(&bytes);
    if read != wanted {
        return Err(format!("{} is read as {read:?}, not {wanted:?}", bytes.escape_ascii()));
    }
    Ok(1)
}

/// A line in form, with any numbers, or nearly.
fn line(random: &mut Rng) -> String {
    let number = |random: &mut Rng| match random.u8(0..8) {
        0 => u64::MAX - random.u64(0..3),
        1 => random.u64(..),
        2 => 0,
        _ => random.u64(..) >> random.u32(1..64),
    };
    let end = if random.u8(0..20) == 0 { " 7\n" } else { "\n" };
    format!("{} {} {:016x}{end}", number(random), number(random), random.u64(..))
}

/// Identity, pieces, and how much of the bytes says so.
fn oracle(bytes: &[u8]) -> Option<(String, Vec<Recorded>, u64)> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let head = lines.next()?;
    let identity = std::str::from_utf8(head).ok()?.strip_suffix('\n')?.strip_prefix(HEAD)?;
    let (mut pieces, mut length) = (Vec::new(), head.len());
    for line in lines {
        let Some(piece) = piece(line) else { break };
        pieces.push(piece);
        length += line.len();
    }
    Some((identity.to_owned(), pieces, length as u64))
}

fn piece(line: &[u8]) -> Option<Recorded> {
    let fields: Vec<&str> =
        std::str::from_utf8(line).ok()?.strip_suffix('\n')?.split(' ').collect();
    let [offset, length, crc] = fields[..] else { return None };
    let (offset, length) = (number(offset)?, number(length)?);
    let is_hex = crc.len() == 16 && crc.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_end = length > 0 && u128::from(offset) + u128::from(length) <= u128::from(u64::MAX);
    let crc = u64::from_str_radix(crc, 16).ok().filter(|_| is_hex && has_end)?;
    Some(Recorded { offset, length, crc })
}

/// Digits, and nothing else.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
