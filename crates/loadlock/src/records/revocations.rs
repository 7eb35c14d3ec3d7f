//! Revocations: whose permissions are taken back.

mod known;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

pub(super) use self::known::{Revocations, Revoked};
use super::{Outcome, Records, audit, failed, row};
use crate::{
    clock::from_millis,
    error::{Error, Kind},
    records::Entry,
    upload::{Owner, Upload, UploadId, quota::Exceeded},
};

/// How old what is known may be for a first look, where the records themselves have the last word.
const RECENT: Duration = Duration::from_secs(1);
/// The longest reason, and the longest name of an API key or a profile.
const MAX_CHARS: usize = 255;
/// What has not reached an end and is due some time, by the index over what is due: there is none over owners or profiles.
const OPEN: &str = "next_attempt_at >= 0 AND state IN ('issued', 'received', 'ready')";
const ARRIVED: &str = "next_attempt_at >= 0 AND state IN ('received', 'ready')";

/// Whose permissions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    Owner(Owner),
    /// By its name.
    ApiKey(String),
    Upload(UploadId),
    /// By its name.
    Profile(String),
}

/// A kind that is not known, or text that cannot be one of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotASubject(String);

impl Subject {
    /// Its kinds, as records and API name them.
    pub const KINDS: [&'static str; 4] = ["owner", "api_key", "upload", "profile"];

    /// From its kind and its name.
    pub fn new(kind: &str, name: &str) -> Result<Self, NotASubject> {
        let wrong = |error: &dyn fmt::Display| NotASubject(format!("`{kind}`: {error}"));
        let named = |text: &str| {
            let sound = (1..=MAX_CHARS).contains(&text.chars().count());
            let sound = sound && !text.chars().any(char::is_control);
            let error = wrong(&"a name is 1 to 255 characters, none of them a control character");
            sound.then(|| text.to_owned()).ok_or(error)
        };
        match kind {
            "owner" => name.parse().map(Self::Owner).map_err(|error| wrong(&error)),
            "upload" => name
                .parse()
                .map(Self::Upload)
                .map_err(|error| wrong(&error)),
            "api_key" => named(name).map(Self::ApiKey),
            "profile" => named(name).map(Self::Profile),
            _ => Err(NotASubject(format!(
                "a kind is one of {}",
                Self::KINDS.join(", ")
            ))),
        }
    }

    /// Its kind: `owner`, `api_key`, `upload` or `profile`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Owner(_) => "owner",
            Self::ApiKey(_) => "api_key",
            Self::Upload(_) => "upload",
            Self::Profile(_) => "profile",
        }
    }

    /// Its name, without the kind.
    pub fn name(&self) -> String {
        match self {
            Self::Owner(owner) => owner.to_string(),
            Self::ApiKey(name) | Self::Profile(name) => name.clone(),
            Self::Upload(id) => id.to_string(),
        }
    }

    /// All that an upload hangs on.
    pub fn of(upload: &Upload) -> Vec<Self> {
        let mut all = vec![
            Self::Owner(upload.owner.clone()),
            Self::Profile(upload.profile.clone()),
            Self::Upload(upload.id),
        ];
        all.extend(upload.api_key.clone().map(Self::ApiKey));
        all
    }

    /// What the audit log says of it.
    fn told(&self, entry: Entry, reason: Option<&str>) -> Entry {
        let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
        let entry = Entry {
            detail: Some(format!("{self}{reason}")),
            ..entry
        };
        match self {
            Self::Owner(owner) => Entry {
                owner: Some(owner.to_string()),
                ..entry
            },
            Self::Upload(id) => Entry {
                upload: Some(*id),
                ..entry
            },
            Self::Profile(name) => Entry {
                profile: Some(name.clone()),
                ..entry
            },
            Self::ApiKey(_) => entry,
        }
    }

    /// The column of an upload that names it.
    fn column(&self) -> &'static str {
        match self {
            Self::Owner(_) => "owner",
            Self::ApiKey(_) => "api_key",
            Self::Upload(_) => "id",
            Self::Profile(_) => "profile",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::ApiKey(_) => "API key",
            other => other.kind(),
        };
        write!(f, "{kind} `{}`", self.name())
    }
}

