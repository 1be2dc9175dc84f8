//! How much may be taken away at once.

use std::fmt;
use std::str::FromStr;

/// A number of names, or a share of those that are there: `100`, `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    Number(u64),
    Percent(u64),
}

impl Default for Allowance {
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl Allowance {
    /// Whether so many of all that are there may go.
    pub fn allows(self, removals: u64, there: u64) -> bool {
        match self {
            Self::Number(most) => removals <= most,
            Self::Percent(most) => {
                u128::from(removals) * 100 <= u128::from(most) * u128::from(there)
            }
        }
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        let parsed = match text.strip_suffix('%') {
            Some(percent) => number(percent).filter(|most| *most <= 100).map(Self::Percent),
            None => number(text).map(Self::Number),
        };
        parsed.ok_or_else(|| "must be a number, or a share from 0% to 100%".to_owned())
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(most) => most.fmt(formatter),
            Self::Percent(most) => write!(formatter, "{most}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_what_is_there_and_a_number_is_not() {
        for (text, removals, there, allowed) in [
            ("50%", 5, 10, true),
            ("50%", 6, 10, false),
            ("50%", 1, 1, false),
            ("100%", 7, 7, true),
            ("0%", 0, 7, true),
            ("0%", 1, 1_000_000, false),
            ("50%", u64::MAX, u64::MAX, false),
            ("6", 6, 7, true),
            ("6", 7, 1000, false),
            ("0", 0, 0, true),
        ] {
            let allowance: Allowance = text.parse().expect("legal");
            assert_eq!(allowance.allows(removals, there), allowed, "{text} {removals} {there}");
            assert_eq!(allowance.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "%", "101%", "-1", "1.5", "ten", "5 %", "1e3", "0x1"] {
            text.parse::<Allowance>().expect_err(text);
        }
    }
}
