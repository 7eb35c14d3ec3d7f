//! The one thread that writes metadata. Changes that wait share a transaction, and so one sync; each has its own
//! savepoint, so that one that fails does not fail the others.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
};

use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    DiskError,
    collect::Errand,
    files::{BlobId, Draft, Files},
};

/// At most so many changes share a transaction.
const BATCH: usize = 256;

/// Where changes are handed in.
#[derive(Clone, Debug)]
pub(super) struct Commits(Sender<Box<dyn Change>>);

impl Commits {
    pub(super) fn new(changes: Sender<Box<dyn Change>>) -> Self {
        Self(changes)
    }

    /// Publishes `draft`, if there is one, and runs `work` in a transaction; durable once it is `Ok`.
    pub(super) async fn change<T, W>(&self, draft: Option<Draft>, work: W) -> Result<T, DiskError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    {
        let answer = self.hand_in(draft, work);
        answer.await.unwrap_or(Err(DiskError::Closed))
    }

    /// Forgets files that are gone. If that fails, the next start does it.
    pub(super) fn forget_blobs(&self, blobs: Vec<BlobId>) {
        drop(self.hand_in(None, move |conn| forget_blobs(conn, &blobs)));
    }

    fn hand_in<T, W>(
        &self,
        draft: Option<Draft>,
        work: W,
    ) -> oneshot::Receiver<Result<T, DiskError>>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let outcome = Err(DiskError::CommitFailed);
        // Closed: the reply is dropped with the call, and the receiver sees it.
        let _ = self.0.send(Box::new(Call {
            draft,
            work: Some(work),
            outcome,
            reply,
        }));
        answer
    }
}

/// Takes unlinked files out of the metadata.
pub(super) fn forget_blobs(conn: &Connection, blobs: &[BlobId]) -> Result<(), DiskError> {
    let mut statement = conn.prepare_cached("DELETE FROM blob WHERE id = ? AND refs <= 0")?;
    for blob in blobs {
        statement.execute([blob])?;
    }
    Ok(())
}

/// A change on its way through [`run`]: published, then run, then answered.
pub(super) trait Change: Send {
    /// Renames the draft; tells which directory is to be synced.
    fn publish(&mut self) -> Option<i64>;
    fn fail(&mut self, error: DiskError);
    fn run(&mut self, tx: &mut Transaction<'_>);
    fn answer(self: Box<Self>, end: End);
}

/// How the shared transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Committed,
    NoSpace,
    Failed,
}

impl From<&DiskError> for End {
    fn from(error: &DiskError) -> Self {
        if matches!(error, DiskError::NoSpace) {
            Self::NoSpace
        } else {
            Self::Failed
        }
    }
}

struct Call<T, W> {
    draft: Option<Draft>,
    /// Gone once it ran, or if it must not.
    work: Option<W>,
    outcome: Result<T, DiskError>,
    reply: oneshot::Sender<Result<T, DiskError>>,
}

impl<T, W> Change for Call<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, DiskError> + Send,
{
    fn publish(&mut self) -> Option<i64> {
        let published = self.draft.as_mut()?.publish();
        match published {
            Ok(directory) => Some(directory),
            Err(error) => {
                self.fail(error.into());
                None
            }
        }
    }

    fn fail(&mut self, error: DiskError) {
        self.work = None;
        self.outcome = Err(error);
    }

    fn run(&mut self, tx: &mut Transaction<'_>) {
        if let Some(work) = self.work.take() {
            self.outcome = in_savepoint(tx, work);
        }
    }

    fn answer(mut self: Box<Self>, end: End) {
        if self.outcome.is_ok() {
            // A commit that failed may yet turn out to be on disk after a crash, so its file must not go.
            match (self.draft.take(), end) {
                (Some(draft), End::Committed) => draft.keep(),
                (Some(draft), _) => draft.leave(),
                (None, _) => {}
            }
            match end {
                End::Committed => {}
                End::NoSpace => self.outcome = Err(DiskError::NoSpace),
                End::Failed => self.outcome = Err(DiskError::CommitFailed),
            }
        }
        // Nobody may be waiting any more; the change stands all the same.
        let _ = self.reply.send(self.outcome);
    }
}

fn in_savepoint<T>(
    tx: &mut Transaction<'_>,
    work: impl FnOnce(&Connection) -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    let savepoint: Savepoint<'_> = tx.savepoint()?;
    let value = work(&savepoint)?;
    savepoint.commit()?;
    Ok(value)
}

/// Commits changes until nobody can hand in more.
pub(super) fn run(mut conn: Connection, changes: &Receiver<Box<dyn Change>>, files: &Arc<Files>) {
    let mut low_water = 0;
    while let Ok(first) = changes.recv() {
        let mut batch: Vec<_> = std::iter::once(first)
            .chain(changes.try_iter().take(BATCH - 1))
            .collect();
        publish(&mut batch, files);
        let committed = commit(&mut conn, &mut batch, files, &mut low_water);
        let (end, doomed) = match committed {
            Ok(doomed) => (End::Committed, doomed),
            Err(error) => {
                tracing::error!(%error, changes = batch.len(), "a transaction failed");
                (End::from(&error), Vec::new())
            }
        };
        if !doomed.is_empty() {
            // Closed: the next start removes them.
            let _ = files.send(Errand::Doomed(doomed));
        }
        for change in batch {
            change.answer(end);
        }
    }
}

/// Renames the drafts and makes the renames durable, one sync a directory.
fn publish(batch: &mut [Box<dyn Change>], files: &Files) {
    let mut directories: HashMap<i64, Vec<usize>> = HashMap::new();
    for (index, change) in batch.iter_mut().enumerate() {
        if let Some(directory) = change.publish() {
            directories.entry(directory).or_default().push(index);
        }
    }
    for (directory, users) in directories {
        if let Err(error) = files.sync_directory(directory) {
            for index in users {
                let same = error
                    .raw_os_error()
                    .map_or(error.kind().into(), io::Error::from_raw_os_error);
                batch[index].fail(same.into());
            }
        }
    }
}

/// Runs the changes in one transaction; returns the files that have lost their last reference.
fn commit(
    conn: &mut Connection,
    batch: &mut [Box<dyn Change>],
    files: &Files,
    low_water: &mut BlobId,
) -> Result<Vec<BlobId>, DiskError> {
    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in batch {
        change.run(&mut tx);
        // A full disk or an I/O error can end the whole transaction; nothing may run outside of one.
        if tx.is_autocommit() {
            return Err(DiskError::CommitFailed);
        }
    }
    let reached = files.low_water();
    if reached > *low_water {
        tx.prepare_cached("UPDATE store SET low_water = ?")?
            .execute([reached])?;
    }
    let doomed = tx
        .prepare_cached("UPDATE blob SET refs = -1 WHERE refs = 0 RETURNING id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<BlobId>, _>>()?;
    tx.commit()?;
    *low_water = (*low_water).max(reached);
    Ok(doomed)
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, DiskError};

    impl Disk {
        /// What a defect would do.
        pub(crate) async fn panic_in_commit(&self) {
            let lost = self.change::<()>(|_| panic!("as the test wants it")).await;
            assert!(matches!(lost, Err(DiskError::Closed)));
        }
    }
}
