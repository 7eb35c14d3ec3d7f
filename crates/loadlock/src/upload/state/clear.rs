//! What an upload leaves behind: it counts until that is cleared away, and until nothing more can come of its grant.

use super::State;
use crate::upload::{Method, Upload};

impl Upload {
    /// Whether its grant may bring more than was found: a form for a file that was not chosen beforehand can be sent again.
    pub(super) fn may_grow(&self) -> bool {
        self.method == Method::Post && self.size_bytes.is_none()
    }

    /// What it takes up once so much was found.
    pub(super) fn most_bytes(&self, found: u64) -> u64 {
        if self.may_grow() {
            self.reserved_bytes
        } else {
            found
        }
    }

    /// Nothing of it lies in staging any more, and nothing can come. Where it is stored it counts as large as its file.
    #[must_use]
    pub fn clear(self, file_bytes: Option<u64>) -> Self {
        Self {
            lingers: false,
            reserved_bytes: file_bytes.unwrap_or(self.reserved_bytes),
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
