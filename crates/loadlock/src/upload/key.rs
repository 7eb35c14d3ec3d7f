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

    /// As much of it as is no secret: of a key in staging, as far as the id before what nobody guesses.
    pub fn open(&self) -> &str {
        open(&self.0)
    }
}

/// As much of a key, or of its beginning, as is no secret.
pub(super) fn open(key: &str) -> &str {
    let secret = match key.split_once('/') {
        Some(("in", _)) => key.find('-'),
        // An identity's own prefix has no secret of ours, and is nobody else's business.
        Some(("cred", rest)) => match rest.split('/').next().and_then(|owner| owner.find(':')) {
            Some(region) => Some("cred/".len() + region),
            None => Some(key.find('-').unwrap_or("cred/".len())),
        },
        _ => None,
    };
    secret.map_or(key, |at| &key[..at])
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without the secret of a staged key.
impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open();
        f.write_str(open)?;
        f.write_str(if open.len() < self.0.len() {
            "-…"
        } else {
            ""
        })
    }
}

/// Where the client writes one upload: under its owner's prefix, at an address that nobody guesses who knows its id.
pub fn staged(owner: &Owner, id: UploadId, secret: &[u8; 16]) -> ObjectKey {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    ObjectKey(format!("in/{}/{id}-{secret}", owner.hash()))
}

/// How a profile names its files in the final bucket: `{profile}/{owner}/{id}.{ext}`.
///
/// Takes `{profile}`, `{owner}` (a hash), `{id}` (must be there), `{ext}`, `{name}` (a slug of the file's), `{sha256}` (of the
/// content), `{year}`, `{month}`, `{day}` (of the begin, UTC) and between them letters, digits and `/ - _ .`.
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
    #[error("a key template is {MAX_TEMPLATE_BYTES} bytes long at most")]
    Length,
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
    /// For display; of it a slug.
    pub filename: &'a str,
    /// In hex; empty where it is not known for sure.
    pub sha256: &'a str,
    pub created_at: Timestamp,
}

const PLACEHOLDERS: &[&str] = &[
    "profile", "owner", "id", "ext", "name", "sha256", "year", "month", "day",
];
/// S3's keys are 1,024 bytes long at most, and what is filled in needs room.
const MAX_TEMPLATE_BYTES: usize = 256;
const MAX_SLUG_BYTES: usize = 48;

/// What an authorizer puts before a final key: `tenants/42`. Segments of letters, digits and `- _ .`, none of dots alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

/// Text that is no prefix of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key's prefix is 1 to {MAX_PREFIX_BYTES} letters, digits, `- _ .`, and `/` between segments"
)]
#[non_exhaustive]
pub struct NotAPrefix;

const MAX_PREFIX_BYTES: usize = 200;

impl KeyPrefix {
    /// The prefix as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key below this prefix.
    pub fn before(&self, key: &ObjectKey) -> ObjectKey {
        ObjectKey(format!("{}/{key}", self.0))
    }
}

impl FromStr for KeyPrefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let sound =
            |segment: &str| segment.bytes().all(plain) && segment.bytes().any(|byte| byte != b'.');
        (text.len() <= MAX_PREFIX_BYTES && text.split('/').all(sound))
            .then(|| Self(text.to_owned()))
            .ok_or(NotAPrefix)
    }
}

/// A file's name in letters a key may have: `Grüße aus Rom.JPG` becomes `gr-e-aus-rom`.
fn slug(filename: &str) -> String {
    let stem = filename.rsplit_once('.').map_or(filename, |(stem, _)| stem);
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric());
    let mut slug = String::with_capacity(MAX_SLUG_BYTES);
    for word in words.filter(|word| !word.is_empty()) {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    slug.truncate(MAX_SLUG_BYTES);
    match slug.trim_end_matches('-') {
        "" => "file".to_owned(),
        slug => slug.to_owned(),
    }
}

impl KeyTemplate {
    /// Whether keys are made of the content's SHA-256.
    pub fn has_sha256(&self) -> bool {
        self.0.contains("{sha256}")
    }

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
                "name" => key.push_str(&slug(facts.filename)),
                "sha256" => key.push_str(facts.sha256),
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
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(NotATemplate::Length);
        }
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
    fn what_is_shown_of_a_key_lets_nobody_write_there() {
        fn check(key: &str, expected: &str) {
            let shown = format!("{:?}", ObjectKey::new(key.to_owned()));
            assert_eq!(shown, expected, "{key}");
        }
        check("in/0a1b/01ARZ3ND-s3-cr3t", "in/0a1b/01ARZ3ND-…");
        check("in/0a1b/01ARZ3ND", "in/0a1b/01ARZ3ND");
        check(
            "cred/0a1b/01ARZ3ND-s3-cr3t/my-a.png",
            "cred/0a1b/01ARZ3ND-…",
        );
        check("cred/eu-central-1:12-34/my-a.png", "cred/eu-central-1-…");
        check("cred/0a1b/what/is:this", "cred/-…");
        check("held/01ARZ3ND/1", "held/01ARZ3ND/1");
        check("image/0a1b/a-b.png", "image/0a1b/a-b.png");
    }

    #[test]
    fn templates_are_held_to_their_rules() {
        fn check(text: &str, sound: bool) {
            assert_eq!(text.parse::<KeyTemplate>().is_ok(), sound, "{text:?}");
        }
        check("{profile}/{owner}/{id}.{ext}", true);
        check("files/{year}/{month}/{day}/{id}", true);
        check("{profile}/{owner}", false);
        check("{id}/{name}", true);
        check("{sha256}/{id}", true);
        check("{id}/{user}", false);
        check(&format!("{{id}}{}", "a".repeat(300)), false);
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
        let template: KeyTemplate =
            "{profile}/{year}-{month}-{day}/{owner}/{sha256}/{name}-{id}.{ext}"
                .parse()
                .unwrap();
        let owner: Owner = "../../someone".parse().unwrap();
        let id: UploadId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let key = template.key(KeyFacts {
            profile: "image",
            owner: &owner,
            id,
            extension: "png",
            filename: "../Grüße aus Rom.JPG",
            sha256: "abc",
            created_at: "2026-03-04T23:59:59Z".parse().unwrap(),
        });
        let expected = format!(
            "image/2026-03-04/{}/abc/gr-e-aus-rom-{id}.png",
            owner.hash()
        );
        assert_eq!(key.as_str(), expected);
        assert_eq!(owner.hash().len(), 32);
    }

    #[test]
    fn any_name_becomes_a_slug() {
        fn check(name: &str, expected: &str) {
            assert_eq!(slug(name), expected, "{name:?}");
        }
        check("a.png", "a");
        check("写真.jpg", "file");
        check("", "file");
        check("My  Summer_2026 (1).tar.gz", "my-summer-2026-1-tar");
        check("../../etc/passwd", "file");
        check(&format!("{} b.png", "a".repeat(47)), &"a".repeat(47));
    }

    #[test]
    fn prefixes_lead_nowhere_else() {
        fn check(text: &str, expected: Option<&str>) {
            let found: Option<KeyPrefix> = text.parse().ok();
            assert_eq!(found.as_ref().map(KeyPrefix::as_str), expected, "{text:?}");
        }
        check("tenants/42/", Some("tenants/42"));
        check("a.b", Some("a.b"));
        for wrong in [
            "", "/", "/a", "a//b", "a//", "..", "a/../b", ".", "a/./b", "a b", "é", "{id}", "a\n",
        ] {
            check(wrong, None);
        }
        check(&"a".repeat(201), None);
    }
}
