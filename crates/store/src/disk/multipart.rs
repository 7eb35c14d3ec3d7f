//! Multipart uploads: parts are taken in any order and become one object at once.

use std::time::SystemTime;

use super::{
    BucketName, Checksum, ChecksumAlgorithm, ChecksumType, Condition, CopySource, Disk, DiskError,
    ETag, Metadata, ObjectInfo, ObjectKey, PartNumber, UploadId, Written,
};

/// An upload to be begun.
#[derive(Clone, Debug)]
pub struct CreateUpload {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub checksum: Option<UploadChecksum>,
}

/// The checksum an upload is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadChecksum {
    pub algorithm: ChecksumAlgorithm,
    pub kind: ChecksumType,
}

/// An upload as a request names it: all three must agree, else [`DiskError::NoSuchUpload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRef {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub id: UploadId,
}

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    pub key: ObjectKey,
    pub id: UploadId,
    pub created: SystemTime,
    pub checksum: Option<UploadChecksum>,
}

/// A part that has been received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    pub number: PartNumber,
    pub etag: ETag,
    pub size_bytes: u64,
    pub modified: SystemTime,
    pub checksums: Vec<Checksum>,
}

/// One page of an upload's parts, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPage {
    pub upload: UploadInfo,
    pub parts: Vec<PartInfo>,
    /// The last number of this page, if there are more.
    pub next: Option<PartNumber>,
}

/// Which of a bucket's unfinished uploads to list.
#[derive(Clone, Debug, Default)]
pub struct ListUploads {
    pub prefix: String,
    /// Uploads up to and including this one are left out; without an id, all of that key.
    pub after: Option<(String, Option<UploadId>)>,
    pub max: usize,
}

/// One page of a bucket's unfinished uploads, by key and then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPage {
    pub uploads: Vec<UploadInfo>,
    /// Whether there are more after the last.
    pub truncated: bool,
}

/// A part as the client names it to complete.
#[derive(Clone, Debug)]
pub struct CompletePart {
    pub number: PartNumber,
    pub etag: ETag,
    /// Compared with the part's own, where it has one of that algorithm.
    pub checksum: Option<Checksum>,
}

/// The order to make an object of an upload's parts.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    pub upload: UploadRef,
    pub parts: Vec<CompletePart>,
    pub condition: Option<Condition>,
    /// What the whole must measure (`x-amz-mp-object-size`).
    pub size_bytes: Option<u64>,
    /// What the whole's checksum must be.
    pub checksum: Option<Checksum>,
}

impl Disk {
    pub async fn create_upload(&self, create: CreateUpload) -> Result<UploadId, DiskError> {
        todo!()
    }

    /// The upload itself: which checksum its parts must have, for one.
    pub async fn upload(&self, upload: &UploadRef) -> Result<UploadInfo, DiskError> {
        todo!()
    }

    /// Keeps a part, replacing one of the same number.
    pub async fn put_part(
        &self,
        upload: &UploadRef,
        number: PartNumber,
        written: Written,
    ) -> Result<PartInfo, DiskError> {
        todo!()
    }

    /// Makes a part of (a range of) an object, copying no byte.
    pub async fn copy_part(
        &self,
        upload: &UploadRef,
        number: PartNumber,
        source: CopySource,
    ) -> Result<PartInfo, DiskError> {
        todo!()
    }

    pub async fn list_parts(
        &self,
        upload: &UploadRef,
        after: Option<PartNumber>,
        max: usize,
    ) -> Result<PartPage, DiskError> {
        todo!()
    }

    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        list: ListUploads,
    ) -> Result<UploadPage, DiskError> {
        todo!()
    }

    /// Makes the object, in one transaction and in time that grows with the parts, not the bytes. Asked again within a
    /// day it gives the same answer.
    pub async fn complete_upload(&self, complete: CompleteUpload) -> Result<ObjectInfo, DiskError> {
        todo!()
    }

    /// Forgets the upload and its parts.
    pub async fn abort_upload(&self, upload: &UploadRef) -> Result<(), DiskError> {
        todo!()
    }
}
