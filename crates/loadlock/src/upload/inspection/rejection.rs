//! Why an upload is refused after its bytes have arrived.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::upload::profile::in_words;

/// Why an upload was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    SizeMismatch {
        declared: u64,
        found: u64,
    },
    SizeNotAllowed {
        found: u64,
    },
    TypeMismatch {
        declared: String,
        found: String,
    },
    TypeNotAllowed {
        found: String,
    },
    /// Width and height in pixels, as far as they can be read.
    DimensionsNotAllowed {
        found: Option<(u32, u32)>,
    },
    /// Content that is of one type, and can be taken for another as well.
    Pretends {
        found: String,
        also: String,
    },
    ChecksumMismatch,
    UnexpectedHeaders {
        names: Vec<String>,
    },
    PartsMismatch,
    ChecksumUnconfirmed,
    Malware {
        signature: String,
    },
    /// A hook's own sentence.
    HookRefused {
        says: String,
    },
    /// Nobody could look at it in time; what is in the way.
    NotScanned {
        why: String,
    },
    Revoked,
    OverQuota,
    Lost,
}

impl Rejection {
    /// The word a program tells reasons apart by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::SizeNotAllowed { .. } => "size_not_allowed",
            Self::TypeMismatch { .. } => "type_mismatch",
            Self::TypeNotAllowed { .. } => "type_not_allowed",
            Self::DimensionsNotAllowed { .. } => "dimensions_not_allowed",
            Self::Pretends { .. } => "pretends",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::UnexpectedHeaders { .. } => "unexpected_headers",
            Self::PartsMismatch => "parts_mismatch",
            Self::ChecksumUnconfirmed => "checksum_unconfirmed",
            Self::Malware { .. } => "malware",
            Self::HookRefused { .. } => "hook_refused",
            Self::NotScanned { .. } => "not_scanned",
            Self::Revoked => "revoked",
            Self::OverQuota => "over_quota",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SizeMismatch { declared, found } => write!(
                f,
                "the file was announced with {declared} bytes and has {found}"
            ),
            Self::SizeNotAllowed { found } => {
                let found = in_words(*found);
                write!(f, "the file is {found}, which this profile does not take")
            }
            Self::TypeMismatch { declared, found } => {
                write!(f, "the file was announced as {declared} and is {found}")
            }
            Self::TypeNotAllowed { found } => {
                write!(f, "the file is {found}, which this profile does not take")
            }
            Self::DimensionsNotAllowed { found: None } => {
                f.write_str("the image does not say how large it is")
            }
            Self::DimensionsNotAllowed {
                found: Some((width, height)),
            } => write!(
                f,
                "the image has {width} by {height} pixels, which this profile does not take"
            ),
            Self::Pretends { found, also } => {
                write!(f, "the file is {found} and can be taken for {also} as well")
            }
            Self::ChecksumMismatch => {
                f.write_str("the file's content does not match its announced checksum")
            }
            Self::UnexpectedHeaders { names } => write!(
                f,
                "the file was sent with headers it may not have: {}",
                names.join(", ")
            ),
            Self::PartsMismatch => f.write_str("the file's parts are not those that were agreed"),
            Self::ChecksumUnconfirmed => f.write_str(
                "the store does not say whether the file's content has its announced checksum",
            ),
            Self::Malware { signature } => write!(f, "the file contains malware: {signature}"),
            Self::HookRefused { says } => f.write_str(says),
            Self::NotScanned { why } => write!(f, "the file could not be scanned: {why}"),
            Self::Revoked => f.write_str("the permission to upload it was taken back"),
            Self::OverQuota => f.write_str("the file does not fit into the quota"),
            Self::Lost => f.write_str("the store no longer has the file: send it again"),
        }
    }
}
