//! Bodies: the rows of segments that objects and parts consist of.

use std::ops::Range;

use rusqlite::{Connection, named_params, params};

use super::{
    DiskError,
    columns::{bytes_at, int},
    files::BlobId,
};

/// Names a body; drawn from the same ids as files.
pub(super) type BodyId = i64;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) blob: BlobId,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// Makes a new body of one whole file, or an empty one of none.
pub(super) fn add(
    conn: &Connection,
    body: BodyId,
    blob: Option<BlobId>,
    size_bytes: u64,
) -> Result<(), DiskError> {
    if let Some(blob) = blob {
        conn.prepare_cached("INSERT INTO blob (id) VALUES (?)")?
            .execute([blob])?;
        conn.prepare_cached("INSERT INTO segment VALUES (?, 0, ?, 0, ?)")?
            .execute(params![body, blob, int(size_bytes)])?;
    }
    Ok(())
}

/// Makes a new body that shares a range of another's bytes.
pub(super) fn share(
    conn: &Connection,
    from: BodyId,
    range: &Range<u64>,
    to: BodyId,
) -> Result<(), DiskError> {
    conn.prepare_cached(
        "INSERT INTO segment
         SELECT :to, max(position, :start) - :start, blob, start + max(:start - position, 0),
                min(position + length, :end) - max(position, :start)
         FROM segment WHERE body = :from AND position < :end AND position + length > :start",
    )?
    .execute(named_params! {":from": from, ":to": to, ":start": int(range.start), ":end": int(range.end)})?;
    Ok(())
}

/// Appends a body to another, which has `offset` bytes so far.
pub(super) fn append(
    conn: &Connection,
    from: BodyId,
    to: BodyId,
    offset: u64,
) -> Result<(), DiskError> {
    conn.prepare_cached("UPDATE segment SET body = ?, position = position + ? WHERE body = ?")?
        .execute(params![to, int(offset), from])?;
    Ok(())
}

/// Lets go of a body. Files without any segment left are removed after the commit.
pub(super) fn release(conn: &Connection, body: BodyId) -> Result<(), DiskError> {
    conn.prepare_cached("DELETE FROM segment WHERE body = ?")?
        .execute([body])?;
    Ok(())
}

/// The segments of a body, in order.
pub(super) fn segments(conn: &Connection, body: BodyId) -> Result<Vec<Segment>, DiskError> {
    let mut statement = conn.prepare_cached(
        "SELECT blob, start, length FROM segment WHERE body = ? ORDER BY position",
    )?;
    let rows = statement.query_map([body], |row| {
        Ok(Segment {
            blob: row.get("blob")?,
            start: bytes_at(row, "start")?,
            length: bytes_at(row, "length")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
