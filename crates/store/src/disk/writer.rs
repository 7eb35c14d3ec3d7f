//! Taking in bytes: written to a temporary file and hashed at the same time, in flat memory.
//!
//! Bytes are gathered to batches. A batch is written and hashed on two threads of the blocking pool while the next one
//! is gathered, so that at most two are in memory, and a slow sender holds no thread.

use std::{
    fs::File,
    io::{self, Write as _},
    mem,
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use tokio::task::{self, JoinHandle};

use super::{
    Checksum, ChecksumAlgorithm, Disk, DiskError, ETag,
    digest::{Hashes, hex},
    files::{Draft, Files},
};

/// A batch of a single writer; many writers have smaller ones, together [`ALL_BATCHES_BYTES`].
const BATCH_BYTES: usize = 1024 * 1024;
const SMALLEST_BATCH_BYTES: usize = 64 * 1024;
const ALL_BATCHES_BYTES: usize = 32 * 1024 * 1024;
/// Pieces smaller than this are copied together, so that a batch is never a great many, nor holds much more memory than
/// its bytes: a piece keeps the whole buffer that it was read into.
const SMALL_BYTES: usize = 32 * 1024;
/// So often what has been written is pushed to the disk, so that little is left for the end.
const SYNC_EVERY_BYTES: u64 = 64 * 1024 * 1024;

/// A body on its way in. Dropped before [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    sink: Stage<Sink>,
    hashes: Stage<Hashes>,
    /// The kernel tells each failure of writing back once only, so this sync's answer must be heard.
    early_sync: Option<JoinHandle<io::Result<()>>>,
    batch: Vec<Bytes>,
    /// The end of the batch, where it came in small pieces.
    tail: BytesMut,
    batch_bytes: usize,
    size_bytes: u64,
    /// One for each writer, and the store's own.
    writers: Arc<()>,
}

/// A body that is on disk, complete and synced, but not yet visible. Dropped, it is gone.
#[derive(Debug)]
pub struct Written {
    pub(super) size_bytes: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Vec<Checksum>,
    /// `None` for an empty body, which needs no file.
    pub(super) draft: Option<Draft>,
}

impl Disk {
    /// Begins a body. MD5 is always computed, and the checksums asked for beside it.
    pub fn writer(&self, checksums: &[ChecksumAlgorithm]) -> Writer {
        Writer {
            sink: Stage::Idle(Sink::new(Arc::clone(&self.inner.files))),
            hashes: Stage::Idle(Hashes::new(checksums)),
            early_sync: None,
            tail: BytesMut::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            size_bytes: 0,
            writers: Arc::clone(&self.inner.writers),
        }
    }
}

fn batch_bytes(writers: usize) -> usize {
    (ALL_BATCHES_BYTES / writers.max(1)).clamp(SMALLEST_BATCH_BYTES, BATCH_BYTES)
}

