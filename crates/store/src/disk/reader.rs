//! Reading an object: pinned to the version that was found, in flat memory.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;

use super::{BucketName, Disk, DiskError, ObjectInfo, ObjectKey};

/// An object that stays readable as it was found, even when it is overwritten or deleted meanwhile.
#[derive(Debug)]
pub struct Object {
    pub info: ObjectInfo,
}

impl Disk {
    /// Opens the object under `key` for reading.
    pub async fn object(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Object, DiskError> {
        todo!()
    }
}

impl Object {
    /// Streams `range` of the bytes (half open, within the size; else [`DiskError::InvalidRange`]).
    pub fn read(self, range: Range<u64>) -> Result<ObjectStream, DiskError> {
        todo!()
    }
}

/// The bytes asked for, in pieces of at most 512 KiB. Holds no thread while nobody asks for more.
#[derive(Debug)]
pub struct ObjectStream {}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}
