//! Complete: the bytes are there; and the way from there on, as far as it goes without the client.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    app::App,
    auth::{Caller, Who},
    bucket::{Completed, Part},
    error::{Error, Kind},
    flow::{self, end, revoke, work, work::lease},
    records::{Act, Change, FileChange, Outcome},
    upload::{File, PartNumber, Rejection, State, Upload, UploadId},
};

/// How long a completion is waited for before the caller is told that work goes on.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How often records are looked at while another process may be at work.
const POLL: Duration = Duration::from_secs(1);

/// An upload as it stands, with its file once it is stored and not deleted.
#[derive(Debug, Clone)]
pub struct Progress {
    pub upload: Upload,
    pub file: Option<File>,
    /// When a link for its caller ends at the latest: with the upload token that they hold.
    pub link_end: Option<Timestamp>,
}

/// Completes an upload and says how far it has come. A rejected one is the error `rejected`.
pub async fn complete(app: &App, caller: &Caller, id: UploadId) -> Result<Progress, Error> {
    let upload = flow::visible(app, caller, id).await?;
    revoke::check_open(app, caller, Act::Complete, &upload).await?;
    let upload = settle(app, Some(caller), id, Instant::now() + PATIENCE).await?;
    tracing::debug!(%id, state = upload.state.name(), "complete");
    match &upload.state {
        State::Rejected { reason, .. } => Err(Kind::Rejected
            .because(reason.to_string())
            .with_details(json!({ "reason": reason.code() }))),
        State::Expired { .. } | State::Aborted { .. } => {
            let state = upload.state.name();
            Err(Kind::UploadEnded.because(format!("upload `{id}` is {state}")))
        }
        _ => progress(app, caller, upload).await,
    }
}

/// How an upload stands, at the latest after `wait`; at once when nothing more will happen without a claim, or when too many
/// wait already.
pub async fn look(
    app: &App,
    caller: &Caller,
    id: UploadId,
    wait: Duration,
) -> Result<Progress, Error> {
    let place = app.waiting.try_acquire();
    let wait = if place.is_ok() { wait } else { Duration::ZERO };
    let deadline = Instant::now() + wait;
    let mut watch = app.records.watch(id);
    loop {
        let upload = flow::visible(app, caller, id).await?;
        let now = Instant::now();
        if upload.state.is_settled() || now >= deadline {
            return progress(app, caller, upload).await;
        }
        let poll = deadline.min(now + POLL);
        // Either way the record says what is so.
        let _ = timeout_at(poll, watch.changed()).await;
    }
}

async fn progress(app: &App, caller: &Caller, upload: Upload) -> Result<Progress, Error> {
    let mut file = match upload.state {
        State::Stored { .. } => app.records.file(upload.id).await?,
        _ => None,
    };
    let mut link_end = None;
    if let Who::Upload { .. } = caller.who {
        link_end = Some(upload.token_expires_at());
        // What the server's claim added is not the token holder's to read.
        if let Some(file) = &mut file {
            file.metadata.clone_from(&upload.metadata);
        }
    }
    Ok(Progress {
        upload,
        file,
        link_end,
    })
}

/// Drives an upload until nothing more happens without a claim, or until the deadline; then work goes on without the caller.
pub(super) async fn settle(
    app: &App,
    by: Option<&Caller>,
    id: UploadId,
    deadline: Instant,
) -> Result<Upload, Error> {
    let mut watch = app.records.watch(id);
    loop {
        let upload = flow::reload(app, id).await?;
        if rests(&upload.state) || Instant::now() >= deadline {
            return Ok(upload);
        }
        // A task of its own: a caller who hangs up does not stop it half-way.
        let driven = tokio::spawn(drive(app.clone(), by.cloned(), upload));
        match timeout_at(deadline, driven).await {
            Err(_) => return flow::reload(app, id).await,
            Ok(Err(error)) => return Err(Kind::Internal.caused_by(error)),
            Ok(Ok(driven)) => {
                let upload = driven?;
                if rests(&upload.state) {
                    return Ok(upload);
                }
            }
        }
        // Somebody else has it under lease.
        let poll = deadline.min(Instant::now() + POLL);
        tokio::select! {
            () = watch.changed() => {}
            () = sleep_until(poll) => {}
        }
    }
}

