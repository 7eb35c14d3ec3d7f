//! Completing an upload: its parts become one object, in one transaction.

use std::time::Duration;

use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Checksum, ChecksumType, Condition, Disk, DiskError, ETag, ObjectInfo, PartNumber,
    UploadChecksum, UploadRef,
    body::{self, BodyId},
    bucket::bucket_id,
    columns::{Millis, int, json},
    digest::{PartChecksum, combine, hex, unhex},
    multipart::{find, remove},
    object::{Place, info, place},
    part::{self, StoredPart},
};

/// Every part but the last has at least this many bytes.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// So long the answer of a completed upload is remembered.
const ANSWER_KEPT: Duration = Duration::from_hours(24);

/// A part as the client names it to complete.
#[derive(Clone, Debug)]
pub struct CompletePart {
    pub number: PartNumber,
    pub etag: ETag,
    /// What the part's own must be.
    pub checksum: Option<Checksum>,
}

/// The order to make an object of an upload's parts.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    pub upload: UploadRef,
    pub parts: Vec<CompletePart>,
    pub condition: Option<Condition>,
    /// What the whole must measure (`x-amz-mp-object-size`).
    pub size_bytes: Option<u64>,
    /// What the whole's checksum must be.
    pub checksum: Option<Checksum>,
    /// Of which type the checksum is that the upload was begun with, if it was.
    pub checksum_type: Option<ChecksumType>,
}

impl Disk {
    /// Makes the object, in one transaction and in time that grows with the parts, not the bytes. Asked again within a
    /// day, with the same parts, it gives the same answer.
    pub async fn complete_upload(&self, complete: CompleteUpload) -> Result<ObjectInfo, DiskError> {
        let id = self.inner.files.fresh_id();
        let now = self.now();
        self.change(move |conn| {
            forget_answers(conn, now)?;
            match find(conn, &complete.upload) {
                Err(DiskError::NoSuchUpload) => answered(conn, &complete),
                Err(error) => Err(error),
                Ok(upload) => {
                    check_type(&complete, upload.checksum)?;
                    let chosen = choose(part::all(conn, &complete.upload.id)?, &complete.parts)?;
                    let whole = ObjectInfo {
                        etag: etag_of(chosen.iter().map(|part| &part.info.etag)),
                        size_bytes: chosen.iter().map(|part| part.info.size_bytes).sum(),
                        modified: now.0,
                        metadata: upload.metadata,
                        tags: upload.tags,
                        checksums: upload
                            .checksum
                            .map(|kind| checksum_of(&chosen, kind))
                            .transpose()?
                            .into_iter()
                            .collect(),
                        parts: u16::try_from(chosen.len()).ok(),
                    };
                    verify(&whole, &complete)?;
                    assemble(conn, &complete, &chosen, id, &whole)?;
                    Ok(whole)
                }
            }
        })
        .await
    }
}

fn check_type(complete: &CompleteUpload, upload: Option<UploadChecksum>) -> Result<(), DiskError> {
    match (complete.checksum_type, upload) {
        (Some(named), Some(upload)) if named != upload.kind => Err(DiskError::OtherChecksumType),
        _ => Ok(()),
    }
}

/// The parts that the client named, in its order; refused unless they are what was received.
fn choose(stored: Vec<StoredPart>, named: &[CompletePart]) -> Result<Vec<StoredPart>, DiskError> {
    if named.is_empty() {
        return Err(DiskError::NoParts);
    }
    if !named.is_sorted_by(|one, next| one.number < next.number) {
        return Err(DiskError::InvalidPartOrder);
    }
    let mut stored = stored.into_iter();
    let mut chosen = Vec::with_capacity(named.len());
    for name in named {
        let part = stored
            .find(|part| part.info.number >= name.number)
            .filter(|part| name.fits(part));
        chosen.push(part.ok_or(DiskError::InvalidPart(name.number))?);
    }
    let all_but_last = &chosen[..chosen.len() - 1];
    match all_but_last
        .iter()
        .find(|part| part.info.size_bytes < MIN_PART_BYTES)
    {
        Some(StoredPart { info, .. }) => Err(DiskError::EntityTooSmall {
            number: info.number,
            size_bytes: info.size_bytes,
        }),
        None => Ok(chosen),
    }
}

