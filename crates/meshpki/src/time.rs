//! Instants: seconds since 1970, to and from RFC 3339 and the two ASN.1 forms.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::ops::{Add, Sub};
use core::str::FromStr;
use core::time::Duration;

use time::{Date, Month, OffsetDateTime, UtcOffset};

mod go;

pub use go::go_duration;

/// Seconds in a minute.
pub(crate) const MINUTE: i64 = 60;
/// Seconds in an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An instant: seconds since 1970-01-01T00:00:00Z, negative before it.
///
/// The library never reads a clock: the caller passes the time.
///
/// ```
/// use core::time::Duration;
/// use meshpki::Time;
/// let time: Time = "2026-11-21T07:00:00Z".parse()?;
/// assert_eq!(time.0, 1795244400);
/// assert_eq!((time + Duration::from_secs(90)).to_string(), "2026-11-21T07:01:30Z");
/// # Ok::<(), meshpki::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// The last instant a certificate can name: 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5).
    pub const MAX: Self = Self(253_402_300_799);
    /// The first instant a certificate of ours names: 1950-01-01T00:00:00Z, where UTCTime begins.
    pub const MIN: Self = Self(-631_152_000);

    /// The instant this many whole seconds later, saturating: what `+` does, in constants.
    #[must_use]
    pub const fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(length.as_secs()))
    }

    /// The instant this many whole seconds earlier, saturating: what `-` does, in constants.
    #[must_use]
    pub const fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(length.as_secs()))
    }

    /// How long after `earlier` it is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 {
            return Duration::ZERO;
        }
        Duration::from_secs(self.0.abs_diff(earlier.0))
    }

    /// The time between both, whichever is first.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_secs(self.0.abs_diff(other.0))
    }

    const fn later(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let date = bytes.get(..10)?;
        if date[4] != b'-' || date[7] != b'-' {
            return None;
        }
        let day = civil(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?, 0, 0, 0)?;
        let Some(clock) = bytes.get(10..).filter(|rest| !rest.is_empty()) else { return Some(day) };
        if clock.len() < 10
            || !matches!(clock[0], b'T' | b't' | b' ')
            || clock[3] != b':'
            || clock[6] != b':'
        {
            return None;
        }
        let (hour, minute, second) =
            (number(&clock[1..3])?, number(&clock[4..6])?, number(&clock[7..9])?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let offset = rfc3339_offset(rfc3339_skip_fraction(&clock[9..])?)?;
        Some(day.later(hour * HOUR + minute * MINUTE + second - offset))
    }

    /// Reads the content of a UTCTime or GeneralizedTime in the only forms RFC 5280 section 4.1.2.5
    /// allows, `YYMMDDHHMMSSZ` and `YYYYMMDDHHMMSSZ`; two-digit years below 50 are 20xx.
    ///
    /// `None` for any other form or an impossible date (`crypto/x509/x509_vfy.c: X509_cmp_time`).
    #[must_use]
    pub fn from_asn1(generalized: bool, content: &[u8]) -> Option<Self> {
        let (year, rest) = match (generalized, content.len()) {
            (false, 13) => {
                let year = number(&content[..2])?;
                (if year < 50 { 2000 + year } else { 1900 + year }, &content[2..])
            }
            (true, 15) => (number(&content[..4])?, &content[4..]),
            _ => return None,
        };
        if rest[10] != b'Z' {
            return None;
        }
        let field = |i: usize| number(&rest[i..i + 2]);
        civil(year, field(0)?, field(2)?, field(4)?, field(6)?, field(8)?)
    }

    /// Reads a UTCTime or GeneralizedTime in any form OpenSSL compares times in: seconds may be missing, a
    /// GeneralizedTime may have a fraction, and the end is `Z` or an offset
    /// (`crypto/asn1/a_time.c: ossl_asn1_time_to_tm`).
    #[must_use]
    pub(crate) fn from_asn1_loosely(generalized: bool, content: &[u8]) -> Option<Self> {
        let (year, rest) = content.split_at_checked(if generalized { 4 } else { 2 })?;
        let year = match number(year)? {
            year if generalized => year,
            year if year < 50 => 2000 + year,
            year => 1900 + year,
        };
        let (fields, mut zone) = rest.split_at_checked(8)?;
        let field = |i: usize| number(&fields[i..i + 2]);
        let mut second = 0;
        if !matches!(zone.first(), Some(b'Z' | b'+' | b'-')) {
            let (digits, behind) = zone.split_at_checked(2)?;
            (second, zone) = (number(digits)?, behind);
        }
        if generalized {
            zone = rfc3339_skip_fraction(zone)?;
        }
        let offset = match zone {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), clock @ ..] if clock.len() == 4 => {
                let (hours, minutes) = (number(&clock[..2])?, number(&clock[2..])?);
                if hours > 12 || minutes > 59 {
                    return None;
                }
                let seconds = hours * HOUR + minutes * MINUTE;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return None,
        };
        Some(civil(year, field(0)?, field(2)?, field(4)?, field(6)?, second)?.later(-offset))
    }

    /// The ASN.1 form RFC 5280 section 4.1.2.5 asks for: `(false, UTCTime)` up to 2049,
    /// `(true, GeneralizedTime)` from 2050. `None` outside [`Time::MIN`]..=[`Time::MAX`].
    #[must_use]
    pub fn to_asn1(self) -> Option<(bool, String)> {
        if self < Self::MIN || self > Self::MAX {
            return None;
        }
        let t = self.civil()?;
        let rest = format!(
            "{:02}{:02}{:02}{:02}{:02}Z",
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        );
        let year = t.year();
        Some(if year < 2050 {
            (false, format!("{:02}{rest}", year % 100))
        } else {
            (true, format!("{year:04}{rest}"))
        })
    }

    /// The calendar day alone, `2026-11-21`.
    #[must_use]
    pub fn date(self) -> String {
        let mut text = format!("{self}");
        text.truncate(text.find('T').unwrap_or(text.len()));
        text
    }

    fn civil(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.0).ok().map(|t| t.to_offset(UtcOffset::UTC))
    }
}

