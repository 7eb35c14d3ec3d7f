//! Objects: what is known of them, and how they come and go.

use std::{collections::BTreeMap, ops::Range, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{BucketName, Checksum, Disk, DiskError, ETag, ObjectKey, Written};

/// What a client said about an object's content: kept, and given back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    /// The `Expires` header, as it was sent.
    pub expires: Option<String>,
    /// `x-amz-meta-*`, without that prefix, in lower case.
    pub user: BTreeMap<String, String>,
}

/// An object as HEAD tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    pub etag: ETag,
    pub size_bytes: u64,
    /// To the millisecond; HTTP shows whole seconds.
    pub modified: SystemTime,
    pub metadata: Metadata,
    pub checksums: Vec<Checksum>,
    /// How many parts it was completed from; `None` if it was put in one piece.
    pub parts: Option<u16>,
}

/// What must be true of the key that is written to, at the moment of writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-None-Match: *`: there is no object, else [`DiskError::PreconditionFailed`].
    Absent,
    /// `If-Match`: the object there has this ETag, else `PreconditionFailed`; none at all is `NoSuchKey`.
    Matches(ETag),
}

/// Where an object is to be put.
#[derive(Clone, Debug)]
pub struct PutObject {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub condition: Option<Condition>,
}

/// The object that is copied from.
#[derive(Clone, Debug)]
pub struct CopySource {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// The object must still have this ETag when the copy is made, else [`DiskError::PreconditionFailed`].
    pub etag: Option<ETag>,
    /// Half open; `None` for the whole object. Only parts take a range.
    pub range: Option<Range<u64>>,
}

/// Where a copy goes.
#[derive(Clone, Debug)]
pub struct CopyTarget {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// `None` keeps the source's metadata, `Some` replaces all of it.
    pub metadata: Option<Metadata>,
    pub condition: Option<Condition>,
}

impl Disk {
    /// Makes `written` visible under a key, replacing what is there. Durable when it returns.
    pub async fn put_object(
        &self,
        written: Written,
        put: PutObject,
    ) -> Result<ObjectInfo, DiskError> {
        todo!()
    }

    /// What is known of the object under `key`.
    pub async fn head_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectInfo, DiskError> {
        todo!()
    }

    /// Deletes the object under `key`. There being none is no error, unless an ETag is asked for (`If-Match`).
    pub async fn delete_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        if_match: Option<&ETag>,
    ) -> Result<(), DiskError> {
        todo!()
    }

    /// Copies an object without copying a byte. Its ETag and checksums stay the source's.
    pub async fn copy_object(
        &self,
        source: CopySource,
        target: CopyTarget,
    ) -> Result<ObjectInfo, DiskError> {
        todo!()
    }
}
