//! The data files: named by an id that is never used twice, and held while someone writes or reads them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc::Sender},
};

use super::collect::Errand;

/// A data file's id: the store's generation (how often it was opened) above, a counter below.
pub(super) type BlobId = i64;

const COUNTER_BITS: u32 = 40;
/// So many ids share a directory.
const DIRECTORY_BITS: u32 = 12;

/// Where data files lie, and which of them are in use.
#[derive(Debug)]
pub(super) struct Files {
    data: PathBuf,
    temporary: PathBuf,
    ids: Mutex<Ids>,
    /// Directories that are known to be durable.
    directories: Mutex<HashSet<i64>>,
    pins: Mutex<HashMap<BlobId, usize>>,
    /// Held shared from looking up a body until it is pinned, and exclusively by the collector when it looks at the
    /// pins: so a file is unlinked only when nobody can have found it.
    pub(super) opening: RwLock<()>,
    errands: Sender<Errand>,
}

#[derive(Debug)]
struct Ids {
    next: BlobId,
    /// Files that exist, or may exist, without being known to the metadata.
    in_flight: BTreeSet<BlobId>,
}

impl Files {
    pub(super) fn new(root: &Path, generation: i64, errands: Sender<Errand>) -> Self {
        Self {
            data: root.join("data"),
            temporary: root.join("tmp"),
            ids: Mutex::new(Ids {
                next: generation << COUNTER_BITS,
                in_flight: BTreeSet::new(),
            }),
            directories: Mutex::default(),
            pins: Mutex::default(),
            opening: RwLock::new(()),
            errands,
        }
    }

    /// An id that has never been used: for a body, or a file that does not exist yet.
    pub(super) fn fresh_id(&self) -> BlobId {
        let mut ids = lock(&self.ids);
        ids.next += 1;
        ids.next
    }

    /// Every file with a smaller id is known to the metadata.
    pub(super) fn low_water(&self) -> BlobId {
        let ids = lock(&self.ids);
        let oldest = ids.in_flight.first().copied().unwrap_or(ids.next);
        directory_of(oldest) << DIRECTORY_BITS
    }

    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        self.directory(directory_of(id)).join(file_name(id))
    }

    /// Makes the files that were renamed into a directory durable.
    pub(super) fn sync_directory(&self, directory: i64) -> io::Result<()> {
        File::open(self.directory(directory))?.sync_all()
    }

    /// Makes a directory of data files and its own name durable, once.
    fn ensure_directory(&self, directory: i64) -> io::Result<()> {
        let mut durable = lock(&self.directories);
        if !durable.contains(&directory) {
            fs::create_dir_all(self.directory(directory))?;
            File::open(&self.data)?.sync_all()?;
            durable.insert(directory);
        }
        Ok(())
    }

    fn directory(&self, directory: i64) -> PathBuf {
        self.data.join(format!("{directory:013x}"))
    }

    /// Keeps the files of a body on disk until the pin is dropped.
    pub(super) fn pin(self: &Arc<Self>, blobs: Vec<BlobId>) -> Pin {
        let mut pins = lock(&self.pins);
        for &blob in &blobs {
            *pins.entry(blob).or_default() += 1;
        }
        Pin {
            blobs,
            files: Arc::clone(self),
        }
    }

    pub(super) fn is_pinned(&self, blob: BlobId) -> bool {
        lock(&self.pins).contains_key(&blob)
    }

    pub(super) fn send(&self, errand: Errand) -> Result<(), Errand> {
        self.errands.send(errand).map_err(|unsent| unsent.0)
    }

    pub(super) fn landed(&self, id: BlobId) {
        lock(&self.ids).in_flight.remove(&id);
    }
}

/// The directory that a file lies in.
pub(super) fn directory_of(id: BlobId) -> i64 {
    id >> DIRECTORY_BITS
}

/// The id of a file found on disk.
pub(super) fn id_of(name: &str) -> Option<BlobId> {
    i64::from_str_radix(name, 16).ok()
}

fn file_name(id: BlobId) -> String {
    format!("{id:016x}")
}

/// Locks, and goes on after a panic elsewhere: what is locked here is never left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that the metadata does not know yet. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Draft {
    id: BlobId,
    path: PathBuf,
    files: Arc<Files>,
    fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Remove,
    Keep,
}

impl Draft {
    /// Makes an empty temporary file. Blocks.
    pub(super) fn create(files: &Arc<Files>) -> io::Result<(Self, File)> {
        let id = {
            let mut ids = lock(&files.ids);
            ids.next += 1;
            let id = ids.next;
            ids.in_flight.insert(id);
            id
        };
        let path = files.temporary.join(file_name(id));
        let draft = Self {
            id,
            path,
            files: Arc::clone(files),
            fate: Fate::Remove,
        };
        let file = File::create_new(&draft.path)?;
        Ok((draft, file))
    }

    pub(super) fn id(&self) -> BlobId {
        self.id
    }

    /// Renames the file to its lasting place, whose directory the caller has yet to sync. Blocks.
    pub(super) fn publish(&mut self) -> io::Result<i64> {
        let directory = directory_of(self.id);
        self.files.ensure_directory(directory)?;
        let lasting = self.files.path(self.id);
        fs::rename(&self.path, &lasting)?;
        self.path = lasting;
        Ok(directory)
    }

    /// The metadata knows the file now.
    pub(super) fn keep(mut self) {
        self.fate = Fate::Keep;
        self.files.landed(self.id);
    }

    /// Whether the metadata knows the file will only be seen at the next start: leave it to the sweep.
    pub(super) fn leave(mut self) {
        self.fate = Fate::Keep;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.fate == Fate::Keep {
            return;
        }
        let errand = Errand::Draft {
            id: self.id,
            path: std::mem::take(&mut self.path),
        };
        if let Err(Errand::Draft { path, .. }) = self.files.send(errand) {
            // The store is closed; what cannot be removed now is swept at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// Holds files that are being read.
#[derive(Debug)]
pub(super) struct Pin {
    blobs: Vec<BlobId>,
    files: Arc<Files>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.files.pins);
        for blob in &self.blobs {
            if let Some(count) = pins.get_mut(blob) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(blob);
                }
            }
        }
        drop(pins);
        // Closed: the next start removes what is doomed.
        let _ = self.files.send(Errand::Unpinned);
    }
}
