//! Sessions of temporary credentials, and what has been found below their prefixes.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Act, Entry, Records, audit, failed, row};
use crate::{
    auth::Caller,
    clock::from_millis,
    error::Error,
    upload::{Session, Upload, UploadId},
};

impl Records {
    /// Records a session, to be looked after from `due` on. Durable when this returns.
    pub async fn open_session(
        &self,
        session: &Session,
        due: Timestamp,
        by: &Caller,
        now: Timestamp,
    ) -> Result<(), Error> {
        let metadata = row::to_json(&session.metadata).map_err(failed)?;
        let insert = sqlx::query(
            "INSERT INTO sessions (id, profile, owner, api_key, address, prefix, metadata, expires_at, attempts, next_attempt_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
        )
        .bind(row::id_bytes(session.id))
        .bind(session.profile.as_str())
        .bind(session.owner.as_str())
        .bind(session.api_key.as_deref())
        .bind(session.address.map(|address| address.to_string()))
        .bind(session.prefix.as_str())
        .bind(metadata)
        .bind(row::millis(session.expires_at))
        .bind(row::millis(due));
        let mut transaction = self
            .write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        insert.execute(&mut *transaction).await.map_err(failed)?;
        let told = audit::insert(&mut transaction, &[entry(session, by, now)]).await;
        told.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// A session, if there is one of this id.
    pub async fn session(&self, id: UploadId) -> Result<Option<Session>, Error> {
        sqlx::query("SELECT * FROM sessions WHERE id = $1")
            .bind(row::id_bytes(id))
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| session(&found).map_err(failed))
            .transpose()
    }

    /// The session under this prefix that is still looked after, if there is one.
    pub async fn session_below(&self, prefix: &str) -> Result<Option<Session>, Error> {
        sqlx::query(
            "SELECT * FROM sessions WHERE prefix = $1 AND next_attempt_at IS NOT NULL ORDER BY id DESC LIMIT 1",
        )
        .bind(prefix.to_owned())
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?
        .map(|found| session(&found).map_err(failed))
        .transpose()
    }

    /// Whether any session, ended or not, has this prefix.
    pub async fn knows_prefix(&self, prefix: &str) -> Result<bool, Error> {
        let found = sqlx::query("SELECT 1 FROM sessions WHERE prefix = $1 LIMIT 1")
            .bind(prefix.to_owned())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        Ok(found.is_some())
    }

    /// Lets a session end as late as this says.
    pub async fn prolong_session(
        &self,
        longer: &Session,
        by: &Caller,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update =
            sqlx::query("UPDATE sessions SET expires_at = $1 WHERE id = $2 AND expires_at < $1")
                .bind(row::millis(longer.expires_at))
                .bind(row::id_bytes(longer.id));
        let mut transaction = self
            .write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        update.execute(&mut *transaction).await.map_err(failed)?;
        let told = audit::insert(&mut transaction, &[entry(longer, by, now)]).await;
        told.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// What has been found of a session.
    pub async fn session_uploads(&self, session: &Session) -> Result<Vec<Upload>, Error> {
        let (first, last) = session.upload_ids();
        let found = sqlx::query(
            "SELECT * FROM uploads WHERE id >= $1 AND id <= $2 AND method = 'credentials' ORDER BY id",
        )
        .bind(row::id_bytes(first))
        .bind(row::id_bytes(last))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let uploads = found.iter().map(|found| row::upload(found).map_err(failed));
        let mut uploads = uploads.collect::<Result<Vec<_>, _>>()?;
        // Another session may have begun in the same millisecond.
        uploads.retain(|upload| upload.staged_key.as_str().starts_with(&session.prefix));
        Ok(uploads)
    }

    /// Takes a session for a worker, until `until`; `None` if somebody else has it.
    pub async fn lease_session(
        &self,
        id: UploadId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Session>, Error> {
        sqlx::query(
            "UPDATE sessions SET lease_until = $1, attempts = attempts + 1 \
             WHERE id = $2 AND (lease_until IS NULL OR lease_until <= $3) RETURNING *",
        )
        .bind(row::millis(until))
        .bind(row::id_bytes(id))
        .bind(row::millis(now))
        .fetch_optional(&self.write)
        .await
        .map_err(failed)?
        .map(|found| session(&found).map_err(failed))
        .transpose()
    }

    /// A session that is due and under no lease.
    pub async fn due_session(&self, now: Timestamp) -> Result<Option<UploadId>, Error> {
        let found = sqlx::query(
            "SELECT * FROM sessions WHERE next_attempt_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) \
             ORDER BY next_attempt_at LIMIT 1",
        )
        .bind(row::millis(now))
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        let session = found.map(|found| session(&found).map_err(failed));
        Ok(session.transpose()?.map(|session| session.id))
    }

    /// Gives a session back, as it was leased, to be looked after when it was to be.
    pub async fn release_session(&self, session: &Session) -> Result<(), Error> {
        sqlx::query("UPDATE sessions SET lease_until = NULL WHERE id = $1 AND attempts = $2")
            .bind(row::id_bytes(session.id))
            .bind(i64::from(session.attempt))
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Gives a session back, as it was leased, to be looked after at `due`, or no more.
    pub async fn schedule_session(
        &self,
        session: &Session,
        due: Option<Timestamp>,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE sessions SET lease_until = NULL, next_attempt_at = $1 WHERE id = $2 AND attempts = $3",
        )
        .bind(due.map(row::millis))
        .bind(row::id_bytes(session.id))
        .bind(i64::from(session.attempt))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Forgets the sessions that are looked after no more and whose keys ended before this.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM sessions WHERE next_attempt_at IS NULL AND expires_at < $1")
            .bind(row::millis(before))
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

/// That credentials were handed out; of their prefix nothing that is hard to guess.
fn entry(session: &Session, by: &Caller, now: Timestamp) -> Entry {
    let id = session.id.to_string();
    let open = session.prefix.find(&id).map_or(0, |start| start + id.len());
    Entry {
        owner: Some(session.owner.to_string()),
        profile: Some(session.profile.clone()),
        key: session
            .prefix
            .get(..open)
            .filter(|key| !key.is_empty())
            .map(str::to_owned),
        detail: Some(format!("until {}", session.expires_at)),
        ..Entry::new(Act::Credentials, Some(by), now)
    }
}

fn session(found: &SqliteRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: row::upload_id(found.try_get("id")?)?,
        profile: found.try_get("profile")?,
        owner: row::parsed(found, "owner")?,
        api_key: found.try_get("api_key")?,
        address: row::optional(found, "address")?,
        prefix: found.try_get("prefix")?,
        metadata: row::from_json(found.try_get("metadata")?)?,
        expires_at: from_millis(found.try_get("expires_at")?),
        attempt: u32::try_from(found.try_get::<i64, _>("attempts")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}
