//! The audit log: who did what, when, from where, and what came of it. Rows are added, and cleared away once they are old.

mod filter;
mod notes;

use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Execute, Executor as _, Sqlite, SqliteConnection};

pub use self::filter::{Filter, NOT_OK, Place};
use self::filter::{entry, select};
pub(super) use self::notes::Notes;
use super::{Outcome, Records, failed, row};
use crate::{
    auth::{Caller, Who},
    error::Error,
    upload::{Owner, Upload, UploadId},
};

/// The outcome of what was done as asked.
pub const OK: &str = "ok";
/// How many are recorded in one statement.
const ROWS: usize = 64;
const COLUMNS: usize = 11;
/// What others wrote is kept up to here.
const MAX_CHARS: usize = 300;
/// What an API key's name comes after, where it did something.
const KEY: &str = "key ";

/// One thing that was done, or refused. Never with a secret or a signed URL in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    pub act: Act,
    /// `ok`, or the code of the error or of the rejection.
    pub outcome: Cow<'static, str>,
    pub actor: Actor,
    pub owner: Option<String>,
    /// A profile's name.
    pub profile: Option<String>,
    pub upload: Option<UploadId>,
    pub size_bytes: Option<u64>,
    /// In the staging bucket as far as the upload's id, without what makes it hard to guess; in the final bucket whole.
    pub key: Option<String>,
    pub address: Option<IpAddr>,
    /// What else is to be known: a sentence for people.
    pub detail: Option<String>,
}

/// Who did it: `user NAME`, `key NAME`, `upload token`, `anonymous`, `service` or `operator`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(Cow<'static, str>);

macro_rules! acts {
    ($($act:ident $name:literal $says:literal)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Act { $(#[doc = $says] $act,)* }

        impl Act {
            /// Every act, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$act),*];

            /// Its name in records, API and documents.
            pub fn name(self) -> &'static str {
                match self { $(Self::$act => $name,)* }
            }
        }
    };
}

acts! {
    Begin        "begin"        "A grant was handed out."
    Sign         "sign"         "More parts were signed."
    Complete     "complete"     "The bytes had arrived."
    Inspect      "inspect"      "What lies in staging was looked at, and passed."
    Reject       "reject"       "It was refused."
    Claim        "claim"        "An application's server took it with its form."
    Release      "release"      "A claim that could not be fulfilled gave it back."
    Promote      "promote"      "It became a file."
    Abort        "abort"        "It was given up."
    Expire       "expire"       "Its time was over."
    Delete       "delete"       "The file was deleted."
    Credentials  "credentials"  "Temporary credentials were handed out."
    SignIn       "sign_in"      "Somebody signed in with their password."
    Authenticate "authenticate" "Somebody known was not let in."
    Revoke       "revoke"       "Permissions were taken back."
    Restore      "restore"      "They were given again."
    Key          "key"          "An API key was made."
    User         "user"         "A local user was made, changed or removed."
}

impl Act {
    /// The act of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|act| act.name() == name).copied()
    }
}

impl Actor {
    /// The service by itself: background work.
    pub const SERVICE: Self = Self(Cow::Borrowed("service"));
    /// Who has the command line.
    pub const OPERATOR: Self = Self(Cow::Borrowed("operator"));
    const UPLOAD_TOKEN: Self = Self(Cow::Borrowed("upload token"));
    const ANONYMOUS: Self = Self(Cow::Borrowed("anonymous"));

    fn user(owner: &Owner) -> Self {
        Self(format!("user {owner}").into())
    }

    fn key(name: &str) -> Self {
        Self(format!("{KEY}{name}").into())
    }

    /// As it was written down.
    fn of(text: String) -> Self {
        Self(text.into())
    }

    /// The name of the API key that did it, if one did.
    pub(super) fn api_key(&self) -> Option<&str> {
        self.0.strip_prefix(KEY)
    }

