//! Who and which: the id of an upload, and the owner it belongs to.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::checksum::hex;
use crate::clock::from_millis;

/// The id of an upload, and of the file it becomes: a ULID, ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(Ulid);

/// Text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 26 letters and digits")]
#[non_exhaustive]
pub struct NotAnId;

impl UploadId {
    /// From its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }

    /// The time it was made, to the millisecond.
    pub fn time(self) -> Timestamp {
        from_millis(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }

    /// Its 16 bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.array_to_str(&mut [0; ulid::ULID_LEN]))
    }
}

impl FromStr for UploadId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Ulid::from_string(text).map(Self).map_err(|_| NotAnId)
    }
}

/// The subject an upload belongs to. Only its hash appears in keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(String);

/// Text that is no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner is 1 to 255 bytes without control characters")]
#[non_exhaustive]
pub struct NotAnOwner;

/// To whom belongs what nobody in particular sends. No user is called so.
const ANONYMOUS: &str = "anonymous";

impl Owner {
    /// The owner of what nobody in particular sends.
    pub fn anonymous() -> Self {
        Self(ANONYMOUS.to_owned())
    }

    /// Whether this is nobody in particular.
    pub fn is_anonymous(&self) -> bool {
        self.0 == ANONYMOUS
    }

    /// The owner's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 32 hex digits that stand for the owner in keys and policies.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        hex(digest.get(..16).unwrap_or_default())
    }
}

impl FromStr for Owner {
    type Err = NotAnOwner;

    fn from_str(text: &str) -> Result<Self, NotAnOwner> {
        let sound = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
        sound.then(|| Self(text.to_owned())).ok_or(NotAnOwner)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
