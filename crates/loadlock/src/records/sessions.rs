//! Sessions of temporary credentials, and what has been found below their prefixes.

use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{Act, Entry, Outcome, Records, audit, failed, row};
use crate::{
    auth::Caller,
    clock::from_millis,
    error::Error,
    upload::{Session, Upload, UploadId, session::Prefix},
};

/// A session to be, from when it is looked after, and how many its owner may have at a time.
#[derive(Debug)]
pub struct NewSession<'a> {
    pub session: &'a Session,
    pub due: Timestamp,
    pub most: u32,
}

/// What became of a session to be.
#[derive(Debug)]
pub enum Opened {
    /// It is open; or the one that was open below its prefix, which ends no sooner than the new one would.
    Yes(Session),
    /// Below its prefix another is open, which is not like it.
    Taken(Session),
    /// Its owner has as many as they may; then the first of them ends.
    Full(Timestamp),
}

impl Records {
    /// Records a session, unless one is open below its prefix: if that is for the same, it lasts longer. Durable when this returns.
    pub async fn open_session(
        &self,
        new: NewSession<'_>,
        by: &Caller,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        let mut transaction = self
            .write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        let opened = open(&mut transaction, new, now).await.map_err(failed)?;
        let Opened::Yes(session) = &opened else {
            return Ok(opened);
        };
        let told = audit::insert(&mut transaction, &[entry(session, by, now)]).await;
        told.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(opened)
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

    /// The sessions that have this prefix, ended or not.
    pub async fn sessions_below(&self, prefix: &str) -> Result<Vec<Session>, Error> {
        let found = sqlx::query("SELECT * FROM sessions WHERE prefix = $1")
            .bind(prefix.to_owned())
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        let sessions = found.iter().map(|found| session(found).map_err(failed));
        sessions.collect()
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
        uploads.retain(|upload| {
            upload
                .staged_key
                .as_str()
                .starts_with(session.prefix.as_str())
        });
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

    /// Gives a session back, as it was leased, to be looked after at `due`.
    pub async fn schedule_session(&self, session: &Session, due: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "UPDATE sessions SET lease_until = NULL, next_attempt_at = $1 WHERE id = $2 AND attempts = $3",
        )
        .bind(row::millis(due))
        .bind(row::id_bytes(session.id))
        .bind(i64::from(session.attempt))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Closes a session, as it was leased: it is looked after no more. Lost, if it lasts longer by now.
    pub async fn close_session(&self, session: &Session) -> Result<Outcome, Error> {
        let done = sqlx::query(
            "UPDATE sessions SET lease_until = NULL, next_attempt_at = NULL \
             WHERE id = $1 AND attempts = $2 AND expires_at = $3",
        )
        .bind(row::id_bytes(session.id))
        .bind(i64::from(session.attempt))
        .bind(row::millis(session.expires_at))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(row::outcome(&done))
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

async fn open(
    connection: &mut SqliteConnection,
    new: NewSession<'_>,
    now: Timestamp,
) -> Result<Opened, sqlx::Error> {
    let wanted = new.session;
    let there =
        sqlx::query("SELECT * FROM sessions WHERE prefix = $1 AND next_attempt_at IS NOT NULL")
            .bind(wanted.prefix.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    if let Some(there) = &there {
        let there = session(there)?;
        return go_on(connection, there, wanted).await;
    }
    let live = sqlx::query(
        "SELECT COUNT(*) AS sessions, MIN(expires_at) AS first FROM sessions \
         WHERE owner = $1 AND next_attempt_at IS NOT NULL AND expires_at > $2",
    )
    .bind(wanted.owner.as_str())
    .bind(row::millis(now))
    .fetch_one(&mut *connection)
    .await?;
    if live.try_get::<i64, _>("sessions")? >= i64::from(new.most) {
        return Ok(Opened::Full(from_millis(live.try_get("first")?)));
    }
    insert(connection, wanted, new.due).await?;
    Ok(Opened::Yes(wanted.clone()))
}

/// Lets the session that is open last as long as the new one would, if it is for the same.
async fn go_on(
    connection: &mut SqliteConnection,
    there: Session,
    wanted: &Session,
) -> Result<Opened, sqlx::Error> {
    if !there.is_like(wanted) {
        return Ok(Opened::Taken(there));
    }
    let longer = Session {
        expires_at: there.expires_at.max(wanted.expires_at),
        ..there
    };
    sqlx::query("UPDATE sessions SET expires_at = $1 WHERE id = $2")
        .bind(row::millis(longer.expires_at))
        .bind(row::id_bytes(longer.id))
        .execute(connection)
        .await?;
    Ok(Opened::Yes(longer))
}

async fn insert(
    connection: &mut SqliteConnection,
    session: &Session,
    due: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (id, profile, owner, api_key, address, prefix, metadata, expires_at, attempts, next_attempt_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
    )
    .bind(row::id_bytes(session.id))
    .bind(session.profile.as_str())
    .bind(session.owner.as_str())
    .bind(session.api_key.as_deref())
    .bind(session.address.map(|address| address.to_string()))
    .bind(session.prefix.as_str())
    .bind(row::to_json(&session.metadata)?)
    .bind(row::millis(session.expires_at))
    .bind(row::millis(due))
    .execute(connection)
    .await?;
    Ok(())
}

/// That credentials were handed out.
fn entry(session: &Session, by: &Caller, now: Timestamp) -> Entry {
    Entry {
        owner: Some(session.owner.to_string()),
        profile: Some(session.profile.clone()),
        key: Some(session.prefix.open().to_owned()),
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
        prefix: Prefix::new(found.try_get("prefix")?),
        metadata: row::from_json(found.try_get("metadata")?)?,
        expires_at: from_millis(found.try_get("expires_at")?),
        attempt: u32::try_from(found.try_get::<i64, _>("attempts")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}