    /// Whether nobody knows who did it.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::ANONYMOUS
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        match &caller.who {
            Who::User { owner, .. } => Self::user(owner),
            Who::Server { name, .. } => Self::key(name),
            Who::Upload { .. } => Self::UPLOAD_TOKEN,
            Who::Nobody => Self::ANONYMOUS,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Entry {
    /// Something that was done at `at` by this caller, or by the service itself, as asked.
    pub fn new(act: Act, by: Option<&Caller>, at: Timestamp) -> Self {
        Self {
            at,
            act,
            outcome: OK.into(),
            actor: by.map_or(Actor::SERVICE, Actor::from),
            owner: None,
            profile: None,
            upload: None,
            size_bytes: None,
            key: None,
            address: by.and_then(|caller| caller.address),
            detail: None,
        }
    }

    /// The same by whoever has the command line.
    pub fn by_operator(act: Act, at: Timestamp) -> Self {
        Self {
            actor: Actor::OPERATOR,
            ..Self::new(act, None, at)
        }
    }

    /// To this upload.
    #[must_use]
    pub fn of(self, upload: &Upload) -> Self {
        Self {
            owner: Some(upload.owner.to_string()),
            profile: Some(upload.profile.clone()),
            upload: Some(upload.id),
            size_bytes: upload.size_bytes,
            key: Some(upload.staged_key.open().to_owned()),
            ..self
        }
    }

    /// It was refused.
    #[must_use]
    pub fn refused(self, error: &Error) -> Self {
        Self {
            outcome: error.kind().code().into(),
            detail: Some(error.message().to_owned()),
            ..self
        }
    }

    /// What waits for its turn is kept in memory: no longer than it will be written.
    fn bounded(mut self) -> Self {
        for text in [&mut self.owner, &mut self.profile, &mut self.detail] {
            if let Some(long) = text.as_deref().filter(|text| bounded(text) != *text) {
                *text = Some(bounded(long).to_owned());
            }
        }
        self
    }

    /// An upload was begun.
    fn begin(upload: &Upload) -> Self {
        let actor = match &upload.api_key {
            Some(name) => Actor::key(name),
            None if upload.owner.is_anonymous() => Actor::ANONYMOUS,
            None => Actor::user(&upload.owner),
        };
        Self {
            actor,
            address: upload.address,
            detail: Some(upload.method.as_str().to_owned()),
            ..Self::new(Act::Begin, None, upload.created_at()).of(upload)
        }
    }
}

impl Records {
    /// Entries of the log, the newest first, from before a place. What this process has noted is among them.
    pub async fn audit(
        &self,
        filter: &Filter,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(Place, Entry)>, Error> {
        self.flush_notes().await;
        let mut query = select(filter, before);
        query.push(" ORDER BY at DESC, id DESC LIMIT ");
        query.push_bind(i64::from(limit));
        let found = query.build().fetch_all(&self.read).await.map_err(failed)?;
        let entries = found.iter().map(|found| entry(found).map_err(failed));
        entries.collect()
    }

    /// Writes an entry down soon, together with others. For refusals and signed parts, which change nothing: what changes
    /// records has its entry in the same transaction. When too many wait it is dropped, and counted.
    pub fn note(&self, entry: Entry) {
        self.notes.note(entry.bounded());
    }

    /// Writes entries down by themselves; durable when this returns.
    pub async fn tell(&self, entries: &[Entry]) -> Result<(), Error> {
        let begun = self.write.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(failed)?;
        let told = insert(&mut transaction, entries).await;
        told.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Makes a change and writes down that it was made, in one transaction; `Lost`, without a word, where it changes no row.
    pub(super) async fn make<'q>(
        &self,
        change: impl Execute<'q, Sqlite> + 'q,
        entry: Entry,
    ) -> Result<Outcome, Error> {
        let begun = self.write.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(failed)?;
        let made = transaction.execute(change).await.map_err(failed)?;
        let outcome = row::outcome(&made);
        if outcome == Outcome::Done {
            let told = insert(&mut transaction, &[entry]).await;
            told.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(outcome)
    }

    /// Waits until all that was noted so far is written down.
    pub async fn flush_notes(&self) {
        self.notes.flush().await;
    }

    /// How many entries this process has dropped.
    pub fn dropped_notes(&self) -> u64 {
        self.notes.dropped()
    }

    /// Clears away the oldest entries from before then, `limit` at most; says how many.
    pub async fn clear_audit(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let done = sqlx::query(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)",
        )
        .bind(row::millis(before))
        .bind(i64::from(limit))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected())
    }
}

/// Writes down that these uploads were begun: to be called where they are recorded, in the same transaction.
pub(super) async fn insert_begins(
    connection: &mut SqliteConnection,
    uploads: &[&Upload],
) -> Result<(), sqlx::Error> {
    let entries: Vec<Entry> = uploads.iter().map(|upload| Entry::begin(upload)).collect();
    insert(connection, &entries).await
}

/// Writes entries down, in the transaction of what they tell.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    entries: &[Entry],
) -> Result<(), sqlx::Error> {
    for entries in entries.chunks(ROWS) {
        let Some(text) = INSERTS.get(entries.len()) else {
            return Err(sqlx::Error::Protocol("too many rows".to_owned()));
        };
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(text)));
        for entry in entries {
            query = query
                .bind(row::millis(entry.at))
                .bind(entry.act.name())
                .bind(entry.outcome.as_ref())
                .bind(entry.actor.as_str())
                .bind(entry.owner.as_deref().map(bounded))
                .bind(entry.profile.as_deref().map(bounded))
                .bind(entry.upload.map(row::id_bytes))
                .bind(entry.size_bytes.map(row::signed))
                .bind(entry.key.as_deref())
                .bind(entry.address.map(|address| address.to_string()))
                .bind(entry.detail.as_deref().map(bounded));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn bounded(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_CHARS);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The statement for each number of rows: made once, so that the database prepares each once.
static INSERTS: LazyLock<Vec<Arc<str>>> =
    LazyLock::new(|| (0..=ROWS).map(|rows| insert_text(rows).into()).collect());

fn insert_text(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    format!(
        "INSERT INTO audit (at, act, outcome, actor, owner, profile, upload_id, size_bytes, object_key, address, detail) VALUES {}",
        vec![row; rows].join(", ")
    )
}