/// A text that is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid time: expected one such as 2026-11-21T07:00:00Z or 2026-11-21")]
pub struct TimeError {
    found: String,
}

impl FromStr for Time {
    type Err = TimeError;

    /// Reads `2026-11-21T07:00:00Z`, `2026-11-21T07:00:00+01:00` (RFC 3339), or a bare date (midnight UTC).
    ///
    /// Fractions of a second are cut.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse_rfc3339(text).ok_or_else(|| TimeError { found: text.into() })
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// The instant this many whole seconds later, saturating.
    fn add(self, length: Duration) -> Self {
        self.plus(length)
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    /// The instant this many whole seconds earlier, saturating.
    fn sub(self, length: Duration) -> Self {
        self.minus(length)
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC; instants no calendar here reaches are printed as `@SECONDS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(t) => write!(
                f,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// A length of time in words: `3650 days`, `36 hours`, `90 seconds`; the largest unit that is at least two.
#[must_use]
pub fn words(length: Duration) -> String {
    let (count, unit) = match length.as_secs() {
        s if s >= 2 * DAY.as_secs() => (s / DAY.as_secs(), "day"),
        s if s >= 2 * 3600 => (s / 3600, "hour"),
        s if s >= 2 * 60 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Reads a length of time: `3650d`, `10y` (365 days each), `8w`, `42720h`, `90m`, `30s`, or a
/// sum of them such as `1y6h`. `None` for anything else, for nothing, and for more than 9999 years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let mut tail = rest[digits..].chars();
        let unit = match tail.next()? {
            'y' => 365 * DAY.as_secs(),
            'w' => 7 * DAY.as_secs(),
            'd' => DAY.as_secs(),
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = tail.as_str();
    }
    (!text.is_empty() && total <= 9999 * 366 * DAY.as_secs()).then_some(Duration::from_secs(total))
}

fn rfc3339_skip_fraction(tail: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = tail.strip_prefix(b".") else { return Some(tail) };
    let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    (digits > 0).then(|| &fraction[digits..])
}

/// Seconds east of UTC.
fn rfc3339_offset(tail: &[u8]) -> Option<i64> {
    match tail {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), clock @ ..] if clock.len() == 5 && clock[2] == b':' => {
            let (hours, minutes) = (number(&clock[..2])?, number(&clock[3..])?);
            let seconds = hours * HOUR + minutes * MINUTE;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn civil(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<Time> {
    let small = |n: i64| u8::try_from(n).ok();
    let date = Date::from_calendar_date(
        i32::try_from(year).ok()?,
        Month::try_from(small(month)?).ok()?,
        small(day)?,
    )
    .ok()?;
    let at = date.with_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    Some(Time(at.assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests;
