//! What can go wrong, in S3's own words where it has one.

use std::io;

use super::PartNumber;

/// Why the store did not do what it was asked. Whatever the error, nothing of the request has become visible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("the bucket exists already")]
    BucketAlreadyExists,
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    #[error("not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens")]
    InvalidBucketName,
    #[error("no such key")]
    NoSuchKey,
    #[error("a key has at most 1,024 bytes")]
    KeyTooLong,
    #[error("a key has at least one byte")]
    KeyEmpty,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("a precondition does not hold")]
    PreconditionFailed,
    #[error("a part number lies between 1 and 10,000")]
    InvalidPartNumber,
    #[error("part {0} is missing, or its ETag or checksum is another")]
    InvalidPart(PartNumber),
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("an upload is completed with at least one part")]
    NoParts,
    #[error("part {number} has {size_bytes} bytes; all but the last need 5 MiB")]
    EntityTooSmall { number: PartNumber, size_bytes: u64 },
    /// The parts do not add up to the size or the checksum that was promised for the whole.
    #[error("the whole is not what was promised: {0}")]
    WholeMismatch(&'static str),
    /// SHA-1 and SHA-256 of parts cannot be combined to that of the whole, and CRC64NVME has no composite form.
    #[error("this checksum algorithm does not exist in this form for multipart uploads")]
    ChecksumTypeUnsupported,
    #[error("the upload was created with another type of checksum")]
    OtherChecksumType,
    #[error("too many bodies for this key are on their way")]
    TooManyWriters,
    #[error("the range lies outside the object")]
    InvalidRange,
    #[error("no space left for data")]
    NoSpace,
    #[error("data files: {0}")]
    Io(#[source] io::Error),
    #[error("metadata: {0}")]
    Database(#[source] rusqlite::Error),
    #[error("metadata cannot be read: {0}")]
    Encoding(#[from] serde_json::Error),
    /// The transaction failed as a whole; what it held will not be visible, and is swept at the next start.
    #[error("the metadata could not be committed")]
    CommitFailed,
    #[error("the store is closed")]
    Closed,
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

impl From<rusqlite::Error> for DiskError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::NoSpace,
            _ => Self::Database(error),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for DiskError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Database(error.into())
    }
}

/// Why a directory could not be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("another process has this store open")]
    Locked,
    #[error("the store was written by a newer version (schema {found}, known {known})")]
    Newer { found: u32, known: u32 },
    #[error("files: {0}")]
    Io(#[from] io::Error),
    #[error("metadata: {0}")]
    Database(#[from] rusqlite::Error),
}
