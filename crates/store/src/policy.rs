//! IAM-style policies: which identity may do what, where and under which conditions.
//!
//! The language is IAM's: an explicit `Deny` wins, what no statement allows is denied. Anything this module does not
//! know (an operator, a policy variable, a field) is refused when the document is read, never skipped.

use serde::Deserialize;

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
    #[error("policy variables are not supported: `{0}`")]
    Variable(String),
    #[error("resource `{0}` is not an S3 ARN")]
    Resource(String),
    #[error("condition operator `{0}` is not known")]
    Operator(String),
    #[error("condition value `{0}` does not fit its operator")]
    Value(String),
}

/// One question to a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// Such as `s3:PutObject`.
    pub(crate) action: &'a str,
    /// Such as `arn:aws:s3:::bucket/key`.
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// The facts about a request that conditions may ask for, such as `s3:x-amz-acl`.
#[derive(Clone, Debug, Default)]
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

    /// A policy that allows everything.
    pub fn allow_all() -> Self {
        let all = || Pattern {
            inverted: Inverted::No,
            patterns: vec!["*".to_owned()],
        };
        let statement = Statement {
            effect: Effect::Allow,
            actions: all(),
            resources: all(),
            conditions: Vec::new(),
        };
        Self {
            statements: vec![statement],
        }
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

#[derive(Clone, Debug)]
struct Condition {
    key: String,
    test: Test,
    absent: Absent,
    values: Vec<String>,
}

/// What a condition says of a key that the request does not have.
#[derive(Clone, Copy, Debug)]
enum Absent {
    Fails,
    Holds,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    Equals,
    NotEquals,
    EqualsIgnoreCase,
    NotEqualsIgnoreCase,
    Like,
    NotLike,
    Numeric(Order),
    Bool,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Test {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "StringEquals" | "ArnEquals" => Self::Equals,
            "StringNotEquals" | "ArnNotEquals" => Self::NotEquals,
            "StringEqualsIgnoreCase" => Self::EqualsIgnoreCase,
            "StringNotEqualsIgnoreCase" => Self::NotEqualsIgnoreCase,
            "StringLike" | "ArnLike" => Self::Like,
            "StringNotLike" | "ArnNotLike" => Self::NotLike,
            "NumericEquals" => Self::Numeric(Order::Equal),
            "NumericNotEquals" => Self::Numeric(Order::NotEqual),
            "NumericLessThan" => Self::Numeric(Order::Less),
            "NumericLessThanEquals" => Self::Numeric(Order::LessOrEqual),
            "NumericGreaterThan" => Self::Numeric(Order::Greater),
            "NumericGreaterThanEquals" => Self::Numeric(Order::GreaterOrEqual),
            "Bool" => Self::Bool,
            "Null" => Self::Null,
            _ => return None,
        })
    }

    /// A negated test holds when *no* value matches, and when the key is absent.
    fn negated(self) -> bool {
        matches!(
            self,
            Self::NotEquals
                | Self::NotEqualsIgnoreCase
                | Self::NotLike
                | Self::Numeric(Order::NotEqual)
        )
    }

    fn matches(self, expected: &str, actual: &str) -> bool {
        match self {
            Self::Equals | Self::NotEquals => expected == actual,
            Self::EqualsIgnoreCase | Self::NotEqualsIgnoreCase | Self::Bool => {
                expected.eq_ignore_ascii_case(actual)
            }
            Self::Like | Self::NotLike => wildcard::matches(expected, actual),
            Self::Numeric(order) => match (expected.parse::<f64>(), actual.parse::<f64>()) {
                (Ok(expected), Ok(actual)) => order.holds(actual, expected),
                _ => false,
            },
            Self::Null => false,
        }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Numeric(_) => value.parse::<f64>().is_ok(),
            Self::Bool | Self::Null => matches!(value, "true" | "false"),
            _ => true,
        }
    }
}

