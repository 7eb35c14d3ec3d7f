//! Finding: what lies below a session's prefix becomes uploads, each object one, as many as the profile takes.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    clock::after,
    error::{Error, Kind},
    flow::{self, work::LEASE},
    records::{Answer, NewBegin, Outcome, Reply},
    upload::{ObjectKey, Profile, Session, Upload},
};

/// How often a session is looked for files while it lives: more rarely, the longer it lives.
const SOONEST: Duration = Duration::from_mins(1);
const LATEST: Duration = Duration::from_mins(10);
const PARTS: u32 = 32;
/// Between two tries to have a session that somebody else is looking after.
const AGAIN: Duration = Duration::from_millis(100);
/// The store's clock may be behind ours.
const SKEW: Duration = Duration::from_mins(1);

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) uploads: Vec<Upload>,
    /// Whether the store has more than was looked at.
    more: bool,
}

/// Looks after a leased session.
pub(crate) async fn tend(app: &App, session: Session) -> Result<(), Error> {
    let now = app.clock.now();
    let found = look(app, &session).await;
    let due = match &found {
        Err(_) => Some(after(now, SOONEST)),
        Ok(found) if found.more => Some(now),
        Ok(_) if now >= session.closes_at() => None,
        Ok(_) => Some(next_look(&session, now)),
    };
    app.records.schedule_session(&session, due).await?;
    found.map(drop)
}

fn next_look(session: &Session, now: Timestamp) -> Timestamp {
    let lives = session.expires_at.duration_since(session.id.time());
    let lives = Duration::try_from(lives).unwrap_or_default();
    let pause = (lives / PARTS).clamp(SOONEST, LATEST);
    after(now, pause).min(session.closes_at())
}

/// All that a session has sent so far.
pub(super) async fn all(app: &App, session: &Session, deadline: Instant) -> Result<Found, Error> {
    let leased = leased(app, session, deadline).await?;
    let found = look(app, &leased).await;
    app.records.release_session(&leased).await?;
    found
}

/// What a session has sent to these keys.
pub(super) async fn these(
    app: &App,
    session: &Session,
    keys: &[ObjectKey],
    deadline: Instant,
) -> Result<Found, Error> {
    let leased = leased(app, session, deadline).await?;
    let found = admit(app, &leased, keys).await;
    app.records.release_session(&leased).await?;
    let mut uploads = found?;
    uploads.retain(|upload| keys.contains(&upload.staged_key));
    Ok(Found {
        uploads,
        more: false,
    })
}

/// One at a time finds: else two would let in twice as many.
async fn leased(app: &App, session: &Session, deadline: Instant) -> Result<Session, Error> {
    loop {
        let now = app.clock.now();
        let until = after(now, LEASE);
        if let Some(leased) = app.records.lease_session(session.id, now, until).await? {
            return Ok(leased);
        }
        if Instant::now() + AGAIN >= deadline {
            let says = "these credentials' files are being looked for: try again";
            return Err(Kind::Unavailable.because(says));
        }
        sleep(AGAIN).await;
    }
}

async fn look(app: &App, session: &Session) -> Result<Found, Error> {
    let page = app.bucket.list_staged(&session.prefix, None).await?;
    // An identity of a pool writes to one prefix for ever: what is older was another session's.
    let begun = session.id.time();
    let keys: Vec<ObjectKey> = page
        .objects
        .into_iter()
        .filter(|object| after(object.modified_at, SKEW) >= begun)
        .map(|object| object.key)
        .collect();
    Ok(Found {
        uploads: admit(app, session, &keys).await?,
        more: page.next.is_some(),
    })
}

/// Makes uploads of the objects that are none yet. What is more than the profile takes is deleted. All of the session come back.
async fn admit(app: &App, session: &Session, keys: &[ObjectKey]) -> Result<Vec<Upload>, Error> {
    let profile = flow::profile(app, &session.profile)?;
    let mut uploads = app.records.session_uploads(session).await?;
    for key in keys {
        if uploads.iter().any(|upload| upload.staged_key == *key) {
            continue;
        }
        let begun = match profile.check_count(uploads.len() + 1) {
            Ok(()) => begin(app, session.upload(key.clone()), profile).await,
            Err(full) => Err(full),
        };
        match begun {
            Ok(upload) => uploads.push(upload),
            Err(error) if error.kind().retryable() => return Err(error),
            Err(error) => {
                app.bucket.delete_staged(key).await?;
                tracing::info!(id = %session.id, %error, "a file of a session is not taken");
            }
        }
    }
    Ok(uploads)
}

/// Records the upload, once: who finds an object at the same time finds the same.
async fn begin(app: &App, upload: Upload, profile: &Profile) -> Result<Upload, Error> {
    // It can be written over until it is inspected, and is no larger then.
    let upload = Upload {
        reserved_bytes: profile.max_size_bytes,
        ..upload
    };
    let id = upload.id;
    let digest = |part: &str| {
        let hash = Sha256::new().chain_update(part);
        hash.chain_update(id.to_bytes()).finalize().into()
    };
    let reply = Reply {
        key: digest("found"),
        fingerprint: digest(""),
        answers: vec![Answer::Begun(id)],
        at: app.clock.now(),
    };
    let new = NewBegin {
        uploads: vec![upload],
        reply: Some(reply),
    };
    match app.records.begin(new).await? {
        (Outcome::Done, mut uploads) => uploads.pop().ok_or(Kind::Internal)?.map_err(Error::from),
        (Outcome::Lost, _) => flow::reload(app, id).await,
    }
}
