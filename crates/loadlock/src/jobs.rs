//! Background work: what is due is claimed by lease, done, and tried again later if it fails.

use std::{future::Future, pin::pin, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    app::App,
    clock::after,
    error::{Error, Kind},
    flow,
};

/// How many uploads are worked on at a time.
const AT_ONCE: u32 = 16;
/// How often the records are asked for something due.
const POLL: Duration = Duration::from_secs(1);

/// Does everything that is due now, and what becomes due by it; returns how many steps were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let mut steps = 0;
    loop {
        let done = run_batch(app).await?;
        if done == 0 {
            return Ok(steps);
        }
        steps += done;
    }
}

async fn run_batch(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let until = after(now, flow::LEASE);
    let mut tasks = JoinSet::new();
    for leased in app.records.lease_due(AT_ONCE, now, until).await? {
        let app = app.clone();
        tasks.spawn(async move {
            let (id, state, attempt) = (leased.id, leased.state.name(), leased.attempt);
            if let Err(error) = flow::work(&app, leased).await {
                let source = error.sources();
                tracing::warn!(%id, state, attempt, %error, source, "job failed");
            }
        });
    }
    let steps = tasks.len();
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(|error| Kind::Internal.caused_by(error))?;
    }
    Ok(steps)
}

/// Works until `shutdown` resolves.
pub async fn run(app: App, shutdown: impl Future<Output = ()> + Send) {
    let mut shutdown = pin!(shutdown);
    loop {
        if let Err(error) = run_once(&app).await {
            tracing::warn!(%error, source = error.sources(), "background work stumbled");
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = sleep(POLL) => {}
        }
    }
}
