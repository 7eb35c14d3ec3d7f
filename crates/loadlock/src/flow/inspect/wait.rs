//! What no scanner could look at: it waits, is asked about again, and is never let through.

use std::time::Duration;

use super::{Found, held, refuse::refuse};
use crate::{
    app::App,
    bucket::MAX_COPY_BYTES,
    clock::after,
    error::{Error, Kind},
    flow::{
        self,
        work::{SOONEST, backoff},
    },
    records::{Change, FileChange, Outcome},
    scan::Fault,
    upload::{Profile, Rejection, Unscanned, Upload, WhenUnscanned},
};

/// How often those are asked again who could say no more when they were asked: somebody may have raised a limit.
const SELDOM: Duration = Duration::from_hours(1);
/// How long the staging bucket keeps what was sent at the least.
const DAY: Duration = Duration::from_hours(24);

pub(super) async fn wait(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    found: Found,
    fault: Fault,
) -> Result<(), Error> {
    let checks = &profile.checks;
    let now = app.clock.now();
    let since = leased.state.unscanned().map_or(now, |before| before.since);
    let (why, longest, pause) = match (fault, checks.unscanned) {
        (Fault::Lasting(why), WhenUnscanned::Reject) => (why, Duration::ZERO, SELDOM),
        (Fault::Lasting(why), WhenUnscanned::Hold) => (why, checks.hold_for, SELDOM),
        (Fault::Passing(why), unscanned) => {
            let longest = match unscanned {
                WhenUnscanned::Reject => checks.patience,
                WhenUnscanned::Hold => checks.hold_for,
            };
            (why, longest, backoff(leased.attempt, SOONEST))
        }
    };
    let mut until = after(since, longest);
    // Too large to be moved, it stays where the bucket's own rule clears away after a day.
    let is_movable = found.object.size_bytes <= MAX_COPY_BYTES;
    if !is_movable {
        until = until.min(after(leased.created_at(), DAY));
    }
    if now >= until {
        let reason = Rejection::NotScanned { why };
        return refuse(app, leased, profile, &found, reason).await;
    }
    tracing::warn!(id = %leased.id, why, %until, "not scanned");
    let found = if is_movable && found.key == leased.staged_key {
        let gone = || Kind::Unavailable.because("the held copy is gone");
        held(app, leased, &found).await?.ok_or_else(gone)?
    } else {
        found
    };
    let waiting = leased.clone().wait(Unscanned {
        source: found.key,
        etag: found.object.etag,
        since,
        until,
        why,
    });
    let waiting = waiting.map_err(|why| flow::refused(leased, why))?;
    let change = Change {
        from: leased,
        to: &waiting,
        due: Some(after(now, pause).min(until)),
        file: FileChange::Keep,
        by: None,
    };
    // Somebody else has moved it on.
    let (Outcome::Done | Outcome::Lost) = app.records.change(&[change], now).await?;
    Ok(())
}
