//! Inspect: what lies in staging, looked at where no client can write it any more.

use bytes::Bytes;

use crate::{
    app::App,
    bucket::{Object, Promoted},
    clock::after,
    error::{Error, Kind},
    flow::{self, complete::step},
    upload::{
        Inspected, ObjectKey, Profile, Rejection, Upload,
        inspection::{FIRST_BYTES, LAST_BYTES, MORE_BYTES, Seen, Window, check_size, verdict},
    },
};

/// Inspects a leased upload: it becomes `ready` or `rejected`.
pub(super) async fn inspect(app: &App, leased: &Upload) -> Result<(), Error> {
    let profile = flow::profile(app, &leased.profile)?;
    let upload = leased.clone();
    let next = match judged(app, leased, profile).await? {
        None => upload.lose(),
        Some(Err(reason)) => upload.reject(reason),
        Some(Ok(inspected)) => {
            let deadline = after(app.clock.now(), profile.lifetimes.ready);
            upload.pass(inspected, profile.promote, deadline)
        }
    };
    let next = step(app, leased, next.map_err(|why| flow::refused(leased, why))?).await?;
    tracing::info!(id = %next.id, state = next.state.name(), "inspect");
    Ok(())
}

/// The verdict over what was sent; `None` if there is nothing.
async fn judged(
    app: &App,
    leased: &Upload,
    profile: &Profile,
) -> Result<Option<Result<Inspected, Rejection>>, Error> {
    let staged = app.bucket.staged(&leased.staged_key).await?;
    let Some(staged) = staged else {
        return Ok(None);
    };
    // What is of the wrong size is not worth a copy.
    if let Err(reason) = check_size(leased, profile, staged.size_bytes) {
        return Ok(Some(Err(reason)));
    }
    let Some((key, object)) = pinned(app, leased, staged).await? else {
        return Ok(None);
    };
    let (first, last) = tokio::try_join!(
        read(app.bucket.first_bytes(&key, &object, FIRST_BYTES)),
        read(app.bucket.last_bytes(&key, &object, LAST_BYTES)),
    )?;
    let seen = seen(leased, &object, &first, &last);
    if !seen.is_cut_short() {
        return Ok(Some(verdict(leased, profile, key, &seen)));
    }
    let more = read(app.bucket.first_bytes(&key, &object, MORE_BYTES)).await?;
    let seen = self::seen(leased, &object, &more, &last);
    Ok(Some(verdict(leased, profile, key, &seen)))
}

async fn read(bytes: impl Future<Output = Result<Option<Bytes>, Error>>) -> Result<Bytes, Error> {
    let changed = || Kind::Unavailable.because("the object changed underneath");
    bytes.await?.ok_or_else(changed)
}

fn seen<'a>(leased: &Upload, object: &'a Object, first: &'a [u8], last: &'a [u8]) -> Seen<'a> {
    let declared = leased.checksum.as_ref();
    Seen {
        etag: &object.etag,
        content_type: &object.content_type,
        strays: &object.strays,
        checksum: declared.and_then(|declared| object.checksum(declared.algorithm())),
        content: Window {
            size_bytes: object.size_bytes,
            first,
            last,
        },
    }
}

/// The object to inspect, where no client can write it: in place, if it was written once and for all; else a copy.
/// `None` if that is gone again.
async fn pinned(
    app: &App,
    leased: &Upload,
    staged: Object,
) -> Result<Option<(ObjectKey, Object)>, Error> {
    let staged_key = &leased.staged_key;
    if app.bucket.is_written_once(leased) {
        return Ok(Some((staged_key.clone(), staged)));
    }
    let held_key = leased.held_key(leased.attempt);
    let held = app.bucket.hold(staged_key, &staged.etag, &held_key).await?;
    if held == Promoted::Gone {
        return Err(Kind::Unavailable.because("the file was sent again during inspection"));
    }
    let held = app.bucket.staged(&held_key).await?;
    Ok(held.map(|held| (held_key, held)))
}
