//! Buckets and what is configured for them.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{BucketName, Disk, DiskError, columns::Millis};
use crate::lifecycle::Lifecycle;

/// A bucket as a listing tells it.
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

impl ConfigKind {
    fn name(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::Lifecycle => "lifecycle",
        }
    }
}

impl Disk {
    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<BucketInfo, DiskError> {
        let info = BucketInfo {
            name: bucket.clone(),
            created: self.now().0,
        };
        self.change(move |conn| {
            let sql =
                "INSERT INTO bucket (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING";
            let added = conn
                .prepare_cached(sql)?
                .execute(params![info.name, Millis(info.created)])?;
            if added == 1 {
                Ok(info)
            } else {
                Err(DiskError::BucketAlreadyExists)
            }
        })
        .await
    }

    /// Deletes an empty bucket with its configuration. Unfinished uploads count as content.
    pub async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), DiskError> {
        let bucket = bucket.clone();
        self.change(move |conn| {
            let id = bucket_id(conn, &bucket)?;
            let sql = "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1)
                           OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)";
            if conn
                .prepare_cached(sql)?
                .query_row([id], |row| row.get(0))?
            {
                return Err(DiskError::BucketNotEmpty);
            }
            conn.prepare_cached("DELETE FROM bucket WHERE id = ?")?
                .execute([id])?;
            Ok(())
        })
        .await
    }

    pub async fn head_bucket(&self, bucket: &BucketName) -> Result<BucketInfo, DiskError> {
        let bucket = bucket.clone();
        self.query(move |conn| {
            let mut statement =
                conn.prepare_cached("SELECT name, created FROM bucket WHERE name = ?")?;
            statement
                .query_row([bucket], info)
                .optional()?
                .ok_or(DiskError::NoSuchBucket)
        })
        .await
    }

    /// All buckets, by name.
    pub async fn list_buckets(&self) -> Result<Vec<BucketInfo>, DiskError> {
        self.query(move |conn| {
            let mut statement =
                conn.prepare_cached("SELECT name, created FROM bucket ORDER BY name")?;
            let buckets = statement.query_map([], info)?;
            Ok(buckets.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The document of one kind, as it was put.
    pub async fn bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let bucket = bucket.clone();
        self.query(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT document FROM bucket_config WHERE bucket = ? AND kind = ?",
            )?;
            let id = bucket_id(conn, &bucket)?;
            Ok(statement
                .query_row(params![id, kind.name()], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    pub async fn put_bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
        document: Vec<u8>,
    ) -> Result<(), DiskError> {
        let bucket = bucket.clone();
        self.change(move |conn| {
            let id = bucket_id(conn, &bucket)?;
            let sql =
                "INSERT OR REPLACE INTO bucket_config (bucket, kind, document) VALUES (?, ?, ?)";
            conn.prepare_cached(sql)?
                .execute(params![id, kind.name(), document])?;
            Ok(())
        })
        .await
    }

    /// Deletes the document of one kind; there being none is no error.
    pub async fn delete_bucket_config(
        &self,
        bucket: &BucketName,
        kind: ConfigKind,
    ) -> Result<(), DiskError> {
        let bucket = bucket.clone();
        self.change(move |conn| {
            let id = bucket_id(conn, &bucket)?;
            conn.prepare_cached("DELETE FROM bucket_config WHERE bucket = ? AND kind = ?")?
                .execute(params![id, kind.name()])?;
            Ok(())
        })
        .await
    }

    pub async fn lifecycle(&self, bucket: &BucketName) -> Result<Option<Lifecycle>, DiskError> {
        let document = self.bucket_config(bucket, ConfigKind::Lifecycle).await?;
        Ok(document
            .map(|json| serde_json::from_slice(&json))
            .transpose()?)
    }

    pub async fn put_lifecycle(
        &self,
        bucket: &BucketName,
        rules: &Lifecycle,
    ) -> Result<(), DiskError> {
        self.put_bucket_config(bucket, ConfigKind::Lifecycle, serde_json::to_vec(rules)?)
            .await
    }
}

/// The row of a bucket that exists.
pub(super) fn bucket_id(conn: &Connection, bucket: &BucketName) -> Result<i64, DiskError> {
    let mut statement = conn.prepare_cached("SELECT id FROM bucket WHERE name = ?")?;
    statement
        .query_row([bucket], |row| row.get(0))
        .optional()?
        .ok_or(DiskError::NoSuchBucket)
}

fn info(row: &Row<'_>) -> rusqlite::Result<BucketInfo> {
    let name: String = row.get("name")?;
    let created = row.get::<_, Millis>("created")?.0;
    Ok(BucketInfo {
        name: BucketName::stored(name),
        created,
    })
}
