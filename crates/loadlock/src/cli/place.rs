//! The data directory: private to its owner, and one process's at a time.
use std::{
    fs::{DirBuilder, File, TryLockError},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// A data directory, locked while this lives.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the directory if there is none, and takes it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot use {} as data directory", path.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(named)?;
        let lock = File::create(path.join("lock")).with_context(named)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another loadlock is using {}", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(named),
        }
        Ok(Self {
            path: path.canonicalize().with_context(named)?,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
