//! A few connections that only read, each query in a snapshot of its own.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task};

use super::{DiskError, OpenError, files::lock, schema};

const CONNECTIONS: usize = 4;

/// The pool; clones share it.
#[derive(Clone)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let idle = (0..CONNECTIONS)
            .map(|_| schema::open_reader(path))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Runs `work` on the blocking pool, in a snapshot.
    pub(super) async fn query<T, W>(&self, work: W) -> Result<T, DiskError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, DiskError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| DiskError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let query = move || {
            // One connection for each permit.
            let conn = lock(&idle).pop().ok_or(DiskError::Closed)?;
            let result = in_snapshot(&conn, work);
            lock(&idle).push(conn);
            drop(permit);
            result
        };
        task::spawn_blocking(query)
            .await
            .map_err(|_| DiskError::Closed)?
    }
}

fn in_snapshot<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    let snapshot = conn.unchecked_transaction()?;
    let value = work(&snapshot)?;
    snapshot.finish()?;
    Ok(value)
}
