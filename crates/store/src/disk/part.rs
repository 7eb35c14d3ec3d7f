//! The parts of an upload: put, copied, listed.

use std::{ops::Range, time::SystemTime};

use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::task;

use super::{
    Checksum, CopySource, Disk, DiskError, ETag, Object, PartNumber, UploadId, UploadInfo,
    UploadRef, Written,
    body::{self, BodyId},
    columns::{Json, Millis, bytes_at, int, json},
    digest::{Hashes, hex},
    files::Draft,
    multipart::find,
    object::find_source,
};

/// A part that has been received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    pub number: PartNumber,
    pub etag: ETag,
    pub size_bytes: u64,
    pub modified: SystemTime,
    pub checksums: Vec<Checksum>,
}

/// One page of an upload's parts, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPage {
    pub upload: UploadInfo,
    pub parts: Vec<PartInfo>,
    /// The last number of this page, if there are more.
    pub next: Option<PartNumber>,
}

impl Disk {
    /// Keeps a part, replacing one of the same number.
    pub async fn put_part(
        &self,
        upload: &UploadRef,
        number: PartNumber,
        written: Written,
    ) -> Result<PartInfo, DiskError> {
        let upload = upload.clone();
        let id = self.inner.files.fresh_id();
        let part = PartInfo {
            number,
            etag: written.etag(),
            size_bytes: written.size_bytes,
            modified: self.now().0,
            checksums: written.checksums,
        };
        let blob = written.draft.as_ref().map(Draft::id);
        self.publish(written.draft, move |conn| {
            find(conn, &upload)?;
            body::add(conn, id, blob, part.size_bytes)?;
            place(conn, &upload.id, id, &part)?;
            Ok(part)
        })
        .await
    }

    /// Makes a part of an object, or of a range of it (half open, within its size), copying no byte. They are read only
    /// where the upload asks for a checksum; else the ETag is made of the source's and the range.
    pub async fn copy_part(
        &self,
        upload: &UploadRef,
        number: PartNumber,
        source: CopySource,
        range: Option<Range<u64>>,
    ) -> Result<PartInfo, DiskError> {
        let object = self.source(&source).await?;
        let range = range.unwrap_or(0..object.info.size_bytes);
        if range.start > range.end || range.end > object.info.size_bytes {
            return Err(DiskError::InvalidRange);
        }
        let source = CopySource {
            etag: Some(object.info.etag.clone()),
            ..source
        };
        let (etag, checksums) = match self.upload(upload).await?.checksum {
            None => (derived_etag(&object, &range), Vec::new()),
            Some(checksum) => {
                read_digests(object, range.clone(), Hashes::new(&[checksum.algorithm])).await?
            }
        };
        let size_bytes = range.end - range.start;
        let part = PartInfo {
            number,
            etag,
            size_bytes,
            modified: self.now().0,
            checksums,
        };
        let upload = upload.clone();
        let id = self.inner.files.fresh_id();
        self.change(move |conn| {
            find(conn, &upload)?;
            body::share(conn, find_source(conn, &source)?.body, &range, id)?;
            place(conn, &upload.id, id, &part)?;
            Ok(part)
        })
        .await
    }

    /// The parts received so far.
    pub async fn list_parts(
        &self,
        upload: &UploadRef,
        after: Option<PartNumber>,
        max: usize,
    ) -> Result<PartPage, DiskError> {
        let upload = upload.clone();
        self.query(move |conn| {
            let info = find(conn, &upload)?;
            let mut statement = conn.prepare_cached(
                "SELECT * FROM part WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            )?;
            let limit = i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1);
            let rows = statement.query_map(
                params![upload.id, after.map_or(0, PartNumber::get), limit],
                |row| Ok(stored(row)?.info),
            )?;
            let mut parts = rows.collect::<Result<Vec<_>, _>>()?;
            let more = parts.len() > max;
            parts.truncate(max);
            let next = parts.last().filter(|_| more).map(|part| part.number);
            Ok(PartPage {
                upload: info,
                parts,
                next,
            })
        })
        .await
    }
}

/// A part and where its bytes are.
pub(super) struct StoredPart {
    pub(super) info: PartInfo,
    pub(super) body: BodyId,
}

/// All parts of an upload, by number.
pub(super) fn all(conn: &Connection, upload: &UploadId) -> Result<Vec<StoredPart>, DiskError> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM part WHERE upload = ? ORDER BY number")?;
    let parts = statement.query_map([upload], stored)?;
    Ok(parts.collect::<Result<_, _>>()?)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredPart> {
    let info = PartInfo {
        number: PartNumber::stored(row.get("number")?),
        etag: ETag::new(row.get_ref("etag")?.as_str()?),
        size_bytes: bytes_at(row, "size")?,
        modified: row.get::<_, Millis>("modified")?.0,
        checksums: row.get::<_, Json<_>>("checksums")?.0,
    };
    Ok(StoredPart {
        info,
        body: row.get("body")?,
    })
}

fn place(
    conn: &Connection,
    upload: &UploadId,
    body: BodyId,
    part: &PartInfo,
) -> Result<(), DiskError> {
    let number = part.number.get();
    let replaced: Option<BodyId> = conn
        .prepare_cached("SELECT body FROM part WHERE upload = ? AND number = ?")?
        .query_row(params![upload, number], |row| row.get(0))
        .optional()?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO part (upload, number, body, etag, size, modified, checksums)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        upload,
        number,
        body,
        part.etag,
        int(part.size_bytes),
        Millis(part.modified),
        json(&part.checksums)?,
    ])?;
    replaced.map_or(Ok(()), |replaced| body::release(conn, replaced))
}

/// An ETag for a range that nobody has read: as much bound to the source's bytes as the source's own is.
fn derived_etag(object: &Object, range: &Range<u64>) -> ETag {
    let (etag, whole) = (&object.info.etag, 0..object.info.size_bytes);
    if *range == whole && object.info.parts.is_none() {
        return etag.clone();
    }
    ETag::new(&hex(&Md5::digest(format!(
        "{etag} {}-{}",
        range.start, range.end
    ))))
}

async fn read_digests(
    object: Object,
    range: Range<u64>,
    mut hashes: Hashes,
) -> Result<(ETag, Vec<Checksum>), DiskError> {
    let mut cursor = object.cursor(&range)?;
    let read = move || {
        while let Some(bytes) = cursor.next_chunk()? {
            hashes.update(&bytes);
        }
        let (md5, checksums) = hashes.finish();
        Ok((ETag::new(&hex(&md5)), checksums))
    };
    task::spawn_blocking(read)
        .await
        .map_err(|_| DiskError::Closed)?
}
