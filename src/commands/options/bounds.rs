//! Which sizes and times are meant.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::{ArgMatches, Args, FromArgMatches};

use crate::commands::error::CommandError;
use crate::domain::bounds;
use crate::domain::quantity::ByteSize;

/// Of what is moved, listed or removed. What is within them is told by the source alone.
#[derive(Debug, Clone)]
pub(super) struct Bounds(TypedBounds);

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
struct TypedBounds {
    /// Leave out what is smaller
    #[arg(long, value_name = "SIZE")]
    min_size: Option<ByteSize>,

    /// Leave out what is larger
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,

    /// Take only what was modified after a time (2026-01-31, 2026-01-31T08:00:00Z) or within one
    /// (90s, 15m, 12h, 7d, 4w, 1d12h)
    #[arg(long, value_name = "TIME")]
    newer_than: Option<Moment>,

    /// Take only what was modified before a time, or longer ago than one
    #[arg(long, value_name = "TIME")]
    older_than: Option<Moment>,
}

impl FromArgMatches for Bounds {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        TypedBounds::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The rows of a manifest may say sizes, and never times.
const OF_TIME: [&str; 2] = ["newer_than", "older_than"];

impl Args for Bounds {
    /// Behind what the command has already: where that is a manifest, the two are not for one call.
    fn augment_args(command: clap::Command) -> clap::Command {
        let has_manifest = command.get_arguments().any(|arg| arg.get_id() == "manifest");
        let command = TypedBounds::augment_args(command);
        if !has_manifest {
            return command;
        }
        OF_TIME.into_iter().fold(command, |command, name| {
            command.mut_arg(name, |arg| arg.conflicts_with("manifest"))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl Bounds {
    /// Ages count from now: it is asked for once a command.
    pub(super) fn resolve(&self) -> Result<bounds::Bounds, CommandError> {
        let TypedBounds { min_size, max_size, newer_than, older_than } = &self.0;
        if let (Some(least), Some(most)) = (min_size, max_size)
            && least > most
        {
            return Err(CommandError::misuse("no size is between --min-size and --max-size"));
        }
        let now = SystemTime::now();
        let bounds = bounds::Bounds {
            min_size: min_size.map(ByteSize::bytes),
            max_size: max_size.map(ByteSize::bytes),
            newer_than: newer_than.map(|moment| moment.before(now)),
            older_than: older_than.map(|moment| moment.before(now)),
        };
        match (bounds.newer_than, bounds.older_than) {
            (Some(first), Some(last)) if first >= last => {
                Err(CommandError::misuse("no time is after --newer-than and before --older-than"))
            }
            _ => Ok(bounds),
        }
    }

    /// As they were typed, in a form that two commands can be compared by.
    pub(super) fn described(&self) -> Vec<String> {
        let TypedBounds { min_size, max_size, newer_than, older_than } = &self.0;
        let size = |name: &str, size: &Option<ByteSize>| {
            size.map(|size| format!("--{name}={}", size.bytes()))
        };
        let time =
            |name: &str, time: &Option<Moment>| time.map(|time| format!("--{name}={time:?}"));
        let all = [
            size("min-size", min_size),
            size("max-size", max_size),
            time("newer-than", newer_than),
            time("older-than", older_than),
        ];
        all.into_iter().flatten().collect()
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
             7d, 4w, 1d12h)"
                .to_owned()
        };
        midnight.map(|time| Self::At(time.into())).map_err(|_| error())
    }
}

/// Numbers with units, one behind the other.
fn age(text: &str) -> Option<Duration> {
    let mut sum = 0_u64;
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let unit = part.chars().next_back()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return None,
        };
        let number: u64 = part.strip_suffix(unit)?.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(seconds)?)?;
    }
    (!text.is_empty()).then(|| Duration::from_secs(sum))
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
            ("1d12h30m", Moment::Ago(Duration::from_mins(36 * 60 + 30))),
            ("1970-01-02", at(86_400)),
            ("1970-01-01T00:01:00Z", at(60)),
            ("1970-01-01T01:00:00+01:00", at(0)),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in [
            "",
            "s",
            "7",
            "7y",
            "-1d",
            "1d7",
            "d1",
            "1d ",
            "yesterday",
            "2026-13-01",
            "99999999999999999999w",
        ] {
            text.parse::<Moment>().expect_err(text);
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let before = |text: &str| text.parse::<Moment>().expect("legal").before(now);
        assert_eq!(before("1m"), SystemTime::UNIX_EPOCH + Duration::from_secs(40));
    }
}
