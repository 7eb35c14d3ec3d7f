//! Group commit: uploads that begin at the same time are recorded by one sync.

use std::sync::{Arc, LazyLock};

use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::{
    Denied, Outcome, Reply, audit, replies,
    revocations::{Revocations, Revoked},
    row,
    usage::Book,
};
use crate::{
    clock::day,
    error::{Error, Kind},
    upload::{KeyPrefix, MediaType, Upload, quota::Allowances},
};

/// Uploads that begin together; each is recorded, or denied.
#[derive(Debug)]
pub struct NewBegin {
    pub uploads: Vec<Upload>,
    /// Recorded with them, unless all are denied: where there is one of its key, nothing is.
    pub reply: Option<Reply>,
}

/// How many may wait for the writer before the next has to wait for its place.
const QUEUE: usize = 1024;
/// How many are recorded in one transaction, and in one statement of it.
const BATCH: usize = 512;
const ROWS: usize = 64;
const COLUMNS: usize = 23;

/// What the writer writes with, and goes by.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) write: SqlitePool,
    pub(super) allowances: Arc<Allowances>,
    pub(super) revocations: Revocations,
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Begins(mpsc::Sender<Waiting>);

/// What became of each upload, in the order they came.
pub type Admitted = Vec<Result<Upload, Denied>>;

#[derive(Debug)]
struct Waiting {
    begin: NewBegin,
    answer: oneshot::Sender<Result<(Outcome, Admitted), Arc<sqlx::Error>>>,
}

/// What is said of one begin; of a lost one nothing but that.
struct Verdict {
    outcome: Outcome,
    uploads: Vec<Result<(), Denied>>,
}

impl Begins {
    /// Starts the writer, which ends with the last of its clones.
    pub(super) fn start(rules: Rules) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(work(rules, receiver));
        Self(sender)
    }

    /// Resolves when the uploads are durable, or when it is known that they are not to be.
    pub(super) async fn record(&self, begin: NewBegin) -> Result<(Outcome, Admitted), Error> {
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

async fn work(rules: Rules, mut receiver: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let verdicts = record(&rules, &batch).await;
        let verdicts: Vec<_> = match verdicts.map_err(Arc::new) {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(error) => batch.iter().map(|_| Err(Arc::clone(&error))).collect(),
        };
        for (Waiting { begin, answer }, verdict) in batch.drain(..).zip(verdicts) {
            // A caller that has gone away needs no answer; its upload expires by itself.
            let _ = answer.send(verdict.map(|verdict| verdict.over(begin.uploads)));
        }
    }
}

impl Verdict {
    fn over(self, uploads: Vec<Upload>) -> (Outcome, Admitted) {
        let each = self.uploads.into_iter().zip(uploads);
        let each = each.map(|(admitted, upload)| admitted.map(|()| upload));
        (self.outcome, each.collect())
    }
}

/// All that waits, in one transaction: replies, revocations, quotas and uploads, each begin after the other.
async fn record(rules: &Rules, batch: &[Waiting]) -> Result<Vec<Verdict>, sqlx::Error> {
    let mut transaction = rules.write.begin_with("BEGIN IMMEDIATE").await?;
    let revoked = rules.revocations.within(&mut transaction).await?;
    let replies = batch.iter().filter_map(|one| one.begin.reply.as_ref());
    let latest = replies.map(|reply| reply.at).max();
    if let Some(now) = latest {
        replies::forget(&mut transaction, now).await?;
    }
    let asked: Vec<&Upload> = batch.iter().flat_map(|one| &one.begin.uploads).collect();
    // What is found of a session has the session's time in its id.
    let begun = asked.iter().map(|upload| upload.created_at());
    let today = begun.chain(latest).max().map_or(0, day);
    let mut book = Book::open(&mut transaction, &rules.allowances, &asked, today).await?;
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut rows = Vec::with_capacity(asked.len());
    for Waiting { begin, .. } in batch {
        let verdict = judge(&mut transaction, (&revoked, &mut book), begin).await?;
        let each = begin.uploads.iter().zip(&verdict.uploads);
        rows.extend(each.filter_map(|(upload, admitted)| admitted.is_ok().then_some(upload)));
        verdicts.push(verdict);
    }
    for rows in rows.chunks(ROWS) {
        insert_rows(&mut transaction, rows, book.today).await?;
        audit::insert_begins(&mut transaction, rows).await?;
    }
    book.close(&mut transaction).await?;
    transaction.commit().await?;
    Ok(verdicts)
}

async fn judge(
    connection: &mut SqliteConnection,
    (revoked, book): (&Revoked, &mut Book<'_>),
    begin: &NewBegin,
) -> Result<Verdict, sqlx::Error> {
    if let Some(reply) = &begin.reply
        && replies::insert(&mut *connection, reply).await? == Outcome::Lost
    {
        return Ok(Verdict {
            outcome: Outcome::Lost,
            uploads: Vec::new(),
        });
    }
    let admitted = |upload| match revoked.bars(upload) {
        Some(subject) => Err(Denied::Revoked(subject)),
        None => book.admit(upload).map_err(Denied::Exceeded),
    };
    let uploads: Vec<_> = begin.uploads.iter().map(admitted).collect();
    if let Some(reply) = &begin.reply {
        replies::correct(connection, reply, begin.uploads.iter().zip(&uploads)).await?;
    }
    Ok(Verdict {
        outcome: Outcome::Done,
        uploads,
    })
}

async fn insert_rows(
    connection: &mut SqliteConnection,
    rows: &[&Upload],
    today: i64,
) -> Result<(), sqlx::Error> {
    let Some(text) = INSERTS.get(rows.len()) else {
        return Err(sqlx::Error::Protocol("too many rows".to_owned()));
    };
    let mut query = sqlx::query(AssertSqlSafe(Arc::clone(text)));
    for upload in rows {
        let metadata = (!upload.metadata.is_empty()).then_some(&upload.metadata);
        let metadata = metadata.map(row::to_json).transpose()?;
        let fields = &upload.narrowed.fields;
        let authorized = (!fields.is_empty()).then_some(fields);
        let authorized = authorized.map(row::to_json).transpose()?;
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
            .bind(authorized)
            .bind(row::millis(upload.grant_expires_at))
            .bind(row::millis(upload.expires_at))
            .bind(row::millis(upload.next_due(upload.created_at())))
            .bind(row::signed(upload.reserved_bytes))
            .bind(upload.counted_at())
            .bind(today);
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
         multipart_id, return_to, staged_key, api_key, address, max_size_bytes, key_prefix, authorized, \
         grant_expires_at, expires_at, next_attempt_at, reserved_bytes, counted_at, counted_on, state, attempts) VALUES {}",
        vec![row; rows].join(", ")
    )
}
