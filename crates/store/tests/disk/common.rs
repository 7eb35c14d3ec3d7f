//! Short ways to name, make and read things.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use loadlock_store::disk::{
    BucketName, CompletePart, CompleteUpload, Disk, DiskError, ObjectKey, PartInfo, PartNumber,
    UploadId, UploadRef,
};

pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) async fn read(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let object = match disk.object(&bucket(), &key(name)).await {
        Ok(object) => object,
        Err(DiskError::NoSuchKey) => return None,
        Err(error) => panic!("{error}"),
    };
    let all = 0..object.info.size_bytes;
    let chunks: Vec<Bytes> = object.read(all).unwrap().try_collect().await.unwrap();
    Some(chunks.concat())
}

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

pub(crate) fn bucket() -> BucketName {
    BucketName::parse("box").unwrap()
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(name).unwrap()
}

pub(crate) fn upload(name: &str, id: UploadId) -> UploadRef {
    UploadRef {
        bucket: bucket(),
        key: key(name),
        id,
    }
}

pub(crate) fn part_number(number: u32) -> PartNumber {
    PartNumber::new(number).unwrap()
}

pub(crate) fn complete(upload: &UploadRef, parts: &[PartInfo]) -> CompleteUpload {
    let name = |part: &PartInfo| CompletePart {
        number: part.number,
        etag: part.etag.clone(),
        checksum: None,
    };
    CompleteUpload {
        upload: upload.clone(),
        parts: parts.iter().map(name).collect(),
        condition: None,
        size_bytes: None,
        checksum: None,
        checksum_type: None,
    }
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
