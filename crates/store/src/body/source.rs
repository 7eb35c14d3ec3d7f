//! The raw bytes of a request: read with limits on idleness and slowness, or read away.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use crate::error::{Code, S3Result};

/// The slowest that a body may come or an answer go, on average over the time that the store waits for it.
const BYTES_PER_SECOND: u64 = 1024;

/// The raw bytes of a request as they come from the connection.
#[derive(Debug)]
pub(crate) struct Source {
    incoming: Incoming,
    patience: Patience,
    touched: bool,
}

/// How long a peer is waited for: each time so long at most, and no longer in all than what it has moved earns.
#[derive(Debug)]
pub(crate) struct Patience {
    idle: Duration,
    moved: u64,
    waited: Duration,
}

impl Patience {
    pub(crate) fn new(idle: Duration) -> Self {
        Self {
            idle,
            moved: 0,
            waited: Duration::ZERO,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        let earned = self.idle + Duration::from_secs(self.moved / BYTES_PER_SECOND);
        earned.saturating_sub(self.waited).min(self.idle)
    }

    pub(crate) fn moved(&mut self, bytes: u64) {
        self.moved += bytes;
    }

    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }
}

impl Source {
    /// `idle`: how long a client may send nothing.
    pub(crate) fn new(incoming: Incoming, idle: Duration) -> Self {
        Self {
            incoming,
            patience: Patience::new(idle),
            touched: false,
        }
    }

    /// The next bytes that the client sends; `None` at the end that its head announced.
    pub(crate) async fn next(&mut self) -> S3Result<Option<Bytes>> {
        self.touched = true;
        loop {
            let since = Instant::now();
            let frame = tokio::time::timeout(self.patience.left(), self.incoming.frame()).await;
            self.patience.waited(since.elapsed());
            match frame.map_err(|_| Code::RequestTimeout)? {
                None => return Ok(None),
                Some(Err(_)) => return Err(Code::IncompleteBody.into()),
                // HTTP's own trailers mean nothing in S3.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.patience.moved(data.len() as u64);
                        return Ok(Some(data));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Whether something may still come that nobody has read.
    pub(crate) fn is_pending(&self) -> bool {
        !self.incoming.is_end_stream()
    }

    /// Whether nobody has asked for any of it: a client that waits for `100 Continue` has not been told to send.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Reads on and throws away, for a while: a browser still sending would otherwise see a reset connection and not
    /// the answer that is on its way.
    pub(crate) async fn drain(mut self, limit: Drain) {
        self.patience.idle = limit.idle;
        let end = self.patience.moved + limit.bytes;
        let read = async {
            while let Ok(Some(_)) = self.next().await {
                if self.patience.moved > end {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(limit.time, read).await;
    }
}

/// How much of a refused body is still read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    pub(crate) idle: Duration,
}
