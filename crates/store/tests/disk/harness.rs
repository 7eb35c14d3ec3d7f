//! A store in a temporary directory.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use loadlock_store::{
    clock::Clock,
    disk::{
        Condition, CreateUpload, Disk, DiskError, Metadata, ObjectInfo, PartInfo, PutObject, Tags,
        UploadRef, Written,
    },
};
use tempfile::TempDir;

use crate::common::{bucket, files_below, key, part_number, read, upload};

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
            tags: Tags::default(),
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
            tags: Tags::default(),
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
        // A batch of a writer that was dropped may still be on its way to the disk; its file goes when it has arrived.
        let begun = std::time::Instant::now();
        while !files_below(&dir.path().join("tmp")).is_empty() {
            assert!(begun.elapsed().as_secs() < 10, "temporary files are left");
            std::thread::yield_now();
        }
        files_below(&dir.path().join("data"))
    }
}
