//! Applying the buckets' lifecycle rules.

use std::time::SystemTime;

use rusqlite::{Connection, params};

use super::{
    Disk, DiskError, ObjectKey, UploadId,
    body::{self, BodyId},
    columns::Millis,
    list::end_of,
    multipart,
};
use crate::lifecycle::{Lifecycle, Rule, Status};

/// At most so many objects, and so many uploads, a call.
const OBJECTS: usize = 1000;
const UPLOADS: usize = 100;

/// What one call of [`Disk::apply_lifecycle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub objects: usize,
    pub uploads: usize,
    /// Whether there is more to do at once: call again.
    pub more: bool,
}

impl Disk {
    /// Deletes what has expired by the store's clock and aborts uploads that were forgotten: a bounded number a call.
    pub async fn apply_lifecycle(&self) -> Result<Expired, DiskError> {
        let now = self.now().0;
        let due = self.query(move |conn| due(conn, now)).await?;
        if due.objects.is_empty() && due.uploads.is_empty() {
            return Ok(Expired::default());
        }
        let more = due.objects.len() >= OBJECTS || due.uploads.len() >= UPLOADS;
        self.change(move |conn| {
            let mut expired = Expired {
                more,
                ..Expired::default()
            };
            for object in &due.objects {
                expired.objects += object.delete(conn)?;
            }
            for upload in &due.uploads {
                multipart::remove(conn, upload)?;
                expired.uploads += 1;
            }
            Ok(expired)
        })
        .await
    }
}

#[derive(Default)]
struct Due {
    objects: Vec<DueObject>,
    uploads: Vec<UploadId>,
}

/// An object that has expired; if it is overwritten meanwhile, its body is another and it stays.
struct DueObject {
    bucket: i64,
    key: ObjectKey,
    body: BodyId,
}

impl DueObject {
    fn delete(&self, conn: &Connection) -> Result<usize, DiskError> {
        let deleted = conn
            .prepare_cached("DELETE FROM object WHERE bucket = ? AND key = ? AND body = ?")?
            .execute(params![self.bucket, self.key, self.body])?;
        if deleted > 0 {
            body::release(conn, self.body)?;
        }
        Ok(deleted)
    }
}

fn due(conn: &Connection, now: SystemTime) -> Result<Due, DiskError> {
    let mut statement =
        conn.prepare_cached("SELECT bucket, document FROM bucket_config WHERE kind = 'lifecycle'")?;
    let mut rows = statement.query([])?;
    let mut due = Due::default();
    while let Some(row) = rows.next()? {
        let bucket = row.get("bucket")?;
        let lifecycle: Lifecycle = serde_json::from_slice(row.get_ref("document")?.as_blob()?)?;
        for rule in lifecycle
            .rules
            .iter()
            .filter(|rule| rule.status == Status::Enabled)
        {
            due.add_objects(conn, bucket, rule, now)?;
            due.add_uploads(conn, bucket, rule, now)?;
        }
    }
    Ok(due)
}

impl Due {
    fn add_objects(
        &mut self,
        conn: &Connection,
        bucket: i64,
        rule: &Rule,
        now: SystemTime,
    ) -> Result<(), DiskError> {
        let Some(cutoff) = rule.expires_if_written_by(now).map(Millis) else {
            return Ok(());
        };
        let mut statement = conn.prepare_cached(
            "SELECT key, body FROM object INDEXED BY object_age
             WHERE bucket = ?1 AND modified <= ?2 AND key >= ?3 AND key < ?4 LIMIT ?5",
        )?;
        let left = (OBJECTS - self.objects.len()).cast_signed();
        let found = statement.query_map(
            params![bucket, cutoff, rule.prefix, end_of(&rule.prefix), left],
            |row| {
                Ok(DueObject {
                    bucket,
                    key: ObjectKey::stored(row.get("key")?),
                    body: row.get("body")?,
                })
            },
        )?;
        for object in found {
            self.objects.push(object?);
        }
        Ok(())
    }

    fn add_uploads(
        &mut self,
        conn: &Connection,
        bucket: i64,
        rule: &Rule,
        now: SystemTime,
    ) -> Result<(), DiskError> {
        let Some(cutoff) = rule.aborts_if_created_by(now).map(Millis) else {
            return Ok(());
        };
        let mut statement = conn.prepare_cached(
            "SELECT id FROM upload INDEXED BY upload_age
             WHERE bucket = ?1 AND created <= ?2 AND key >= ?3 AND key < ?4 LIMIT ?5",
        )?;
        let left = (UPLOADS - self.uploads.len()).cast_signed();
        let found = statement.query_map(
            params![bucket, cutoff, rule.prefix, end_of(&rule.prefix), left],
            |row| Ok(UploadId::new(row.get::<_, String>("id")?)),
        )?;
        for upload in found {
            self.uploads.push(upload?);
        }
        Ok(())
    }
}
