//! The demo's own table: entries, and the files that each was published with.
use std::path::Path;

use serde::{Deserialize, Serialize};
use sqlx::{
    Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow},
};

use crate::http::message::File;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS entry (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        title      TEXT NOT NULL,
        text       TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ) STRICT;
    CREATE TABLE IF NOT EXISTS media (
        file     TEXT PRIMARY KEY,
        entry    INTEGER NOT NULL REFERENCES entry (id),
        position INTEGER NOT NULL,
        record   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS media_by_entry ON media (entry, position);
";

/// An entry that is about to be published.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) uploads: Vec<String>,
}

/// A published entry.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    id: i64,
    title: String,
    text: String,
    created_at: String,
    media: Vec<Media>,
}

/// A file of an entry: what the page needs to show it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Media {
    id: String,
    filename: String,
    content_type: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    content_url: String,
}

impl From<File> for Media {
    fn from(file: File) -> Self {
        let File {
            id,
            filename,
            content_type,
            size,
            width,
            height,
            content_url,
            ..
        } = file;
        Self {
            id,
            filename,
            content_type,
            size,
            width,
            height,
            content_url: content_url.0,
        }
    }
}

pub(super) struct Entries(SqlitePool);

impl Entries {
    pub(super) async fn open(database: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(database)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// All entries, the newest first.
    pub(super) async fn all(&self) -> sqlx::Result<Vec<Entry>> {
        let mut connection = self.0.acquire().await?;
        let rows = sqlx::query("SELECT id, title, text, created_at FROM entry ORDER BY id DESC")
            .fetch_all(&mut *connection)
            .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            entries.push(entry(&mut connection, &row).await?);
        }
        Ok(entries)
    }

    /// Keeps an entry with its files; if they already belong to one, that is the answer.
    pub(super) async fn publish(&self, draft: Draft, media: Vec<Media>) -> sqlx::Result<Entry> {
        let mut change = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let known: Option<i64> = match media.first() {
            Some(first) => {
                let query = sqlx::query_scalar("SELECT entry FROM media WHERE file = ?");
                query.bind(&first.id).fetch_optional(&mut *change).await?
            }
            None => None,
        };
        let id = match known {
            Some(id) => id,
            None => insert(&mut change, &draft, &media).await?,
        };
        let row = sqlx::query("SELECT id, title, text, created_at FROM entry WHERE id = ?")
            .bind(id)
            .fetch_one(&mut *change)
            .await?;
        let entry = entry(&mut change, &row).await?;
        change.commit().await?;
        Ok(entry)
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    draft: &Draft,
    media: &[Media],
) -> sqlx::Result<i64> {
    let id = sqlx::query_scalar("INSERT INTO entry (title, text) VALUES (?, ?) RETURNING id")
        .bind(&draft.title)
        .bind(&draft.text)
        .fetch_one(&mut *connection)
        .await?;
    for (position, media) in (0_i64..).zip(media) {
        let record =
            serde_json::to_string(media).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query("INSERT INTO media (file, entry, position, record) VALUES (?, ?, ?, ?)")
            .bind(&media.id)
            .bind(id)
            .bind(position)
            .bind(record)
            .execute(&mut *connection)
            .await?;
    }
    Ok(id)
}

/// An entry from its row, with its files.
async fn entry(connection: &mut SqliteConnection, row: &SqliteRow) -> sqlx::Result<Entry> {
    let id = row.try_get("id")?;
    let records: Vec<String> =
        sqlx::query_scalar("SELECT record FROM media WHERE entry = ? ORDER BY position")
            .bind(id)
            .fetch_all(connection)
            .await?;
    let media = records
        .iter()
        .map(|record| serde_json::from_str(record))
        .collect::<Result<_, _>>();
    Ok(Entry {
        id,
        title: row.try_get("title")?,
        text: row.try_get("text")?,
        created_at: row.try_get("created_at")?,
        media: media.map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}
