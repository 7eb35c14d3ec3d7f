//! Multipart uploads: begun, looked at, listed and aborted.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    BucketName, ChecksumAlgorithm, ChecksumType, Disk, DiskError, Metadata, ObjectKey, Tags,
    UploadId,
    bucket::bucket_id,
    columns::{Json, Millis, json},
    list::end_of,
};

/// An upload to be begun.
#[derive(Clone, Debug)]
pub struct CreateUpload {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub metadata: Metadata,
    /// The whole object's.
    pub tags: Tags,
    pub checksum: Option<UploadChecksum>,
}

/// The checksum an upload is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    pub metadata: Metadata,
    pub tags: Tags,
    pub checksum: Option<UploadChecksum>,
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

impl Disk {
    /// Begins an upload, to be completed or aborted.
    pub async fn create_upload(&self, create: CreateUpload) -> Result<UploadId, DiskError> {
        if create
            .checksum
            .is_some_and(|checksum| !checksum.algorithm.supports(checksum.kind))
        {
            return Err(DiskError::ChecksumTypeUnsupported);
        }
        let now = self.now();
        self.change(move |conn| {
            let bucket = bucket_id(conn, &create.bucket)?;
            let sql = "INSERT INTO upload (id, bucket, key, created, metadata, tags, checksum)
                       VALUES (lower(hex(randomblob(16))), ?, ?, ?, ?, ?, ?) RETURNING id";
            let (metadata, tags) = (json(&create.metadata)?, json(&create.tags)?);
            let checksum = json(&create.checksum)?;
            let id = conn.prepare_cached(sql)?.query_row(
                params![bucket, create.key, now, metadata, tags, checksum],
                |row| row.get::<_, String>(0),
            )?;
            Ok(UploadId::new(id))
        })
        .await
    }

    /// The upload itself: which checksum its parts must have, for one.
    pub async fn upload(&self, upload: &UploadRef) -> Result<UploadInfo, DiskError> {
        let upload = upload.clone();
        self.query(move |conn| find(conn, &upload)).await
    }

    /// The unfinished uploads of a bucket.
    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        list: ListUploads,
    ) -> Result<UploadPage, DiskError> {
        let bucket = bucket.clone();
        self.query(move |conn| page(conn, bucket_id(conn, &bucket)?, &list))
            .await
    }

    /// Forgets the upload and its parts.
    pub async fn abort_upload(&self, upload: &UploadRef) -> Result<(), DiskError> {
        let upload = upload.clone();
        self.change(move |conn| {
            find(conn, &upload)?;
            remove(conn, &upload.id)
        })
        .await
    }
}

/// The upload, if all three of its names agree.
pub(super) fn find(conn: &Connection, upload: &UploadRef) -> Result<UploadInfo, DiskError> {
    let bucket = bucket_id(conn, &upload.bucket)?;
    let mut statement =
        conn.prepare_cached("SELECT * FROM upload WHERE id = ? AND bucket = ? AND key = ?")?;
    let found = statement
        .query_row(params![upload.id, bucket, upload.key], info)
        .optional()?;
    found.ok_or(DiskError::NoSuchUpload)
}

/// Forgets an upload, and lets go of the parts that it still has.
pub(super) fn remove(conn: &Connection, id: &UploadId) -> Result<(), DiskError> {
    conn.prepare_cached(
        "DELETE FROM segment WHERE body IN (SELECT body FROM part WHERE upload = ?)",
    )?
    .execute([id])?;
    conn.prepare_cached("DELETE FROM part WHERE upload = ?")?
        .execute([id])?;
    conn.prepare_cached("DELETE FROM upload WHERE id = ?")?
        .execute([id])?;
    Ok(())
}

fn page(conn: &Connection, bucket: i64, list: &ListUploads) -> Result<UploadPage, DiskError> {
    let (key, id) = match &list.after {
        None => ("", None),
        // Greater than every id there is.
        Some((key, id)) => (
            key.as_str(),
            Some(id.as_ref().map_or("~", UploadId::as_str)),
        ),
    };
    let mut statement = conn.prepare_cached(
        "SELECT * FROM upload
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 AND (key, id) > (?4, coalesce(?5, ''))
         ORDER BY key, id LIMIT ?6",
    )?;
    let limit = i64::try_from(list.max)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let rows = statement.query_map(
        params![bucket, list.prefix, end_of(&list.prefix), key, id, limit],
        info,
    )?;
    let mut uploads = rows.collect::<Result<Vec<_>, _>>()?;
    let truncated = uploads.len() > list.max;
    uploads.truncate(list.max);
    Ok(UploadPage { uploads, truncated })
}

fn info(row: &Row<'_>) -> rusqlite::Result<UploadInfo> {
    Ok(UploadInfo {
        key: ObjectKey::stored(row.get("key")?),
        id: UploadId::new(row.get::<_, String>("id")?),
        created: row.get::<_, Millis>("created")?.0,
        metadata: row.get::<_, Json<_>>("metadata")?.0,
        tags: row.get::<_, Json<_>>("tags")?.0,
        checksum: row.get::<_, Json<_>>("checksum")?.0,
    })
}
