//! What a token says of its bearer, beside who they are.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A token's claims, as its issuer signed them. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims(Arc<Map<String, Value>>);

impl Claims {
    /// The claims of a token.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }

    /// All that this claim says: a text, each text of a list, each word of `scope` (RFC 8693, section 4.2). A path leads into
    /// objects: `realm_access.roles`; a claim whose own name has dots in it is found by that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let whole = self.0.get(name);
        let found = whole.or_else(|| {
            let (first, rest) = name.split_once('.')?;
            let mut value = self.0.get(first)?;
            for step in rest.split('.') {
                value = value.get(step)?;
            }
            Some(value)
        });
        let (one, several) = match found {
            Some(Value::String(text)) => (Some(text.as_str()), None),
            Some(Value::Array(list)) => (None, Some(list)),
            _ => (None, None),
        };
        let words = one.into_iter().flat_map(move |text| {
            let parts = if name == "scope" { usize::MAX } else { 1 };
            text.splitn(parts, ' ')
        });
        words.chain(several.into_iter().flatten().filter_map(Value::as_str))
    }

    /// Them all.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_whatever_its_form() {
        let Value::Object(map) = json!({
            "role": "editor of the day", "groups": ["a", "b", 3], "scope": "read write",
            "realm_access": {"roles": ["admin"]}, "cognito:groups": ["x"], "https://a.example/roles": ["y"], "age": 7,
        }) else {
            unreachable!()
        };
        let claims = Claims::new(map);
        let check = |name: &str, expected: &[&str]| {
            assert_eq!(claims.all(name).collect::<Vec<_>>(), expected, "{name}");
        };
        check("role", &["editor of the day"]);
        check("groups", &["a", "b"]);
        check("scope", &["read", "write"]);
        check("realm_access.roles", &["admin"]);
        check("cognito:groups", &["x"]);
        check("https://a.example/roles", &["y"]);
        check("age", &[]);
        check("none.at.all", &[]);
    }
}
