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

/// The end of an object's life, as `x-amz-expiration` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry<'a> {
    pub at: SystemTime,
    pub rule_id: &'a str,
}

impl Lifecycle {
    /// When the object under `key`, last written at `modified`, expires: by the earliest of the rules that apply.
    pub fn expiry(&self, key: &str, modified: SystemTime) -> Option<Expiry<'_>> {
        self.rules_for(key)
            .filter_map(|rule| {
                let at = match rule.expiration? {
                    Expiration::Days(days) => days_after(modified, days),
                    Expiration::Date(date) => date.into(),
                };
                Some(Expiry {
                    at,
                    rule_id: &rule.id,
                })
            })
            .min_by_key(|expiry| expiry.at)
    }

    /// When the unfinished upload to `key`, created at `created`, is aborted.
    pub fn abort_at(&self, key: &str, created: SystemTime) -> Option<SystemTime> {
        self.rules_for(key)
            .filter_map(|rule| Some(days_after(created, rule.abort_uploads_after_days?)))
            .min()
    }

    fn rules_for(&self, key: &str) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(move |rule| rule.status == Status::Enabled && key.starts_with(&rule.prefix))
    }
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

/// The last moment for which [`days_after`] has come by `now`.
fn days_before(now: SystemTime, days: u32) -> Option<SystemTime> {
    let midnights = now.duration_since(UNIX_EPOCH).ok()?.as_secs() / DAY.as_secs();
    let midnights = u32::try_from(midnights).ok()?.checked_sub(days)?;
    Some(UNIX_EPOCH + DAY * midnights)
}

/// `days` after `time`, rounded up to the next midnight UTC.
fn days_after(time: SystemTime, days: u32) -> SystemTime {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default() + DAY * days;
    let midnights = age.as_nanos().div_ceil(DAY.as_nanos());
    UNIX_EPOCH + DAY * u32::try_from(midnights).unwrap_or(u32::MAX)
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
        let check = |written, days, expected| {
            let rules = Lifecycle {
                rules: vec![rule(Expiration::Days(days))],
            };
            let expiry = rules.expiry("logs/a", time(written)).unwrap();
            assert_eq!(
                expiry,
                Expiry {
                    at: time(expected),
                    rule_id: "rule"
                }
            );
        };
        // The example of the lifecycle page.
        check("2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z");
        check("2014-01-15T00:00:00Z", 1, "2014-01-16T00:00:00Z");
        check("2014-01-15T00:00:00.001Z", 1, "2014-01-17T00:00:00Z");
    }

    #[test]
    fn only_enabled_rules_with_the_keys_prefix_apply_and_the_earliest_wins() {
        let early = Rule {
            id: "early".to_owned(),
            prefix: String::new(),
            ..rule(Expiration::Days(1))
        };
        let off = Rule {
            status: Status::Disabled,
            ..rule(Expiration::Days(0))
        };
        let rules = Lifecycle {
            rules: vec![rule(Expiration::Days(9)), early, off],
        };
        let written = time("2026-11-21T12:00:00Z");
        assert_eq!(rules.expiry("logs/a", written).unwrap().rule_id, "early");
        let rules = Lifecycle {
            rules: vec![rule(Expiration::Days(9))],
        };
        assert_eq!(rules.expiry("other", written), None);
    }

    proptest! {
        #[test]
        fn what_the_sweep_deletes_is_what_the_header_announced(
            written in 0_u64..4_000_000_000_000,
            age in 0_u64..400_000_000,
            days in 0_u32..5,
        ) {
            let written = UNIX_EPOCH + Duration::from_millis(written);
            let now = written + Duration::from_millis(age);
            let rules = Lifecycle { rules: vec![rule(Expiration::Days(days))] };
            let announced = rules.expiry("logs/a", written).unwrap().at <= now;
            let swept = rules.rules[0].expires_if_written_by(now).is_some_and(|cutoff| written <= cutoff);
            prop_assert_eq!(announced, swept);
        }
    }
}
