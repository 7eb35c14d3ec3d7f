//! End: abort and expire, and clearing away what is left in the store.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    app::App,
    auth::Caller,
    clock::after,
    error::{Error, Kind},
    flow::{
        self,
        complete::{step, step_by},
    },
    upload::{Method, State, Upload, UploadId},
};

/// How often an abort is tried again when the upload moves under its hands.
const TRIES: usize = 5;
/// The store's clock may be behind ours, and a grant holds through its last second.
const MARGIN: Duration = Duration::from_mins(1);

/// Gives an upload up; one that has ended already stays as it ended.
pub async fn abort(app: &App, caller: &Caller, id: UploadId) -> Result<Upload, Error> {
    for _ in 0..TRIES {
        let upload = flow::visible(app, caller, id).await?;
        if upload.state.is_ended() {
            return Ok(upload);
        }
        let aborted = upload.clone().abort();
        let aborted = aborted.map_err(|why| flow::refused(&upload, why))?;
        let now_is = step_by(app, Some(caller), &upload, aborted).await?;
        if now_is.state.is_ended() {
            tracing::info!(%id, "abort");
            return Ok(now_is);
        }
    }
    Err(Kind::Unavailable.because(format!("upload `{id}` is changing: try again")))
}

/// Ends a leased upload whose time is over.
pub(super) async fn expire(app: &App, leased: &Upload) -> Result<(), Error> {
    let expired = leased.clone().expire();
    let expired = expired.map_err(|why| flow::refused(leased, why))?;
    step(app, leased, expired).await?;
    tracing::info!(id = %leased.id, "expire");
    Ok(())
}

/// Clears away what an upload that is stored or has ended left in the store.
pub(super) async fn clean(app: &App, leased: &Upload) -> Result<(), Error> {
    app.bucket
        .delete_staged_below(&leased.held_prefix())
        .await?;
    if let Some(multipart_id) = &leased.multipart_id {
        let key = &leased.staged_key;
        app.bucket.abort_multipart(key, multipart_id).await?;
    }
    let now = app.clock.now();
    match &leased.state {
        State::Stored {
            key,
            deleted_at: Some(_),
        } => app.bucket.delete_final(key).await?,
        // Nothing is recorded as stored after an end, so that no file's bytes can be meant.
        state => {
            if let Some(copy) = state.copy() {
                app.bucket.delete_final(copy).await?;
            }
        }
    }
    let due = [
        clean_staged(app, leased, now).await?,
        clean_kept(app, leased, now).await?,
    ];
    app.records
        .schedule(leased, due.into_iter().flatten().min())
        .await
}

/// Clears away what was sent; when it is to be done again.
async fn clean_staged(
    app: &App,
    leased: &Upload,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let key = &leased.staged_key;
    // Deleted earlier, a URL with `if-none-match` would work once more. Parts need the server to become an object.
    let dead_at = after(leased.grant_expires_at, MARGIN);
    if leased.method != Method::Multipart && now < dead_at {
        if leased.state.is_ended() {
            app.bucket.empty_staged(key).await?;
        }
        return Ok(Some(dead_at));
    }
    app.bucket.delete_staged(key).await?;
    // What was still on its way, to staging or from it, has arrived by then.
    Ok((now < leased.expires_at).then_some(leased.expires_at))
}

/// Clears away what was kept, once its time is over; else says when that is.
async fn clean_kept(
    app: &App,
    leased: &Upload,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let State::Rejected {
        quarantined: Some(kept),
        ..
    } = &leased.state
    else {
        return Ok(None);
    };
    if now < kept.until {
        return Ok(Some(kept.until));
    }
    app.bucket.delete_staged(&kept.key).await?;
    Ok(None)
}
