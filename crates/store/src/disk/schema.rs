//! The metadata's tables, and how an older store's become today's.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;

/// One step for each version; a step that has been released is never changed.
const STEPS: [&str; 2] = [include_str!("schema.sql"), include_str!("tags.sql")];

const STATEMENTS: usize = 64;

/// Opens the metadata for writing, brought up to date.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut conn = Connection::open(path)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate(&mut conn)?;
    Ok(conn)
}

/// Opens the metadata for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut version = 0;
    for step in STEPS {
        version += 1;
        if version > found {
            tx.execute_batch(step)?;
        }
    }
    if found > version {
        return Err(OpenError::Newer {
            found,
            known: version,
        });
    }
    tx.pragma_update(None, "user_version", version)?;
    tx.commit()?;
    Ok(())
}
