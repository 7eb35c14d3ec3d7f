//! Repair: what quotas go by is put right where it is not what the rows say.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Miscount, Records, failed, usage::miscounts};
use crate::error::Error;

/// Left behind by uploads, and nobody comes for it: a service that knows nothing of it has cleared it away.
const FORGOTTEN: &str = "(lingers <> 0 OR kept_bytes IS NOT NULL) AND next_attempt_at IS NULL \
     AND state IN ('stored', 'rejected', 'expired', 'aborted')";

impl Records {
    /// Puts right the counters that are wrong, and has those uploads cleared away again that an older service at work beside
    /// this one has forgotten. Gives what was wrong.
    pub async fn repair(&self) -> Result<Vec<Miscount>, Error> {
        // Counted beside the writer first: nearly always nothing is wrong, and nobody has to wait.
        if self.recount().await?.is_empty() && !self.has_forgotten().await? {
            return Ok(Vec::new());
        }
        let mut transaction = self
            .write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        let wrong = repair(&mut transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(wrong)
    }

    async fn has_forgotten(&self) -> Result<bool, Error> {
        let look = format!("SELECT 1 FROM uploads WHERE {FORGOTTEN} LIMIT 1");
        let found = sqlx::query(AssertSqlSafe(look)).fetch_optional(&self.read);
        Ok(found.await.map_err(failed)?.is_some())
    }
}

async fn repair(connection: &mut SqliteConnection) -> Result<Vec<Miscount>, sqlx::Error> {
    let again = format!("UPDATE uploads SET next_attempt_at = 0 WHERE {FORGOTTEN}");
    sqlx::query(AssertSqlSafe(again))
        .execute(&mut *connection)
        .await?;
    let wrong = miscounts(connection).await?;
    for Miscount {
        counter, counted, ..
    } in &wrong
    {
        sqlx::query(
            "INSERT INTO usage (profile, owner, address, stored_bytes, stored_files, open_bytes, open_files, day, begun) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (profile, owner, address) DO UPDATE SET \
             stored_bytes = excluded.stored_bytes, stored_files = excluded.stored_files, open_bytes = excluded.open_bytes, \
             open_files = excluded.open_files, day = excluded.day, begun = excluded.begun",
        )
        .bind(counter.profile.as_str())
        .bind(counter.owner.as_str())
        .bind(counter.address.as_str())
        .bind(counted.usage.stored_bytes)
        .bind(counted.usage.stored_files)
        .bind(counted.usage.open_bytes)
        .bind(counted.usage.open_files)
        .bind(counted.day)
        .bind(counted.begun)
        .execute(&mut *connection)
        .await?;
    }
    Ok(wrong)
}
