//! A connection's stream, which counts what it moves and ends when its peer takes too little.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::body::Patience;

/// A stream that fails when its peer takes nothing for a while, or less than it must on average: a reader that has all
/// but stopped would hold its place forever.
pub(super) struct Patient<S> {
    stream: S,
    patience: Patience,
    moved: Arc<AtomicU64>,
    /// Runs while a write waits.
    deadline: Pin<Box<Sleep>>,
    since: Option<Instant>,
}

impl<S> Patient<S> {
    /// `moved` counts the bytes that go either way.
    pub(super) fn new(stream: S, idle: Duration, moved: Arc<AtomicU64>) -> Self {
        Self {
            stream,
            patience: Patience::new(idle),
            moved,
            deadline: Box::pin(tokio::time::sleep(idle)),
            since: None,
        }
    }

    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = result {
            if let Some(since) = self.since.take() {
                self.patience.waited(since.elapsed());
            }
            let bytes = result.as_ref().map_or(0, |bytes| *bytes as u64);
            self.patience.moved(bytes);
            self.moved.fetch_add(bytes, Ordering::Relaxed);
            return Poll::Ready(result);
        }
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            self.deadline.as_mut().reset(now + self.patience.left());
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.judge(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::Patient;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_less_than_it_must_on_average_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut stream = Patient::new(ours, Duration::from_secs(30), Arc::default());
        let body = vec![7; 1 << 20];
        let reads = async {
            let mut some = [0; 64];
            while theirs.read(&mut some).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        };
        tokio::select! {
            written = stream.write_all(&body) => assert!(written.is_err()),
            () = reads => panic!("the reader has ended first"),
            () = tokio::time::sleep(Duration::from_mins(2)) => panic!("still written to"),
        }
    }
}
