//! Objects: what is known of them, and how they come and go.

use std::{collections::BTreeMap, time::SystemTime};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    BucketName, Checksum, Disk, DiskError, ETag, ObjectKey, Tags, Written,
    body::{self, BodyId},
    bucket::bucket_id,
    columns::{Json, Millis, bytes_at, int, json},
};

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
    pub tags: Tags,
    pub checksums: Vec<Checksum>,
    /// How many parts it was completed from; `None` if it was put in one piece.
    pub parts: Option<u16>,
}

/// What must be true of the key that is written to or deleted, at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-None-Match: *`: there is no object, else [`DiskError::PreconditionFailed`].
    Absent,
    /// `If-Match: *`: there is an object, else `PreconditionFailed`.
    Exists,
    /// `If-Match`: the object there has this ETag, else `PreconditionFailed`; none at all is `NoSuchKey`.
    Matches(ETag),
}

/// Where an object is to be put.
#[derive(Clone, Debug)]
pub struct PutObject {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub tags: Tags,
    pub condition: Option<Condition>,
}

/// The object that is copied from.
#[derive(Clone, Debug)]
pub struct CopySource {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// The object must still have this ETag when the copy is made, else [`DiskError::PreconditionFailed`].
    pub etag: Option<ETag>,
}

/// Where a copy goes.
#[derive(Clone, Debug)]
pub struct CopyTarget {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// `None` keeps the source's metadata, `Some` replaces all of it.
    pub metadata: Option<Metadata>,
    /// All of the copy's: whoever keeps the source's says so here.
    pub tags: Tags,
    pub condition: Option<Condition>,
}

impl Disk {
    /// Makes `written` visible under a key, replacing what is there. Durable when it returns.
    pub async fn put_object(
        &self,
        written: Written,
        put: PutObject,
    ) -> Result<ObjectInfo, DiskError> {
        let id = self.inner.files.fresh_id();
        let info = ObjectInfo {
            etag: written.etag(),
            size_bytes: written.size_bytes,
            modified: self.now().0,
            metadata: put.metadata,
            tags: put.tags,
            checksums: written.checksums,
            parts: None,
        };
        let blob = written.draft.as_ref().map(super::files::Draft::id);
        self.publish(written.draft, move |conn| {
            let bucket = bucket_id(conn, &put.bucket)?;
            body::add(conn, id, blob, info.size_bytes)?;
            place(
                conn,
                &Place {
                    bucket,
                    key: &put.key,
                    condition: put.condition.as_ref(),
                },
                id,
                &info,
            )?;
            Ok(info)
        })
        .await
    }

    /// What is known of the object under `key`.
    pub async fn head_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectInfo, DiskError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.query(move |conn| {
            let found = find(conn, bucket_id(conn, &bucket)?, &key)?;
            found.map(|found| found.info).ok_or(DiskError::NoSuchKey)
        })
        .await
    }

    /// Deletes the object under `key`. There being none is no error, unless a condition asks for one.
    pub async fn delete_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: Option<Condition>,
    ) -> Result<(), DiskError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.change(move |conn| {
            let bucket = bucket_id(conn, &bucket)?;
            let existing = existing(conn, bucket, &key)?;
            check(existing.as_ref().map(|(etag, _)| etag), condition.as_ref())?;
            if let Some((_, id)) = existing {
                conn.prepare_cached("DELETE FROM object WHERE bucket = ? AND key = ?")?
                    .execute(params![bucket, key])?;
                body::release(conn, id)?;
            }
            Ok(())
        })
        .await
    }

    /// Copies an object without copying a byte. Its ETag and checksums stay the source's.
    pub async fn copy_object(
        &self,
        source: CopySource,
        target: CopyTarget,
    ) -> Result<ObjectInfo, DiskError> {
        let id = self.inner.files.fresh_id();
        let modified = self.now().0;
        self.change(move |conn| {
            let found = find_source(conn, &source)?;
            let bucket = bucket_id(conn, &target.bucket)?;
            let metadata = target.metadata.unwrap_or(found.info.metadata);
            let info = ObjectInfo {
                modified,
                metadata,
                tags: target.tags,
                ..found.info
            };
            body::share(conn, found.body, &(0..info.size_bytes), id)?;
            place(
                conn,
                &Place {
                    bucket,
                    key: &target.key,
                    condition: target.condition.as_ref(),
                },
                id,
                &info,
            )?;
            Ok(info)
        })
        .await
    }
}

