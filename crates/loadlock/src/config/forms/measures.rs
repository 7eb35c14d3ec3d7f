//! Sizes, lengths of time and rates, as people write them.

use std::{num::NonZeroU32, time::Duration};

use super::Wrong;
use crate::limits::Rate;

/// More is no limit.
const MOST_PER: u32 = 1_000_000;

/// A number and the unit after it, if there is one; and what follows.
pub(super) fn measure(text: &str) -> Option<(u64, &str, &str)> {
    let text = text.trim_start();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, rest.trim_start()))
}

/// `25 MiB`, `5 GB`, `1024`.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    let parse = || {
        let (number, unit, rest) = measure(text)?;
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" | "byte" | "bytes" => 1,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return None,
        };
        rest.is_empty().then_some(number.checked_mul(factor)?)
    };
    parse().ok_or_else(|| Wrong::new("is no size"))
}

/// `60 per minute`, and `, burst 120`.
pub(super) fn rate(text: &str) -> Result<Rate, Wrong> {
    let parse = || {
        let (rate, burst) = match text.split_once(',') {
            Some((rate, burst)) => (rate, Some(burst.trim().strip_prefix("burst ")?)),
            None => (text, None),
        };
        let (count, unit) = rate.split_once(" per ")?;
        let count: NonZeroU32 = count.trim().parse().ok()?;
        let burst = burst.map_or(Some(count), |burst| burst.trim().parse().ok())?;
        let per = match unit.trim() {
            "second" => Duration::from_secs(1),
            "minute" => Duration::from_mins(1),
            "hour" => Duration::from_hours(1),
            "day" => Duration::from_hours(24),
            _ => return None,
        };
        let bounded = |count: NonZeroU32| count.get() <= MOST_PER;
        (bounded(count) && bounded(burst)).then_some(Rate { count, per, burst })
    };
    parse().ok_or_else(|| Wrong::new("is no rate"))
}

/// `15 minutes`, `1 hour 30 minutes`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let parse = || {
        let mut rest = text;
        let mut seconds: u64 = 0;
        loop {
            let (number, unit, after) = measure(rest)?;
            let factor = match unit.to_ascii_lowercase().as_str() {
                "s" | "sec" | "second" | "seconds" => 1,
                "m" | "min" | "minute" | "minutes" => 60,
                "h" | "hour" | "hours" => 3600,
                "d" | "day" | "days" => 86_400,
                "w" | "week" | "weeks" => 604_800,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            if after.is_empty() {
                return (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            rest = after;
        }
    };
    parse().ok_or_else(|| Wrong::new("is no length of time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(size(text).ok(), expected, "{text}");
        };
        check("25 MiB", Some(25 << 20));
        check("25mib", Some(25 << 20));
        check("5 GB", Some(5_000_000_000));
        check("1024", Some(1024));
        check("1 byte", Some(1));
        check("25 MiBs", None);
        check("25 MiB 1", None);
        check("-1", None);
        check("1.5 GiB", None);
        check("99999999 TiB", None);
        check("", None);
    }

    #[test]
    fn lengths_of_time_are_written_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            let found = duration(text).ok().map(|found| found.as_secs());
            assert_eq!(found, expected, "{text}");
        };
        check("15 minutes", Some(900));
        check("1 hour 30 minutes", Some(5400));
        check("7d", Some(604_800));
        check("90s", Some(90));
        check("15", None);
        check("0 s", None);
        check("fortnight", None);
        check("", None);
    }

    #[test]
    fn rates_are_written_as_people_write_them() {
        let check = |text: &str, expected: Option<(u32, u64, u32)>| {
            let found = rate(text).ok();
            let found = found.map(|it| (it.count.get(), it.per.as_secs(), it.burst.get()));
            assert_eq!(found, expected, "{text}");
        };
        check("60 per minute", Some((60, 60, 60)));
        check("10 per second, burst 100", Some((10, 1, 100)));
        check("5000 per day", Some((5000, 86_400, 5000)));
        check("0 per minute", None);
        check("60 per minute, burst 0", None);
        check("60 per fortnight", None);
        check("60/minute", None);
        check("99999999 per second", None);
    }
}
