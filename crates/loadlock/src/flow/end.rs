//! End: abort and expire, and clearing away what is left in the store.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::{
    app::App,
    auth::Caller,
    clock::after,
    error::{Error, Kind},
    flow::{
        self,
        complete::{step, step_by},
        work::{LEASE, work},
    },
    records::{Change, FileChange, Outcome},
    upload::{Inspected, Method, State, Upload, UploadId},
};

/// How often an abort is tried again when the upload moves under its hands.
const TRIES: usize = 5;
/// How long a caller waits for what is cleared away.
const MOMENT: Duration = Duration::from_secs(2);

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
            clear(app, &now_is).await;
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

/// Has a leased upload wait for a claim. Where it counts as more than was found, what was sent is cleared away once its grant is
/// dead: there is a copy, and as large as that it counts.
pub(super) async fn wait(
    app: &App,
    leased: &Upload,
    (inspected, claim_by): (&Inspected, Timestamp),
) -> Result<(), Error> {
    let (now, dead_at) = (app.clock.now(), leased.grant_dead_at());
    if !leased.lingers || now < dead_at {
        let due = leased.next_due(now);
        return app.records.schedule(leased, Some(due)).await;
    }
    app.bucket.delete_staged(&leased.staged_key).await?;
    let cleared = leased.clone().clear(Some(inspected.size_bytes));
    settle(app, leased, &cleared, Some(claim_by)).await
}

/// Clears away at once, so that there is room again when this returns; what is slow or fails the background does.
pub(super) async fn clear(app: &App, upload: &Upload) {
    let (id, app, upload) = (upload.id, app.clone(), upload.clone());
    let clearing = async move {
        let now = app.clock.now();
        let leased = app.records.lease(&upload, now, after(now, LEASE)).await?;
        match leased {
            Some(leased) => work(&app, leased).await,
            None => Ok(()),
        }
    };
    // A task of its own: a caller who hangs up does not stop it half-way.
    if let Ok(Ok(Err(error))) = timeout(MOMENT, tokio::spawn(clearing)).await {
        tracing::warn!(%id, %error, source = error.sources(), "not cleared away yet");
    }
}

/// Clears away what an upload that is stored or has ended left in the store. It counts until that is done.
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
    let staged = clean_staged(app, leased, now).await?;
    let mut cleaned = leased.clone();
    if leased.lingers && staged.is_over {
        let file = app.records.file(leased.id).await?;
        cleaned = cleaned.clear(file.map(|file| file.size_bytes));
    }
    let mut due = staged.again;
    match leased.state.kept() {
        Some(kept) if now < kept.until => due = due.into_iter().chain([kept.until]).min(),
        Some(kept) => {
            app.bucket.delete_staged(&kept.key).await?;
            cleaned = cleaned.forget_kept();
        }
        None => {}
    }
    if cleaned == *leased {
        return app.records.schedule(leased, due).await;
    }
    settle(app, leased, &cleaned, due).await
}

/// Takes a step within a state.
async fn settle(
    app: &App,
    from: &Upload,
    to: &Upload,
    due: Option<Timestamp>,
) -> Result<(), Error> {
    let change = Change {
        from,
        to,
        due,
        file: FileChange::Keep,
        by: None,
    };
    // Whoever has moved it on has it looked at again.
    let (Outcome::Done | Outcome::Lost) = app.records.change(&[change], app.clock.now()).await?;
    Ok(())
}

/// How it stands with what was sent.
struct Staged {
    /// Nothing of it is left, and nothing can come.
    is_over: bool,
    /// When to look again.
    again: Option<Timestamp>,
}

/// Clears away what was sent.
async fn clean_staged(app: &App, leased: &Upload, now: Timestamp) -> Result<Staged, Error> {
    // Deleted earlier, a URL with `if-none-match` would work once more. Parts need the server to become an object.
    let dead_at = leased.grant_dead_at();
    if leased.method != Method::Multipart && now < dead_at {
        let is_shown = matches!(
            leased.state,
            State::Stored {
                deleted_at: None,
                ..
            }
        );
        let is_closed = !is_shown && app.bucket.close_staged(leased).await?;
        return Ok(Staged {
            // What somebody with temporary credentials may send beside it counts as soon as it is found.
            is_over: is_closed || leased.method == Method::Credentials,
            again: Some(dead_at),
        });
    }
    app.bucket.delete_staged(&leased.staged_key).await?;
    Ok(Staged {
        is_over: true,
        // What was still on its way, to staging or from it, has arrived by then.
        again: (now < leased.expires_at).then_some(leased.expires_at),
    })
}
