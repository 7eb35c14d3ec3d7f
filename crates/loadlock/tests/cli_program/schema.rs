//! As much of JSON Schema as the `OpenAPI` document uses, to hold answers against it.

use serde_json::Value;

/// What is wrong with `value` by `schema`; nothing, if nothing is. A field that no schema knows is wrong too.
pub(crate) fn complaints(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).unwrap();
        return complaints(document, target, value);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all
            .iter()
            .flat_map(|schema| complaints(document, schema, value))
            .collect();
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let each: Vec<_> = choices
            .iter()
            .map(|choice| complaints(document, choice, value))
            .collect();
        let fitting = each
            .iter()
            .filter(|complaints| complaints.is_empty())
            .count();
        return if fitting == 1 {
            Vec::new()
        } else {
            vec![format!("{value} fits {fitting} of {each:?}")]
        };
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return if allowed.contains(value) {
            Vec::new()
        } else {
            vec![format!("{value} is none of {allowed:?}")]
        };
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Vec::new(),
    };
    match value {
        Value::Object(_) if types.contains(&"object") => object(document, schema, value),
        Value::Array(items) if types.contains(&"array") => items
            .iter()
            .flat_map(|item| complaints(document, &schema["items"], item))
            .collect(),
        Value::String(text) if types.contains(&"string") => format(schema, text),
        Value::Number(number) if types.contains(&"integer") && number.is_u64() => Vec::new(),
        Value::Bool(_) if types.contains(&"boolean") => Vec::new(),
        Value::Null if types.contains(&"null") => Vec::new(),
        _ => vec![format!("{value} is no {types:?}")],
    }
}

fn object(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let fields = value.as_object().unwrap();
    let required = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut found: Vec<String> = required
        .filter(|name| !fields.contains_key(*name))
        .map(|name| format!("`{name}` is missing"))
        .collect();
    for (name, value) in fields {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) if schema["properties"].is_null() => {}
            (Value::Null, Value::Null) => found.push(format!("`{name}` is unknown")),
            (Value::Null, others) => found.extend(complaints(document, others, value)),
            (known, _) => found.extend(complaints(document, known, value)),
        }
    }
    found
}

fn format(schema: &Value, text: &str) -> Vec<String> {
    let fits = match schema["format"].as_str() {
        Some("date-time") => text.len() == 24 && text.parse::<jiff::Timestamp>().is_ok(),
        Some("uri") => text.starts_with("http://"),
        _ => true,
    };
    if fits {
        Vec::new()
    } else {
        vec![format!("{text} is no {}", schema["format"])]
    }
}

#[test]
fn what_does_not_fit_is_complained_of() {
    let document = serde_json::json!({"a": {"type": "object", "required": ["n"], "properties": {
        "n": {"type": "integer"}, "s": {"type": ["string", "null"]}, "e": {"enum": ["x"]},
    }}});
    let check = |value: Value, expected: usize| {
        let found = complaints(&document, &serde_json::json!({"$ref": "#/a"}), &value);
        assert_eq!(found.len(), expected, "{value}: {found:?}");
    };
    check(serde_json::json!({"n": 1, "s": null, "e": "x"}), 0);
    check(serde_json::json!({"n": -1, "s": 1, "e": "y", "f": 0}), 4);
    check(serde_json::json!({}), 1);
}
