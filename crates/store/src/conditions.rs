//! Conditional headers and ranges: RFC 9110's precedence, and S3's leniency with what cannot be read.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The four conditional headers of a read, or those of a copy's source.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub(crate) struct Conditions<'a> {
    pub(crate) if_match: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
    pub(crate) if_modified_since: Option<&'a str>,
    pub(crate) if_unmodified_since: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    NotModified,
    /// The condition that does not hold.
    Failed(&'static str),
}

impl Conditions<'_> {
    /// Judges an object with this `ETag` (without quotes) and time of its last change (seconds since 1970).
    /// RFC 9110, section 13.2.2.
    pub(crate) fn judge(&self, etag: &str, last_modified: i64) -> Verdict {
        if let Some(list) = self.if_match {
            if !names(list, etag) {
                return Verdict::Failed("If-Match");
            }
        } else if let Some(date) = self.if_unmodified_since.and_then(seconds)
            && last_modified > date
        {
            return Verdict::Failed("If-Unmodified-Since");
        }
        if let Some(list) = self.if_none_match {
            if names(list, etag) {
                return Verdict::NotModified;
            }
        } else if let Some(date) = self.if_modified_since.and_then(seconds)
            && last_modified <= date
        {
            return Verdict::NotModified;
        }
        Verdict::Holds
    }
}

/// Whether a list of `ETag`s (`"a", W/"b"`, `a` or `*`) names this one.
pub(crate) fn names(list: &str, etag: &str) -> bool {
    list.split(',')
        .map(bare)
        .any(|item| item == "*" || item == etag)
}

/// An `ETag` without weakness mark and quotes.
pub(crate) fn bare(etag: &str) -> &str {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'))
        .unwrap_or(etag)
}

/// An HTTP date; `None` for what is none, so that it is ignored as S3 does.
fn seconds(date: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(date.trim()).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Seconds since 1970 as an HTTP date.
pub(crate) fn http_date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    httpdate::fmt_http_date(
        UNIX_EPOCH
            .checked_add(since)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    )
}

/// A single byte range as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl ByteRange {
    /// Reads `bytes=0-9`, `bytes=5-` or `bytes=-5`; `None` for anything else, which S3 ignores.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (unit, spec) = value.trim().split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = spec.trim().split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes meant, of an object this long; `None` if there are none.
    pub(crate) fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..length,
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Digits alone: `parse` would take a plus sign too. A number too large for 64 bits lies behind every object's end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{ByteRange, Conditions, Verdict};

    const BEFORE: &str = "Tue, 29 Dec 2015 23:59:59 GMT";
    const AT: &str = "Wed, 30 Dec 2015 00:00:00 GMT";
    const THEN: i64 = 1_451_433_600;

    #[test]
    fn conditions_have_the_precedence_of_rfc_9110() {
        use Verdict::{Failed, Holds, NotModified};
        let judge = |m, nm, ms, us| {
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            Conditions {
                if_match: some(m),
                if_none_match: some(nm),
                if_modified_since: some(ms),
                if_unmodified_since: some(us),
            }
            .judge("abc", THEN)
        };
        let table = [
            (("", "", "", ""), Holds),
            (("\"abc\"", "", "", ""), Holds),
            (("abc", "", "", ""), Holds),
            (("*", "", "", ""), Holds),
            (("\"x\", \"abc\"", "", "", ""), Holds),
            (("\"x\"", "", "", ""), Failed("If-Match")),
            (("\"x\"", "\"abc\"", "", ""), Failed("If-Match")),
            (("", "", "", BEFORE), Failed("If-Unmodified-Since")),
            (("", "", "", AT), Holds),
            (("\"abc\"", "", "", BEFORE), Holds),
            (("", "\"abc\"", "", ""), NotModified),
            (("", "W/\"abc\"", "", ""), NotModified),
            (("", "*", "", ""), NotModified),
            (("", "\"x\"", AT, ""), Holds),
            (("", "", AT, ""), NotModified),
            (("", "", BEFORE, ""), Holds),
        ];
        for ((m, nm, ms, us), expected) in table {
            assert_eq!(judge(m, nm, ms, us), expected, "{m} {nm} {ms} {us}");
        }
    }

    #[test]
    fn bad_dates_are_ignored() {
        for date in ["yesterday", "", "2015-12-30T00:00:00Z"] {
            let conditions = Conditions {
                if_unmodified_since: Some(date),
                if_modified_since: Some(date),
                ..Conditions::default()
            };
            assert_eq!(conditions.judge("abc", THEN), Verdict::Holds);
        }
    }

    #[test]
    fn several_malformed_or_unknown_ranges_are_ignored() {
        for value in [
            "bytes=0-1,4-5",
            "bytes=a-b",
            "lines=0-1",
            "bytes 0-1",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=+1-2",
        ] {
            assert_eq!(ByteRange::parse(value), None, "{value}");
        }
    }

    #[test]
    fn a_range_is_cut_to_the_object_and_nothing_left_is_nothing() {
        let table = [
            ("bytes=0-0", 10, Some(0..1)),
            ("bytes=2-", 10, Some(2..10)),
            ("bytes=8-99", 10, Some(8..10)),
            ("bytes=-3", 10, Some(7..10)),
            ("bytes=-30", 10, Some(0..10)),
            ("bytes=-0", 10, None),
            ("bytes=10-", 10, None),
            ("bytes=99999999999999999999-", 10, None),
            ("bytes=0-18446744073709551615", 10, Some(0..10)),
            ("bytes=0-", 0, None),
            ("bytes=-1", 0, None),
        ];
        for (value, length, expected) in table {
            assert_eq!(
                ByteRange::parse(value).unwrap().within(length),
                expected,
                "{value} of {length}"
            );
        }
    }
}
