//! What begins with an idempotency key were answered: kept for a day, so that a repetition is answered alike.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Row as _, SqliteConnection};

use super::{Denied, Outcome, Records, failed, row};
use crate::{
    clock::from_millis,
    error::Error,
    upload::{Upload, UploadId},
};

const KEPT: Duration = Duration::from_hours(24);

/// What a request was answered that named an idempotency key.
#[derive(Debug)]
pub struct Reply {
    /// Stands for the caller and their key.
    pub key: [u8; 32],
    /// Stands for the request's body.
    pub fingerprint: [u8; 32],
    /// One for each file, in the order asked.
    pub answers: Vec<Answer>,
    pub at: Timestamp,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Begun(UploadId),
    Refused {
        code: String,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<Value>,
    },
}

impl From<&Error> for Answer {
    fn from(error: &Error) -> Self {
        Self::Refused {
            code: error.kind().code().to_owned(),
            message: error.message().to_owned(),
            details: error.details().cloned(),
        }
    }
}

impl Records {
    /// The reply that is kept under this key.
    pub async fn reply(&self, key: [u8; 32], now: Timestamp) -> Result<Option<Reply>, Error> {
        sqlx::query("SELECT fingerprint, answers, at FROM replies WHERE key = $1 AND at > $2")
            .bind(key.to_vec())
            .bind(oldest(now))
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| {
                Ok(Reply {
                    key,
                    fingerprint: row::digest(found.try_get("fingerprint")?)?,
                    answers: row::from_json(found.try_get("answers")?)?,
                    at: from_millis(found.try_get("at")?),
                })
            })
            .transpose()
            .map_err(failed)
    }
}

/// Keeps a reply; `Lost` if there is one under its key.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    reply: &Reply,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO replies (key, fingerprint, answers, at) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING",
    )
    .bind(reply.key.to_vec())
    .bind(reply.fingerprint.to_vec())
    .bind(row::to_json(&reply.answers)?)
    .bind(row::millis(reply.at))
    .execute(connection)
    .await?;
    Ok(row::outcome(&done))
}

/// Puts right a reply that was kept before some of its uploads were denied. Of a begin of which nothing came, none is kept.
pub(super) async fn correct<'a>(
    connection: &mut SqliteConnection,
    reply: &Reply,
    uploads: impl Iterator<Item = (&'a Upload, &'a Result<(), Denied>)>,
) -> Result<(), sqlx::Error> {
    let mut answers = reply.answers.clone();
    for (upload, admitted) in uploads {
        let place = answers
            .iter_mut()
            .find(|answer| **answer == Answer::Begun(upload.id));
        if let (Err(denied), Some(place)) = (admitted, place) {
            *place = Answer::from(&Error::from(denied.clone()));
        }
    }
    if answers == reply.answers {
        return Ok(());
    }
    let begun = |answer: &Answer| matches!(answer, Answer::Begun(_));
    let correct = if answers.iter().any(begun) {
        sqlx::query("UPDATE replies SET answers = $2 WHERE key = $1")
            .bind(reply.key.to_vec())
            .bind(row::to_json(&answers)?)
    } else {
        sqlx::query("DELETE FROM replies WHERE key = $1").bind(reply.key.to_vec())
    };
    correct.execute(connection).await.map(|_| ())
}

/// Forgets the replies whose time is over.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let forget = sqlx::query("DELETE FROM replies WHERE at <= $1").bind(oldest(now));
    forget.execute(connection).await.map(|_| ())
}

fn oldest(now: Timestamp) -> i64 {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    row::millis(now).saturating_sub(kept)
}