/// Why an upload is not begun: there is no room for it, or what it hangs on is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    Exceeded(Exceeded),
    Revoked(Subject),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Exceeded(exceeded) => exceeded.into(),
            // It is that of whoever asks.
            Denied::Revoked(Subject::ApiKey(_)) => {
                Kind::Unauthenticated.because("this API key is revoked")
            }
            Denied::Revoked(subject) => Kind::Revoked.because(format!("the {subject} is revoked")),
        }
    }
}

/// That a subject's permissions are taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub subject: Subject,
    pub at: Timestamp,
    /// Who did it, as the audit log names them.
    pub by: String,
    pub reason: Option<String>,
}

impl Records {
    /// The first of these subjects that is revoked, whichever process did it, if one is.
    pub async fn revoked(&self, subjects: &[Subject]) -> Result<Option<Subject>, Error> {
        let known = self.revocations.known(&self.read, Duration::ZERO).await;
        Ok(known.map_err(failed)?.first_of(subjects))
    }

    /// The same at the price of no look: what another process has revoked within a second may be missing. For those who begin:
    /// the transaction that records an upload has the last word.
    pub async fn foresee_revoked(&self, subjects: &[Subject]) -> Result<Option<Subject>, Error> {
        let known = self.revocations.known(&self.read, RECENT).await;
        match known.map_err(failed)?.first_of(subjects) {
            None => Ok(None),
            // It may have its permissions again.
            Some(_) => self.revoked(subjects).await,
        }
    }

    /// Takes a subject's permissions back, and has what of its uploads has arrived looked at again; `Lost` if they are revoked
    /// already. The entry says by whom and when, and is written down in the same transaction.
    pub async fn revoke(
        &self,
        subject: &Subject,
        reason: Option<&str>,
        entry: Entry,
    ) -> Result<Outcome, Error> {
        let reason = reason.map(|text| text.chars().take(MAX_CHARS).collect::<String>());
        let mut transaction = self.begin_as(&entry).await?;
        let new = sqlx::query(
            "INSERT INTO revocations (kind, subject, at, revoked_by, reason) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (kind, subject) DO NOTHING",
        )
        .bind(subject.kind())
        .bind(subject.name())
        .bind(row::millis(entry.at))
        .bind(entry.actor.as_str())
        .bind(reason.as_deref())
        .execute(&mut *transaction);
        if new.await.map_err(failed)?.rows_affected() == 0 {
            transaction.rollback().await.map_err(failed)?;
            return Ok(Outcome::Lost);
        }
        let due = make_due(&mut transaction, subject, entry.at).await;
        due.map_err(failed)?;
        let entry = subject.told(entry, reason.as_deref());
        self.changed(transaction, entry).await.map_err(failed)?;
        Ok(Outcome::Done)
    }

    /// Gives a subject its permissions again; `Lost` if they are not revoked. The entry is as above.
    pub async fn restore(&self, subject: &Subject, entry: Entry) -> Result<Outcome, Error> {
        let mut transaction = self.begin_as(&entry).await?;
        let gone = sqlx::query("DELETE FROM revocations WHERE kind = $1 AND subject = $2")
            .bind(subject.kind())
            .bind(subject.name())
            .execute(&mut *transaction);
        if gone.await.map_err(failed)?.rows_affected() == 0 {
            transaction.rollback().await.map_err(failed)?;
            return Ok(Outcome::Lost);
        }
        let entry = subject.told(entry, None);
        self.changed(transaction, entry).await.map_err(failed)?;
        Ok(Outcome::Done)
    }

