//! Checksums over the whole content, as the client may declare them.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// How the checksum is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    Sha256,
    Crc32c,
    Crc64nvme,
    Md5,
}

impl ChecksumAlgorithm {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Crc32c => "crc32c",
            Self::Crc64nvme => "crc64nvme",
            Self::Md5 => "md5",
        }
    }

    /// The header that carries it to S3.
    pub fn header(self) -> &'static str {
        match self {
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Md5 => "content-md5",
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Md5 => 16,
        }
    }
}

impl FromStr for ChecksumAlgorithm {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        [Self::Sha256, Self::Crc32c, Self::Crc64nvme, Self::Md5]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(NotAChecksum)
    }
}

/// A checksum over the whole content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    value: String,
}

/// Text that is no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is sha256, crc32c, crc64nvme or md5 with its value in base64")]
#[non_exhaustive]
pub struct NotAChecksum;

impl Checksum {
    /// A checksum from its base64 value; of the length its algorithm makes.
    pub fn new(algorithm: ChecksumAlgorithm, value: &str) -> Result<Self, NotAChecksum> {
        let bytes = STANDARD.decode(value).map_err(|_| NotAChecksum)?;
        (bytes.len() == algorithm.len())
            .then(|| Self {
                algorithm,
                value: value.to_owned(),
            })
            .ok_or(NotAChecksum)
    }

    /// How it was made.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Its value in base64.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Its value in lower-case hex, as in an `ETag`.
    pub fn hex(&self) -> String {
        hex(&STANDARD.decode(&self.value).unwrap_or_default())
    }
}

/// Two lower-case digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.collect()
}

/// `sha256:…`, as the records keep it.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.value)
    }
}

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        let (algorithm, value) = text.split_once(':').ok_or(NotAChecksum)?;
        Self::new(algorithm.parse()?, value)
    }
}
