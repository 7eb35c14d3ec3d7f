//! Applying the buckets' lifecycle rules.

use super::{Disk, DiskError};

/// What one call of [`Disk::apply_lifecycle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub objects: usize,
    pub uploads: usize,
    /// Whether there is more to do at once: call again.
    pub more: bool,
}

impl Disk {
    /// Deletes what has expired by the store's clock and aborts uploads that were forgotten: a bounded number a call.
    pub async fn apply_lifecycle(&self) -> Result<Expired, DiskError> {
        todo!()
    }
}
