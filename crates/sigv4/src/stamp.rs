//! Points in time as AWS writes them: `20130524T000000Z` in signatures, `2013-05-24T00:00:00.000Z` in policies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;
/// The first second of the year 10000, which four digits cannot write.
const END: u64 = 253_402_300_800;

/// A whole second from 1970 to 9999, with its sixteen characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    seconds: u64,
    text: [u8; 16],
}

impl Stamp {
    pub(crate) fn of(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        (seconds < END).then(|| Self {
            seconds,
            text: render(seconds),
        })
    }

    /// Whether `time` lies in this second.
    pub(crate) fn is_of(&self, time: SystemTime) -> bool {
        time.duration_since(UNIX_EPOCH)
            .is_ok_and(|since| since.as_secs() == self.seconds)
    }

    /// `None` unless it is exactly sixteen characters that name a real second.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let date = (
            number(&bytes[..4])?,
            number(&bytes[4..6])?,
            number(&bytes[6..8])?,
        );
        let time = (
            number(&bytes[9..11])?,
            number(&bytes[11..13])?,
            number(&bytes[13..15])?,
        );
        let stamp = Self {
            seconds: seconds(date, time)?,
            text: bytes,
        };
        // 31 June would come back as 1 July.
        (render(stamp.seconds) == bytes).then_some(stamp)
    }

    /// `2015-12-30T12:00:00.000Z`, the fraction optional, as policies give their expiration.
    pub(crate) fn parse_extended(text: &str) -> Option<Self> {
        let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
        let digits = fraction.strip_prefix('.').unwrap_or(fraction);
        let fraction_ok =
            fraction.is_empty() || (!digits.is_empty() && digits.len() < fraction.len());
        let mut basic = String::with_capacity(16);
        for (index, byte) in whole.bytes().enumerate() {
            match (index, byte) {
                (4 | 7, b'-') | (13 | 16, b':') => {}
                (10, b'T') | (0..4 | 5..7 | 8..10 | 11..13 | 14..16 | 17..19, b'0'..=b'9') => {
                    basic.push(char::from(byte));
                }
                _ => return None,
            }
        }
        basic.push('Z');
        let digits_ok = digits.bytes().all(|byte| byte.is_ascii_digit());
        if fraction_ok && digits_ok {
            Self::parse(&basic)
        } else {
            None
        }
    }

    /// Days since 1970.
    pub(crate) const fn day(&self) -> u64 {
        self.seconds / DAY
    }

    pub(crate) fn as_str(&self) -> &str {
        text(&self.text)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.text
    }

    /// The date, `20130524`.
    pub(crate) fn date(&self) -> &str {
        text(&self.text[..8])
    }

    /// The time, `000000Z`.
    pub(crate) fn time_of_day(&self) -> &str {
        text(&self.text[9..])
    }

    /// `2013-05-24T00:00:00Z`
    pub(crate) fn extended(&self) -> [u8; 20] {
        let mut text = *b"0000-00-00T00:00:00Z";
        for (to, from) in [(0, 0), (2, 2), (5, 4), (8, 6), (11, 9), (14, 11), (17, 13)] {
            text[to..to + 2].copy_from_slice(&self.text[from..from + 2]);
        }
        text
    }

    pub(crate) fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.seconds)
    }
}

/// Always ASCII, by construction.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u64::from(byte - b'0'))
    })
}

/// Days and years counted from 1 March, so that the leap day is a year's last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn seconds(
    (year, month, day): (u64, u64, u64),
    (hour, minute, second): (u64, u64, u64),
) -> Option<u64> {
    if year < 1970
        || !(1..=12).contains(&month)
        || day == 0
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let years = year - u64::from(month < 3);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year;
    Some((days.checked_sub(719_468)?) * DAY + hour * 3600 + minute * 60 + second)
}

fn render(seconds: u64) -> [u8; 16] {
    let (days, rest) = (seconds / DAY + 719_468, seconds % DAY);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month < 3);
    let mut text = *b"00000000T000000Z";
    let pairs = [
        (0, year / 100),
        (2, year % 100),
        (4, month),
        (6, day),
        (9, rest / 3600),
        (11, rest / 60 % 60),
        (13, rest % 60),
    ];
    for (at, value) in pairs {
        text[at] += digit(value / 10);
        text[at + 1] += digit(value % 10);
    }
    text
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the callers divide to under ten"
)]
const fn digit(value: u64) -> u8 {
    value as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix: u64, text: &str) {
        let stamp = Stamp::of(UNIX_EPOCH + Duration::from_secs(unix)).unwrap();
        assert_eq!(stamp.as_str(), text);
        assert!(Stamp::parse(text) == Some(stamp));
    }

    #[test]
    fn stamps_are_written_and_read() {
        check(0, "19700101T000000Z");
        check(951_782_399, "20000228T235959Z");
        check(951_782_400, "20000229T000000Z");
        check(1_369_353_600, "20130524T000000Z");
        check(4_107_542_400, "21000301T000000Z");
        check(END - 1, "99991231T235959Z");
        assert!(Stamp::of(UNIX_EPOCH + Duration::from_secs(END)).is_none());
        assert!(Stamp::of(UNIX_EPOCH - Duration::from_secs(1)).is_none());
    }

    #[test]
    fn what_is_no_second_is_refused() {
        for text in [
            "",
            "20130524T000000",
            "20130524 000000Z",
            "20130631T000000Z",
            "20130229T000000Z",
            "20131301T000000Z",
            "20130524T240000Z",
            "20130524T006000Z",
            "2013052áT00000Z",
        ] {
            assert!(Stamp::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn expirations_may_have_a_fraction() {
        for text in [
            "2015-12-30T12:00:00.000Z",
            "2015-12-30T12:00:00Z",
            "2015-12-30T12:00:00.5Z",
        ] {
            assert_eq!(
                Stamp::parse_extended(text).unwrap().as_str(),
                "20151230T120000Z"
            );
        }
        for text in [
            "2015-12-30T12:00:00.Z",
            "2015-12-30T12:00:00",
            "2015-12-30 12:00:00Z",
            "2015-12-30T12:00:00x5Z",
            "Z",
        ] {
            assert!(Stamp::parse_extended(text).is_none(), "{text}");
        }
    }
}
