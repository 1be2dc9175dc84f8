//! A server whose clock is not the client's: it dates its replies by its own, and refuses requests
//! that are dated too far from it, as S3 does.

use http::HeaderMap;
use http::header::{DATE, HeaderValue};
use time::{Date, Duration, Month, OffsetDateTime};

/// As far as S3 lets clocks differ.
const TOLERANCE: Duration = Duration::minutes(15);

/// How far ahead of the real time the server's clock is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub(crate) Duration);

impl Clock {
    /// Whether a request is signed for another time than the server has.
    pub(super) fn refuses(self, headers: &HeaderMap) -> bool {
        let signed = headers.get("x-amz-date").and_then(|value| read(value.to_str().ok()?));
        signed.is_some_and(|signed| (signed - self.now()).abs() > TOLERANCE)
    }

    pub(super) fn date(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(http_date(self.now())) {
            headers.insert(DATE, value);
        }
    }

    fn now(self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.0
    }
}

/// `20261124T100000Z`
fn read(text: &str) -> Option<OffsetDateTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u16>().ok();
    let small = |from, to| u8::try_from(number(from, to)?).ok();
    let month = Month::try_from(small(4, 6)?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(6, 8)?).ok()?;
    let time = date.with_hms(small(9, 11)?, small(11, 13)?, small(13, 15)?).ok()?;
    Some(time.assume_utc())
}

/// `Tue, 24 Nov 2026 10:00:00 GMT`
fn http_date(time: OffsetDateTime) -> String {
    let short = |name: String| name.chars().take(3).collect::<String>();
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
        short(time.weekday().to_string()),
        time.day(),
        short(time.month().to_string()),
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written_as_http_has_them() {
        let time = read("20261124T100507Z").expect("a date");
        assert_eq!(http_date(time), "Tue, 24 Nov 2026 10:05:07 GMT");
        assert!(read("yesterday").is_none());
    }
}
