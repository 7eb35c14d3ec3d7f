//! Between Rust's types and SQLite's columns.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

use super::DiskError;

/// A size or an offset in bytes; SQLite's integers are signed.
pub(super) fn int(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A size or an offset in bytes, as it was written by [`int`].
pub(super) fn bytes_at(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column)
        .map(|bytes| u64::try_from(bytes).unwrap_or(0))
}

/// A moment as milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Millis(pub(super) SystemTime);

impl Millis {
    /// The moment as it will be read again.
    pub(super) fn rounded(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.since_1970())
    }

    fn since_1970(self) -> u64 {
        let age = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }
}

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(int(self.since_1970()).into())
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = u64::try_from(value.as_i64()?).map_err(FromSqlError::other)?;
        Ok(Self(UNIX_EPOCH + Duration::from_millis(millis)))
    }
}

/// A value as JSON text.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// `value` as JSON text for a column.
pub(super) fn json(value: &impl Serialize) -> Result<String, DiskError> {
    Ok(serde_json::to_string(value)?)
}
