//! Reading an object: pinned to the version that was found, in flat memory.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    future::Future as _,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::{self, JoinHandle};

use super::{
    BucketName, CopySource, Disk, DiskError, Inner, ObjectInfo, ObjectKey,
    body::{self, Segment},
    bucket::bucket_id,
    files,
    object::{Found, find, find_source},
};

const CHUNK_BYTES: u64 = 512 * 1024;

/// An object that stays readable as it was found, even when it is overwritten or deleted meanwhile.
pub struct Object {
    pub info: ObjectInfo,
    segments: Vec<Segment>,
    hold: Hold,
}

/// Keeps the files, and the store open, while they are read.
struct Hold {
    _pin: files::Pin,
    disk: Arc<Inner>,
}

impl Disk {
    /// Opens the object under `key` for reading.
    pub async fn object(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Object, DiskError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.open_found(move |conn| {
            find(conn, bucket_id(conn, &bucket)?, &key)?.ok_or(DiskError::NoSuchKey)
        })
        .await
    }

    /// Opens the object that a copy is made from.
    pub(super) async fn source(&self, source: &CopySource) -> Result<Object, DiskError> {
        let source = source.clone();
        self.open_found(move |conn| find_source(conn, &source))
            .await
    }

    async fn open_found(
        &self,
        lookup: impl FnOnce(&rusqlite::Connection) -> Result<Found, DiskError> + Send + 'static,
    ) -> Result<Object, DiskError> {
        let disk = Arc::clone(&self.inner);
        self.query(move |conn| {
            let _open = disk
                .files
                .opening
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let found = lookup(conn)?;
            let segments = body::segments(conn, found.body)?;
            let pin = disk
                .files
                .pin(segments.iter().map(|segment| segment.blob).collect());
            let hold = Hold {
                _pin: pin,
                disk: Arc::clone(&disk),
            };
            Ok(Object {
                info: found.info,
                segments,
                hold,
            })
        })
        .await
    }
}

impl Object {
    /// Streams `range` of the bytes (half open, within the size; else [`DiskError::InvalidRange`]).
    pub fn read(self, range: Range<u64>) -> Result<ObjectStream, DiskError> {
        Ok(ObjectStream {
            state: State::Idle(self.cursor(&range)?),
        })
    }

    pub(super) fn cursor(self, range: &Range<u64>) -> Result<Cursor, DiskError> {
        if range.start > range.end || range.end > self.info.size_bytes {
            return Err(DiskError::InvalidRange);
        }
        let mut position = 0;
        let mut rest = VecDeque::new();
        for segment in self.segments {
            let end = position + segment.length;
            let (from, to) = (range.start.max(position), range.end.min(end));
            if from < to {
                rest.push_back(Segment {
                    start: segment.start + from - position,
                    length: to - from,
                    ..segment
                });
            }
            position = end;
        }
        Ok(Cursor {
            rest,
            file: None,
            hold: self.hold,
        })
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// The bytes asked for, in pieces of at most 512 KiB, read one piece ahead. Holds no thread while nobody asks for more.
pub struct ObjectStream {
    state: State,
}

enum State {
    Idle(Cursor),
    Reading(JoinHandle<io::Result<(Bytes, Cursor)>>),
    Done,
}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Idle(cursor) => cursor.read_ahead(),
                State::Reading(mut work) => {
                    let Poll::Ready(result) = Pin::new(&mut work).poll(cx) else {
                        self.state = State::Reading(work);
                        return Poll::Pending;
                    };
                    match result.unwrap_or_else(|error| Err(io::Error::other(error))) {
                        Ok((bytes, cursor)) => {
                            self.state = cursor.read_ahead();
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            };
        }
    }
}

impl fmt::Debug for ObjectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream").finish_non_exhaustive()
    }
}

/// A place in an object, from which it is read forwards.
pub(super) struct Cursor {
    rest: VecDeque<Segment>,
    /// The file of the first segment, at its start.
    file: Option<File>,
    hold: Hold,
}

impl Cursor {
    fn read_ahead(mut self) -> State {
        if self.rest.is_empty() {
            return State::Done;
        }
        State::Reading(task::spawn_blocking(move || {
            let bytes = self.next_chunk()?.unwrap_or_default();
            Ok((bytes, self))
        }))
    }

    /// The next piece; `None` at the end. Blocks.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(segment) = self.rest.front_mut() else {
            return Ok(None);
        };
        let mut file = if let Some(file) = self.file.take() {
            file
        } else {
            let mut file = File::open(self.hold.disk.files.path(segment.blob))?;
            file.seek(SeekFrom::Start(segment.start))?;
            file
        };
        let wanted = segment.length.min(CHUNK_BYTES);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        (&mut file).take(wanted).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        segment.length -= wanted;
        segment.start += wanted;
        if segment.length == 0 {
            self.rest.pop_front();
        } else {
            self.file = Some(file);
        }
        Ok(Some(bytes.into()))
    }
}
