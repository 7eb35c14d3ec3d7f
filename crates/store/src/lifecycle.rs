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

/// `days` after `time`, rounded up to the next midnight UTC.
fn days_after(time: SystemTime, days: u32) -> SystemTime {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default() + DAY * days;
    let midnights = age.as_nanos().div_ceil(DAY.as_nanos());
    UNIX_EPOCH + DAY * u32::try_from(midnights).unwrap_or(u32::MAX)
}
