//! Background work: what is due is claimed by lease, done, and tried again later if it fails.

use std::{future::Future, pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, interval, sleep, timeout},
};

use crate::{app::App, clock::after, error::Error, flow, records::Miscount};

/// How many uploads are worked on at a time.
const AT_ONCE: usize = 16;
/// How often the records are asked for something due.
const POLL: Duration = Duration::from_secs(1);
/// How often what is old is cleared away.
const CLEAR: Duration = Duration::from_mins(10);
/// How often what is nobody's is looked for.
const SWEEP: Duration = Duration::from_hours(1);
/// How many wrong counters are told one by one.
const TOLD: usize = 20;
/// How long work that has begun is waited for at the end; what is cut off is taken up again by its lease.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does everything that is due now, and what becomes due by it; returns how many steps were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    flow::clear_audit(app).await?;
    let mut at_work = JoinSet::new();
    let mut steps = 0;
    loop {
        steps += take_up(app, &mut at_work).await?;
        match at_work.join_next().await {
            Some(joined) => note(joined),
            None => return Ok(steps),
        }
    }
}

/// Fills the free hands with what is due; one piece of work that is slow does not keep the others waiting.
async fn take_up(app: &App, at_work: &mut JoinSet<()>) -> Result<usize, Error> {
    let free = AT_ONCE.saturating_sub(at_work.len());
    let now = app.clock.now();
    let tended = take_up_session(app, at_work, free, now).await?;
    let free = free - tended;
    // Asked of the readers first: most of the time nothing is due, and the one writer has other things to do.
    if free == 0 || app.records.next_due().await?.is_none_or(|due| due > now) {
        return Ok(tended);
    }
    let until = after(now, flow::LEASE);
    let leased = app.records.lease_due(free, now, until).await?;
    let steps = leased.len();
    for leased in leased {
        let app = app.clone();
        at_work.spawn(async move {
            let (id, state, attempt) = (leased.id, leased.state.name(), leased.attempt);
            if let Err(error) = flow::work(&app, leased).await {
                let source = error.sources();
                tracing::warn!(%id, state, attempt, %error, source, "job failed");
            }
        });
    }
    Ok(tended + steps)
}

/// A session in which files may have arrived, if one is due; one at a time, so that their uploads have hands left.
async fn take_up_session(
    app: &App,
    at_work: &mut JoinSet<()>,
    free: usize,
    now: Timestamp,
) -> Result<usize, Error> {
    if free == 0 {
        return Ok(0);
    }
    let Some(id) = app.records.due_session(now).await? else {
        return Ok(0);
    };
    let app = app.clone();
    let until = after(now, flow::LEASE);
    let Some(leased) = app.records.lease_session(id, now, until).await? else {
        return Ok(0);
    };
    at_work.spawn(async move {
        if let Err(error) = flow::tend(&app, leased).await {
            let source = error.sources();
            tracing::warn!(%id, %error, source, "a session's files are not found");
        }
    });
    Ok(1)
}

/// Deletes what lies below no session's prefix.
pub async fn sweep(app: &App) -> Result<(), Error> {
    flow::sweep(app).await
}

/// Away with what has been kept for long enough.
async fn clear(app: &App) {
    if let Err(error) = flow::clear_audit(app).await {
        tracing::warn!(%error, source = error.sources(), "the audit log is not cleared");
    }
}

/// Puts right what quotas go by, where it was miscounted: while an older service was at work on these records, say.
async fn repair(app: &App) {
    let wrong = match app.records.repair().await {
        Ok(wrong) => wrong,
        Err(error) => {
            tracing::warn!(%error, source = error.sources(), "what quotas go by is not counted anew");
            return;
        }
    };
    for Miscount {
        counter,
        kept,
        counted,
    } in wrong.iter().take(TOLD)
    {
        tracing::warn!(?counter, ?kept, ?counted, "a counter was wrong");
    }
    if !wrong.is_empty() {
        tracing::warn!(counters = wrong.len(), "what quotas go by is put right");
    }
}

fn note(joined: Result<(), JoinError>) {
    if let Err(error) = joined {
        tracing::error!(%error, "job broke off");
    }
}

/// Works until `shutdown` resolves.
pub async fn run(app: App, shutdown: impl Future<Output = ()> + Send) {
    let mut shutdown = pin!(shutdown);
    let mut at_work = JoinSet::new();
    let mut clearing = interval(CLEAR);
    let mut swept = Instant::now();
    // Beside the work: it takes the longer the more there is.
    at_work.spawn({
        let app = app.clone();
        async move { repair(&app).await }
    });
    loop {
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            let app = app.clone();
            at_work.spawn(async move {
                if let Err(error) = sweep(&app).await {
                    tracing::warn!(%error, source = error.sources(), "nothing was swept");
                }
            });
        }
        if let Err(error) = take_up(&app, &mut at_work).await {
            tracing::warn!(%error, source = error.sources(), "background work stumbled");
        }
        tokio::select! {
            () = &mut shutdown => break,
            Some(joined) = at_work.join_next() => note(joined),
            () = sleep(POLL) => {}
            _ = clearing.tick() => {
                let app = app.clone();
                at_work.spawn(async move { clear(&app).await });
            }
        }
        while let Some(joined) = at_work.try_join_next() {
            note(joined);
        }
    }
    app.records.flush_notes().await;
    let rest = async {
        while let Some(joined) = at_work.join_next().await {
            note(joined);
        }
    };
    // What is not done by then is somebody's after its lease.
    let _ = timeout(PATIENCE, rest).await;
}
