//! Removing files that nobody needs any more, on a thread of its own: unlinking a large file takes long.

use std::{
    collections::BTreeSet,
    fs, io, mem,
    path::PathBuf,
    sync::{PoisonError, mpsc::Receiver},
};

use super::{
    commit::Commits,
    files::{BlobId, Files, directory_of},
};

/// What the collector is asked to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// Remove a file that never became known.
    Draft { id: BlobId, path: PathBuf },
    /// Remove files that the metadata has let go of.
    Doomed(Vec<BlobId>),
    /// A reader is done: look again at what had to wait.
    Unpinned,
    /// Do what is left and end.
    Stop,
}

/// Works until it is told to stop.
pub(super) fn run(errands: &Receiver<Errand>, files: &Files, commits: &Commits) {
    let mut doomed = Vec::new();
    while let Ok(first) = errands.recv() {
        let mut stop = false;
        for errand in std::iter::once(first).chain(errands.try_iter()) {
            match errand {
                Errand::Draft { id, path } => remove_draft(files, id, &path),
                Errand::Doomed(blobs) => doomed.extend(blobs),
                Errand::Unpinned => {}
                Errand::Stop => stop = true,
            }
        }
        let removed = remove_unpinned(files, &mut doomed);
        if !removed.is_empty() {
            commits.forget_blobs(removed);
        }
        if stop {
            return;
        }
    }
}

fn remove_draft(files: &Files, id: BlobId, path: &PathBuf) {
    let removed = remove(path).and_then(|()| {
        // A temporary file that came back after a crash would be swept, one of the data is looked for only until it has
        // landed.
        if *path == files.path(id) {
            files.sync_directory(directory_of(id))
        } else {
            Ok(())
        }
    });
    match removed {
        Ok(()) => files.landed(id),
        Err(error) => tracing::warn!(%error, id, "a temporary file stays until the next start"),
    }
}

/// Unlinks what nobody reads, durably, and returns it; the rest stays in `doomed`.
fn remove_unpinned(files: &Files, doomed: &mut Vec<BlobId>) -> Vec<BlobId> {
    if doomed.is_empty() {
        return Vec::new();
    }
    let (waiting, free): (Vec<_>, Vec<_>) = {
        let _closed = files
            .opening
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        mem::take(doomed)
            .into_iter()
            .partition(|&blob| files.is_pinned(blob))
    };
    *doomed = waiting;
    unlink(files, free)
}

/// Unlinks data files durably; returns those that are gone.
pub(super) fn unlink(files: &Files, blobs: Vec<BlobId>) -> Vec<BlobId> {
    let mut removed = blobs;
    removed.retain(|&blob| match remove(&files.path(blob)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, blob, "a data file stays until the next start");
            false
        }
    });
    let directories: BTreeSet<_> = removed.iter().map(|&blob| directory_of(blob)).collect();
    for directory in directories {
        if let Err(error) = files.sync_directory(directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "data files are removed again at the next start");
            removed.retain(|&blob| directory_of(blob) != directory);
        }
    }
    removed
}

fn remove(path: &PathBuf) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