/// An object and where its bytes are.
pub(super) struct Found {
    pub(super) info: ObjectInfo,
    pub(super) body: BodyId,
}

pub(super) fn find(
    conn: &Connection,
    bucket: i64,
    key: &ObjectKey,
) -> Result<Option<Found>, DiskError> {
    let mut statement = conn.prepare_cached("SELECT * FROM object WHERE bucket = ? AND key = ?")?;
    let found = statement.query_row(params![bucket, key], |row| {
        Ok(Found {
            info: info(row)?,
            body: row.get("body")?,
        })
    });
    Ok(found.optional()?)
}

/// The object that a copy is made from, if it is still the one that was meant.
pub(super) fn find_source(conn: &Connection, source: &CopySource) -> Result<Found, DiskError> {
    let found =
        find(conn, bucket_id(conn, &source.bucket)?, &source.key)?.ok_or(DiskError::NoSuchKey)?;
    match &source.etag {
        Some(etag) if *etag != found.info.etag => Err(DiskError::PreconditionFailed),
        _ => Ok(found),
    }
}

/// What an object's columns say; a completed upload's answer has the same.
pub(super) fn info(row: &Row<'_>) -> rusqlite::Result<ObjectInfo> {
    Ok(ObjectInfo {
        etag: ETag::new(row.get_ref("etag")?.as_str()?),
        size_bytes: bytes_at(row, "size")?,
        modified: row.get::<_, Millis>("modified")?.0,
        metadata: row.get::<_, Json<_>>("metadata")?.0,
        tags: row.get::<_, Json<_>>("tags")?.0,
        checksums: row.get::<_, Json<_>>("checksums")?.0,
        parts: row.get("parts")?,
    })
}

/// Where an object is put, and what must be true there.
pub(super) struct Place<'a> {
    pub(super) bucket: i64,
    pub(super) key: &'a ObjectKey,
    pub(super) condition: Option<&'a Condition>,
}

/// Puts an object in its place, and lets go of the one that was there.
pub(super) fn place(
    conn: &Connection,
    place: &Place<'_>,
    body: BodyId,
    info: &ObjectInfo,
) -> Result<(), DiskError> {
    let existing = existing(conn, place.bucket, place.key)?;
    check(existing.as_ref().map(|(etag, _)| etag), place.condition)?;
    conn.prepare_cached(
        "INSERT INTO object (bucket, key, body, etag, size, modified, metadata, tags, checksums, parts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (bucket, key) DO UPDATE SET
             body = excluded.body, etag = excluded.etag, size = excluded.size, modified = excluded.modified,
             metadata = excluded.metadata, tags = excluded.tags, checksums = excluded.checksums, parts = excluded.parts",
    )?
    .execute(params![
        place.bucket,
        place.key,
        body,
        info.etag,
        int(info.size_bytes),
        Millis(info.modified),
        json(&info.metadata)?,
        json(&info.tags)?,
        json(&info.checksums)?,
        info.parts,
    ])?;
    existing.map_or(Ok(()), |(_, replaced)| body::release(conn, replaced))
}

fn existing(
    conn: &Connection,
    bucket: i64,
    key: &ObjectKey,
) -> Result<Option<(ETag, BodyId)>, DiskError> {
    let mut statement =
        conn.prepare_cached("SELECT etag, body FROM object WHERE bucket = ? AND key = ?")?;
    let existing = statement.query_row(params![bucket, key], |row| {
        Ok((ETag::new(row.get_ref("etag")?.as_str()?), row.get("body")?))
    });
    Ok(existing.optional()?)
}

fn check(existing: Option<&ETag>, condition: Option<&Condition>) -> Result<(), DiskError> {
    match (condition, existing) {
        (Some(Condition::Absent), Some(_)) | (Some(Condition::Exists), None) => {
            Err(DiskError::PreconditionFailed)
        }
        (Some(Condition::Matches(_)), None) => Err(DiskError::NoSuchKey),
        (Some(Condition::Matches(wanted)), Some(etag)) if wanted != etag => {
            Err(DiskError::PreconditionFailed)
        }
        _ => Ok(()),
    }
}
