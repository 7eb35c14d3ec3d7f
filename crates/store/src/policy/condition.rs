//! The conditions of a statement: what must be true of a request.

use super::document::refuse_variable;
use super::{Context, PolicyError};
use crate::wildcard;

#[derive(Clone, Debug)]
pub(super) struct Condition {
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
    pub(super) fn parse(
        operator: &str,
        key: String,
        values: Vec<String>,
    ) -> Result<Self, PolicyError> {
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
        if on_tags(&key) {
            return Err(PolicyError::Key(key));
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

    pub(super) fn holds(&self, context: &Context) -> bool {
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

/// Such as `s3:ExistingObjectTag/team`. It would be absent from every request, and a denial by it void.
fn on_tags(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "existingobjecttag",
        "requestobjecttag",
        "resourcetag",
        "requesttag",
        "tagkeys",
    ]
    .iter()
    .any(|name| {
        key.split(['/', ':'])
            .nth(1)
            .is_some_and(|part| part.starts_with(name))
    })
}
