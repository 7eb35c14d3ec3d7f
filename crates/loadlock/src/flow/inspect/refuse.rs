//! Refused content: kept for a while where its profile says so, and else cleared away with the upload's end.

use super::{Found, conclude};
use crate::{
    app::App,
    bucket::{MAX_COPY_BYTES, Promoted},
    clock::after,
    error::Error,
    upload::{Profile, Quarantined, Rejection, Upload},
};

pub(super) async fn refuse(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    found: &Found,
    reason: Rejection,
) -> Result<(), Error> {
    let refused = match kept(app, leased, profile, found).await? {
        Some(kept) => leased.clone().quarantine(reason, kept),
        None => leased.clone().reject(reason),
    };
    conclude(app, leased, refused).await
}

/// The copy is made before the end is recorded: what dies in between is done again, onto the same key.
async fn kept(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    found: &Found,
) -> Result<Option<Quarantined>, Error> {
    let Some(time) = profile.checks.quarantine else {
        return Ok(None);
    };
    if found.object.size_bytes > MAX_COPY_BYTES {
        return Ok(None);
    }
    let key = leased.quarantine_key();
    let copied = app.bucket.hold(&found.key, &found.object.etag, &key);
    Ok(match copied.await? {
        Promoted::Done => Some(Quarantined {
            key,
            until: after(app.clock.now(), time),
            size_bytes: Some(found.object.size_bytes),
        }),
        Promoted::Gone => None,
    })
}
