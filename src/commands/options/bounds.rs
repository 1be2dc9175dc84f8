//! Which sizes and times are meant.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::Args;

use crate::commands::error::CommandError;
use crate::domain::bounds;
use crate::domain::quantity::ByteSize;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct Bounds {
    /// Leave out what is smaller
    #[arg(long, value_name = "SIZE")]
    min_size: Option<ByteSize>,

    /// Leave out what is larger
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,

    /// Take only what was modified after a time (2026-01-31, 2026-01-31T08:00:00Z) or within one
    /// (90s, 15m, 12h, 7d, 4w)
    #[arg(long, value_name = "TIME")]
    newer_than: Option<Moment>,

    /// Take only what was modified before a time, or longer ago than one
    #[arg(long, value_name = "TIME")]
    older_than: Option<Moment>,
}

impl Bounds {
    /// Ages count from now.
    pub fn resolve(&self) -> Result<bounds::Bounds, CommandError> {
        if let (Some(least), Some(most)) = (self.min_size, self.max_size)
            && least > most
        {
            return Err(CommandError::misuse("no size is between --min-size and --max-size"));
        }
        let now = SystemTime::now();
        Ok(bounds::Bounds {
            min_size: self.min_size.map(ByteSize::bytes),
            max_size: self.max_size.map(ByteSize::bytes),
            newer_than: self.newer_than.map(|moment| moment.before(now)),
            older_than: self.older_than.map(|moment| moment.before(now)),
        })
    }
}

/// As typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    At(SystemTime),
    Ago(Duration),
}

impl Moment {
    fn before(self, now: SystemTime) -> SystemTime {
        match self {
            Self::At(time) => time,
            Self::Ago(age) => now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(age) = age(text) {
            return Ok(Self::Ago(age));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(time.into()));
        }
        let midnight = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>();
        let error = || {
            "must be a date (2026-01-31), a time (2026-01-31T08:00:00Z) or an age (90s, 15m, 12h, \
             7d, 4w)"
                .to_owned()
        };
        midnight.map(|time| Self::At(time.into())).map_err(|_| error())
    }
}

fn age(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages_are_read() {
        let at = |seconds| Moment::At(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for (text, wanted) in [
            ("90s", Moment::Ago(Duration::from_secs(90))),
            ("2w", Moment::Ago(Duration::from_hours(14 * 24))),
            ("1970-01-02", at(86_400)),
            ("1970-01-01T00:01:00Z", at(60)),
            ("1970-01-01T01:00:00+01:00", at(0)),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in ["", "s", "7", "7y", "-1d", "yesterday", "2026-13-01", "99999999999999999999w"]
        {
            text.parse::<Moment>().expect_err(text);
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let before = |text: &str| text.parse::<Moment>().expect("legal").before(now);
        assert_eq!(before("1m"), SystemTime::UNIX_EPOCH + Duration::from_secs(40));
    }
}
