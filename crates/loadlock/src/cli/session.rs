//! `session.json`: where `loadlock dev` listens and who the demo's user is, so that `loadlock put` needs no options.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::http::message::Sealed;

/// Where everything of `loadlock dev` lies unless told otherwise.
pub(super) const DEFAULT_DATA: &str = "./loadlock-data";

/// Whom `loadlock put` talks to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) api: String,
    pub(super) name: String,
    pub(super) password: Sealed,
}

impl Session {
    fn path(data: &Path) -> PathBuf {
        data.join("session.json")
    }

    /// The session of the data directory's `loadlock dev`, or `None` where none has ever run.
    pub(super) fn read(data: &Path) -> anyhow::Result<Option<Self>> {
        read_json(&Self::path(data))
    }

    pub(super) fn write(&self, data: &Path) -> anyhow::Result<()> {
        write_private(&Self::path(data), self)
    }
}

/// A JSON file's content, or `None` if there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let value = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not what it should be", path.display()))?;
    Ok(Some(value))
}

/// Writes a JSON file that only its owner may read; whole or not at all.
pub(super) fn write_private(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(fs::rename(&fresh, path)?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
