//! Inspect: what lies in staging, looked at where no client can write it any more.

mod refuse;
mod scan;
mod wait;

use bytes::Bytes;

use crate::{
    app::App,
    bucket::{Object, Promoted},
    clock::after,
    error::{Error, Kind},
    flow::{self, complete::step},
    scan::Opinion,
    upload::{
        Inspected, ObjectKey, Profile, Refused, Rejection, Upload,
        inspection::{
            FIRST_BYTES, LAST_BYTES, MOST_PIECES, PIECE_BYTES, Seen, Window, check_size, verdict,
        },
    },
};

/// An object of the staging bucket, as it was found.
struct Found {
    key: ObjectKey,
    object: Object,
}

/// Inspects a leased upload: it becomes `ready` or `rejected`, or waits for a scanner.
pub(super) async fn inspect(app: &App, leased: &Upload) -> Result<(), Error> {
    let profile = flow::profile(app, &leased.profile)?;
    let Some(sent) = sent(app, leased).await? else {
        return conclude(app, leased, leased.clone().lose()).await;
    };
    // What is of the wrong size is not worth a copy.
    if let Err(reason) = check_size(leased, profile, sent.object.size_bytes) {
        return refuse::refuse(app, leased, profile, &sent, reason).await;
    }
    let Some(found) = pinned(app, leased, sent).await? else {
        return conclude(app, leased, leased.clone().lose()).await;
    };
    let inspected = match judged(app, leased, profile, &found).await? {
        Ok(inspected) => inspected,
        Err(reason) => return refuse::refuse(app, leased, profile, &found, reason).await,
    };
    let reason = match scan::ask(app, leased, profile, &inspected).await? {
        None => return conclude(app, leased, leased.clone().lose()).await,
        Some((Opinion::Clean, _)) => {
            let deadline = after(app.clock.now(), profile.lifetimes.ready);
            let passed = leased.clone().pass(inspected, profile.promote, deadline);
            return conclude(app, leased, passed).await;
        }
        Some((Opinion::Unknown(fault), turn)) => {
            return wait::wait(app, leased, profile, found, (fault, turn)).await;
        }
        Some((Opinion::Malware(signature), _)) => Rejection::Malware { signature },
        Some((Opinion::Refused(says), _)) => Rejection::HookRefused { says },
    };
    refuse::refuse(app, leased, profile, &found, reason).await
}

async fn conclude(app: &App, leased: &Upload, next: Result<Upload, Refused>) -> Result<(), Error> {
    let next = step(app, leased, next.map_err(|why| flow::refused(leased, why))?).await?;
    tracing::info!(id = %next.id, state = next.state.name(), "inspect");
    Ok(())
}

/// What was sent, or what of it waits for a scanner; `None` if there is nothing.
async fn sent(app: &App, leased: &Upload) -> Result<Option<Found>, Error> {
    let waiting = leased.state.unscanned();
    let key = waiting.map_or(&leased.staged_key, |waiting| &waiting.source);
    let object = app.bucket.staged(key).await?;
    let object = object.filter(|object| waiting.is_none_or(|waiting| waiting.etag == object.etag));
    Ok(object.map(|object| Found {
        key: key.clone(),
        object,
    }))
}

/// The object to inspect, where no client can write it: in place, if it was written once and for all; else a copy.
/// `None` if that is gone again.
async fn pinned(app: &App, leased: &Upload, sent: Found) -> Result<Option<Found>, Error> {
    if app.bucket.is_written_once(leased) || sent.key != leased.staged_key {
        return Ok(Some(sent));
    }
    held(app, leased, &sent).await
}

/// A copy that no client can write, and that may lie for days.
async fn held(app: &App, leased: &Upload, found: &Found) -> Result<Option<Found>, Error> {
    let key = leased.held_key(leased.attempt);
    let copied = app
        .bucket
        .hold(&found.key, &found.object.etag, &key)
        .await?;
    if copied == Promoted::Gone {
        return Err(Kind::Unavailable.because("the file was sent again during inspection"));
    }
    let object = app.bucket.staged(&key).await?;
    Ok(object.map(|object| Found { key, object }))
}

/// The verdict over what is read of it.
async fn judged(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    found: &Found,
) -> Result<Result<Inspected, Rejection>, Error> {
    let Found { key, object } = found;
    // Of a small one the beginning is all.
    let last = if object.size_bytes <= FIRST_BYTES {
        0
    } else {
        LAST_BYTES
    };
    let (first, last) = tokio::try_join!(
        read(app.bucket.first_bytes(key, object, FIRST_BYTES)),
        read(app.bucket.last_bytes(key, object, last)),
    )?;
    let mut more = Vec::new();
    loop {
        let seen = seen(leased, object, (&first, &last, &more));
        let Some(at) = seen.wants().filter(|_| more.len() < MOST_PIECES) else {
            return Ok(verdict(leased, profile, key.clone(), &seen));
        };
        let end = object.size_bytes.min(at + PIECE_BYTES);
        more.push((at, read(app.bucket.bytes(key, object, at..end)).await?));
    }
}

async fn read(bytes: impl Future<Output = Result<Option<Bytes>, Error>>) -> Result<Bytes, Error> {
    let changed = || Kind::Unavailable.because("the object changed underneath");
    bytes.await?.ok_or_else(changed)
}

/// What was read of an object: its beginning, its end, and pieces between them.
type Pieces<'a> = (&'a [u8], &'a [u8], &'a [(u64, Bytes)]);

fn seen<'a>(leased: &Upload, object: &'a Object, (first, last, more): Pieces<'a>) -> Seen<'a> {
    let declared = leased.checksum.as_ref();
    Seen {
        etag: &object.etag,
        content_type: &object.content_type,
        strays: &object.strays,
        checksum: declared.and_then(|declared| object.checksum(declared.algorithm())),
        content: Window {
            size_bytes: object.size_bytes,
            first,
            last: if last.is_empty() { first } else { last },
            more,
        },
    }
}
