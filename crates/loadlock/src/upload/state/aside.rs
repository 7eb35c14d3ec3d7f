//! What is laid aside: uploads that wait for a scanner, and rejected content that is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Refused, State};
use crate::upload::{ObjectKey, Rejection, Upload};

/// An upload that waits for a scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unscanned {
    /// Its bytes in the staging bucket, where they may lie so long.
    pub source: ObjectKey,
    pub etag: String,
    /// Since when, without the time in which it had no turn.
    pub since: Timestamp,
    /// Since when it waits for its turn, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_since: Option<Timestamp>,
    /// Then it is rejected.
    pub until: Timestamp,
    /// What is in the way.
    pub why: String,
}

/// Rejected content that is kept for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// In the staging bucket.
    pub key: ObjectKey,
    pub until: Timestamp,
    /// Counts as stored. None where it was kept before that was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

impl State {
    /// What is kept of an upload, if something is.
    pub fn kept(&self) -> Option<&Quarantined> {
        match self {
            Self::Rejected { quarantined, .. } => quarantined.as_ref(),
            _ => None,
        }
    }

    /// How much that counts as.
    pub fn kept_bytes(&self) -> Option<u64> {
        self.kept().and_then(|kept| kept.size_bytes)
    }
}

impl Upload {
    /// No scanner can look at it: it waits for one.
    pub fn wait(self, unscanned: Unscanned) -> Result<Self, Refused> {
        match self.state {
            State::Received { .. } => Ok(Self {
                state: State::Received {
                    unscanned: Some(unscanned),
                },
                attempt: self.attempt + 1,
                ..self
            }),
            _ => Err(self.state.refusal()),
        }
    }

    /// It is rejected, and its content kept for a while.
    pub fn quarantine(self, reason: Rejection, kept: Quarantined) -> Result<Self, Refused> {
        let mut rejected = self.reject(reason)?;
        if let State::Rejected { quarantined, .. } = &mut rejected.state {
            *quarantined = Some(kept);
        }
        Ok(rejected)
    }

    /// What is kept of it need be kept no longer.
    pub fn discard(self, now: Timestamp) -> Result<Self, Refused> {
        match self.state {
            State::Rejected {
                reason,
                copy,
                quarantined: Some(kept),
            } => Ok(Self {
                state: State::Rejected {
                    reason,
                    copy,
                    quarantined: Some(Quarantined {
                        until: kept.until.min(now),
                        ..kept
                    }),
                },
                attempt: self.attempt + 1,
                ..self
            }),
            _ => Err(self.state.refusal()),
        }
    }
}
