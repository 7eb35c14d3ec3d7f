//! Rows to records and back.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Row as _,
    sqlite::{SqliteQueryResult, SqliteRow},
};

use super::Outcome;
use crate::{
    clock::from_millis,
    upload::{File, Metadata, Narrowed, ObjectKey, Owner, State, Upload, UploadId},
};

type Result<T> = std::result::Result<T, sqlx::Error>;

pub(super) fn upload(row: &SqliteRow) -> Result<Upload> {
    let facts: Option<String> = row.try_get("facts")?;
    let metadata: Option<String> = row.try_get("metadata")?;
    let claim: Option<Vec<u8>> = row.try_get("claim_id")?;
    let size: Option<i64> = row.try_get("size_bytes")?;
    let authorized: Option<String> = row.try_get("authorized")?;
    let most: Option<i64> = row.try_get("max_size_bytes")?;
    let id = upload_id(row.try_get("id")?)?;
    let owner: Owner = parsed(row, "owner")?;
    let staged_key: Option<String> = row.try_get("staged_key")?;
    Ok(Upload {
        id,
        profile: row.try_get("profile")?,
        api_key: row.try_get("api_key")?,
        address: optional(row, "address")?,
        // Rows from before there was a secret in it have none of their own.
        staged_key: ObjectKey::new(
            staged_key.unwrap_or_else(|| format!("in/{}/{id}", owner.hash())),
        ),
        owner,
        filename: row.try_get("filename")?,
        content_type: optional(row, "content_type")?,
        size_bytes: size.map(u64::try_from).transpose().map_err(decode)?,
        reserved_bytes: unsigned(row, "reserved_bytes")?,
        lingers: row.try_get::<i64, _>("lingers")? != 0,
        checksum: optional(row, "checksum")?,
        metadata: metadata
            .map(|text| from_json(&text))
            .transpose()?
            .unwrap_or_default(),
        method: parsed(row, "method")?,
        narrowed: Narrowed {
            max_size_bytes: most.map(u64::try_from).transpose().map_err(decode)?,
            key_prefix: optional(row, "key_prefix")?,
            fields: authorized
                .map(|text| from_json(&text))
                .transpose()?
                .unwrap_or_default(),
        },
        multipart_id: row.try_get("multipart_id")?,
        return_to: row.try_get("return_to")?,
        grant_expires_at: time(row, "grant_expires_at")?,
        expires_at: time(row, "expires_at")?,
        claim: claim.map(upload_id).transpose()?,
        state: facts.map_or(Ok(State::Issued), |text| from_json(&text))?,
        attempt: u32::try_from(row.try_get::<i64, _>("attempts")?).map_err(decode)?,
    })
}

pub(super) fn file(row: &SqliteRow) -> Result<File> {
    let width: Option<i64> = row.try_get("width")?;
    let height: Option<i64> = row.try_get("height")?;
    let pixels = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok());
    Ok(File {
        id: upload_id(row.try_get("id")?)?,
        profile: row.try_get("profile")?,
        owner: parsed(row, "owner")?,
        filename: row.try_get("filename")?,
        content_type: parsed(row, "content_type")?,
        size_bytes: unsigned(row, "size_bytes")?,
        checksum: optional(row, "checksum")?,
        dimensions: pixels(width).zip(pixels(height)),
        metadata: metadata(row)?,
        created_at: time(row, "created_at")?,
        key: ObjectKey::new(row.try_get("object_key")?),
    })
}

fn metadata(row: &SqliteRow) -> Result<Metadata> {
    from_json(row.try_get("metadata")?)
}

/// What a state carries, beyond its name; `issued` carries nothing.
pub(super) fn facts(state: &State) -> Result<Option<String>> {
    match state {
        State::Issued => Ok(None),
        state => to_json(state).map(Some),
    }
}

pub(super) fn id_bytes(id: UploadId) -> Vec<u8> {
    id.to_bytes().to_vec()
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Sizes are far below 2⁶³.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Whether a statement for one row found its row, or its place.
pub(super) fn outcome(done: &SqliteQueryResult) -> Outcome {
    match done.rows_affected() {
        0 => Outcome::Lost,
        _ => Outcome::Done,
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(decode)
}

pub(super) fn upload_id(bytes: Vec<u8>) -> Result<UploadId> {
    let bytes = bytes.try_into().map_err(|_| decode("an id has 16 bytes"))?;
    Ok(UploadId::from_bytes(bytes))
}

pub(super) fn digest(bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes
        .try_into()
        .map_err(|_| decode("a digest has 32 bytes"))
}

pub(super) fn parsed<T>(row: &SqliteRow, column: &str) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(decode)
}

pub(super) fn optional<T>(row: &SqliteRow, column: &str) -> Result<Option<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(decode)).transpose()
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(decode)
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp> {
    Ok(from_millis(row.try_get(column)?))
}

pub(super) fn decode(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
