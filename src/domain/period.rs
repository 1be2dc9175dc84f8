//! Lengths of time, as people type them.

use std::str::FromStr;
use std::time::Duration;

/// Reads `90s`, `15m`, `1h`, `7d`, and plain seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "it must be like 90s, 15m, 1h or 7d";
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit {
            "" | "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(error),
        };
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood_and_nothing_else_is() {
        let seconds = |text: &str| text.parse().map(|Period(period)| period.as_secs());
        let read =
            ["90", "90s", "15m", "2min", "1h", "7d"].map(|text| seconds(text).expect("a period"));
        assert_eq!(read, [90, 90, 900, 120, 3600, 604_800]);
        for text in
            ["", "h", "-1h", "1.5h", "1w", "1 h", "99999999999999999999", "9999999999999999999d"]
        {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
