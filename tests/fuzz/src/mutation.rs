//! What is done to well-formed input so that it is not: bytes changed, taken out, put in, doubled,
//! torn off. It must never need to know what the input is.

use fastrand::Rng;

/// Changes `bytes` a little, most of the time; `tokens` are what such input is made of.
pub(crate) fn mutate(random: &mut Rng, bytes: &mut Vec<u8>, tokens: &[&[u8]]) {
    for _ in 0..random.usize(0..5) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..8) {
            0 => overwrite(random, bytes),
            1 => bytes.truncate(at),
            2 => put_in(bytes, at, tokens[random.usize(0..tokens.len())]),
            3 => put_in(bytes, at, &[random.u8(..)]),
            4 => {
                let piece = piece(random, bytes);
                put_in(bytes, at, &piece);
            }
            5 => {
                let end = bytes.len().min(at + random.usize(0..8));
                bytes.drain(at..end);
            }
            6 => flip(random, bytes),
            _ => {
                let number = random.u64(..) >> random.u32(0..64);
                put_in(bytes, at, number.to_string().as_bytes());
            }
        }
    }
}

fn put_in(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn overwrite(random: &mut Rng, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = random.usize(0..bytes.len());
        bytes[at] = random.u8(..);
    }
}

fn flip(random: &mut Rng, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = random.usize(0..bytes.len());
        bytes[at] ^= 1 << random.u8(0..8);
    }
}

fn piece(random: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let start = random.usize(0..=bytes.len());
    let end = bytes.len().min(start + random.usize(0..32));
    bytes[start..end].to_vec()
}
