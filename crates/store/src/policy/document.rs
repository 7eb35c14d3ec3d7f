//! A policy document as it is written, and its reading.

use std::collections::BTreeMap;

use serde::Deserialize;

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
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Scalar>>>,
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

/// `${aws:username}` and the like would need to be filled in; taken as they are they would match nothing.
pub(super) fn refuse_variable(text: &str) -> Result<(), PolicyError> {
    if text.contains("${") {
        Err(PolicyError::Variable(text.to_owned()))
    } else {
        Ok(())
    }
}
