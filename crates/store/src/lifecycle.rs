//! Lifecycle rules: when objects expire and when unfinished uploads are aborted.
//!
//! As in S3, days are counted from the creation and the result is rounded up to the next midnight UTC
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_hours(24);

/// The rules of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    pub rules: Vec<Rule>,
}

/// What happens to the keys under one prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub status: Status,
    /// Empty for every key of the bucket.
    pub prefix: String,
    pub expiration: Option<Expiration>,
    /// Days after its creation an unfinished multipart upload is aborted.
    pub abort_uploads_after_days: Option<u32>,
}

/// Whether a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Enabled,
    Disabled,
}

/// When objects expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after they were written.
    Days(u32),
    /// All of them, from this moment on.
    Date(Timestamp),
}

impl Rule {
    /// Objects last written at this moment or before have expired by `now`.
    pub(crate) fn expires_if_written_by(&self, now: SystemTime) -> Option<SystemTime> {
        match self.expiration? {
            Expiration::Days(days) => days_before(now, days),
            Expiration::Date(date) => Some(now).filter(|&now| SystemTime::from(date) <= now),
        }
    }

    /// Uploads created at this moment or before are to be aborted by `now`.
    pub(crate) fn aborts_if_created_by(&self, now: SystemTime) -> Option<SystemTime> {
        days_before(now, self.abort_uploads_after_days?)
    }
}

/// The last moment for which `days` after it, rounded up to the next midnight UTC, have passed by `now`.
fn days_before(now: SystemTime, days: u32) -> Option<SystemTime> {
    let midnights = now.duration_since(UNIX_EPOCH).ok()?.as_secs() / DAY.as_secs();
    let midnights = u32::try_from(midnights).ok()?.checked_sub(days)?;
    Some(UNIX_EPOCH + DAY * midnights)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(expiration: Expiration) -> Rule {
        Rule {
            id: "rule".to_owned(),
            status: Status::Enabled,
            prefix: "logs/".to_owned(),
            expiration: Some(expiration),
            abort_uploads_after_days: None,
        }
    }

    fn time(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn days_are_counted_from_the_writing_and_rounded_up_to_midnight() {
        let check = |written, days, expires| {
            let (written, expires) = (time(written), time(expires));
            let over = |now| {
                let cutoff = rule(Expiration::Days(days)).expires_if_written_by(now);
                cutoff.is_some_and(|cutoff| written <= cutoff)
            };
            assert!(over(expires));
            assert!(!over(expires - Duration::from_millis(1)));
        };
        // The example of the lifecycle page.
        check("2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z");
        check("2014-01-15T00:00:00Z", 1, "2014-01-16T00:00:00Z");
        check("2014-01-15T00:00:00.001Z", 1, "2014-01-17T00:00:00Z");
    }

    #[test]
    fn a_date_holds_from_its_moment_on() {
        let date = time("2026-11-21T00:00:00Z");
        let rule = rule(Expiration::Date(date.try_into().unwrap()));
        assert_eq!(rule.expires_if_written_by(date), Some(date));
        let before = date - Duration::from_millis(1);
        assert_eq!(rule.expires_if_written_by(before), None);
    }

    proptest! {
        #[test]
        fn an_object_lives_for_its_days_and_at_most_one_more(
            written in 0_u64..4_000_000_000_000,
            age in 0_u64..400_000_000,
            days in 0_u32..5,
        ) {
            let written = UNIX_EPOCH + Duration::from_millis(written);
            let now = written + Duration::from_millis(age);
            let cutoff = rule(Expiration::Days(days)).expires_if_written_by(now);
            let expired = cutoff.is_some_and(|cutoff| written <= cutoff);
            let age = Duration::from_millis(age);
            prop_assert!(!expired || age >= DAY * days);
            prop_assert!(expired || age < DAY * (days + 1));
        }
    }
}
