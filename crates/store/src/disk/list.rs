//! Listing a bucket in the order of its keys' bytes.

use std::time::SystemTime;

use super::{BucketName, Disk, DiskError, ETag, ObjectKey};

/// Which part of a bucket to list.
#[derive(Clone, Debug, Default)]
pub struct ListObjects {
    pub prefix: String,
    /// Keys that have it after the prefix are folded into one common prefix each.
    pub delimiter: Option<String>,
    /// Names up to and including this one are left out; a common prefix leaves out all that it stands for.
    pub start_after: Option<String>,
    /// Objects and common prefixes together.
    pub max: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    pub objects: Vec<ListedObject>,
    pub common_prefixes: Vec<String>,
    /// The last name of this page, if there are more: `start_after` of the next.
    pub next: Option<String>,
}

/// An object as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub modified: SystemTime,
}

impl Disk {
    pub async fn list_objects(
        &self,
        bucket: &BucketName,
        list: ListObjects,
    ) -> Result<ObjectPage, DiskError> {
        todo!()
    }
}
