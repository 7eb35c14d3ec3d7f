//! The durable backend: metadata in SQLite, data in files named by id. It knows nothing of HTTP, signatures or uploads.

mod bucket;
mod digest;
mod error;
mod expire;
mod list;
mod multipart;
mod names;
mod object;
mod reader;
mod writer;

use std::path::Path;

pub use self::{
    bucket::{BucketInfo, ConfigKind},
    digest::{Checksum, ChecksumAlgorithm, ChecksumType},
    error::{DiskError, OpenError},
    expire::Expired,
    list::{ListObjects, ListedObject, ObjectPage},
    multipart::{
        CompletePart, CompleteUpload, CreateUpload, ListUploads, PartInfo, PartPage,
        UploadChecksum, UploadInfo, UploadPage, UploadRef,
    },
    names::{BucketName, ETag, ObjectKey, PartNumber, UploadId},
    object::{Condition, CopySource, CopyTarget, Metadata, ObjectInfo, PutObject},
    reader::{Object, ObjectStream},
    writer::{Writer, Written},
};
use crate::clock::Clock;

/// An open store. Clones share it.
#[derive(Clone, Debug)]
pub struct Disk {}

impl Disk {
    /// Opens the store in `dir`, making it if there is none, and sweeps what an interrupted run left. Blocks.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        todo!()
    }
}
