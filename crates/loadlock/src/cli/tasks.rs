//! What a process does at once, until it is asked to stop.
use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use axum::{Router, serve::ListenerExt as _};
use loadlock_store::Store;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{app::App, jobs};

/// How long requests under way may take to finish.
const GRACE: Duration = Duration::from_secs(5);

/// What runs side by side.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    all: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Tasks {
    /// Serves the store.
    pub(super) fn store(&mut self, store: Store, listener: TcpListener) {
        let asked = self.stop.clone().cancelled_owned();
        self.all.spawn(async move {
            let serving = store.serve(listener, asked);
            serving.await.context("the store stopped")
        });
    }

    /// Does the background work.
    pub(super) fn jobs(&mut self, app: App) {
        let asked = self.stop.clone().cancelled_owned();
        self.all.spawn(async move {
            jobs::run(app, asked).await;
            Ok(())
        });
    }

    /// Serves the API; asked to stop, it lets requests that have begun end.
    pub(super) fn api(&mut self, routes: Router, listener: TcpListener) {
        let listener = listener.tap_io(|connection| {
            // Answers are small: none waits to be sent together with another.
            let _ = connection.set_nodelay(true);
        });
        let asked = self.stop.clone().cancelled_owned();
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, routes).with_graceful_shutdown(asked);
        self.all
            .spawn(async move { serving.await.context("the API stopped") });
    }

    /// Lets all run until Ctrl-C or SIGTERM, then tells them to stop and waits a little. Asked twice, it does not wait.
    /// A task that ends by itself ends all, with its error.
    pub(super) async fn until_asked(mut self) -> anyhow::Result<ExitCode> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
        let ended = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            Some(ended) = self.all.join_next() => ended.context("a task broke down").and_then(|ended| ended),
        };
        self.stop.cancel();
        let finish = async { while self.all.join_next().await.is_some() {} };
        tokio::select! {
            () = finish => {}
            () = tokio::time::sleep(GRACE) => tracing::warn!("some requests were cut off"),
            _ = interrupt.recv() => {}
        }
        ended.map(|()| ExitCode::SUCCESS)
    }
}
