//! Local users: who signs in here, with a name and a password.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Entry, Outcome, Records, failed, row};
use crate::{
    auth::{Claims, Secret},
    clock::from_millis,
    error::Error,
    upload::Owner,
};

/// A local user; what is theirs belongs to the owner of their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: Owner,
    /// As a PHC string.
    pub password: Secret,
    pub claims: Claims,
    pub created_at: Timestamp,
    /// From then on they cannot sign in, and are signed out.
    pub disabled_at: Option<Timestamp>,
}

/// Each change has its entry, which says who made it, written down with it.
impl Records {
    /// Keeps a new user; `Lost` if there is one of this name.
    pub async fn add_user(&self, user: &User, entry: Entry) -> Result<Outcome, Error> {
        let claims = row::to_json(user.claims.as_map()).map_err(failed)?;
        let add = sqlx::query(
            "INSERT INTO users (name, password, claims, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(user.name.as_str())
        .bind(user.password.expose())
        .bind(claims)
        .bind(row::millis(user.created_at))
        .bind(user.disabled_at.map(row::millis));
        self.make(add, entry).await
    }

    /// The user of this name.
    pub async fn user(&self, name: &str) -> Result<Option<User>, Error> {
        sqlx::query("SELECT * FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?
            .map(|found| user(&found).map_err(failed))
            .transpose()
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        sqlx::query("SELECT * FROM users ORDER BY name")
            .fetch_all(&self.read)
            .await
            .map_err(failed)?
            .iter()
            .map(|found| user(found).map_err(failed))
            .collect()
    }

    /// Gives a user another password; what they were signed in with by the old one is void. `Lost` if there is no such user.
    pub async fn set_password(
        &self,
        name: &str,
        password: &Secret,
        entry: Entry,
    ) -> Result<Outcome, Error> {
        let change = sqlx::query("UPDATE users SET password = $2 WHERE name = $1")
            .bind(name)
            .bind(password.expose());
        self.make(change, entry).await
    }

    /// Keeps a user out from then on, or no longer. `Lost` if there is no such user.
    pub async fn disable_user(
        &self,
        name: &str,
        at: Option<Timestamp>,
        entry: Entry,
    ) -> Result<Outcome, Error> {
        let change = sqlx::query("UPDATE users SET disabled_at = $2 WHERE name = $1")
            .bind(name)
            .bind(at.map(row::millis));
        self.make(change, entry).await
    }

    /// Forgets a user; their uploads and files stay. `Lost` if there is no such user.
    pub async fn remove_user(&self, name: &str, entry: Entry) -> Result<Outcome, Error> {
        let remove = sqlx::query("DELETE FROM users WHERE name = $1").bind(name);
        self.make(remove, entry).await
    }
}

fn user(row: &SqliteRow) -> Result<User, sqlx::Error> {
    let disabled_at: Option<i64> = row.try_get("disabled_at")?;
    let password: String = row.try_get("password")?;
    Ok(User {
        name: row::parsed(row, "name")?,
        password: Secret::new(password),
        claims: Claims::new(row::from_json(row.try_get("claims")?)?),
        created_at: row::time(row, "created_at")?,
        disabled_at: disabled_at.map(from_millis),
    })
}
