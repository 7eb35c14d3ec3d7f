//! Sweep: what lies below no session's prefix is nobody's, and goes.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    app::App,
    clock::after,
    error::Error,
    upload::session::{SESSIONS, prefix_of},
};

/// Nothing younger is touched: a session is recorded before its keys are handed out, but clocks differ.
const YOUNGEST: Duration = Duration::from_hours(1);
/// Sessions are remembered so long after their end; what arrives under them later is nobody's.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Deletes what lies below the prefixes of no session. Stops where most of what it sees is unknown: then it is the records that
/// lack something, after a restore, say.
pub(crate) async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let (mut seen, mut unknown, mut next) = (0_u64, 0_u64, None);
    let mut known = BTreeMap::new();
    loop {
        let page = app.bucket.list_staged(SESSIONS, next).await?;
        let mut doomed = Vec::new();
        for object in page.objects {
            seen += 1;
            if is_known(app, &mut known, object.key.as_str()).await? {
                continue;
            }
            unknown += 1;
            if after(object.modified_at, YOUNGEST) < now {
                doomed.push(object.key);
            }
        }
        if unknown * 2 > seen {
            tracing::warn!(
                seen,
                unknown,
                "most of what sessions sent is unknown: nothing is swept"
            );
            return Ok(());
        }
        for key in &doomed {
            app.bucket.delete_staged(key).await?;
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    // What has arrived too late under a session is unknown from the next sweep on.
    app.records.forget_sessions(before(now)).await
}

async fn is_known(app: &App, known: &mut BTreeMap<String, bool>, key: &str) -> Result<bool, Error> {
    let Some(prefix) = prefix_of(key) else {
        return Ok(false);
    };
    if let Some(known) = known.get(prefix) {
        return Ok(*known);
    }
    let found = app.records.knows_prefix(prefix).await?;
    known.insert(prefix.to_owned(), found);
    Ok(found)
}

fn before(now: jiff::Timestamp) -> jiff::Timestamp {
    now.checked_sub(REMEMBERED).unwrap_or(jiff::Timestamp::MIN)
}
