//! Group commit: uploads that begin at the same time are recorded by one sync.

use std::sync::{Arc, LazyLock};

use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::{Outcome, Reply, audit, replies, row};
use crate::{
    error::{Error, Kind},
    upload::{KeyPrefix, MediaType, Upload},
};

/// Uploads that begin together, recorded all or none.
#[derive(Debug)]
pub struct NewBegin {
    pub uploads: Vec<Upload>,
    /// Recorded with them: where there is one of its key, nothing is.
    pub reply: Option<Reply>,
}

/// How many may wait for the writer before the next has to wait for its place.
const QUEUE: usize = 1024;
/// How many are recorded in one transaction, and in one statement of it.
const BATCH: usize = 512;
const ROWS: usize = 64;
const COLUMNS: usize = 19;

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Begins(mpsc::Sender<Waiting>);

type Recorded = Result<(Outcome, Vec<Upload>), Arc<sqlx::Error>>;

#[derive(Debug)]
struct Waiting {
    begin: NewBegin,
    answer: oneshot::Sender<Recorded>,
}

impl Begins {
    /// Starts the writer, which ends with the last of its clones.
    pub(super) fn start(write: SqlitePool) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(work(write, receiver));
        Self(sender)
    }

    /// Resolves when the uploads are durable, or when it is known that they are not to be.
    pub(super) async fn record(&self, begin: NewBegin) -> Result<(Outcome, Vec<Upload>), Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { begin, answer };
        let gone = || Kind::Unavailable.because("the service is shutting down");
        self.0.send(waiting).await.map_err(|_| gone())?;
        answered
            .await
            .map_err(|_| gone())?
            .map_err(|error| Kind::Unavailable.caused_by(error))
    }
}

async fn work(write: SqlitePool, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let outcomes = insert(&write, &batch).await.map_err(Arc::new);
        for (n, Waiting { begin, answer }) in batch.drain(..).enumerate() {
            let outcome = outcomes.as_ref().map(|all| all[n]).map_err(Arc::clone);
            // A caller that has gone away needs no answer; its upload expires by itself.
            let _ = answer.send(outcome.map(|outcome| (outcome, begin.uploads)));
        }
    }
}

async fn insert(write: &SqlitePool, batch: &[Waiting]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut outcomes = vec![Outcome::Done; batch.len()];
    let plain = batch.iter().all(|waiting| waiting.begin.reply.is_none());
    let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
    if !plain {
        outcomes = insert_replies(&mut transaction, batch).await?;
    }
    for rows in rows_of(batch, &outcomes).chunks(ROWS) {
        insert_rows(&mut transaction, rows).await?;
        audit::insert_begins(&mut transaction, rows).await?;
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// The uploads of those that have not lost.
fn rows_of<'a>(batch: &'a [Waiting], outcomes: &[Outcome]) -> Vec<&'a Upload> {
    let all = batch.iter().zip(outcomes);
    all.filter(|(_, outcome)| **outcome == Outcome::Done)
        .flat_map(|(waiting, _)| &waiting.begin.uploads)
        .collect()
}

async fn insert_replies(
    connection: &mut SqliteConnection,
    batch: &[Waiting],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let replies = batch
        .iter()
        .filter_map(|waiting| waiting.begin.reply.as_ref());
    if let Some(now) = replies.map(|reply| reply.at).max() {
        replies::forget(connection, now).await?;
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    for waiting in batch {
        outcomes.push(match &waiting.begin.reply {
            None => Outcome::Done,
            Some(reply) => replies::insert(connection, reply).await?,
        });
    }
    Ok(outcomes)
}

async fn insert_rows(
    connection: &mut SqliteConnection,
    rows: &[&Upload],
) -> Result<(), sqlx::Error> {
    let Some(text) = INSERTS.get(rows.len()) else {
        return Err(sqlx::Error::Protocol("too many rows".to_owned()));
    };
    let mut query = sqlx::query(AssertSqlSafe(Arc::clone(text)));
    for upload in rows {
        let metadata = if upload.metadata.is_empty() {
            None
        } else {
            Some(row::to_json(&upload.metadata)?)
        };
        query = query
            .bind(row::id_bytes(upload.id))
            .bind(upload.profile.as_str())
            .bind(upload.owner.as_str())
            .bind(upload.filename.as_str())
            .bind(upload.content_type.as_ref().map(MediaType::as_str))
            .bind(upload.size_bytes.map(row::signed))
            .bind(upload.checksum.as_ref().map(ToString::to_string))
            .bind(metadata)
            .bind(upload.method.as_str())
            .bind(upload.multipart_id.as_deref())
            .bind(upload.return_to.as_deref())
            .bind(upload.staged_key.as_str())
            .bind(upload.api_key.as_deref())
            .bind(upload.address.map(|address| address.to_string()))
            .bind(upload.narrowed.max_size_bytes.map(row::signed))
            .bind(upload.narrowed.key_prefix.as_ref().map(KeyPrefix::as_str))
            .bind(row::millis(upload.grant_expires_at))
            .bind(row::millis(upload.expires_at))
            .bind(row::millis(upload.next_due(upload.created_at())));
    }
    query.execute(connection).await?;
    Ok(())
}

/// The statement for each number of rows: made once, so that the database prepares each once.
static INSERTS: LazyLock<Vec<Arc<str>>> =
    LazyLock::new(|| (0..=ROWS).map(|rows| insert_text(rows).into()).collect());

/// Its parameters have no numbers: the driver looks each named one up by a scan over all, 900 of them in a full batch.
fn insert_text(rows: usize) -> String {
    let row = format!("({}'issued', 0)", "?, ".repeat(COLUMNS));
    format!(
        "INSERT INTO uploads (id, profile, owner, filename, content_type, size_bytes, checksum, metadata, method, \
         multipart_id, return_to, staged_key, api_key, address, max_size_bytes, key_prefix, \
         grant_expires_at, expires_at, next_attempt_at, state, attempts) VALUES {}",
        vec![row; rows].join(", ")
    )
}
