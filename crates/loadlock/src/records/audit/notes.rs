//! Entries that change nothing beside them: written down soon, together, by one hand. There is an end to how many may wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::SqlitePool;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{Entry, insert};

/// How many may wait; whoever floods the service with what it refuses must not fill its memory.
const QUEUE: usize = 4096;
/// How many are written in one transaction.
const BATCH: usize = 512;
/// How long the first waits for others: refusals must not keep the one writer busy with a sync each.
const GATHER: Duration = Duration::from_millis(200);

/// The way to the writer.
#[derive(Debug, Clone)]
pub(in crate::records) struct Notes {
    queue: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Note {
    Entry(Box<Entry>),
    /// Somebody waits for all that came before.
    Flush(oneshot::Sender<()>),
}

impl Notes {
    /// Starts the writer, which ends with the last of its clones.
    pub(in crate::records) fn start(write: SqlitePool) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let dropped = Arc::default();
        let notes = Self {
            queue,
            dropped: Arc::clone(&dropped),
        };
        tokio::spawn(work(write, receiver, dropped));
        notes
    }

    pub(super) fn note(&self, entry: Entry) {
        if self.queue.try_send(Note::Entry(Box::new(entry))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Note::Flush(done)).await.is_ok() {
            // A writer that has gone has written what it could.
            let _ = written.await;
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn work(write: SqlitePool, mut queue: mpsc::Receiver<Note>, dropped: Arc<AtomicU64>) {
    let mut told = 0;
    while let Some(first) = queue.recv().await {
        let (entries, waiting) = gather(first, &mut queue).await;
        if let Err(error) = write_down(&write, &entries).await {
            let lost = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            dropped.fetch_add(lost, Ordering::Relaxed);
            tracing::error!(%error, "entries of the audit log cannot be written");
        }
        let in_all = dropped.load(Ordering::Relaxed);
        if in_all > told {
            tracing::warn!(
                dropped = in_all - told,
                in_all,
                "entries of the audit log were dropped"
            );
            told = in_all;
        }
        for waiting in waiting {
            let _ = waiting.send(());
        }
    }
}

/// What comes within a moment, or until somebody waits for it.
async fn gather(
    first: Note,
    queue: &mut mpsc::Receiver<Note>,
) -> (Vec<Entry>, Vec<oneshot::Sender<()>>) {
    let (mut entries, mut waiting) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + GATHER;
    let mut next = Some(first);
    while let Some(note) = next {
        match note {
            Note::Entry(entry) => entries.push(*entry),
            Note::Flush(done) => waiting.push(done),
        }
        next = if entries.len() < BATCH && waiting.is_empty() {
            timeout_at(deadline, queue.recv()).await.ok().flatten()
        } else {
            None
        };
    }
    (entries, waiting)
}

async fn write_down(write: &SqlitePool, entries: &[Entry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
    insert(&mut transaction, entries).await?;
    transaction.commit().await
}