/// Whether waiting is of no use: nothing more happens without a claim, or not before a scanner can be asked again, which the
/// background does, however often a client asks.
fn rests(state: &State) -> bool {
    state.is_settled() || state.unscanned().is_some()
}

/// As far as it goes: to where nothing more happens without a claim, or where somebody else is at work.
async fn drive(app: App, by: Option<Caller>, mut upload: Upload) -> Result<Upload, Error> {
    if upload.state == State::Issued {
        upload = receive(&app, by.as_ref(), upload).await?;
    }
    while !rests(&upload.state) && upload.state != State::Issued {
        let Some(leased) = lease(&app, &upload).await? else {
            break;
        };
        work(&app, leased).await?;
        upload = flow::reload(&app, upload.id).await?;
    }
    if upload.state.is_ended() && upload.lingers {
        end::clear(&app, &upload).await;
    }
    Ok(upload)
}

/// Finds out whether the bytes have arrived; the error `not_received` if not.
pub(super) async fn receive(
    app: &App,
    by: Option<&Caller>,
    upload: Upload,
) -> Result<Upload, Error> {
    if let Some(multipart_id) = &upload.multipart_id
        && let Some(reason) = join(app, &upload, multipart_id).await?
    {
        let rejected = upload.clone().reject(reason);
        return step(
            app,
            &upload,
            rejected.map_err(|why| flow::refused(&upload, why))?,
        )
        .await;
    }
    if app.bucket.staged(&upload.staged_key).await?.is_none() {
        return Err(missing(&upload, 0, &[]));
    }
    let received = upload.clone().receive();
    let received = received.map_err(|why| flow::refused(&upload, why))?;
    step_by(app, by, &upload, received).await
}

/// Makes one object of the parts, if they are all there; says why, if they can never be.
async fn join(app: &App, upload: &Upload, multipart_id: &str) -> Result<Option<Rejection>, Error> {
    let key = &upload.staged_key;
    let Some(parts) = app.bucket.list_parts(key, multipart_id).await? else {
        // Joined before, and the answer was lost.
        return Ok(None);
    };
    let plan = upload.part_plan();
    if parts
        .iter()
        .any(|part| plan.size_of(part.number) != Some(part.size_bytes))
    {
        return Ok(Some(Rejection::PartsMismatch));
    }
    let received = parts.iter().map(|part| part.size_bytes).sum();
    if Some(received) != upload.size_bytes {
        return Err(missing(upload, received, &parts));
    }
    let checksum = upload.checksum.as_ref();
    let completed = app
        .bucket
        .complete_multipart(key, multipart_id, &parts, checksum);
    match completed.await? {
        Completed::Done | Completed::Gone => Ok(None),
        Completed::Mismatch => Ok(Some(Rejection::ChecksumMismatch)),
    }
}

fn missing(upload: &Upload, received: u64, parts: &[Part]) -> Error {
    let mut details = json!({ "received_bytes": received });
    let of = match upload.size_bytes {
        Some(size) => {
            details["size"] = size.into();
            format!("{received} of {size}")
        }
        None => received.to_string(),
    };
    if upload.multipart_id.is_some() {
        let lacking = upload
            .part_plan()
            .numbers()
            .filter(|number| !parts.iter().any(|part| part.number == *number))
            .map(PartNumber::value);
        // Enough to go on with; the rest is asked for again.
        details["missing_parts"] = lacking.take(100).collect();
    }
    Kind::NotReceived
        .because(format!("{of} bytes have arrived"))
        .with_details(details)
}

/// Takes a step of the service's own, or finds out who was faster.
pub(super) async fn step(app: &App, from: &Upload, to: Upload) -> Result<Upload, Error> {
    step_by(app, None, from, to).await
}

/// The same for whoever asked for it.
pub(super) async fn step_by(
    app: &App,
    by: Option<&Caller>,
    from: &Upload,
    to: Upload,
) -> Result<Upload, Error> {
    let now = app.clock.now();
    let change = Change {
        from,
        to: &to,
        due: Some(to.next_due(now)),
        file: FileChange::Keep,
        by,
    };
    match app.records.change(&[change], now).await? {
        Outcome::Done => Ok(to),
        Outcome::Lost => flow::reload(app, from.id).await,
    }
}
