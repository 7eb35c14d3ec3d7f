//! Taking in bytes: written to a temporary file and hashed at the same time, in flat memory.

use bytes::Bytes;

use super::{Checksum, ChecksumAlgorithm, Disk, DiskError, ETag};

/// A body on its way in. Dropped before [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub struct Writer {}

/// A body that is on disk, complete and synced, but not yet visible. Dropped, it is gone.
#[derive(Debug)]
pub struct Written {
    size_bytes: u64,
    md5: [u8; 16],
    checksums: Vec<Checksum>,
}

impl Disk {
    /// Begins a body. MD5 is always computed, and the checksums asked for beside it.
    pub fn writer(&self, checksums: &[ChecksumAlgorithm]) -> Result<Writer, DiskError> {
        todo!()
    }
}

impl Writer {
    /// Takes the next bytes. Waits when the disk or the hashing is slower than the sender.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), DiskError> {
        todo!()
    }

    /// How many bytes have been taken so far.
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }

    /// Waits until everything is written, hashed and synced to the disk.
    pub async fn finish(self) -> Result<Written, DiskError> {
        todo!()
    }
}

impl Written {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub fn md5(&self) -> [u8; 16] {
        self.md5
    }

    /// The ETag of an object or part of these bytes.
    pub fn etag(&self) -> ETag {
        todo!()
    }

    /// The checksums that were asked for, to be compared with what the client promised.
    pub fn checksums(&self) -> &[Checksum] {
        &self.checksums
    }
}
