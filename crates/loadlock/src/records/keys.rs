//! API keys: of each only its SHA-256.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Entry, Outcome, Records, failed, row};
use crate::{
    auth::{Scope, TokenHash},
    clock::from_millis,
    error::Error,
};

/// An application server's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What logs call whoever uses it.
    pub name: String,
    pub sha256: TokenHash,
    pub scope: Scope,
    /// None: it ends by revocation alone.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Whoever made it.
    pub created_by: String,
}

impl Records {
    /// Keeps a new key; `Lost` if there is one of its name. The entry says who made it, and is written down with it.
    pub async fn add_key(&self, key: &ApiKey, entry: Entry) -> Result<Outcome, Error> {
        let scope = match &key.scope {
            Scope::AllProfiles => None,
            Scope::Profiles(names) => Some(row::to_json(&names.to_vec()).map_err(failed)?),
        };
        let add = sqlx::query(
            "INSERT INTO api_keys (name, sha256, scope, expires_at, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
        )
        .bind(key.name.as_str())
        .bind(key.sha256.to_vec())
        .bind(scope)
        .bind(key.expires_at.map(row::millis))
        .bind(row::millis(key.created_at))
        .bind(key.created_by.as_str());
        self.make(add, entry).await
    }

    /// The key of this SHA-256, if it is known; whether it still holds is another question.
    pub async fn key(&self, sha256: &TokenHash) -> Result<Option<ApiKey>, Error> {
        sqlx::query("SELECT * FROM api_keys WHERE sha256 = $1")
            .bind(sha256.to_vec())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| key(&found).map_err(failed))
            .transpose()
    }

    /// All keys, by name.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        sqlx::query("SELECT * FROM api_keys ORDER BY name")
            .fetch_all(&self.read)
            .await
            .map_err(failed)?
            .iter()
            .map(|found| key(found).map_err(failed))
            .collect()
    }
}

fn key(row: &SqliteRow) -> Result<ApiKey, sqlx::Error> {
    let scope: Option<String> = row.try_get("scope")?;
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    Ok(ApiKey {
        name: row.try_get("name")?,
        sha256: row::digest(row.try_get("sha256")?)?,
        scope: match scope {
            None => Scope::AllProfiles,
            Some(names) => Scope::Profiles(row::from_json::<Vec<String>>(&names)?.into()),
        },
        expires_at: expires_at.map(from_millis),
        created_at: row::time(row, "created_at")?,
        created_by: row.try_get("created_by")?,
    })
}