impl Writer {
    /// Takes the next bytes. Waits when the disk or the hashing is slower than the sender. After an error, or when the
    /// future is dropped halfway, the writer is of no more use.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), DiskError> {
        self.size_bytes += bytes.len() as u64;
        self.batch_bytes += bytes.len();
        if bytes.len() < SMALL_BYTES {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.close_tail();
            self.batch.push(bytes);
        }
        if self.batch_bytes >= batch_bytes(Arc::strong_count(&self.writers) - 1) {
            self.pass_on(|_| Ok(())).await
        } else {
            Ok(())
        }
    }

    /// How many bytes have been taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Waits until everything is written, hashed and synced to the disk.
    pub async fn finish(mut self) -> Result<Written, DiskError> {
        self.pass_on(Sink::sync).await?;
        let (md5, checksums) = self.hashes.take().await?.finish();
        let sink = self.sink.take().await?;
        self.early_sync_done().await?;
        Ok(Written {
            size_bytes: self.size_bytes,
            md5,
            checksums,
            draft: sink.file.map(|(draft, _)| draft),
        })
    }

    /// Hands the batch to both threads, once they have done the one before; the disk's does `then` after it.
    async fn pass_on(
        &mut self,
        then: fn(&mut Sink) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        self.close_tail();
        let batch: Arc<[Bytes]> = mem::take(&mut self.batch).into();
        self.batch_bytes = 0;
        let same = Arc::clone(&batch);
        let mut sink = self.sink.take().await?;
        self.sync_early(&mut sink).await?;
        self.sink = Stage::run(sink, move |sink| {
            sink.write(&same)?;
            then(sink)
        });
        let hashes = self.hashes.take().await?;
        self.hashes = Stage::run(hashes, move |hashes| {
            batch.iter().for_each(|bytes| hashes.update(bytes));
            Ok(())
        });
        Ok(())
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.batch.push(self.tail.split().freeze());
        }
    }

    /// Starts a sync beside the writing where it is due, unless one still runs.
    async fn sync_early(&mut self, sink: &mut Sink) -> Result<(), DiskError> {
        let runs = self
            .early_sync
            .as_ref()
            .is_some_and(|sync| !sync.is_finished());
        if runs || sink.unsynced_bytes < SYNC_EVERY_BYTES {
            return Ok(());
        }
        self.early_sync_done().await?;
        if let Some((_, file)) = &sink.file {
            let file = Arc::clone(file);
            self.early_sync = Some(task::spawn_blocking(move || file.sync_data()));
            sink.unsynced_bytes = 0;
        }
        Ok(())
    }

    async fn early_sync_done(&mut self) -> Result<(), DiskError> {
        if let Some(sync) = self.early_sync.take() {
            sync.await.map_err(|_| DiskError::Closed)??;
        }
        Ok(())
    }
}

impl Written {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub fn md5(&self) -> [u8; 16] {
        self.md5
    }

    /// The ETag of an object or part of these bytes.
    pub fn etag(&self) -> ETag {
        ETag::new(&hex(&self.md5))
    }

    /// The checksums that were asked for, to be compared with what the client promised.
    pub fn checksums(&self) -> &[Checksum] {
        &self.checksums
    }
}

/// Something that is either at hand or at work on the blocking pool.
#[derive(Debug)]
enum Stage<T> {
    Idle(T),
    Busy(JoinHandle<Result<T, DiskError>>),
    Lost,
}

impl<T: Send + 'static> Stage<T> {
    fn run(
        mut value: T,
        work: impl FnOnce(&mut T) -> Result<(), DiskError> + Send + 'static,
    ) -> Self {
        Self::Busy(task::spawn_blocking(move || {
            work(&mut value).map(|()| value)
        }))
    }

    async fn take(&mut self) -> Result<T, DiskError> {
        match mem::replace(self, Self::Lost) {
            Self::Idle(value) => Ok(value),
            Self::Busy(work) => work.await.map_err(|_| DiskError::Closed)?,
            Self::Lost => Err(DiskError::Closed),
        }
    }
}

/// Where the bytes go.
#[derive(Debug)]
struct Sink {
    files: Arc<Files>,
    file: Option<(Draft, Arc<File>)>,
    unsynced_bytes: u64,
}

impl Sink {
    fn new(files: Arc<Files>) -> Self {
        Self {
            files,
            file: None,
            unsynced_bytes: 0,
        }
    }

    fn write(&mut self, batch: &[Bytes]) -> Result<(), DiskError> {
        for bytes in batch {
            self.open()?.write_all(bytes)?;
            self.unsynced_bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&File, DiskError> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let (draft, file) = Draft::create(&self.files)?;
            (draft, Arc::new(file))
        };
        Ok(&self.file.insert(file).1)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        if let Some((_, file)) = &self.file {
            file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::batch_bytes;

    #[test]
    fn many_writers_share_the_memory_of_a_few() {
        for writers in [1, 2, 32, 100, 480] {
            assert!(batch_bytes(writers) * writers <= 33 << 20, "{writers}");
        }
        assert_eq!(batch_bytes(8), 1 << 20);
    }
}
