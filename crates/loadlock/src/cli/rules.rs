//! The rules that the two buckets should have: which pages may send, and what expires by itself.
use aws_sdk_s3::{
    error::BuildError,
    types::{
        AbortIncompleteMultipartUpload, CorsRule, ExpirationStatus, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, PublicAccessBlockConfiguration,
    },
};

use self::stored::Dialect;
use crate::config::{Config, Origins};

pub(super) mod stored;

/// What pages send to staging: files and forms.
pub(super) const METHODS: [&str; 2] = ["PUT", "POST"];
/// The headers that grants ask for.
pub(super) const HEADERS: [&str; 4] = ["content-type", "content-md5", "if-none-match", "x-amz-*"];
/// What clients with temporary credentials send besides: an abort, and a signature in a header.
pub(super) const SESSION_METHODS: [&str; 1] = ["DELETE"];
pub(super) const SESSION_HEADERS: [&str; 2] = ["amz-sdk-*", "authorization"];
/// The answers' headers that a page must see.
pub(super) const EXPOSED: [&str; 2] = ["ETag", "Location"];
/// How long a browser may keep the answer to a preflight.
pub(super) const PREFLIGHT_SECONDS: i32 = 600;

/// What expires by itself in the staging bucket: the net under the records' own, exact expiry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry {
    pub(super) name: &'static str,
    pub(super) prefix: &'static str,
    pub(super) days: i32,
}

/// What the server holds for inspection may lie longer than what clients send, and what it keeps as evidence longer still.
pub(super) const EXPIRY: [Expiry; 4] = [
    Expiry {
        name: "loadlock-sent",
        prefix: "in/",
        days: 1,
    },
    Expiry {
        name: "loadlock-credentials",
        prefix: "cred/",
        days: 1,
    },
    Expiry {
        name: "loadlock-held",
        prefix: "held/",
        days: 7,
    },
    Expiry {
        name: "loadlock-quarantine",
        prefix: "quarantine/",
        days: 31,
    },
];
/// After so many days a copy that was never finished is cleared from the final bucket.
const UNFINISHED_DAYS: i32 = 7;

/// One of a bucket's rules, or its one setting of a kind.
pub(super) trait Rule: Clone {
    /// What it is called.
    fn name(&self) -> Option<&str>;
    /// Whether it does just what the other does.
    fn does_as(&self, other: &Self) -> bool;
}

/// The origins as CORS rules name them.
pub(super) fn patterns(origins: &Origins) -> Vec<String> {
    match origins {
        Origins::Loopback => ["http", "https"]
            .iter()
            .flat_map(|scheme| {
                ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{scheme}://{host}"))
            })
            .flat_map(|origin| [format!("{origin}:*"), origin])
            .collect(),
        Origins::Listed(origins) => origins.clone(),
    }
}

/// The pages of these origins may send what a grant allows, and read nothing.
pub(super) fn pages(config: &Config) -> Result<Vec<CorsRule>, BuildError> {
    let origins = patterns(&config.origins);
    if origins.is_empty() {
        return Ok(Vec::new());
    }
    let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect());
    let (mut methods, mut headers) = (METHODS.to_vec(), HEADERS.to_vec());
    if config.credentials.is_some() {
        methods.extend(SESSION_METHODS);
        headers.extend(SESSION_HEADERS);
    }
    let rule = CorsRule::builder()
        .id("loadlock")
        .set_allowed_origins(Some(origins))
        .set_allowed_methods(list(&methods))
        .set_allowed_headers(list(&headers))
        .set_expose_headers(list(&EXPOSED))
        .max_age_seconds(PREFLIGHT_SECONDS)
        .build()?;
    Ok(vec![rule])
}

/// What the staging bucket forgets.
pub(super) fn staged_expiry() -> Result<Vec<LifecycleRule>, BuildError> {
    let rule = |expiry: &Expiry| {
        let after = LifecycleExpiration::builder().days(expiry.days).build();
        sweep(expiry.name, expiry.prefix, expiry.days)
            .expiration(after)
            .build()
    };
    EXPIRY.iter().map(rule).collect()
}

/// What the final bucket forgets: nothing that is whole.
pub(super) fn final_expiry() -> Result<Vec<LifecycleRule>, BuildError> {
    Ok(vec![
        sweep("loadlock-unfinished", "", UNFINISHED_DAYS).build()?,
    ])
}

/// A rule that aborts what was never finished.
fn sweep(name: &str, prefix: &str, days: i32) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
    let abort = AbortIncompleteMultipartUpload::builder()
        .days_after_initiation(days)
        .build();
    LifecycleRule::builder()
        .id(name)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
        .abort_incomplete_multipart_upload(abort)
}

/// Nobody is let in without a signature, whatever an object or a bucket says.
pub(super) fn closed(dialect: Dialect) -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        // A public ACL that is ignored need not be refused.
        .block_public_acls(dialect == Dialect::S3)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

/// Days after which what lies under the prefix expires by this rule, if it does.
pub(super) fn expires_after(rule: &LifecycleRule, prefix: &str) -> Option<i32> {
    let applies = *rule.status() == ExpirationStatus::Enabled
        && plain_prefix(rule).is_some_and(|own| prefix.starts_with(own));
    rule.expiration().filter(|_| applies)?.days()
}

/// The prefix of a rule that asks for nothing else.
pub(super) fn plain_prefix(rule: &LifecycleRule) -> Option<&str> {
    #[expect(deprecated, reason = "some stores answer in the older form")]
    let older = rule.prefix();
    let Some(filter) = rule.filter() else {
        return Some(older.unwrap_or_default());
    };
    let more = filter.tag().is_some()
        || filter.and().is_some()
        || filter.object_size_greater_than().is_some()
        || filter.object_size_less_than().is_some();
    (!more).then(|| filter.prefix().or(older).unwrap_or_default())
}

