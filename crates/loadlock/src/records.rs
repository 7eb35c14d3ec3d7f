//! The records: one method is one business transaction; a change and its event commit together.

mod audit;
mod begins;
mod changes;
mod keys;
mod quarantine;
mod repair;
mod replies;
mod revocations;
mod row;
mod sessions;
mod usage;
mod users;
mod watch;

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use sqlx::{
    QueryBuilder, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::{
    audit::Notes,
    begins::{Begins, Rules},
    revocations::Revocations,
    watch::Watchers,
};
pub use self::{
    audit::{Act, Actor, Entry, Filter, NOT_OK, OK, Place},
    begins::{Admitted, NewBegin},
    changes::{Change, FileChange, NewClaim, Outcome},
    keys::ApiKey,
    replies::{Answer, Reply},
    revocations::{Denied, NotASubject, Revocation, Subject},
    sessions::{NewSession, Opened},
    usage::Miscount,
    users::User,
    watch::Watch,
};
use crate::{
    auth::Scope,
    error::{Error, Kind},
    upload::{File, Metadata, Owner, Upload, UploadId, quota::Allowances},
};

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);

/// The records: uploads, files, claims, events, the audit log, revocations. Clones share one database.
#[derive(Debug, Clone)]
pub struct Records {
    read: SqlitePool,
    /// The database has one writer at a time; one connection, waited for in turn, keeps writers from polling for it.
    write: SqlitePool,
    begins: Begins,
    allowances: Arc<Allowances>,
    notes: Notes,
    revocations: Revocations,
    watchers: Watchers,
}

impl Records {
    /// Opens the file, or makes it, and brings its schema up to date; without quotas.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        Self::open_within(path, Allowances::default()).await
    }

    /// The same, for those who let uploads begin: within these quotas.
    pub async fn open_within(path: &Path, allowances: Allowances) -> Result<Self, Error> {
        let allowances = Arc::new(allowances);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        sqlx::migrate!()
            .run(&write)
            .await
            .map_err(|error| Kind::Unavailable.caused_by(error))?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(failed)?;
        let revocations = Revocations::default();
        let rules = Rules {
            write: write.clone(),
            allowances: Arc::clone(&allowances),
            revocations: revocations.clone(),
        };
        Ok(Self {
            begins: Begins::start(rules),
            notes: Notes::start(write.clone()),
            revocations,
            allowances,
            read,
            write,
            watchers: Watchers::default(),
        })
    }

    /// The same, but of a file that is there.
    pub async fn there(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            let path = path.display();
            return Err(Kind::NotFound.because(format!("there are no records at {path}")));
        }
        Self::open(path).await
    }

    /// Records new uploads that nobody is revoked for and for which quotas leave room, or nothing where a reply is kept under their key. Durable when this
    /// returns, together with the others that began just now. Each comes back, in their order.
    pub async fn begin(&self, begin: NewBegin) -> Result<(Outcome, Admitted), Error> {
        self.begins.record(begin).await
    }

    /// An upload, if there is one of this id.
    pub async fn upload(&self, id: UploadId) -> Result<Option<Upload>, Error> {
        sqlx::query("SELECT * FROM uploads WHERE id = $1")
            .bind(row::id_bytes(id))
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| row::upload(&found).map_err(failed))
            .transpose()
    }

    /// The uploads a claim has taken, in the order of their ids.
    pub async fn claimed(&self, claim: UploadId) -> Result<Vec<Upload>, Error> {
        sqlx::query("SELECT * FROM uploads WHERE claim_id = $1 ORDER BY id")
            .bind(row::id_bytes(claim))
            .fetch_all(&self.read)
            .await
            .map_err(failed)?
            .iter()
            .map(|found| row::upload(found).map_err(failed))
            .collect()
    }

    /// A claim's form data.
    pub async fn claim_metadata(&self, claim: UploadId) -> Result<Option<Metadata>, Error> {
        sqlx::query_scalar("SELECT metadata FROM claims WHERE id = $1")
            .bind(row::id_bytes(claim))
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|text: String| row::from_json(&text).map_err(failed))
            .transpose()
    }

    /// A file, if there is one of this id.
    pub async fn file(&self, id: UploadId) -> Result<Option<File>, Error> {
        sqlx::query("SELECT * FROM files WHERE id = $1")
            .bind(row::id_bytes(id))
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| row::file(&found).map_err(failed))
            .transpose()
    }

    /// Files of one owner, or of all, as far as the scope goes: newest first, older than `before`.
    pub async fn files(
        &self,
        (owner, scope): (Option<&Owner>, &Scope),
        before: Option<UploadId>,
        limit: u32,
    ) -> Result<Vec<File>, Error> {
        let before = before.unwrap_or_else(|| UploadId::from_bytes([0xff; 16]));
        // Only what is asked for stands in the text, so that each is answered from an index.
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM files WHERE id < ");
        query.push_bind(row::id_bytes(before));
        if let Some(owner) = owner {
            query.push(" AND owner = ").push_bind(owner.as_str());
        }
        if let Scope::Profiles(names) = scope {
            query.push(" AND profile IN (");
            let mut list = query.separated(", ");
            for name in names.iter() {
                list.push_bind(name.as_str());
            }
            query.push(")");
        }
        query.push(" ORDER BY id DESC LIMIT ");
        query.push_bind(i64::from(limit));
        let found = query.build().fetch_all(&self.read).await.map_err(failed)?;
        let files = found.iter().map(|found| row::file(found).map_err(failed));
        files.collect()
    }

    /// Whether the database answers.
    pub async fn answer(&self) -> Result<(), Error> {
        let look = sqlx::query("SELECT 1 FROM uploads LIMIT 1");
        look.fetch_optional(&self.read).await.map_err(failed)?;
        Ok(())
    }

    /// When something is next due, if anything is, whoever has it under lease; one look into the index.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let millis: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(next_attempt_at) FROM uploads WHERE next_attempt_at IS NOT NULL",
        )
        .fetch_one(&self.read)
        .await
        .map_err(failed)?;
        Ok(millis.map(crate::clock::from_millis))
    }

    /// Tells when an upload changes in this process.
    pub fn watch(&self, id: UploadId) -> Watch {
        self.watchers.watch(id)
    }
}

fn failed(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            Kind::Unavailable.caused_by(error)
        }
        error => Kind::Internal.caused_by(error),
    }
}
