//! Buckets and what is configured for them.

use std::time::SystemTime;

use super::{BucketName, Disk, DiskError};
use crate::lifecycle::Lifecycle;

/// A bucket as ListBuckets tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    pub name: BucketName,
    pub created: SystemTime,
}

/// The kinds of configuration a bucket can carry, each one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigKind {
    Cors,
    /// JSON of [`Lifecycle`]; written by [`Disk::put_lifecycle`].
    Lifecycle,
}

impl Disk {
    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<BucketInfo, DiskError> {
        todo!()
    }

    /// Deletes an empty bucket with its configuration. Unfinished uploads count as content.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), DiskError> {
        todo!()
    }

    pub async fn head_bucket(&self, bucket: &BucketName) -> Result<BucketInfo, DiskError> {
        todo!()
    }

    /// All buckets, by name.
    pub async fn list_buckets(&self) -> Result<Vec<BucketInfo>, DiskError> {
        todo!()
    }

    /// The document of one kind, as it was put.
    pub async fn bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        todo!()
    }

    pub async fn put_bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
        document: Vec<u8>,
    ) -> Result<(), DiskError> {
        todo!()
    }

    /// Deletes the document of one kind; there being none is no error.
    pub async fn delete_bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
    ) -> Result<(), DiskError> {
        todo!()
    }

    pub async fn lifecycle(&self, bucket: &BucketName) -> Result<Option<Lifecycle>, DiskError> {
        todo!()
    }

    pub async fn put_lifecycle(
        &self,
        bucket: &BucketName,
        rules: &Lifecycle,
    ) -> Result<(), DiskError> {
        todo!()
    }
}
