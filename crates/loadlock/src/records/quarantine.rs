//! Rejected uploads whose content is kept for a while.

use super::{Change, Entry, FileChange, Outcome, Records, failed, row};
use crate::{
    error::Error,
    upload::{Upload, UploadId},
};

impl Records {
    /// Those whose content is kept, by their ids, after this one.
    pub async fn quarantined(
        &self,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Vec<Upload>, Error> {
        let after = after.unwrap_or_else(|| UploadId::from_bytes([0; 16]));
        let found = sqlx::query(
            "SELECT * FROM uploads WHERE state = 'rejected' AND facts LIKE '%\"quarantined\":%' \
             AND next_attempt_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        )
        .bind(row::id_bytes(after))
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let uploads = found.iter().map(|found| row::upload(found).map_err(failed));
        uploads.collect()
    }

    /// Has what is kept of an upload deleted now, by the background work; `Lost` if it is not as it was read. The entry is written
    /// down with it.
    pub async fn discard(&self, from: &Upload, to: &Upload, by: Entry) -> Result<Outcome, Error> {
        let now = by.at;
        let change = Change {
            from,
            to,
            due: Some(now),
            file: FileChange::Keep,
            by: None,
        };
        let told = Some(by.of(to));
        self.change_with(None, &[change], told, now).await
    }
}