impl Rule for CorsRule {
    fn name(&self) -> Option<&str> {
        self.id()
    }

    fn does_as(&self, other: &Self) -> bool {
        let set = |items: &[String]| {
            let mut items: Vec<_> = items.iter().map(|item| item.to_ascii_lowercase()).collect();
            items.sort();
            items
        };
        let lists = |rule: &Self| {
            [
                set(rule.allowed_origins()),
                set(rule.allowed_methods()),
                set(rule.allowed_headers()),
                set(rule.expose_headers()),
            ]
        };
        lists(self) == lists(other) && self.max_age_seconds() == other.max_age_seconds()
    }
}

impl Rule for LifecycleRule {
    fn name(&self) -> Option<&str> {
        self.id()
    }

    fn does_as(&self, other: &Self) -> bool {
        let days = |rule: &Self| {
            let expiration = rule.expiration();
            let marker = expiration.and_then(LifecycleExpiration::expired_object_delete_marker);
            (
                expiration.and_then(LifecycleExpiration::days),
                expiration.and_then(LifecycleExpiration::date).copied(),
                marker.unwrap_or_default(),
                rule.abort_incomplete_multipart_upload()
                    .and_then(AbortIncompleteMultipartUpload::days_after_initiation),
            )
        };
        let more = |rule: &Self| {
            !rule.transitions().is_empty()
                || !rule.noncurrent_version_transitions().is_empty()
                || rule.noncurrent_version_expiration().is_some()
        };
        self.status() == other.status()
            && plain_prefix(self).is_some()
            && plain_prefix(self) == plain_prefix(other)
            && days(self) == days(other)
            && !more(self)
            && !more(other)
    }
}

impl Rule for PublicAccessBlockConfiguration {
    fn name(&self) -> Option<&str> {
        Some("public access block")
    }

    fn does_as(&self, other: &Self) -> bool {
        self == other
    }
}

/// What is to be done to a bucket's rules.
#[derive(Debug)]
pub(super) struct Plan<R> {
    /// All of them, as they should be.
    pub(super) rules: Vec<R>,
    pub(super) change: Option<Change>,
    /// Names of those that are not ours; they stay.
    pub(super) foreign: Vec<String>,
}

/// How rules differ from what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Some are missing.
    Add,
    /// Some of ours say something else.
    Replace,
}

/// The bucket's rules with the wanted ones among them: one that does the same stays, one of the same name is replaced.
pub(super) fn plan<R: Rule>(found: &[R], wanted: &[R]) -> Plan<R> {
    let mut rules = found.to_vec();
    let mut change = None;
    for rule in wanted {
        if rules.iter().any(|there| there.does_as(rule)) {
            continue;
        }
        let named = |there: &R| there.name().is_some() && there.name() == rule.name();
        if let Some(at) = rules.iter().position(named) {
            rules[at] = rule.clone();
            change = Some(Change::Replace);
        } else {
            // Of CORS rules the first that fits is taken.
            rules.insert(0, rule.clone());
            change = change.or(Some(Change::Add));
        }
    }
    let foreign = rules
        .iter()
        .filter(|there| !wanted.iter().any(|rule| there.does_as(rule)))
        .map(|there| there.name().unwrap_or("without a name").to_owned())
        .collect();
    Plan {
        rules,
        change,
        foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forgotten(name: &str, prefix: &str, days: i32) -> LifecycleRule {
        let after = LifecycleExpiration::builder().days(days).build();
        let rule = sweep(name, prefix, days).expiration(after);
        rule.build().unwrap()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let wanted = staged_expiry().unwrap();
        let plan = plan(&wanted, &wanted);
        assert_eq!((plan.change, plan.foreign.len()), (None, 0));
    }

    #[test]
    fn a_rule_of_another_name_that_does_the_same_will_do() {
        let wanted = [forgotten("loadlock-sent", "in/", 1)];
        let plan = plan(&[forgotten("theirs", "in/", 1)], &wanted);
        assert_eq!((plan.change, plan.foreign.len()), (None, 0));
    }

    #[test]
    fn a_rule_of_ours_that_says_something_else_is_replaced() {
        let wanted = [forgotten("loadlock-sent", "in/", 1)];
        let plan = plan(&[forgotten("loadlock-sent", "in/", 3)], &wanted);
        assert_eq!(plan.change, Some(Change::Replace));
        assert_eq!(plan.rules, wanted);
    }

    #[test]
    fn rules_that_are_not_ours_stay() {
        let wanted = [forgotten("loadlock-sent", "in/", 1)];
        let theirs = forgotten("theirs", "logs/", 30);
        let plan = plan(std::slice::from_ref(&theirs), &wanted);
        assert_eq!(plan.change, Some(Change::Add));
        assert_eq!(plan.rules, [wanted[0].clone(), theirs]);
        assert_eq!(plan.foreign, ["theirs"]);
    }

    #[test]
    fn cors_lists_are_sets() {
        let rule = |headers: [&str; 2]| {
            let rule = CorsRule::builder()
                .allowed_origins("https://a.example")
                .allowed_methods("PUT");
            let rule = rule.set_allowed_headers(Some(headers.map(str::to_owned).to_vec()));
            rule.build().unwrap()
        };
        assert!(rule(["ETag", "x-amz-*"]).does_as(&rule(["x-amz-*", "etag"])));
        assert!(!rule(["ETag", "x-amz-*"]).does_as(&rule(["x-amz-*", "a"])));
    }
}
