//! A store in a temporary directory, and short ways to use it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use loadlock_store::{
    clock::Clock,
    disk::{
        BucketName, CompletePart, CompleteUpload, Condition, CreateUpload, Disk, DiskError,
        Metadata, ObjectInfo, ObjectKey, PartInfo, PartNumber, PutObject, UploadId, UploadRef,
        Written,
    },
};
use tempfile::TempDir;

pub(crate) const MIB: usize = 1024 * 1024;

/// An open store with the bucket `box`.
pub(crate) struct Store {
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    dir: TempDir,
}

impl Store {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 20_000));
        let disk = Disk::open(dir.path(), clock.clone()).unwrap();
        disk.create_bucket(&bucket()).await.unwrap();
        Self { disk, clock, dir }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { disk, clock, dir } = self;
        drop(disk);
        let disk = Disk::open(dir.path(), clock.clone()).unwrap();
        Self { disk, clock, dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn written(&self, bytes: &[u8]) -> Written {
        let mut writer = self.disk.writer(&[]);
        for chunk in bytes.chunks(100_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    pub(crate) async fn put(&self, name: &str, bytes: &[u8]) -> ObjectInfo {
        self.put_if(name, bytes, None).await.unwrap()
    }

    pub(crate) async fn put_if(
        &self,
        name: &str,
        bytes: &[u8],
        condition: Option<Condition>,
    ) -> Result<ObjectInfo, DiskError> {
        let written = self.written(bytes).await;
        let put = PutObject {
            bucket: bucket(),
            key: key(name),
            metadata: Metadata::default(),
            condition,
        };
        self.disk.put_object(written, put).await
    }

    /// All bytes of an object, or `None` if there is none.
    pub(crate) async fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        read(&self.disk, name).await
    }

    pub(crate) async fn create_upload(&self, name: &str) -> UploadRef {
        let create = CreateUpload {
            bucket: bucket(),
            key: key(name),
            metadata: Metadata::default(),
            checksum: None,
        };
        let id = self.disk.create_upload(create).await.unwrap();
        upload(name, id)
    }

    pub(crate) async fn put_part(&self, upload: &UploadRef, number: u32, bytes: &[u8]) -> PartInfo {
        let written = self.written(bytes).await;
        self.disk
            .put_part(upload, part_number(number), written)
            .await
            .unwrap()
    }

    /// Files with data in them, once those that are no longer needed are gone.
    pub(crate) fn data_files_after_closing(self) -> Vec<PathBuf> {
        let Self { disk, dir, .. } = self;
        drop(disk);
        assert_eq!(files_below(&dir.path().join("tmp")), Vec::<PathBuf>::new());
        files_below(&dir.path().join("data"))
    }
}

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
            files.extend(files_below(&path))
        } else {
            files.push(path)
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
