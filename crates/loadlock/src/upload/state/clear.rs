//! What an upload leaves behind: it counts until that is cleared away, and until nothing more can come of its grant.

use std::time::Duration;

use jiff::Timestamp;

use super::State;
use crate::{
    clock::after,
    upload::{Method, Upload},
};

/// The store's clock may be behind ours, and a grant holds through its last second.
const MARGIN: Duration = Duration::from_mins(1);

impl Upload {
    /// Whether its grant may bring more than was found: a form for a file that was not chosen beforehand can be sent again.
    pub(super) fn may_grow(&self) -> bool {
        self.method == Method::Post && self.size_bytes.is_none()
    }

    /// When nobody can begin to send anything under its grant any more.
    pub fn grant_dead_at(&self) -> Timestamp {
        after(self.grant_expires_at, MARGIN)
    }

    /// Nothing of it lies in staging any more, and nothing can come. What was found counts as large as it is.
    #[must_use]
    pub fn clear(self, found_bytes: Option<u64>) -> Self {
        Self {
            lingers: false,
            reserved_bytes: found_bytes.unwrap_or(self.reserved_bytes),
            attempt: self.attempt + 1,
            ..self
        }
    }

    /// What was kept of it is deleted.
    #[must_use]
    pub fn forget_kept(self) -> Self {
        let state = match self.state {
            State::Rejected { reason, copy, .. } => State::Rejected {
                reason,
                copy,
                quarantined: None,
            },
            state => state,
        };
        Self {
            state,
            attempt: self.attempt + 1,
            ..self
        }
    }
}
