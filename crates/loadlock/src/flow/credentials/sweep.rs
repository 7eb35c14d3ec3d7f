//! Sweep: what no session has written below its prefix is nobody's, and goes.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    app::App,
    bucket::Listed,
    clock::after,
    error::Error,
    records::{Act, Entry},
    upload::{
        Session,
        session::{SESSIONS, open_part, prefix_of},
    },
};

/// Nothing younger is touched: a session is recorded before its keys are handed out, but clocks differ.
const YOUNGEST: Duration = Duration::from_hours(1);
/// Sessions are remembered so long after their end; what they have left is nobody's later.
const REMEMBERED: Duration = Duration::from_hours(24);
/// How much goes at a time: the rest is seen again.
const MOST: usize = 10_000;

/// Deletes what no session has written. Stops where most prefixes are of no session: then it is the records that lack something,
/// after a restore, say. Prefixes are counted, not objects, of which anybody can make as many as they like.
pub(crate) async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut prefixes: BTreeMap<String, Vec<Session>> = BTreeMap::new();
    let mut doomed = Vec::new();
    let mut next = None;
    loop {
        let page = app.bucket.list_staged(SESSIONS, next).await?;
        for object in page.objects {
            // What is as none of ours would be counts as one.
            let prefix = prefix_of(object.key.as_str()).unwrap_or(SESSIONS);
            if !prefixes.contains_key(prefix) {
                let sessions = app.records.sessions_below(prefix).await?;
                prefixes.insert(prefix.to_owned(), sessions);
            }
            let covers = |session: &Session| session.covers(object.modified_at);
            let has_owner = prefixes[prefix].iter().any(covers);
            let is_old = after(object.modified_at, YOUNGEST) < now;
            if is_old && !has_owner && doomed.len() < MOST {
                doomed.push(object);
            }
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let seen = prefixes.len();
    let unknown = prefixes.values().filter(|it| it.is_empty()).count();
    if unknown * 2 > seen {
        tracing::warn!(
            seen,
            unknown,
            "most prefixes are of no session: nothing is swept"
        );
        return Ok(());
    }
    app.records.tell(&told(&doomed, now)).await?;
    for object in &doomed {
        app.bucket.delete_listed(object).await?;
    }
    // What a session has left is unknown from the next sweep on.
    app.records.forget_sessions(before(now)).await
}

/// What the audit log is told before they go: of each prefix how many, and how large together.
fn told(doomed: &[Listed], now: Timestamp) -> Vec<Entry> {
    let mut found: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for object in doomed {
        let prefix = prefix_of(object.key.as_str()).unwrap_or(SESSIONS);
        let (count, size_bytes) = found.entry(prefix).or_default();
        *count += 1;
        *size_bytes += object.size_bytes;
    }
    let entry = |(prefix, (count, size_bytes))| Entry {
        size_bytes: Some(size_bytes),
        key: open_part(prefix).map(str::to_owned),
        detail: Some(format!("{count} objects that no session has sent")),
        ..Entry::new(Act::Delete, None, now)
    };
    found.into_iter().map(entry).collect()
}

fn before(now: Timestamp) -> Timestamp {
    now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN)
}
