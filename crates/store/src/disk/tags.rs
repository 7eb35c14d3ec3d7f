//! Tags: names and values beside an object, which can be changed without it.

use std::collections::{BTreeMap, btree_map::Entry};

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{BucketName, Disk, DiskError, ObjectKey, bucket::bucket_id, columns::json};

/// An object's tags, by S3's rules (user guide, "Categorizing your objects using tags").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// Why these are no tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    #[error("Object tags cannot be greater than 10")]
    TooMany,
    #[error("The TagKey you have provided is invalid")]
    Name,
    #[error("The TagValue you have provided is invalid")]
    Value,
    #[error("System tags cannot be added/updated by requester")]
    System,
    #[error("Cannot provide multiple Tags with the same key")]
    Twice,
}

impl Tags {
    /// How many an object may have.
    const MOST: usize = 10;
    const LONGEST_NAME: usize = 128;
    const LONGEST_VALUE: usize = 256;

    /// Takes at most ten pairs: names of 1 to 128 characters, each once, and values of up to 256; letters, digits, spaces
    /// and `_.:/=+-@`.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, TagError> {
        let mut tags = BTreeMap::new();
        for (name, value) in pairs {
            if tags.len() == Self::MOST {
                return Err(TagError::TooMany);
            }
            if name.is_empty() || !fits(&name, Self::LONGEST_NAME) {
                return Err(TagError::Name);
            }
            if name
                .get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
            {
                return Err(TagError::System);
            }
            if !fits(&value, Self::LONGEST_VALUE) {
                return Err(TagError::Value);
            }
            match tags.entry(name) {
                Entry::Occupied(_) => return Err(TagError::Twice),
                Entry::Vacant(entry) => entry.insert(value),
            };
        }
        Ok(Self(tags))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn fits(text: &str, longest: usize) -> bool {
    let allowed = |character: char| {
        character.is_alphanumeric()
            || "_.:/=+-@".contains(character)
            || (character.is_whitespace() && !character.is_control())
    };
    text.chars().count() <= longest && text.chars().all(allowed)
}

impl Disk {
    /// Replaces the tags of the object under `key`; nothing else of it changes.
    pub async fn put_tags(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        tags: Tags,
    ) -> Result<(), DiskError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.change(move |conn| {
            let bucket = bucket_id(conn, &bucket)?;
            let changed = conn
                .prepare_cached("UPDATE object SET tags = ? WHERE bucket = ? AND key = ?")?
                .execute(params![json(&tags)?, bucket, key])?;
            if changed == 0 {
                return Err(DiskError::NoSuchKey);
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{TagError, Tags};

    fn check(pairs: &[(&str, &str)], expected: Result<usize, TagError>) {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        assert_eq!(Tags::new(pairs).map(|tags| tags.len()), expected);
    }

    #[test]
    fn tags_keep_to_s3s_limits() {
        let names: Vec<String> = (0..11).map(|number| format!("n{number}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        check(&all[..10], Ok(10));
        check(&all, Err(TagError::TooMany));
        let (name, value) = ("é".repeat(128), "ö".repeat(256));
        check(&[(&name, &value)], Ok(1));
        check(&[(&format!("{name}x"), "")], Err(TagError::Name));
        check(&[("a", &format!("{value}x"))], Err(TagError::Value));
        check(&[("a", ""), ("A", "")], Ok(2));
        check(&[("a", "1"), ("a", "2")], Err(TagError::Twice));
    }

    #[test]
    fn tags_are_of_letters_digits_spaces_and_a_few_signs() {
        check(&[("a b_.:/=+-@", "日本 1")], Ok(1));
        check(&[("", "v")], Err(TagError::Name));
        for reserved in ["aws:a", "AWS:a"] {
            check(&[(reserved, "v")], Err(TagError::System));
        }
        for bad in ["a&b", "a\nb", "a\0", "<a>", "a%20", "a\u{85}"] {
            check(&[(bad, "v")], Err(TagError::Name));
            check(&[("a", bad)], Err(TagError::Value));
        }
    }
}
