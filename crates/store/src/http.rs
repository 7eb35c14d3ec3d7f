//! The server: connections, their limits, and how they end.

mod patient;
mod places;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{self, HeaderValue};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use self::patient::Patient;
use self::places::{Places, Traffic};
use crate::body::{Drain, Source};
use crate::reply::Reply;
use crate::store::Store;

/// How many connections are served at once; one more waits until another ends or the slowest is cut off. With a data file
/// each, they fit into the 1,024 open files that a process usually has.
const MAX_CONNECTIONS: usize = 480;
/// How long a head may take to arrive, and a connection may lie idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a client may neither send more of a body nor take more of an answer.
const IDLE: Duration = Duration::from_secs(30);
/// How often a connection that waits looks for a place, or for a file to be opened again.
const LOOK: Duration = Duration::from_millis(20);
/// How much is read from a connection at once, and the longest head.
const READ_BYTES: usize = 128 * 1024;
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
    /// rules. An error if the store can write no more.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let (stop, stopped) = watch::channel(());
        let (mut places, mut waiting) = (Places::default(), None);
        let mut tasks = JoinSet::new();
        // Ends with this function, also when that is dropped.
        let mut housekeeping = JoinSet::new();
        housekeeping.spawn(self.clone().keep_house());
        let mut shutdown = pin!(shutdown);
        let result = loop {
            if tasks.len() < MAX_CONNECTIONS
                && let Some(stream) = waiting.take()
            {
                let traffic = Arc::new(Traffic::default());
                let connection =
                    self.clone()
                        .connection(stream, Arc::clone(&traffic), stopped.clone());
                places.take(traffic, tasks.spawn(connection));
            }
            tokio::select! {
                () = &mut shutdown => break Ok(()),
                () = self.broken() => break Err(io::Error::other("the store can write no more")),
                Some(_) = tasks.join_next() => places.tidy(),
                () = tokio::time::sleep(LOOK), if waiting.is_some() => places.cut_off_slowest(),
                accepted = listener.accept(), if waiting.is_none() => match accepted {
                    Ok((stream, _)) => waiting = Some(stream),
                    // Out of file descriptors, or the peer has gone: the next may fare better.
                    Err(error) => {
                        tracing::warn!(%error, "no connection accepted");
                        tokio::time::sleep(LOOK).await;
                    }
                },
            }
        };
        drop(housekeeping);
        drop((listener, stop));
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!(connections = tasks.len(), "connections cut off");
        }
        result
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
        traffic: Arc<Traffic>,
        mut stopped: watch::Receiver<()>,
    ) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let (store, traffic) = (self.clone(), Arc::clone(&traffic));
            async move {
                let ours = request.body().is_end_stream();
                traffic.ours.store(ours, Ordering::Relaxed);
                let reply = store.respond(request).await;
                traffic.ours.store(false, Ordering::Relaxed);
                Ok::<_, Infallible>(reply)
            }
        });
        // Without it answers come later, but they come.
        let _ = stream.set_nodelay(true);
        let stream = Patient::new(stream, IDLE, Arc::clone(&traffic.moved));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(READ_BYTES)
            .serve_connection(TokioIo::new(stream), service);
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
