//! What is revoked, known by heart: read again when the records count a change.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sqlx::{SqliteConnection, SqlitePool};
use tokio::{sync::RwLock, time::Instant};

use super::{Subject, subject};
use crate::upload::{Method, Upload};

/// What this process knows of the revocations. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::records) struct Revocations(Arc<RwLock<Known>>);

/// All that is revoked.
#[derive(Debug, Clone, Default)]
pub(in crate::records) struct Revoked(Arc<HashSet<Subject>>);

#[derive(Debug, Default)]
struct Known {
    revoked: Revoked,
    /// Of which change this is the state.
    change: Option<i64>,
    looked_at: Option<Instant>,
}

impl Revoked {
    pub(super) fn first_of(&self, subjects: &[Subject]) -> Option<Subject> {
        let mut subjects = subjects.iter();
        subjects.find(|one| self.0.contains(one)).cloned()
    }

    /// What keeps an upload from being begun, if something does. One that is found below a session's prefix is no new grant: it is
    /// recorded, and rejected like all that has arrived.
    pub(in crate::records) fn bars(&self, upload: &Upload) -> Option<Subject> {
        if self.0.is_empty() || upload.method == Method::Credentials {
            return None;
        }
        self.first_of(&Subject::of(upload))
    }
}

impl Known {
    /// Whether it was looked up since somebody asked, or a little before.
    fn serves(&self, asked: Instant, before: Duration) -> bool {
        self.looked_at.is_some_and(|at| at + before > asked)
    }

    async fn look(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        // Asked before the rows: those may be newer, and are then read once more.
        let change = sqlx::query_scalar("SELECT n FROM revocation_changes");
        let change: i64 = change.fetch_one(&mut *connection).await?;
        if self.change != Some(change) {
            let all = sqlx::query("SELECT kind, subject FROM revocations");
            let all = all.fetch_all(connection).await?;
            let all = all.iter().map(subject).collect::<Result<_, _>>()?;
            self.revoked = Revoked(Arc::new(all));
            self.change = Some(change);
        }
        self.looked_at = Some(now);
        Ok(())
    }
}

impl Revocations {
    /// All that is revoked, as a transaction sees it.
    pub(in crate::records) async fn within(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Revoked, sqlx::Error> {
        let mut known = self.0.write().await;
        known.look(connection).await?;
        Ok(known.revoked.clone())
    }

    /// What is known is read again at the next look.
    pub(in crate::records) async fn forget(&self) {
        self.0.write().await.looked_at = None;
    }

    /// All that is revoked now, or was so long before. Who asks while another looks shares the next look with all who wait.
    pub(super) async fn known(
        &self,
        read: &SqlitePool,
        before: Duration,
    ) -> Result<Revoked, sqlx::Error> {
        let asked = Instant::now();
        {
            let known = self.0.read().await;
            if known.serves(asked, before) {
                return Ok(known.revoked.clone());
            }
        }
        let mut known = self.0.write().await;
        if !known.serves(asked, before) {
            known.look(&mut *read.acquire().await?).await?;
        }
        Ok(known.revoked.clone())
    }
}
