//! What no scanner could look at: it waits, is asked about again, and is never let through.

use std::time::Duration;

use jiff::Timestamp;

use super::{Found, held, refuse::refuse};
use crate::{
    app::App,
    bucket::MAX_COPY_BYTES,
    clock::after,
    error::{Error, Kind},
    flow::{
        self,
        inspect::scan::Turn,
        work::{LATEST, SOONEST},
    },
    records::{Change, FileChange, Outcome},
    scan::Fault,
    upload::{Checks, Profile, Rejection, Unscanned, Upload, WhenUnscanned},
};

/// How often those are asked again who could say no more when they were asked: somebody may have raised a limit.
const SELDOM: Duration = Duration::from_hours(1);
/// What had no turn gets in line again after this.
const NEXT_TURN: Duration = Duration::from_secs(5);
/// How long the staging bucket keeps what was sent at the least.
const DAY: Duration = Duration::from_hours(24);
/// And how long what is held.
const HELD: Duration = Duration::from_hours(7 * 24);

pub(super) async fn wait(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    found: Found,
    (fault, turn): (Fault, Turn),
) -> Result<(), Error> {
    let now = app.clock.now();
    // Too large to be moved, it stays where the bucket's own rule clears away after a day.
    let is_movable = found.object.size_bytes <= MAX_COPY_BYTES;
    let most = after(leased.created_at(), if is_movable { HELD } else { DAY });
    let line = Line::of(leased, &turn);
    let asked = line.asked(&turn);
    let (why, pause, line, until) = match fault {
        Fault::Busy => ("all scanners are busy".to_owned(), NEXT_TURN, line, most),
        Fault::Lasting(why) => {
            let until = after(asked.since, longest(&profile.checks, Duration::ZERO));
            (why, SELDOM, asked, until.min(most))
        }
        Fault::Passing(why) => {
            let until = after(
                asked.since,
                longest(&profile.checks, profile.checks.patience),
            );
            (why, as_long_again(asked.since, now), asked, until.min(most))
        }
    };
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
        since: line.since,
        busy_since: line.busy_since,
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

/// How long an upload has waited for an answer, and for its turn, which does not count.
struct Line {
    since: Timestamp,
    busy_since: Option<Timestamp>,
}

impl Line {
    fn of(leased: &Upload, turn: &Turn) -> Self {
        let before = leased.state.unscanned();
        let busy_since = before.and_then(|before| before.busy_since);
        Self {
            since: before.map_or(turn.since, |before| before.since),
            busy_since: busy_since.or(Some(turn.since)),
        }
    }

    /// Its turn has come.
    fn asked(&self, turn: &Turn) -> Self {
        let busy = turn
            .came
            .duration_since(self.busy_since.unwrap_or(turn.came));
        Self {
            since: after(self.since, busy.unsigned_abs()),
            busy_since: None,
        }
    }
}

fn longest(checks: &Checks, patience: Duration) -> Duration {
    match checks.unscanned {
        WhenUnscanned::Reject => patience,
        WhenUnscanned::Hold => checks.hold_for,
    }
}

/// Twice as long after each time.
fn as_long_again(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since)
        .unsigned_abs()
        .clamp(SOONEST, LATEST)
}
