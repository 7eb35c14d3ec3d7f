//! The durable backend: metadata in SQLite, data in files named by id. It knows nothing of HTTP, signatures or uploads.
//!
//! A body is written to a temporary file, hashed on the way and synced; then, in one change, renamed, its directory
//! synced and its metadata committed. A delete commits first and unlinks later. `docs/decisions/store-layout.md` says
//! why.

mod body;
mod bucket;
mod claims;
mod collect;
mod columns;
mod commit;
mod complete;
mod digest;
mod error;
mod expire;
mod files;
mod list;
mod multipart;
mod names;
mod object;
mod part;
mod reader;
mod readers;
mod schema;
mod sweep;
mod tags;
mod writer;

use std::{
    collections::HashSet,
    fmt,
    fs::{self, File, TryLockError},
    io,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use rusqlite::Connection;
use tokio::sync::watch;

pub use self::{
    bucket::{BucketInfo, ConfigKind},
    claims::Claim,
    complete::{CompletePart, CompleteUpload},
    digest::{Checksum, ChecksumAlgorithm, ChecksumType},
    error::{DiskError, OpenError},
    expire::Expired,
    list::{ListObjects, ListedObject, ObjectPage},
    multipart::{CreateUpload, ListUploads, UploadChecksum, UploadInfo, UploadPage, UploadRef},
    names::{BucketName, ETag, ObjectKey, PartNumber, UploadId},
    object::{Condition, CopySource, CopyTarget, Metadata, ObjectInfo, PutObject},
    part::{PartInfo, PartPage},
    reader::{Object, ObjectStream},
    tags::{TagError, Tags},
    writer::{Writer, Written},
};
use self::{
    claims::Claims,
    collect::Errand,
    columns::Millis,
    commit::Commits,
    expire::Sweep,
    files::{Draft, Files},
    readers::Readers,
};
use crate::clock::Clock;

/// An open store. Clones share it; the directory is free again when the last of them is gone.
#[derive(Clone)]
pub struct Disk {
    inner: Arc<Inner>,
}

/// The fields are dropped in this order, and the order matters: the collector still commits what it removes.
struct Inner {
    clock: Clock,
    files: Arc<Files>,
    writers: Arc<()>,
    claims: Claims,
    swept: Mutex<HashSet<Sweep>>,
    readers: Readers,
    _collector: Thread,
    commits: Commits,
    _committer: Thread,
    /// Closed when the committer has ended, as only a panic makes it while the store is open.
    committing: watch::Receiver<()>,
    _lock: File,
}

impl Disk {
    /// Opens the store in `dir`, making it if there is none, and sweeps what an interrupted run left. Blocks.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, OpenError> {
        create_durably(&dir.join("data"))?;
        create_durably(&dir.join("tmp"))?;
        let lock = lock_directory(dir)?;
        let metadata = dir.join("store.db");
        let conn = schema::open(&metadata)?;
        // The names of what was just made, and of the directory itself.
        File::open(dir)?.sync_all()?;
        File::open(dir.join(".."))?.sync_all()?;
        let (errands, errand_queue) = mpsc::channel();
        let (changes, change_queue) = mpsc::channel();
        let files = Arc::new(Files::new(dir, sweep::next_generation(&conn)?, errands));
        sweep::sweep(&conn, dir, &files)?;
        let readers = Readers::open(&metadata)?;
        let commits = Commits::new(changes);

        let (its_files, its_commits) = (Arc::clone(&files), commits.clone());
        let collector = Thread::spawn("store-collect", move || {
            collect::run(&errand_queue, &its_files, &its_commits);
        })?;
        let its_files = Arc::clone(&files);
        let (alive, committing) = watch::channel(());
        let committer = Thread::spawn("store-commit", move || {
            let _alive = alive;
            commit::run(conn, &change_queue, &its_files);
        })?;
        let inner = Inner {
            clock,
            files,
            writers: Arc::default(),
            claims: Claims::default(),
            swept: Mutex::default(),
            readers,
            _collector: collector,
            commits,
            _committer: committer,
            committing,
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The time, as it will be read again.
    fn now(&self) -> Millis {
        Millis(Millis(self.inner.clock.now()).rounded())
    }

    /// Resolves when nothing can be committed any more.
    pub(crate) async fn broken(&self) {
        let mut committing = self.inner.committing.clone();
        while committing.changed().await.is_ok() {}
    }

    /// Changes metadata; durable once it is `Ok`.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, DiskError> {
        self.inner.commits.change(None, work).await
    }

    /// Changes metadata that makes a new file known.
    async fn publish<T: Send + 'static>(
        &self,
        draft: Option<Draft>,
        work: impl FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, DiskError> {
        self.inner.commits.change(draft, work).await
    }

    /// Reads metadata, all of it as it stood at one moment.
    async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, DiskError> {
        self.inner.readers.query(work).await
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Unsent, the collector has ended already.
        let _ = self.files.send(Errand::Stop);
    }
}

/// Makes a directory and those above it that are not there, and their names durable.
fn create_durably(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_durably(parent)?;
    }
    fs::create_dir_all(dir)?;
    File::open(dir.join(".."))?.sync_all()
}

/// Two processes must not share a store.
fn lock_directory(dir: &Path) -> Result<File, OpenError> {
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A thread that is waited for.
struct Thread(Option<thread::JoinHandle<()>>);

impl Thread {
    fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map(|handle| Self(Some(handle)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            // It panicked, and said so on its own.
            let _ = handle.join();
        }
    }
}
