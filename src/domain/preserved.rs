//! What of a file is kept in the metadata of its object, beside the bytes: by the names and in the
//! form that rclone writes, so that either tool reads what the other one kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a file had when it went up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preserved {
    pub modified: Option<SystemTime>,
    /// The permission bits, `0o7777` at most.
    pub mode: Option<u32>,
}

/// Seconds since 1970, with a fraction of at most nine digits.
pub const MTIME: &str = "mtime";
/// In octal, with the type of the file before the permissions: `100644`.
pub const MODE: &str = "mode";

const PERMISSIONS: u32 = 0o7777;
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const NANOSECONDS: u128 = 1_000_000_000;

impl Preserved {
    /// As metadata, but for what `given` has already: what was typed goes before.
    pub fn to_metadata(self, given: &[(String, String)]) -> Vec<(String, String)> {
        let modified = self.modified.map(|time| (MTIME, seconds_of(time)));
        let mode = self.mode.map(|mode| (MODE, format!("{:o}", REGULAR | mode & PERMISSIONS)));
        let is_given = |name: &str| given.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let kept = modified.into_iter().chain(mode).filter(|(name, _)| !is_given(name));
        kept.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What metadata of the names `MTIME` and `MODE` say, which anybody may have written: what makes
    /// no sense is not there.
    pub fn of_metadata(mtime: Option<&str>, mode: Option<&str>) -> Self {
        Self { modified: mtime.and_then(time_of), mode: mode.and_then(permissions_of) }
    }
}

fn seconds_of(time: SystemTime) -> String {
    let (sign, distance) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => ("", since),
        Err(before) => ("-", before.duration()),
    };
    let (seconds, fraction) = (distance.as_secs(), distance.subsec_nanos());
    if fraction == 0 {
        return format!("{sign}{seconds}");
    }
    let fraction = format!("{fraction:09}");
    format!("{sign}{seconds}.{}", fraction.trim_end_matches('0'))
}

fn time_of(text: &str) -> Option<SystemTime> {
    let (is_before, distance) = match text.strip_prefix('-') {
        Some(distance) => (true, distance),
        None => (false, text),
    };
    let (seconds, fraction) = distance.split_once('.').unwrap_or((distance, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    // A finer fraction than there is any clock for is cut.
    let nanoseconds: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let total = seconds.parse::<u128>().ok()?.checked_mul(NANOSECONDS)?;
    let total = total.checked_add(nanoseconds.parse().ok()?)?;
    let seconds = u64::try_from(total / NANOSECONDS).ok()?;
    let distance = Duration::new(seconds, u32::try_from(total % NANOSECONDS).ok()?);
    if is_before { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// In octal, or, as s3fs writes it, in decimal: only one of them has the type of a regular file.
fn permissions_of(text: &str) -> Option<u32> {
    let octal = u32::from_str_radix(text, 8).ok();
    let is_mode = |mode: &u32| matches!(mode & !PERMISSIONS, 0 | REGULAR);
    let decimal = || text.parse().ok().filter(|mode: &u32| mode & TYPE == REGULAR && is_mode(mode));
    octal.filter(is_mode).or_else(decimal).map(|mode| mode & PERMISSIONS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64, nanoseconds: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanoseconds)
    }

    #[test]
    fn it_is_written_as_others_write_it() {
        let kept = Preserved { modified: Some(at(1_700_000_000, 120_000_000)), mode: Some(0o640) };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let metadata = kept.to_metadata(&[]);
        assert_eq!(metadata, [pair("mtime", "1700000000.12"), pair("mode", "100640")]);
        assert_eq!(kept.to_metadata(&[pair("MTIME", "1")]), [pair("mode", "100640")]);
        assert_eq!(Preserved::default().to_metadata(&[]), []);
    }

    #[test]
    fn it_is_read_as_others_write_it_and_else_not_at_all() {
        for (text, time) in [
            ("1700000000", Some(at(1_700_000_000, 0))),
            ("1700000000.5", Some(at(1_700_000_000, 500_000_000))),
            ("1.123456789999", Some(at(1, 123_456_789))),
            ("-1.5", Some(UNIX_EPOCH - Duration::from_millis(1500))),
            ("", None),
            (".5", None),
            ("5.", None),
            ("+5", None),
            ("1e9", None),
            ("2023-11-14T22:13:20Z", None),
            ("99999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(time_of(text), time, "{text}");
        }
        for (text, mode) in [
            ("100644", Some(0o644)),
            ("0100755", Some(0o755)),
            ("600", Some(0o600)),
            ("33188", Some(0o644)),
            ("33261", Some(0o755)),
            ("40755", None),
            ("rw-r--r--", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(permissions_of(text), mode, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(
            seconds in 0..1_u64 << 40,
            nanoseconds in 0..1_000_000_000_u32,
            is_before: bool,
            mode in 0..0o10000_u32,
        ) {
            let distance = Duration::new(seconds, nanoseconds);
            let time = if is_before { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
            let kept = Preserved { modified: Some(time), mode: Some(mode) };
            let metadata = kept.to_metadata(&[]);
            let value = |name: &str| {
                metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
            };
            prop_assert_eq!(Preserved::of_metadata(value(MTIME), value(MODE)), kept);
        }
    }
}
