//! IAM-style policies: which identity may do what, where and under which conditions.
//!
//! The language is IAM's: an explicit `Deny` wins, what no statement allows is denied. Anything this module does not
//! know (an operator, a policy variable, a field) is refused when the document is read, never skipped.

mod condition;
mod document;

use self::condition::Condition;
use self::document::{Document, Effect};
use crate::wildcard;

/// A policy document, read and checked.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Why a policy document was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    #[error("the policy is not a policy document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("policy version `{0}` is not known")]
    Version(String),
    #[error("a statement needs either Action or NotAction, and either Resource or NotResource")]
    Shape,
    #[error("a list in the policy is empty: {0}")]
    Empty(String),
    #[error("policy variables are not supported: `{0}`")]
    Variable(String),
    #[error("resource `{0}` is the ARN of neither a bucket nor a role")]
    Resource(String),
    #[error("condition operator `{0}` is not known")]
    Operator(String),
    /// On tags: an object's are not looked at before it is decided who may do what.
    #[error("condition key `{0}` is not known")]
    Key(String),
    #[error("condition value `{0}` does not fit its operator")]
    Value(String),
}

/// One question to a policy.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// Such as `s3:PutObject`.
    pub(crate) action: &'a str,
    /// Such as `arn:aws:s3:::bucket/key`.
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// The facts about a request that conditions may ask for, such as `s3:x-amz-acl`.
#[derive(Default)]
pub(crate) struct Context(Vec<(String, String)>);

impl Context {
    pub(crate) fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }
}

