//! Inspect: what lies in staging, looked at where no client can write it any more.

use crate::{
    app::App,
    bucket::{Object, Promoted},
    clock::after,
    error::{Error, Kind},
    flow::{self, complete::step},
    upload::{
        Inspected, ObjectKey, Profile, Rejection, Upload,
        inspection::{FIRST_BYTES, Seen, check_size, verdict},
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
    let bytes = app.bucket.first_bytes(&key, &object, FIRST_BYTES).await?;
    let bytes = bytes.ok_or_else(|| Kind::Unavailable.because("the object changed underneath"))?;
    let declared = leased.checksum.as_ref();
    let seen = Seen {
        size_bytes: object.size_bytes,
        etag: &object.etag,
        content_type: &object.content_type,
        strays: &object.strays,
        checksum: declared.and_then(|declared| object.checksum(declared.algorithm())),
        first_bytes: &bytes,
    };
    Ok(Some(verdict(leased, profile, key, &seen)))
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
    let held = app
        .bucket
        .hold(staged_key, &staged.etag, &held_key)
        .await?;
    if held == Promoted::Gone {
        return Err(Kind::Unavailable.because("the file was sent again during inspection"));
    }
    let held = app.bucket.staged(&held_key).await?;
    Ok(held.map(|held| (held_key, held)))
}