    /// Begins a transaction of whoever the entry names. An API key that was revoked a moment ago gives itself nothing back.
    async fn begin_as(&self, entry: &Entry) -> Result<Transaction<'static, Sqlite>, Error> {
        let begun = self.write.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(failed)?;
        let key = entry
            .actor
            .api_key()
            .map(str::to_owned)
            .map(Subject::ApiKey);
        let revoked = self.revocations.within(&mut transaction).await;
        match revoked.map_err(failed)?.first_of(key.as_slice()) {
            None => Ok(transaction),
            Some(key) => Err(Denied::Revoked(key).into()),
        }
    }

    async fn changed(
        &self,
        mut transaction: Transaction<'static, Sqlite>,
        entry: Entry,
    ) -> Result<(), sqlx::Error> {
        let count = sqlx::query("UPDATE revocation_changes SET n = n + 1");
        count.execute(&mut *transaction).await?;
        audit::insert(&mut transaction, &[entry]).await?;
        transaction.commit().await?;
        self.revocations.forget().await;
        Ok(())
    }

    /// A subject's revocation, if it is revoked.
    pub async fn revocation(&self, subject: &Subject) -> Result<Option<Revocation>, Error> {
        sqlx::query("SELECT * FROM revocations WHERE kind = $1 AND subject = $2")
            .bind(subject.kind())
            .bind(subject.name())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| revocation(&found).map_err(failed))
            .transpose()
    }

    /// Revocations by kind and name, from after this one, `limit` at most.
    pub async fn revocations(
        &self,
        after: Option<&Subject>,
        limit: u32,
    ) -> Result<Vec<Revocation>, Error> {
        let (kind, name) = after.map_or_else(Default::default, |it| (it.kind(), it.name()));
        sqlx::query(
            "SELECT * FROM revocations WHERE (kind, subject) > ($1, $2) ORDER BY kind, subject LIMIT $3",
        )
        .bind(kind)
        .bind(name)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?
        .iter()
        .map(|found| revocation(found).map_err(failed))
        .collect()
    }

    /// How many uploads hang on a subject that have not reached an end.
    pub async fn open_uploads(&self, subject: &Subject) -> Result<u64, Error> {
        let column = subject.column();
        let count = format!("SELECT COUNT(*) FROM uploads WHERE {OPEN} AND {column} = $1");
        let count = sqlx::query_scalar(AssertSqlSafe(count));
        let count = match subject {
            Subject::Upload(id) => count.bind(row::id_bytes(*id)),
            other => count.bind(other.name()),
        };
        let count: i64 = count.fetch_one(&self.read).await.map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Whether an upload hangs on something revoked: the word that counts, in the transaction that would make it a file.
pub(super) async fn is_revoked(
    connection: &mut SqliteConnection,
    upload: &Upload,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query(
        "SELECT 1 FROM revocations WHERE (kind, subject) IN \
         (VALUES ('owner', $1), ('profile', $2), ('upload', $3), ('api_key', $4)) LIMIT 1",
    )
    .bind(upload.owner.as_str())
    .bind(upload.profile.as_str())
    .bind(upload.id.to_string())
    .bind(upload.api_key.as_deref())
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// What has arrived waits for nothing that is still to come: it is looked at now.
async fn make_due(
    connection: &mut SqliteConnection,
    subject: &Subject,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let column = subject.column();
    let text = format!("UPDATE uploads SET next_attempt_at = $1 WHERE {ARRIVED} AND {column} = $2");
    let due = sqlx::query(AssertSqlSafe(text)).bind(row::millis(at));
    let due = match subject {
        Subject::Upload(id) => due.bind(row::id_bytes(*id)),
        other => due.bind(other.name()),
    };
    due.execute(connection).await.map(|_| ())
}

fn revocation(row: &SqliteRow) -> Result<Revocation, sqlx::Error> {
    Ok(Revocation {
        subject: subject(row)?,
        at: from_millis(row.try_get("at")?),
        by: row.try_get("revoked_by")?,
        reason: row.try_get("reason")?,
    })
}

fn subject(row: &SqliteRow) -> Result<Subject, sqlx::Error> {
    Subject::new(row.try_get("kind")?, row.try_get("subject")?).map_err(row::decode)
}
