//! Changes of state, leases and claims. A late writer is told apart by state and attempt, and changes nothing.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{Act, Entry, Records, audit, failed, revocations, row, usage};
use crate::{
    auth::Caller,
    error::Error,
    upload::{File, Metadata, State, Upload, UploadId},
};

/// One upload's step from a state to the next, with what it does to the file's record.
#[derive(Debug)]
pub struct Change<'a> {
    /// As it was read: the step is taken only if it still is so.
    pub from: &'a Upload,
    pub to: &'a Upload,
    /// When the background next has something to do with it.
    pub due: Option<Timestamp>,
    pub file: FileChange,
    /// Who asked for it, for the audit log; none where the service does it by itself.
    pub by: Option<&'a Caller>,
}

/// What a step does to the file's record.
#[derive(Debug)]
pub enum FileChange {
    Keep,
    Insert(Box<File>),
    SetMetadata(Metadata),
    Delete,
}

/// A claim to be recorded with the changes it makes.
#[derive(Debug)]
pub struct NewClaim {
    pub id: UploadId,
    pub owner: String,
    pub metadata: Metadata,
}

/// What became of a transaction: all of it, or nothing because somebody was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    Done,
    Lost,
}

impl Records {
    /// Takes all of these steps in one transaction, or none.
    pub async fn change(&self, changes: &[Change<'_>], now: Timestamp) -> Result<Outcome, Error> {
        self.change_with(None, changes, None, now).await
    }

    /// Records a claim and takes its steps in one transaction, or nothing.
    pub async fn claim(
        &self,
        claim: &NewClaim,
        changes: &[Change<'_>],
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        self.change_with(Some(claim), changes, None, now).await
    }

    /// The same with an entry of whoever asked for it, where that is no caller.
    pub(super) async fn change_with(
        &self,
        claim: Option<&NewClaim>,
        changes: &[Change<'_>],
        told: Option<Entry>,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let mut transaction = self
            .write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        if let Some(claim) = claim {
            insert_claim(&mut transaction, claim, now)
                .await
                .map_err(failed)?;
        }
        let mut entries: Vec<Entry> = told.into_iter().collect();
        for change in changes {
            let done = apply(&mut transaction, change, now).await.map_err(failed)?;
            let Some(entry) = done else {
                transaction.rollback().await.map_err(failed)?;
                // It may have been lost to a revocation that is not known here yet.
                self.revocations.forget().await;
                return Ok(Outcome::Lost);
            };
            entries.extend(entry);
        }
        audit::insert(&mut transaction, &entries)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        for change in changes {
            self.watchers.tell(change.to.id);
        }
        Ok(Outcome::Done)
    }

    /// Takes an upload for a worker, as it was read, until `until`; `None` if somebody else has it or it has moved on.
    pub async fn lease(
        &self,
        upload: &Upload,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Upload>, Error> {
        sqlx::query(
            "UPDATE uploads SET lease_until = $1, attempts = attempts + 1 \
             WHERE id = $2 AND state = $3 AND attempts = $4 AND (lease_until IS NULL OR lease_until <= $5) RETURNING *",
        )
        .bind(row::millis(until))
        .bind(row::id_bytes(upload.id))
        .bind(upload.state.name())
        .bind(i64::from(upload.attempt))
        .bind(row::millis(now))
        .fetch_optional(&self.write)
        .await
        .map_err(failed)?
        .map(|found| row::upload(&found).map_err(failed))
        .transpose()
    }

    /// Keeps a worker's lease until `until`, under the same attempt; nothing if it has lost it.
    pub async fn renew(&self, leased: &Upload, until: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "UPDATE uploads SET lease_until = $1 \
             WHERE id = $2 AND state = $3 AND attempts = $4 AND lease_until IS NOT NULL",
        )
        .bind(row::millis(until))
        .bind(row::id_bytes(leased.id))
        .bind(leased.state.name())
        .bind(i64::from(leased.attempt))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Frees what workers held that are known to be dead: for a process that has these records to itself, at its start.
    pub async fn free_leases(&self) -> Result<(), Error> {
        let freed =
            sqlx::query("UPDATE uploads SET lease_until = NULL WHERE lease_until IS NOT NULL");
        freed.execute(&self.write).await.map_err(failed)?;
        Ok(())
    }

    /// Takes uploads with something due for a worker until `until`.
    pub async fn lease_due(
        &self,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Upload>, Error> {
        // The lease is asked for twice: where rows are locked singly, another worker may have taken one in between.
        sqlx::query(
            "UPDATE uploads SET lease_until = $1, attempts = attempts + 1 \
             WHERE (lease_until IS NULL OR lease_until <= $2) AND id IN \
             (SELECT id FROM uploads WHERE next_attempt_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) \
              ORDER BY next_attempt_at LIMIT $3) RETURNING *",
        )
        .bind(row::millis(until))
        .bind(row::millis(now))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.write)
        .await
        .map_err(failed)?
        .iter()
        .map(|found| row::upload(found).map_err(failed))
        .collect()
    }

    /// Gives an upload back, as it was leased, to be taken up at `due`, or no more.
    pub async fn schedule(&self, upload: &Upload, due: Option<Timestamp>) -> Result<(), Error> {
        sqlx::query(
            "UPDATE uploads SET lease_until = NULL, next_attempt_at = $1 \
             WHERE id = $2 AND state = $3 AND attempts = $4",
        )
        .bind(due.map(row::millis))
        .bind(row::id_bytes(upload.id))
        .bind(upload.state.name())
        .bind(i64::from(upload.attempt))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        self.watchers.tell(upload.id);
        Ok(())
    }
}

async fn insert_claim(
    connection: &mut SqliteConnection,
    claim: &NewClaim,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO claims (id, owner, metadata, created_at) VALUES ($1, $2, $3, $4)")
        .bind(row::id_bytes(claim.id))
        .bind(claim.owner.as_str())
        .bind(row::to_json(&claim.metadata)?)
        .bind(row::millis(now))
        .execute(connection)
        .await?;
    Ok(())
}

/// What is to be written down of a step that was taken; `None` if it was lost.
async fn apply(
    connection: &mut SqliteConnection,
    change: &Change<'_>,
    now: Timestamp,
) -> Result<Option<Option<Entry>>, sqlx::Error> {
    let Change { from, to, .. } = change;
    let goes_on = matches!(to.state, State::Ready { .. } | State::Stored { .. });
    let revoked = goes_on && revocations::is_revoked(connection, to).await?;
    // Between the last look and this transaction somebody may have revoked it: no file comes of it any more.
    if revoked && matches!(change.file, FileChange::Insert(_)) {
        return Ok(None);
    }
    let waits = revoked && matches!(to.state, State::Ready { .. });
    let due = if waits { Some(now) } else { change.due };
    let done = sqlx::query(
        "UPDATE uploads SET state = $1, facts = $2, claim_id = $3, attempts = $4, lease_until = NULL, \
         next_attempt_at = $5, reserved_bytes = $9, lingers = $10, kept_bytes = $11 WHERE id = $6 AND state = $7 AND attempts = $8",
    )
    .bind(to.state.name())
    .bind(row::facts(&to.state)?)
    .bind(to.claim.map(row::id_bytes))
    .bind(i64::from(to.attempt))
    .bind(due.map(row::millis))
    .bind(row::id_bytes(from.id))
    .bind(from.state.name())
    .bind(i64::from(from.attempt))
    .bind(row::signed(to.reserved_bytes))
    .bind(i64::from(to.lingers))
    .bind(to.state.kept_bytes().map(row::signed))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let size_bytes = apply_to_file(&mut *connection, to.id, &change.file).await?;
    usage::settle(&mut *connection, from, to).await?;
    if from.state.event() != to.state.event() {
        sqlx::query("INSERT INTO events (upload_id, name, at) VALUES ($1, $2, $3)")
            .bind(row::id_bytes(to.id))
            .bind(to.state.event())
            .bind(row::millis(now))
            .execute(connection)
            .await?;
    }
    Ok(Some(told(change, size_bytes, now)))
}

/// What the audit log is told of a step, and of the file that came or went with it.
fn told(change: &Change<'_>, file_bytes: Option<u64>, now: Timestamp) -> Option<Entry> {
    let Change { from, to, by, .. } = change;
    let entry = |act| Entry::new(act, *by, now).of(to);
    if let (Some(kept), None) = (from.state.kept(), to.state.kept()) {
        return Some(Entry {
            key: Some(kept.key.to_string()),
            detail: Some("what was kept of it".to_owned()),
            ..entry(Act::Delete)
        });
    }
    let act = match (&from.state, &to.state) {
        // What was left behind is cleared away.
        _ if from.lingers && !to.lingers => return None,
        // A scanner was asked again, and could say no more; or what is kept is to go, and whoever said so is written down.
        (_, State::Issued)
        | (State::Received { unscanned: Some(_) }, State::Received { .. })
        | (State::Rejected { .. }, State::Rejected { .. }) => return None,
        (State::Received { .. }, State::Received { .. } | State::Ready { .. }) => Act::Inspect,
        (_, State::Received { .. }) => Act::Complete,
        (_, State::Rejected { .. }) => Act::Reject,
        (_, State::Expired { .. }) => Act::Expire,
        (_, State::Aborted { .. }) => Act::Abort,
        (
            State::Stored { .. },
            State::Stored {
                deleted_at: Some(_),
                ..
            },
        ) => Act::Delete,
        (State::Ready { .. }, State::Stored { .. }) => Act::Promote,
        _ if to.claim.is_some() => Act::Claim,
        _ => Act::Release,
    };
    let entry = entry(act);
    let size_bytes = match &to.state {
        State::Ready { inspected, .. } => Some(inspected.size_bytes),
        _ => file_bytes,
    };
    let size_bytes = size_bytes.or(entry.size_bytes);
    Some(match &to.state {
        State::Rejected { reason, .. } => Entry {
            outcome: reason.code().into(),
            detail: Some(reason.to_string()),
            ..entry
        },
        State::Received {
            unscanned: Some(unscanned),
        } => Entry {
            outcome: "not_scanned".into(),
            detail: Some(unscanned.why.clone()),
            ..entry
        },
        State::Stored { key, .. } => Entry {
            key: Some(key.to_string()),
            size_bytes,
            ..entry
        },
        _ => Entry {
            size_bytes,
            ..entry
        },
    })
}

/// Gives the size of the file that comes or goes.
async fn apply_to_file(
    connection: &mut SqliteConnection,
    id: UploadId,
    change: &FileChange,
) -> Result<Option<u64>, sqlx::Error> {
    match change {
        FileChange::Keep => Ok(None),
        FileChange::Insert(file) => {
            insert_file(connection, file).await?;
            Ok(Some(file.size_bytes))
        }
        FileChange::SetMetadata(metadata) => {
            let query = sqlx::query("UPDATE files SET metadata = $1 WHERE id = $2");
            let query = query.bind(row::to_json(metadata)?).bind(row::id_bytes(id));
            query.execute(connection).await.map(|_| None)
        }
        FileChange::Delete => {
            let query = sqlx::query_scalar("DELETE FROM files WHERE id = $1 RETURNING size_bytes");
            let size: Option<i64> = query
                .bind(row::id_bytes(id))
                .fetch_optional(connection)
                .await?;
            Ok(size.and_then(|size| u64::try_from(size).ok()))
        }
    }
}

async fn insert_file(connection: &mut SqliteConnection, file: &File) -> Result<(), sqlx::Error> {
    let (width, height) = file.dimensions.unzip();
    sqlx::query(
        "INSERT INTO files (id, profile, owner, filename, content_type, size_bytes, checksum, width, height, \
         metadata, created_at, object_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row::id_bytes(file.id))
    .bind(file.profile.as_str())
    .bind(file.owner.as_str())
    .bind(file.filename.as_str())
    .bind(file.content_type.as_str())
    .bind(row::signed(file.size_bytes))
    .bind(file.checksum.as_ref().map(ToString::to_string))
    .bind(width.map(i64::from))
    .bind(height.map(i64::from))
    .bind(row::to_json(&file.metadata)?)
    .bind(row::millis(file.created_at))
    .bind(file.key.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
