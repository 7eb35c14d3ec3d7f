//! Applying the buckets' lifecycle rules.

use std::{collections::HashSet, time::SystemTime};

use rusqlite::{Connection, params};

use super::{
    Disk, DiskError, ObjectKey, UploadId,
    body::{self, BodyId},
    columns::Millis,
    files::lock,
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

/// What of a bucket a rule is about, up to a moment. Once nothing of it is left there will be nothing again: what is
/// written later is younger. So rows that no rule is about are looked at once a day and not each time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sweep {
    what: What,
    bucket: i64,
    prefix: String,
    cutoff: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Objects,
    Uploads,
}

impl Disk {
    /// Deletes what has expired by the store's clock and aborts uploads that were forgotten: a bounded number a call.
    pub async fn apply_lifecycle(&self) -> Result<Expired, DiskError> {
        let now = self.now().0;
        let swept = lock(&self.inner.swept).clone();
        let due = self.query(move |conn| due(conn, now, swept)).await?;
        if due.objects.is_empty() && due.uploads.is_empty() {
            *lock(&self.inner.swept) = due.swept;
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
    /// What need not be looked at.
    done: HashSet<Sweep>,
    /// What the rules are about now.
    swept: HashSet<Sweep>,
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

fn due(conn: &Connection, now: SystemTime, done: HashSet<Sweep>) -> Result<Due, DiskError> {
    let mut statement =
        conn.prepare_cached("SELECT bucket, document FROM bucket_config WHERE kind = 'lifecycle'")?;
    let mut rows = statement.query([])?;
    let mut due = Due {
        done,
        ..Due::default()
    };
    while let Some(row) = rows.next()? {
        let bucket: i64 = row.get("bucket")?;
        let lifecycle: Lifecycle = match serde_json::from_slice(row.get_ref("document")?.as_blob()?)
        {
            Ok(lifecycle) => lifecycle,
            Err(error) => {
                tracing::error!(%error, bucket, "lifecycle rules cannot be read");
                continue;
            }
        };
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
    /// Whether something may be found there.
    fn begins(&mut self, what: What, bucket: i64, rule: &Rule, cutoff: SystemTime) -> bool {
        let sweep = Sweep {
            what,
            bucket,
            prefix: rule.prefix.clone(),
            cutoff,
        };
        let begins = !self.done.contains(&sweep);
        self.swept.insert(sweep);
        begins
    }

    fn add_objects(
        &mut self,
        conn: &Connection,
        bucket: i64,
        rule: &Rule,
        now: SystemTime,
    ) -> Result<(), DiskError> {
        let Some(cutoff) = rule.expires_if_written_by(now) else {
            return Ok(());
        };
        if !self.begins(What::Objects, bucket, rule, cutoff) {
            return Ok(());
        }
        let cutoff = Millis(cutoff);
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
        let Some(cutoff) = rule.aborts_if_created_by(now) else {
            return Ok(());
        };
        if !self.begins(What::Uploads, bucket, rule, cutoff) {
            return Ok(());
        }
        let cutoff = Millis(cutoff);
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
