//! What an upload under lease needs next, whoever does it: the caller who waits, or the background.

use std::{convert::Infallible, time::Duration};

use jiff::Timestamp;
use tokio::time::sleep;

use crate::{
    app::App,
    clock::after,
    error::{Error, Kind},
    flow::{complete, end, inspect, promote, revoke},
    upload::{State, Upload},
};

/// How long a worker may be silent before its work is taken over.
pub(crate) const LEASE: Duration = Duration::from_mins(2);
/// How often a worker says that it is at work.
const BEAT: Duration = Duration::from_secs(30);
/// What keeps failing is given up so long after its time, and after so many tries: a store may be away for a while.
const GRACE: Duration = Duration::from_hours(1);
const TRIES: u32 = 8;
pub(super) const SOONEST: Duration = Duration::from_secs(1);
pub(super) const LATEST: Duration = Duration::from_mins(10);

/// Takes the lease, unless somebody has it. Of the uploads of one claim it is the first that is leased, for all.
pub(super) async fn lease(app: &App, upload: &Upload) -> Result<Option<Upload>, Error> {
    let now = app.clock.now();
    let until = after(now, LEASE);
    let Some(claim) = upload.claim else {
        return app.records.lease(upload, now, until).await;
    };
    let members = app.records.claimed(claim).await?;
    match members.iter().find(|member| is_promotable(member)) {
        Some(first) => app.records.lease(first, now, until).await,
        None => Ok(None),
    }
}

pub(super) fn is_promotable(upload: &Upload) -> bool {
    matches!(upload.state, State::Ready { claim_by: None, .. })
}

/// Does what is due for a leased upload; after an error it is due again a little later, unless its time is long over.
pub(crate) async fn work(app: &App, leased: Upload) -> Result<(), Error> {
    let done = tokio::select! {
        done = next_step(app, &leased) => done,
        never = renew(app, &leased) => match never {},
    };
    let now = app.clock.now();
    if done.is_err() && is_hopeless(&leased, now) {
        promote::give_up(app, &leased).await?;
        tracing::warn!(id = %leased.id, state = leased.state.name(), "given up");
    } else if done.is_err() {
        let due = after(now, backoff(leased.attempt, SOONEST));
        app.records.schedule(&leased, Some(due)).await?;
    }
    done
}

async fn next_step(app: &App, leased: &Upload) -> Result<(), Error> {
    let alone = leased.claim.is_none();
    match &leased.state {
        State::Issued => sweep(app, leased).await,
        State::Received { .. } | State::Ready { .. }
            if alone && revoke::is_revoked(app, leased).await? =>
        {
            revoke::reject(app, leased).await
        }
        State::Received { .. } => inspect::inspect(app, leased).await,
        State::Ready { claim_by: None, .. } => promote::promote(app, leased).await,
        State::Ready {
            claim_by: Some(claim_by),
            inspected,
            ..
        } if app.clock.now() < *claim_by => end::wait(app, leased, (inspected, *claim_by)).await,
        State::Ready { .. } => end::expire(app, leased).await,
        State::Stored { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Aborted { .. } => end::clean(app, leased).await,
    }
}

/// Says again and again that somebody is at work.
async fn renew(app: &App, leased: &Upload) -> Infallible {
    loop {
        sleep(BEAT).await;
        let until = after(app.clock.now(), LEASE);
        if let Err(error) = app.records.renew(leased, until).await {
            tracing::warn!(id = %leased.id, %error, "a lease is not renewed");
        }
    }
}

/// Whether an upload that keeps failing, for whatever reason, is to end: some reasons never pass.
fn is_hopeless(upload: &Upload, now: Timestamp) -> bool {
    let over = upload.deadline().is_some_and(|at| now >= after(at, GRACE));
    over && upload.attempt >= TRIES
}

/// A client that vanished after its last byte loses nothing: what is whole is completed before it would expire.
async fn sweep(app: &App, leased: &Upload) -> Result<(), Error> {
    match complete::receive(app, None, leased.clone()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::NotReceived => {
            let now = app.clock.now();
            if now >= leased.expires_at {
                return end::expire(app, leased).await;
            }
            let due = next_sweep(leased, now);
            app.records.schedule(leased, Some(due)).await
        }
        Err(error) => Err(error),
    }
}

fn next_sweep(upload: &Upload, now: Timestamp) -> Timestamp {
    after(now, backoff(upload.attempt, Duration::from_mins(1))).min(upload.expires_at)
}

/// Twice as long after each attempt.
pub(super) fn backoff(attempt: u32, first: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1).min(16));
    first.saturating_mul(doubled).min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_ever_later_but_never_too_late() {
        let seconds = |attempt| backoff(attempt, SOONEST).as_secs();
        assert_eq!([0, 1, 2, 3, 10, 40].map(seconds), [1, 1, 2, 4, 512, 600]);
    }

    #[test]
    fn a_beat_or_two_may_be_lost() {
        assert!(BEAT * 3 < LEASE);
    }
}
