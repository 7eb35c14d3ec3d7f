//! Values as they stand in a file or a variable, and as they are shown.

use std::fmt::Write as _;

use toml::de::DeValue;

use super::forms::{Form, Secrecy, Type};

/// A value as it was found: the environment's text, or an item of the file.
pub(super) enum Found<'r> {
    Text(&'r str),
    Item(&'r DeValue<'r>),
}

/// As TOML writes a string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn shown<T>(form: &Form<T>, found: &Found<'_>) -> String {
    if form.secrecy == Secrecy::Hidden {
        return quoted("…");
    }
    match found {
        Found::Text(text) if form.takes.contains(&Type::Text) => quoted(text),
        Found::Text(text) => (*text).to_owned(),
        Found::Item(value) => match value {
            DeValue::String(text) => quoted(text),
            other => written(other, &[Type::Number, Type::Flag, Type::Time]).unwrap_or_default(),
        },
    }
}

/// A value as text, if it is of one of these types; else what it is.
pub(super) fn written(value: &DeValue<'_>, takes: &[Type]) -> Result<String, &'static str> {
    let (found, text) = match value {
        DeValue::String(text) => (Type::Text, text.to_string()),
        DeValue::Integer(number) => (Type::Number, decimal(number.as_str(), number.radix())),
        DeValue::Boolean(flag) => (Type::Flag, flag.to_string()),
        DeValue::Datetime(time) => (Type::Time, time.to_string()),
        _ => return Err(kind(value)),
    };
    if takes.contains(&found) {
        Ok(text)
    } else {
        Err(kind(value))
    }
}

fn decimal(digits: &str, radix: u32) -> String {
    let number = i128::from_str_radix(digits, radix);
    number.map_or_else(|_| digits.to_owned(), |number| number.to_string())
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text in quotes",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