impl Policy {
    /// Reads a policy document, such as
    /// `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}`.
    pub fn from_json(document: &str) -> Result<Self, PolicyError> {
        let document: Document = serde_json::from_str(document)?;
        if !matches!(document.version.as_str(), "2012-10-17" | "2008-10-17") {
            return Err(PolicyError::Version(document.version));
        }
        let statements = document
            .statement
            .into_vec()
            .into_iter()
            .map(Statement::try_from);
        Ok(Self {
            statements: statements.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn allows(&self, question: Question<'_>) -> bool {
        let mut allowed = false;
        for statement in self
            .statements
            .iter()
            .filter(|statement| statement.applies(question))
        {
            match statement.effect {
                Effect::Deny => return false,
                Effect::Allow => allowed = true,
            }
        }
        allowed
    }
}

#[derive(Clone, Debug)]
struct Statement {
    effect: Effect,
    actions: Pattern,
    resources: Pattern,
    conditions: Vec<Condition>,
}

impl Statement {
    fn applies(&self, question: Question<'_>) -> bool {
        self.actions.matches(&question.action.to_ascii_lowercase())
            && self.resources.matches(question.resource)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(question.context))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inverted {
    No,
    Yes,
}

#[derive(Clone, Debug)]
struct Pattern {
    inverted: Inverted,
    patterns: Vec<String>,
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let any = self
            .patterns
            .iter()
            .any(|pattern| wildcard::matches(pattern, text));
        any != (self.inverted == Inverted::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Policy, Question};

    const UPLOADER: &str = r#"{
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "put", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::staging/in/*"},
            {"Effect": "Deny", "Action": ["s3:Get*", "s3:PutObjectAcl"], "Resource": "*"},
            {"Effect": "Deny", "NotAction": "s3:PutObject", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
             "Condition": {"StringNotEquals": {"s3:x-amz-storage-class": "STANDARD"},
                           "Null": {"s3:x-amz-storage-class": "false"}}},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
             "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}}}
        ]}"#;

    type Facts = &'static [(&'static str, &'static str)];

    fn check(policy: &Policy, action: &str, resource: &str, facts: &[(&str, &str)]) -> bool {
        let mut context = Context::default();
        for (key, value) in facts {
            context.insert(*key, *value);
        }
        policy.allows(Question {
            action,
            resource,
            context: &context,
        })
    }

    fn with_condition(condition: &str) -> Policy {
        Policy::from_json(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_uploader_puts_under_its_prefix_and_nothing_else() {
        let policy = Policy::from_json(UPLOADER).unwrap();
        let table = [
            ("s3:PutObject", "arn:aws:s3:::staging/in/a", true),
            ("s3:putobject", "arn:aws:s3:::staging/in/a", true),
            ("s3:PutObject", "arn:aws:s3:::staging/held/a", false),
            ("s3:PutObject", "arn:aws:s3:::final/in/a", false),
            ("s3:GetObject", "arn:aws:s3:::staging/in/a", false),
            ("s3:PutObjectAcl", "arn:aws:s3:::staging/in/a", false),
            ("s3:DeleteObject", "arn:aws:s3:::staging/in/a", false),
        ];
        for (action, resource, expected) in table {
            assert_eq!(
                check(&policy, action, resource, &[]),
                expected,
                "{action} {resource}"
            );
        }
    }

    #[test]
    fn an_explicit_deny_wins_over_any_allow() {
        let policy = Policy::from_json(UPLOADER).unwrap();
        let put = |facts: &[(&str, &str)]| {
            check(&policy, "s3:PutObject", "arn:aws:s3:::staging/in/a", facts)
        };
        assert!(put(&[("s3:x-amz-storage-class", "STANDARD")]));
        assert!(!put(&[("s3:x-amz-storage-class", "GLACIER")]));
        assert!(!put(&[(
            "s3:X-Amz-Server-Side-Encryption-Customer-Algorithm",
            "AES256"
        )]));
    }

    #[test]
    fn conditions_follow_iam() {
        let table: [(&str, Facts, bool); 15] = [
            (
                r#"{"StringEquals":{"s3:prefix":["a","b"]}}"#,
                &[("s3:prefix", "b")],
                true,
            ),
            (r#"{"StringEquals":{"s3:prefix":["a","b"]}}"#, &[], false),
            (
                r#"{"StringNotEquals":{"s3:prefix":["a","b"]}}"#,
                &[("s3:prefix", "b")],
                false,
            ),
            (r#"{"StringNotEquals":{"s3:prefix":["a","b"]}}"#, &[], true),
            (
                r#"{"StringLike":{"s3:prefix":"in/*"}}"#,
                &[("s3:prefix", "in/x")],
                true,
            ),
            (
                r#"{"StringNotLike":{"s3:prefix":"in/*"}}"#,
                &[("s3:prefix", "in/x")],
                false,
            ),
            (r#"{"StringEqualsIfExists":{"s3:prefix":"a"}}"#, &[], true),
            (r#"{"Null":{"s3:if-none-match":"true"}}"#, &[], true),
            (
                r#"{"Null":{"s3:if-none-match":"true"}}"#,
                &[("s3:if-none-match", "*")],
                false,
            ),
            (
                r#"{"NumericLessThanEquals":{"s3:max-keys":10}}"#,
                &[("s3:max-keys", "10")],
                true,
            ),
            (
                r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#,
                &[("s3:max-keys", "11")],
                false,
            ),
            (
                r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#,
                &[("s3:max-keys", "x")],
                false,
            ),
            (
                r#"{"NumericNotEquals":{"s3:max-keys":"10"}}"#,
                &[("s3:max-keys", "11")],
                true,
            ),
            (
                r#"{"Bool":{"aws:SecureTransport":true}}"#,
                &[("aws:SecureTransport", "false")],
                false,
            ),
            (
                r#"{"StringEquals":{"s3:prefix":"a"},"Null":{"s3:delimiter":"true"}}"#,
                &[("s3:prefix", "a")],
                true,
            ),
        ];
        for (condition, facts, expected) in table {
            assert_eq!(
                check(&with_condition(condition), "s3:X", "x", facts),
                expected,
                "{condition} {facts:?}"
            );
        }
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let policy = Policy::from_json(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
        assert!(!check(&policy, "s3:GetObject", "arn:aws:s3:::b/k", &[]));
    }

    #[test]
    fn a_document_that_is_not_understood_is_refused() {
        let statement =
            |inner: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{inner}}}]}}"#);
        let table = [
            "{}".to_owned(),
            r#"{"Version":"1999","Statement":[]}"#.to_owned(),
            statement(r#""Effect":"Allow","Action":"*""#),
            statement(r#""Effect":"Maybe","Action":"*","Resource":"*""#),
            statement(r#""Effect":"Allow","Action":"*","NotAction":"x","Resource":"*""#),
            statement(r#""Effect":"Allow","Action":"*","Resource":"*","Principal":"*""#),
            statement(r#""Effect":"Deny","NotAction":[],"Resource":"*""#),
            statement(r#""Effect":"Deny","Action":"*","Resource":[]"#),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":[]}}"#,
            ),
            statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"s3:prefix":"true"},"Null":{"s3:max-keys":"true"}}"#,
            ),
            statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"s3:prefix":"true","s3:prefix":"false"}}"#,
            ),
            statement(
                r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}""#,
            ),
            statement(r#""Effect":"Allow","Action":"*","Resource":"arn:aws:ec2:::b""#),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}"#,
            ),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"b"}}"#,
            ),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"::1"}}"#,
            ),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericEquals":{"s3:max-keys":"x"}}"#,
            ),
            statement(
                r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"s3:prefix":"yes"}}"#,
            ),
        ];
        for document in table {
            assert!(Policy::from_json(&document).is_err(), "{document}");
        }
    }
}
