//! Which entries are looked for, and how rows are read.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _, Sqlite, sqlite::SqliteRow};

use super::{Act, Actor, Entry, OK, row};
use crate::upload::UploadId;

/// Stands in a filter for every other outcome.
pub const NOT_OK: &str = "not_ok";

/// Which entries; all of what is said holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub owner: Option<String>,
    pub act: Option<Act>,
    /// `not_ok`: any but `ok`.
    pub outcome: Option<String>,
    pub upload: Option<UploadId>,
    pub profile: Option<String>,
    pub actor: Option<String>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

/// An entry's place in the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In unix milliseconds.
    pub at: i64,
    pub id: i64,
}

pub(super) fn select(filter: &Filter, before: Option<Place>) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM audit WHERE at >= ");
    query.push_bind(filter.since.map_or(i64::MIN, row::millis));
    let texts = [
        ("owner", filter.owner.as_deref()),
        ("act", filter.act.map(Act::name)),
        ("profile", filter.profile.as_deref()),
        ("actor", filter.actor.as_deref()),
    ];
    for (column, wanted) in texts {
        if let Some(wanted) = wanted {
            query.push(format!(" AND {column} = "));
            query.push_bind(wanted.to_owned());
        }
    }
    match filter.outcome.as_deref() {
        None => {}
        Some(NOT_OK) => {
            query.push(" AND outcome <> ").push_bind(OK);
        }
        Some(outcome) => {
            query.push(" AND outcome = ").push_bind(outcome.to_owned());
        }
    }
    if let Some(upload) = filter.upload {
        query.push(" AND upload_id = ");
        query.push_bind(row::id_bytes(upload));
    }
    if let Some(until) = filter.until {
        query.push(" AND at < ").push_bind(row::millis(until));
    }
    if let Some(Place { at, id }) = before {
        query.push(" AND (at, id) < (").push_bind(at);
        query.push(", ").push_bind(id).push(")");
    }
    query
}

pub(super) fn entry(row: &SqliteRow) -> Result<(Place, Entry), sqlx::Error> {
    let act: &str = row.try_get("act")?;
    let outcome: String = row.try_get("outcome")?;
    let actor: String = row.try_get("actor")?;
    let upload: Option<Vec<u8>> = row.try_get("upload_id")?;
    let size: Option<i64> = row.try_get("size_bytes")?;
    let place = Place {
        at: row.try_get("at")?,
        id: row.try_get("id")?,
    };
    let entry = Entry {
        at: row::time(row, "at")?,
        act: Act::named(act).ok_or_else(|| row::decode("an act that is not known"))?,
        outcome: outcome.into(),
        actor: Actor::of(actor),
        owner: row.try_get("owner")?,
        profile: row.try_get("profile")?,
        upload: upload.map(row::upload_id).transpose()?,
        size_bytes: size.and_then(|size| u64::try_from(size).ok()),
        key: row.try_get("object_key")?,
        address: row::optional(row, "address")?,
        detail: row.try_get("detail")?,
    };
    Ok((place, entry))
}
