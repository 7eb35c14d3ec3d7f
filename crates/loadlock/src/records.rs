//! One method per business transaction.

use std::path::Path;

use crate::{
    error::Error,
    upload::{Upload, UploadId},
};

/// The records: uploads, files, claims, events.
#[derive(Debug, Clone)]
pub struct Records {}

impl Records {
    /// Opens the records and brings their schema up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {})
    }

    /// An upload, if there is one of this id.
    pub async fn upload(&self, id: UploadId) -> Result<Option<Upload>, Error> {
        Ok(None)
    }
}