impl CompletePart {
    fn fits(&self, part: &StoredPart) -> bool {
        let same = |wanted: &Checksum| {
            let mut own = part.info.checksums.iter();
            own.any(|own| own.algorithm == wanted.algorithm && own.value == wanted.value)
        };
        part.info.number == self.number
            && part.info.etag == self.etag
            && self.checksum.as_ref().is_none_or(same)
    }
}

/// MD5 of the parts' MD5s, and their number.
fn etag_of<'a>(etags: impl ExactSizeIterator<Item = &'a ETag>) -> ETag {
    let count = etags.len();
    let mut md5 = Md5::new();
    for etag in etags {
        // A client that names another kind of ETag gets one that equals nothing.
        md5.update(unhex(etag.as_str()).unwrap_or_default());
    }
    ETag::new(&format!("{}-{count}", hex(&md5.finalize())))
}

fn checksum_of(parts: &[StoredPart], kind: UploadChecksum) -> Result<Checksum, DiskError> {
    let mut own = Vec::with_capacity(parts.len());
    for StoredPart { info, .. } in parts {
        let checksum = info
            .checksums
            .iter()
            .find(|checksum| checksum.algorithm == kind.algorithm);
        let value = &checksum.ok_or(DiskError::InvalidPart(info.number))?.value;
        own.push(PartChecksum {
            value,
            size_bytes: info.size_bytes,
        });
    }
    combine(kind.algorithm, kind.kind, &own).ok_or(DiskError::ChecksumTypeUnsupported)
}

/// Holds the whole against what the client said it would be.
fn verify(whole: &ObjectInfo, complete: &CompleteUpload) -> Result<(), DiskError> {
    if complete
        .size_bytes
        .is_some_and(|size_bytes| size_bytes != whole.size_bytes)
    {
        return Err(DiskError::WholeMismatch("size"));
    }
    match &complete.checksum {
        Some(checksum) if !whole.checksums.contains(checksum) => {
            Err(DiskError::WholeMismatch("checksum"))
        }
        _ => Ok(()),
    }
}

fn assemble(
    conn: &Connection,
    complete: &CompleteUpload,
    parts: &[StoredPart],
    id: BodyId,
    whole: &ObjectInfo,
) -> Result<(), DiskError> {
    let upload = &complete.upload;
    let mut offset = 0;
    for part in parts {
        body::append(conn, part.body, id, offset)?;
        offset += part.info.size_bytes;
    }
    let bucket = bucket_id(conn, &upload.bucket)?;
    place(
        conn,
        &Place {
            bucket,
            key: &upload.key,
            condition: complete.condition.as_ref(),
        },
        id,
        whole,
    )?;
    remove(conn, &upload.id)?;
    remember(conn, upload, bucket, whole)
}

fn remember(
    conn: &Connection,
    upload: &UploadRef,
    bucket: i64,
    whole: &ObjectInfo,
) -> Result<(), DiskError> {
    conn.prepare_cached(
        "INSERT INTO completed_upload (id, bucket, key, etag, size, modified, metadata, tags, checksums, parts, completed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?6)",
    )?
    .execute(params![
        upload.id,
        bucket,
        upload.key,
        whole.etag,
        int(whole.size_bytes),
        Millis(whole.modified),
        json(&whole.metadata)?,
        json(&whole.tags)?,
        json(&whole.checksums)?,
        whole.parts,
    ])?;
    Ok(())
}

/// What the upload answered when it was completed with the same parts.
fn answered(conn: &Connection, complete: &CompleteUpload) -> Result<ObjectInfo, DiskError> {
    let upload = &complete.upload;
    let bucket = bucket_id(conn, &upload.bucket)?;
    let mut statement = conn
        .prepare_cached("SELECT * FROM completed_upload WHERE id = ? AND bucket = ? AND key = ?")?;
    let answer = statement
        .query_row(params![upload.id, bucket, upload.key], info)
        .optional()?;
    let etag = etag_of(complete.parts.iter().map(|part| &part.etag));
    answer
        .filter(|answer| answer.etag == etag)
        .ok_or(DiskError::NoSuchUpload)
}

fn forget_answers(conn: &Connection, now: Millis) -> Result<(), DiskError> {
    let old = now.0.checked_sub(ANSWER_KEPT).map(Millis);
    conn.prepare_cached("DELETE FROM completed_upload WHERE completed < ?")?
        .execute([old])?;
    Ok(())
}
