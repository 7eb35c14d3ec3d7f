//! The states of an upload, each with that stage's facts. What leads from one to another is in `steps`, `aside` and `clear`.
//!
//! ```text
//! issued ─ receive ─▶ received ─ pass ─▶ ready ─ (claim) ─ store ─▶ stored
//!    └───────┴──── reject · expire · abort ─┴─▶ rejected | expired | aborted
//! ```

mod aside;
mod clear;
mod steps;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::aside::{Quarantined, Unscanned};
use super::{Inspected, ObjectKey, Rejection};

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Granted; nothing known to have arrived.
    Issued,
    /// The bytes are in staging.
    Received {
        /// What keeps scanners from looking at them, if something does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unscanned: Option<Unscanned>,
    },
    /// Inspected. With `claim_by` it waits to be claimed until then; without it is being promoted.
    Ready {
        inspected: Inspected,
        claim_by: Option<Timestamp>,
        /// Until when it may wait in all: a claim that gives it back does not prolong that.
        deadline: Timestamp,
    },
    /// Promoted: the file's record exists, until it is deleted.
    Stored {
        key: ObjectKey,
        deleted_at: Option<Timestamp>,
    },
    /// Inspected and refused.
    ///
    /// Where `copy` says so, a promotion that came to nothing may have left a copy in the final bucket.
    Rejected {
        reason: Rejection,
        copy: Option<ObjectKey>,
        /// Where the content is kept, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quarantined: Option<Quarantined>,
    },
    /// Not finished, or not claimed, in time.
    Expired { copy: Option<ObjectKey> },
    /// Given up by its owner.
    Aborted { copy: Option<ObjectKey> },
}

/// A step that the upload's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    #[error("the upload is already stored")]
    Stored,
    #[error("the upload is already claimed")]
    Claimed,
    #[error("the upload has ended")]
    Ended,
    #[error("the upload is not so far yet")]
    Early,
}

impl State {
    /// The state's name in API, records and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Received { .. } => "received",
            Self::Ready { .. } => "ready",
            Self::Stored { .. } => "stored",
            Self::Rejected { .. } => "rejected",
            Self::Expired { .. } => "expired",
            Self::Aborted { .. } => "aborted",
        }
    }

    /// What its coming about is called in the events.
    pub fn event(&self) -> &'static str {
        match self {
            Self::Stored {
                deleted_at: Some(_),
                ..
            } => "deleted",
            state => state.name(),
        }
    }

    /// Whether the upload has reached an end other than stored.
    pub fn is_ended(&self) -> bool {
        matches!(
            self,
            Self::Rejected { .. } | Self::Expired { .. } | Self::Aborted { .. }
        )
    }

    /// Whether nothing more happens without a claim: ready and waiting, stored, or ended.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Issued | Self::Received { .. } => false,
            Self::Ready { claim_by, .. } => claim_by.is_some(),
            Self::Stored { .. }
            | Self::Rejected { .. }
            | Self::Expired { .. }
            | Self::Aborted { .. } => true,
        }
    }

    /// What an upload waits with for a scanner, if it does.
    pub fn unscanned(&self) -> Option<&Unscanned> {
        match self {
            Self::Received { unscanned } => unscanned.as_ref(),
            _ => None,
        }
    }

    fn refusal(&self) -> Refused {
        match self {
            Self::Stored { .. } => Refused::Stored,
            Self::Issued | Self::Received { .. } | Self::Ready { .. } => Refused::Early,
            Self::Rejected { .. } | Self::Expired { .. } | Self::Aborted { .. } => Refused::Ended,
        }
    }

    /// Where a copy may lie in the final bucket that is no file's, or not yet.
    pub fn copy(&self) -> Option<&ObjectKey> {
        match self {
            Self::Ready { inspected, .. } => Some(&inspected.key),
            Self::Rejected { copy, .. } | Self::Expired { copy } | Self::Aborted { copy } => {
                copy.as_ref()
            }
            Self::Issued | Self::Received { .. } | Self::Stored { .. } => None,
        }
    }
}
