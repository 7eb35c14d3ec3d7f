//! Inspect: what lies in staging, looked at where no client can write it any more.

use crate::{
    app::App,
    bucket::{Object, Promoted},
    clock::after,
    error::{Error, Kind},
    flow::{self, complete::step},
    upload::{
        ObjectKey, Upload,
        inspection::{FIRST_BYTES, Seen, verdict},
    },
};

/// Inspects a leased upload: it becomes `ready` or `rejected`.
pub(super) async fn inspect(app: &App, leased: &Upload) -> Result<(), Error> {
    let profile = flow::profile(app, &leased.profile)?;
    let Some((key, object)) = pinned(app, leased).await? else {
        let lost = leased.clone().lose();
        step(app, leased, lost.map_err(|why| flow::refused(leased, why))?).await?;
        return Ok(());
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
    let upload = leased.clone();
    let next = match verdict(leased, profile, key, &seen) {
        Ok(inspected) => {
            let deadline = after(app.clock.now(), profile.lifetimes.ready);
            upload.pass(inspected, profile.promote, deadline)
        }
        Err(reason) => upload.reject(reason),
    };
    let next = step(app, leased, next.map_err(|why| flow::refused(leased, why))?).await?;
    tracing::info!(id = %next.id, state = next.state.name(), "inspect");
    Ok(())
}

/// The object to inspect, where no client can write it: in place, if it was written once and for all; else a copy.
/// `None` if there is none.
async fn pinned(app: &App, leased: &Upload) -> Result<Option<(ObjectKey, Object)>, Error> {
    let staged_key = leased.staged_key();
    let Some(staged) = app.bucket.staged(&staged_key).await? else {
        return Ok(None);
    };
    if app.bucket.is_written_once(leased) {
        return Ok(Some((staged_key, staged)));
    }
    let held_key = leased.held_key(leased.attempt);
    let held = app
        .bucket
        .hold(&staged_key, &staged.etag, &held_key)
        .await?;
    if held == Promoted::Gone {
        return Err(Kind::Unavailable.because("the file was sent again during inspection"));
    }
    let held = app.bucket.staged(&held_key).await?;
    Ok(held.map(|held| (held_key, held)))
}
