//! Names that have been looked at once and can be trusted since: buckets, keys, ETags, uploads, parts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DiskError;

/// A bucket's name by S3's rules for general purpose buckets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

impl BucketName {
    /// Takes 3 to 63 lower-case letters, digits, dots and hyphens, not in the form of an IP address.
    pub fn parse(name: impl Into<String>) -> Result<Self, DiskError> {
        let name = name.into();
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = name.as_bytes();
        let shaped = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|&byte| letter(byte) || byte == b'-' || byte == b'.')
            && name.split('.').all(|label| {
                label.bytes().next().is_some_and(letter) && label.bytes().last().is_some_and(letter)
            });
        let address = name.parse::<std::net::Ipv4Addr>().is_ok();
        if shaped && !address {
            Ok(Self(name))
        } else {
            Err(DiskError::InvalidBucketName)
        }
    }
}

/// An object's key: 1 to 1,024 bytes of UTF-8, compared byte by byte, never a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    pub const MAX_BYTES: usize = 1024;

    pub fn parse(key: impl Into<String>) -> Result<Self, DiskError> {
        let key = key.into();
        match key.len() {
            0 => Err(DiskError::KeyEmpty),
            1..=Self::MAX_BYTES => Ok(Self(key)),
            _ => Err(DiskError::KeyTooLong),
        }
    }
}

/// An ETag without its quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// Takes an ETag as a client sends it, with or without quotes.
    pub fn new(value: &str) -> Self {
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        Self(bare.unwrap_or(value).to_owned())
    }

    /// The ETag as it stands in a header or in XML.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// A multipart upload's id: chosen by the store, not to be guessed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(String);

impl UploadId {
    /// Takes whatever a client says its upload's id is; one that does not exist is found out in the store.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
}

macro_rules! readable {
    ($($name:ident),*) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }
    )*};
}
readable!(BucketName, ObjectKey, ETag, UploadId);

/// Names that were looked at when they were stored.
impl BucketName {
    pub(super) fn stored(name: String) -> Self {
        Self(name)
    }
}

impl ObjectKey {
    pub(super) fn stored(key: String) -> Self {
        Self(key)
    }
}

/// A part's number, from 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

impl PartNumber {
    pub const MAX: u16 = 10_000;

    pub fn new(number: u32) -> Result<Self, DiskError> {
        match u16::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(DiskError::InvalidPartNumber),
        }
    }

    pub fn get(self) -> u16 {
        self.0
    }

    pub(super) fn stored(number: u16) -> Self {
        Self(number)
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
