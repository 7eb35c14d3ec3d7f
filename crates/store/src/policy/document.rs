//! A policy document as it is written, and its reading.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::condition::Condition;
use super::{Inverted, Pattern, PolicyError, Statement};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    pub(super) statement: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RawStatement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: Pairs<Pairs<OneOrMany<Scalar>>>,
}

/// A map in its order. A name given twice is refused: of two conditions one would be lost.
struct Pairs<V>(Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map without duplicates")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(String, V)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("`{name}` is given twice")));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Reader(PhantomData))
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
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
        let mut actions = one_of("Action", raw.action, raw.not_action)?;
        for action in &mut actions.patterns {
            action.make_ascii_lowercase();
        }
        let resources = one_of("Resource", raw.resource, raw.not_resource)?;
        for resource in &resources.patterns {
            refuse_variable(resource)?;
            let known = ["arn:aws:s3:::", "arn:aws:iam::"];
            if resource != "*" && !known.iter().any(|start| resource.starts_with(start)) {
                return Err(PolicyError::Resource(resource.clone()));
            }
        }
        let mut conditions = Vec::new();
        for (operator, keys) in raw.condition.0 {
            for (key, values) in keys.0 {
                let values: Vec<_> = values
                    .into_vec()
                    .into_iter()
                    .map(Scalar::into_text)
                    .collect();
                refuse_empty(&key, &values)?;
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
    name: &str,
    plain: Option<OneOrMany<String>>,
    inverted: Option<OneOrMany<String>>,
) -> Result<Pattern, PolicyError> {
    let (list, inverted) = match (plain, inverted) {
        (Some(list), None) => (list, Inverted::No),
        (None, Some(list)) => (list, Inverted::Yes),
        _ => return Err(PolicyError::Shape),
    };
    let patterns = list.into_vec();
    refuse_empty(name, &patterns)?;
    Ok(Pattern { inverted, patterns })
}

/// An empty list matches nothing, inverted everything: neither is what its writer meant.
fn refuse_empty(name: &str, list: &[String]) -> Result<(), PolicyError> {
    if list.is_empty() {
        Err(PolicyError::Empty(name.to_owned()))
    } else {
        Ok(())
    }
}

/// `${aws:username}` and the like would need to be filled in; taken as they are they would match nothing.
pub(super) fn refuse_variable(text: &str) -> Result<(), PolicyError> {
    if text.contains("${") {
        Err(PolicyError::Variable(text.to_owned()))
    } else {
        Ok(())
    }
}
