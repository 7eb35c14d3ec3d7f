//! Being asked to stop, and stopping.
use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long requests under way may take to finish.
const GRACE: Duration = Duration::from_secs(5);

/// Lets the tasks run until Ctrl-C or SIGTERM, then tells them to stop and waits a little. Asked twice, it does not wait.
/// A task that ends by itself ends all, with its error.
pub(super) async fn until_asked(
    mut tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        Some(ended) = tasks.join_next() => ended.context("a task broke down").and_then(|ended| ended),
    };
    stop.cancel();
    let finish = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = finish => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("some requests were cut off"),
        _ = interrupt.recv() => {}
    }
    ended.map(|()| ExitCode::SUCCESS)
}
