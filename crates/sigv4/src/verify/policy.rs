//! A POST policy as a server reads it, and the check of a form against it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::refusal::{Place, Refusal};
use crate::stamp::Stamp;

/// A policy whose signature holds (S3 API reference, "POST Policy").
pub struct Policy {
    expiration: Stamp,
    conditions: Vec<Matching>,
    size: Option<RangeInclusive<u64>>,
}

/// A condition on a field. Field names are in lower case: S3 takes them in any.
struct Matching {
    field: String,
    test: Test,
}

enum Test {
    Equals(String),
    StartsWith(String),
}

impl Policy {
    pub(crate) fn parse(base64: &str) -> Result<Self, Refusal> {
        let document = STANDARD
            .decode(base64)
            .map_err(|_| invalid("it is not base64"))?;
        let document = String::from_utf8(document).map_err(|_| invalid("it is not UTF-8"))?;
        let document: Value =
            serde_json::from_str(&plain_json(&document)).map_err(|_| invalid("it is not JSON"))?;
        let members = document.as_object().ok_or(invalid("it is not an object"))?;
        if members
            .keys()
            .any(|name| name != "expiration" && name != "conditions")
        {
            return Err(invalid("only `expiration` and `conditions` may be in it"));
        }
        let expiration = members
            .get("expiration")
            .and_then(Value::as_str)
            .ok_or(invalid("`expiration` is missing"))?;
        let expiration =
            Stamp::parse_extended(expiration).ok_or(invalid("`expiration` is not a time"))?;
        let conditions = members
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or(invalid("`conditions` is missing"))?;
        let mut policy = Self {
            expiration,
            conditions: Vec::new(),
            size: None,
        };
        for condition in conditions {
            policy
                .add(condition)
                .ok_or(invalid("a condition is malformed"))?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> Option<()> {
        match condition {
            Value::Object(members) if !members.is_empty() => {
                for (field, value) in members {
                    self.conditions.push(Matching {
                        field: field.to_ascii_lowercase(),
                        test: Test::Equals(scalar(value)?),
                    });
                }
            }
            Value::Array(parts) => {
                let [operator, first, second] = parts.as_slice() else {
                    return None;
                };
                let operator = operator.as_str()?.to_ascii_lowercase();
                if operator == "content-length-range" {
                    self.narrow(number(first)?, number(second)?);
                    return Some(());
                }
                let field = first.as_str()?.strip_prefix('$')?.to_ascii_lowercase();
                let test = match operator.as_str() {
                    "eq" => Test::Equals(scalar(second)?),
                    "starts-with" => Test::StartsWith(scalar(second)?),
                    _ => return None,
                };
                self.conditions.push(Matching { field, test });
            }
            _ => return None,
        }
        Some(())
    }

    /// Several ranges must all be kept.
    fn narrow(&mut self, min: u64, max: u64) {
        self.size = Some(match &self.size {
            Some(size) => min.max(*size.start())..=max.min(*size.end()),
            None => min..=max,
        });
    }

    pub fn expires_at(&self) -> SystemTime {
        self.expiration.to_system_time()
    }

    /// How many bytes the file may have, where the policy says so. It is for the reader of the file to enforce:
    /// S3 answers `EntityTooSmall` or `EntityTooLarge`.
    pub fn size(&self) -> Option<RangeInclusive<u64>> {
        self.size.clone()
    }

    /// Checks a form: every condition holds, and every field has a condition, save those that S3 exempts.
    ///
    /// `fields` are all that came before the file, with `${filename}` replaced already; `bucket` is where the form was sent.
    ///
    /// # Errors
    /// [`Refusal::PolicyCondition`], [`Refusal::ExtraField`], or [`Refusal::Duplicate`] for a field given twice.
    pub fn check(&self, bucket: &str, fields: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut values = BTreeMap::new();
        for (name, value) in fields {
            if values.insert(name.to_ascii_lowercase(), *value).is_some() {
                return Err(Refusal::Duplicate {
                    place: Place::Form,
                    name: (*name).to_owned(),
                });
            }
        }
        let named = values.insert("bucket".to_owned(), bucket);
        if named.is_some_and(|named| named != bucket) {
            let here = Matching {
                field: "bucket".to_owned(),
                test: Test::Equals(bucket.to_owned()),
            };
            return Err(Refusal::PolicyCondition(here.to_string()));
        }
        if let Some(failed) = self
            .conditions
            .iter()
            .find(|condition| !condition.holds(&values))
        {
            return Err(Refusal::PolicyCondition(failed.to_string()));
        }
        let covered = |name: &str| {
            self.conditions
                .iter()
                .any(|condition| condition.field == name)
        };
        let extra = values
            .keys()
            .find(|name| *name != "bucket" && !is_exempt(name) && !covered(name));
        extra.map_or(Ok(()), |name| Err(Refusal::ExtraField(name.clone())))
    }
}

impl Matching {
    fn holds(&self, values: &BTreeMap<String, &str>) -> bool {
        let Some(value) = values.get(&self.field) else {
            return false;
        };
        match &self.test {
            Test::Equals(expected) => value == expected,
            // "Content-Types values for a starts-with condition that include commas are interpreted as lists."
            Test::StartsWith(start) if self.field == "content-type" => value
                .split(',')
                .all(|entry| entry.trim_ascii_start().starts_with(start.as_str())),
            Test::StartsWith(start) => value.starts_with(start.as_str()),
        }
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, value) = match &self.test {
            Test::Equals(value) => ("eq", value),
            Test::StartsWith(start) => ("starts-with", start),
        };
        write!(f, "[\"{operator}\", \"${}\", \"{value}\"]", self.field)
    }
}

/// "Each form field that you specify in a form (except x-amz-signature, file, policy, and field names that have an x-ignore-
/// prefix) must appear in the list of conditions."
fn is_exempt(field: &str) -> bool {
    matches!(field, "x-amz-signature" | "file" | "policy") || field.starts_with("x-ignore-")
}

const fn invalid(reason: &'static str) -> Refusal {
    Refusal::PolicyDocument(reason)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// S3 documents two escapes that JSON does not know, `\$` and `\v`.
fn plain_json(document: &str) -> String {
    let mut plain = String::with_capacity(document.len());
    let mut rest = document.chars();
    while let Some(next) = rest.next() {
        match (next, rest.clone().next()) {
            ('\\', Some('$')) => {}
            ('\\', Some('v')) => {
                rest.next();
                plain.push_str("\\u000b");
            }
            ('\\', Some(escaped)) => {
                rest.next();
                plain.extend(['\\', escaped]);
            }
            _ => plain.push(next),
        }
    }
    plain
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("expires_at", &self.expiration.as_str())
            .finish_non_exhaustive()
    }
}
