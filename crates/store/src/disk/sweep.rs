//! What an interrupted run left behind is removed when the store is opened.
//!
//! The work is bounded by what that run had not finished: temporary files, files already let go of, and the directories
//! of data files since the oldest write that was then in flight.

use std::{fs, io, path::Path};

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    OpenError,
    collect::unlink,
    commit::forget_blobs,
    files::{BlobId, Files, directory_of, id_of},
};

/// Begins a new generation of ids; returns its number.
pub(super) fn next_generation(conn: &Connection) -> Result<i64, OpenError> {
    Ok(conn.query_row(
        "UPDATE store SET generation = generation + 1 RETURNING generation",
        [],
        |row| row.get(0),
    )?)
}

/// Removes temporary files and data files without a row. Runs before anybody can write.
pub(super) fn sweep(conn: &Connection, root: &Path, files: &Files) -> Result<(), OpenError> {
    for entry in fs::read_dir(root.join("tmp"))? {
        fs::remove_file(entry?.path())?;
    }
    let doomed = conn
        .prepare("SELECT id FROM blob WHERE refs <= 0")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<BlobId>, _>>()?;
    let mut removed = unlink(files, doomed);
    let low_water: BlobId = conn.query_row("SELECT low_water FROM store", [], |row| row.get(0))?;
    let unknown = unknown_files(conn, &root.join("data"), low_water)?;
    let unknown_count = unknown.len();
    let unknown = unlink(files, unknown);
    let tx = conn.unchecked_transaction()?;
    // What could not be removed is looked for again at the next start.
    if unknown.len() == unknown_count {
        tx.execute("UPDATE store SET low_water = ?", [files.low_water()])?;
    }
    removed.extend(unknown);
    forget_blobs(&tx, &removed).map_err(io::Error::other)?;
    tx.commit()?;
    Ok(())
}

fn unknown_files(
    conn: &Connection,
    data: &Path,
    low_water: BlobId,
) -> Result<Vec<BlobId>, OpenError> {
    let mut known = conn.prepare("SELECT 1 FROM blob WHERE id = ?")?;
    let mut unknown = Vec::new();
    for directory in ids_in(data)?
        .into_iter()
        .filter(|&directory| directory >= directory_of(low_water))
    {
        for id in ids_in(&data.join(format!("{directory:013x}")))? {
            if known.query_row([id], |_| Ok(())).optional()?.is_none() {
                unknown.push(id);
            }
        }
    }
    Ok(unknown)
}

fn ids_in(directory: &Path) -> io::Result<Vec<i64>> {
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name()));
    let ids = names.map(|name: io::Result<_>| Ok(name?.to_str().and_then(id_of)));
    ids.filter_map(Result::transpose).collect()
}
