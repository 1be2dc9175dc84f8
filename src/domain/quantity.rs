//! Amounts of bytes, as people type and read them.

use std::fmt;
use std::str::FromStr;

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;
pub const GIB: u64 = 1024 * MIB;

/// A number of bytes. Reads `8MiB`, `8M`, `8m`, `8388608`, `1.5G`: suffixes are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError(text.to_owned());
        let trimmed = text.trim();
        let digits =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let unit = unit_bytes(unit.trim()).ok_or_else(error)?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Self).ok_or_else(error);
        }
        scaled(number.parse().map_err(|_| error())?, unit).map(Self).ok_or_else(error)
    }
}

/// `1.5` × unit. Exact for every size that a person types with a decimal point.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded above by 2^63 and below by 0; a fraction of a byte is dropped"
)]
fn scaled(number: f64, unit: u64) -> Option<u64> {
    let bytes = number * unit as f64;
    (bytes.is_finite() && (0.0..9.2e18).contains(&bytes)).then_some(bytes as u64)
}

fn unit_bytes(unit: &str) -> Option<u64> {
    let lower = unit.to_ascii_lowercase();
    let power = match lower.trim_end_matches('b').trim_end_matches('i') {
        "" if lower != "i" && lower != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    Some(KIB.pow(power))
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < KIB {
            return write!(formatter, "{} B", self.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "shown with at most four digits")]
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // 999.95 would be shown as 1000.0: one step earlier keeps every amount at four digits.
        while value >= 999.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(formatter, "{value:.1} {}", UNITS[unit])
    }
}

/// A text that is no amount of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; sizes look like 512, 64K, 8MiB or 1.5G")]
pub struct QuantityError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("8MiB", 8 * MIB),
            ("8M", 8 * MIB),
            ("8 mb", 8 * MIB),
            ("1.5G", 3 * GIB / 2),
            ("7b", 7),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_an_error() {
        for text in
            ["", "x", "-1", "8Q", "1.2.3", "99999999999999999999", "9999999999T", "1e9", "i"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (8 * MIB, "8.0 MiB"),
            (1000 * MIB, "1.0 GiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
