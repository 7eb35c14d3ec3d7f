//! Object keys: chosen by the service, never made of what a client says.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Owner, UploadId};

/// A key in a bucket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A key as the store or the records gave it.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without the secret of a staged key.
impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('-') {
            Some((known, _)) if known.starts_with("in/") => write!(f, "{known}-…"),
            _ => f.write_str(&self.0),
        }
    }
}

/// Where the client writes one upload: under its owner's prefix, at an address that nobody guesses who knows its id.
pub fn staged(owner: &Owner, id: UploadId, secret: &[u8; 16]) -> ObjectKey {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    ObjectKey(format!("in/{}/{id}-{secret}", owner.hash()))
}

/// How a profile names its files in the final bucket: `{profile}/{owner}/{id}.{ext}`.
///
/// Takes `{profile}`, `{owner}` (a hash), `{id}` (must be there), `{ext}`, `{year}`, `{month}`, `{day}` (of the begin,
/// UTC) and between them letters, digits and `/ - _ .`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate(String);

/// Why text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotATemplate {
    #[error("a key template must contain `{{id}}`")]
    NoId,
    #[error("`{{{0}}}` is no placeholder of a key template")]
    Unknown(String),
    #[error(
        "a key template is made of letters, digits, `/ - _ .` and placeholders, and is no path out"
    )]
    Characters,
}

/// What fills a template.
#[derive(Debug, Clone, Copy)]
pub struct KeyFacts<'a> {
    pub profile: &'a str,
    pub owner: &'a Owner,
    pub id: UploadId,
    pub extension: &'a str,
    pub created_at: Timestamp,
}

const PLACEHOLDERS: &[&str] = &["profile", "owner", "id", "ext", "year", "month", "day"];

impl KeyTemplate {
    /// The key for one file.
    pub fn key(&self, facts: KeyFacts<'_>) -> ObjectKey {
        let date = facts.created_at.to_zoned(TimeZone::UTC);
        let mut key = String::with_capacity(96);
        for piece in self.0.split('{') {
            let (name, rest) = piece.split_once('}').unwrap_or(("", piece));
            match name {
                "profile" => key.push_str(facts.profile),
                "owner" => key.push_str(&facts.owner.hash()),
                "id" => key.push_str(&facts.id.to_string()),
                "ext" => key.push_str(facts.extension),
                "year" => key.push_str(&date.strftime("%Y").to_string()),
                "month" => key.push_str(&date.strftime("%m").to_string()),
                "day" => key.push_str(&date.strftime("%d").to_string()),
                _ => {}
            }
            key.push_str(rest);
        }
        ObjectKey(key)
    }
}

impl FromStr for KeyTemplate {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Self, NotATemplate> {
        let mut literal = String::new();
        for (n, piece) in text.split('{').enumerate() {
            let rest = match (n, piece.split_once('}')) {
                (0, None) => piece,
                (0, Some(_)) | (_, None) => return Err(NotATemplate::Characters),
                (_, Some((name, rest))) if PLACEHOLDERS.contains(&name) => rest,
                (_, Some((name, _))) => return Err(NotATemplate::Unknown(name.to_owned())),
            };
            literal.push_str(rest);
            literal.push('*');
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.*".contains(&b);
        if !literal.bytes().all(plain)
            || text.contains('*')
            || text.starts_with('/')
            || text.contains("..")
            || text.contains("//")
        {
            return Err(NotATemplate::Characters);
        }
        if !text.contains("{id}") {
            return Err(NotATemplate::NoId);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_held_to_their_rules() {
        fn check(text: &str, sound: bool) {
            assert_eq!(text.parse::<KeyTemplate>().is_ok(), sound, "{text:?}");
        }
        check("{profile}/{owner}/{id}.{ext}", true);
        check("files/{year}/{month}/{day}/{id}", true);
        check("{profile}/{owner}", false);
        check("{id}/{name}", false);
        check("/{id}", false);
        check("../{id}", false);
        check("a//{id}", false);
        check("{id", false);
        check("id}", false);
        check("é{id}", false);
        check("*{id}", false);
    }

    #[test]
    fn a_key_is_filled_from_the_facts() {
        let template: KeyTemplate = "{profile}/{year}-{month}-{day}/{owner}/{id}.{ext}"
            .parse()
            .unwrap();
        let owner: Owner = "../../someone".parse().unwrap();
        let id: UploadId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let key = template.key(KeyFacts {
            profile: "image",
            owner: &owner,
            id,
            extension: "png",
            created_at: "2026-03-04T23:59:59Z".parse().unwrap(),
        });
        let expected = format!("image/2026-03-04/{}/{id}.png", owner.hash());
        assert_eq!(key.as_str(), expected);
        assert_eq!(owner.hash().len(), 32);
    }
}