impl Order {
    fn holds(self, actual: f64, expected: f64) -> bool {
        match self {
            // `NotEqual` is negated as a whole, so that its own match is equality.
            Self::Equal | Self::NotEqual => (actual - expected).abs() < f64::EPSILON,
            Self::Less => actual < expected,
            Self::LessOrEqual => actual <= expected,
            Self::Greater => actual > expected,
            Self::GreaterOrEqual => actual >= expected,
        }
    }
}

impl Condition {
    fn parse(operator: &str, key: String, values: Vec<String>) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::Operator(operator.to_owned());
        let (name, if_exists) = operator
            .strip_suffix("IfExists")
            .map_or((operator, false), |name| (name, true));
        let test = Test::parse(name).ok_or_else(unknown)?;
        if if_exists && test == Test::Null {
            return Err(unknown());
        }
        if let Some(wrong) = values.iter().find(|value| !test.accepts(value)) {
            return Err(PolicyError::Value(wrong.clone()));
        }
        for value in &values {
            refuse_variable(value)?;
        }
        let absent = if if_exists || test.negated() {
            Absent::Holds
        } else {
            Absent::Fails
        };
        Ok(Self {
            key,
            test,
            absent,
            values,
        })
    }

    fn holds(&self, context: &Context) -> bool {
        let actual = context.value(&self.key);
        if self.test == Test::Null {
            return self
                .values
                .iter()
                .any(|value| (value == "true") == actual.is_none());
        }
        let Some(actual) = actual else {
            return matches!(self.absent, Absent::Holds);
        };
        let any = self
            .values
            .iter()
            .any(|value| self.test.matches(value, actual));
        any != self.test.negated()
    }
}

fn refuse_variable(text: &str) -> Result<(), PolicyError> {
    if text.contains("${") {
        Err(PolicyError::Variable(text.to_owned()))
    } else {
        Ok(())
    }
}

// The document as it is written.

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition:
        std::collections::BTreeMap<String, std::collections::BTreeMap<String, OneOrMany<Scalar>>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl TryFrom<RawStatement> for Statement {
    type Error = PolicyError;

    fn try_from(raw: RawStatement) -> Result<Self, PolicyError> {
        let mut actions = one_of(raw.action, raw.not_action)?;
        for action in &mut actions.patterns {
            action.make_ascii_lowercase();
        }
        let resources = one_of(raw.resource, raw.not_resource)?;
        for resource in &resources.patterns {
            refuse_variable(resource)?;
            if resource != "*" && !resource.starts_with("arn:aws:s3:::") {
                return Err(PolicyError::Resource(resource.clone()));
            }
        }
        let mut conditions = Vec::new();
        for (operator, keys) in raw.condition {
            for (key, values) in keys {
                let values = values
                    .into_vec()
                    .into_iter()
                    .map(Scalar::into_text)
                    .collect();
                conditions.push(Condition::parse(&operator, key, values)?);
            }
        }
        Ok(Self {
            effect: raw.effect,
            actions,
            resources,
            conditions,
        })
    }
}

fn one_of(
    plain: Option<OneOrMany<String>>,
    inverted: Option<OneOrMany<String>>,
) -> Result<Pattern, PolicyError> {
    match (plain, inverted) {
        (Some(list), None) => Ok(Pattern {
            inverted: Inverted::No,
            patterns: list.into_vec(),
        }),
        (None, Some(list)) => Ok(Pattern {
            inverted: Inverted::Yes,
            patterns: list.into_vec(),
        }),
        _ => Err(PolicyError::Shape),
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
        let table: [(&str, &[(&str, &str)], bool); 15] = [
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
        assert!(check(
            &Policy::allow_all(),
            "s3:GetObject",
            "arn:aws:s3:::b/k",
            &[]
        ));
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
            statement(
                r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}""#,
            ),
            statement(r#""Effect":"Allow","Action":"*","Resource":"arn:aws:ec2:::b""#),
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
