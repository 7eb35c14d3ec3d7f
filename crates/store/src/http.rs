//! The server: connections, their limits, and how they end.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{self, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, Sleep};

use crate::body::{Drain, Source};
use crate::reply::Reply;
use crate::store::Store;

/// How many connections are served at once; more wait to be accepted. With a data file each, they fit into the 1,024 open
/// files that a process usually has.
const MAX_CONNECTIONS: usize = 480;
/// How long a head may take to arrive, and a connection may lie idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a client may neither send more of a body nor take more of an answer.
const IDLE: Duration = Duration::from_secs(30);
/// How long requests may go on once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How much is read of a body that was refused.
const DRAIN: Drain = Drain {
    bytes: 1 << 30,
    time: Duration::from_secs(30),
    idle: Duration::from_secs(5),
};

impl Store {
    /// Serves until `shutdown` resolves; then lets requests that have begun end, for a while. Also runs the lifecycle
    /// rules.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let (stop, stopped) = watch::channel(());
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut tasks = JoinSet::new();
        // Ends with this function, also when that is dropped.
        let mut housekeeping = JoinSet::new();
        housekeeping.spawn(self.clone().keep_house());
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = tasks.join_next() => {}
                accepted = accept(&listener, &places) => match accepted {
                    Ok((stream, place)) => {
                        tasks.spawn(self.clone().connection(stream, place, stopped.clone()));
                    }
                    // Out of file descriptors, or the peer has gone: the next may fare better.
                    Err(error) => {
                        tracing::warn!(%error, "no connection accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(housekeeping);
        drop((listener, stop));
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!(connections = tasks.len(), "connections cut off");
        }
        Ok(())
    }

    async fn keep_house(self) {
        let mut ticks = tokio::time::interval(Self::LIFECYCLE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.run_lifecycle().await {
                tracing::error!(%error, "lifecycle rules were not applied");
            }
        }
    }

    async fn connection(
        self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        mut stopped: watch::Receiver<()>,
    ) {
        let service = service_fn(|request| {
            let store = self.clone();
            async move { Ok::<_, Infallible>(store.respond(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(256 * 1024)
            .serve_connection(TokioIo::new(Patient::new(stream)), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::trace!(%error, "connection ended");
        }
        drop(place);
    }

    /// Answers, and goes on reading a refused body while the answer is under way.
    async fn respond(&self, request: hyper::Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let waits = head.headers.contains_key(header::EXPECT);
        let mut source = Source::new(body, IDLE);
        let mut reply = self.answer(head, &mut source).await;
        if waits && source.is_untouched() {
            // Whether the client still sends its body is not known: what comes next could be either.
            reply
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else if source.is_pending() {
            tokio::spawn(source.drain(DRAIN));
        }
        reply
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// A stream that fails when its peer takes nothing for [`IDLE`]: a reader that has stopped would hold its place forever.
struct Patient {
    stream: TcpStream,
    /// Runs while a write waits.
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patient {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            deadline: Box::pin(tokio::time::sleep(IDLE)),
            waiting: false,
        }
    }

    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = false;
            return result;
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + IDLE);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
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
