//! A file on this machine: what it is, and its bytes as streams.
use std::{
    io::{self, SeekFrom},
    path::PathBuf,
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::{Stream, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};
use tokio_util::io::ReaderStream;

/// Enough for every signature that is looked for.
const HEAD: u64 = 8 << 10;
/// What is read at once; times the parts in flight, it bounds memory.
const CHUNK: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) filename: String,
    pub(super) size: u64,
    pub(super) content_type: String,
}

impl Source {
    pub(super) async fn open(path: PathBuf) -> anyhow::Result<Self> {
        let mut file = File::open(&path).await.map_err(plainly)?;
        let facts = file.metadata().await.map_err(plainly)?;
        if !facts.is_file() {
            bail!("it is not a file");
        }
        let mut head = Vec::new();
        (&mut file)
            .take(HEAD)
            .read_to_end(&mut head)
            .await
            .map_err(plainly)?;
        let filename = path
            .file_name()
            .context("it has no name")?
            .to_string_lossy()
            .into_owned();
        let content_type = content_type(&filename, &head);
        Ok(Self {
            path,
            filename,
            size: facts.len(),
            content_type,
        })
    }

    /// The bytes from `offset` on, exactly `length` of them if the file is what it was.
    pub(super) async fn read(
        &self,
        offset: u64,
        length: u64,
    ) -> anyhow::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        let mut file = File::open(&self.path).await.map_err(plainly)?;
        if file.metadata().await.map_err(plainly)?.len() != self.size {
            bail!("it changed while it was being sent");
        }
        file.seek(SeekFrom::Start(offset)).await.map_err(plainly)?;
        Ok(ReaderStream::with_capacity(file.take(length), CHUNK))
    }

    /// The whole file's CRC-64/NVME in base64.
    pub(super) async fn crc64(&self) -> anyhow::Result<String> {
        let mut chunks = self.read(0, self.size).await?;
        let mut digest = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
        while let Some(chunk) = chunks.try_next().await.map_err(plainly)? {
            digest.update(&chunk);
        }
        Ok(BASE64_STANDARD.encode(digest.finalize().to_be_bytes()))
    }

    /// The whole file's SHA-256 in base64.
    pub(super) async fn sha256(&self) -> anyhow::Result<String> {
        let mut chunks = self.read(0, self.size).await?;
        let mut hash = Sha256::new();
        while let Some(chunk) = chunks.try_next().await.map_err(plainly)? {
            hash.update(&chunk);
        }
        Ok(BASE64_STANDARD.encode(hash.finalize()))
    }
}

/// What the first bytes say; where they say nothing definite, what the name says.
fn content_type(filename: &str, head: &[u8]) -> String {
    let by_bytes = infer::get(head)
        .map(|kind| kind.mime_type())
        .filter(|kind| !kind.starts_with("text/"));
    let by_name = || mime_guess::from_path(filename).first_raw();
    by_bytes
        .or_else(by_name)
        .unwrap_or("application/octet-stream")
        .to_owned()
}

/// Without the operating system's number.
fn plainly(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("there is no such file"),
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("it may not be read (permission denied)")
        }
        _ => anyhow::Error::from(error).context("it cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn a_type_is_told_by_bytes_before_names() {
        let check = |name: &str, head: &[u8], expected: &str| {
            assert_eq!(content_type(name, head), expected);
        };
        check("photo.png", b"\xFF\xD8\xFF\xE0\0\x10JFIF", "image/jpeg");
        check("clip.mp4", b"", "video/mp4");
        check(
            "drawing.svg",
            b"<?xml version=\"1.0\"?><svg/>",
            "image/svg+xml",
        );
        check("notes.txt", b"hello", "text/plain");
        check("README", b"hello", "application/octet-stream");
    }
}
